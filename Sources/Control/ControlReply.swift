/// The gateway's answer: a first line that tells how it went, then the body until the end.
public struct ControlReply: Equatable, Sendable {
  /// 0, or the exit status for the command that asked: 1 the input is bad, 3 the system refused.
  public let status: UInt8
  /// What went wrong, one line; empty when nothing did.
  public let message: String
  /// What the command prints: data on success, details (the errors of a rules file) otherwise.
  public let body: [UInt8]

  private init(status: UInt8, message: String, body: [UInt8]) {
    self.status = status
    self.message = message
    self.body = body
  }

  /// It went well.
  public static func ok(_ body: [UInt8] = []) -> ControlReply {
    ControlReply(status: 0, message: "", body: body)
  }

  /// It went well.
  public static func ok(_ text: String) -> ControlReply { ok(Array(text.utf8)) }

  /// It did not; `status` is 1 or 3, line feeds in `message` become spaces.
  public static func failure(
    _ status: UInt8, _ message: String, body: [UInt8] = []
  ) -> ControlReply {
    let line = message.utf8.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 }
    return ControlReply(
      status: status, message: String(decoding: line, as: UTF8.self), body: body)
  }

  /// As it goes over the socket.
  public var bytes: [UInt8] {
    let first = status == 0 ? "ok\n" : "error \(status) \(message)\n"
    return Array(first.utf8) + body
  }

  /// Reads an answer; nil when its first line is cut short or no such line: whoever wrote it died
  /// over it, or is no gateway.
  public init?(_ bytes: [UInt8]) {
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    let line = String(decoding: bytes[..<end], as: UTF8.self)
    let body = Array(bytes[(end + 1)...])
    if line == "ok" {
      self.init(status: 0, message: "", body: body)
      return
    }
    let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == "error", let status = UInt8(words[1]), status != 0 else {
      return nil
    }
    self.init(status: status, message: String(words[2]), body: body)
  }
}
