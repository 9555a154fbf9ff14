/// A request of WeChat's media protocol over HTTP: pairs in the body of `POST /uploadv3`, `/download`
/// or `/uploadcheckmd5`.
public struct C2CForm: Sendable {
  /// The request's head; its host is mostly an address literal (`WireName.address`).
  public let head: HTTPRequestHead
  /// Bytes of the body, which follow the head.
  public let bodyLength: UInt64

  /// Recognises the beginning of a request; a body of more than 4 KiB is decided on these.
  public static func recognise(_ stream: RawSpan) -> Recognition<C2CForm> {
    do throws(Stop) {
      return try read(stream)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> Recognition<C2CForm> {
    guard try hasPath(Reader(stream)) else { return .other }
    switch HTTPRequestHead.parse(stream) {
    case .needMore: return .needMore
    case .malformed(let malformation): return .malformed(malformation)
    case .done(let head):
      guard head.host != nil, case .length(let length) = head.body else { return .other }
      guard
        try C2CPairs.walk(
          stream.extracting(droppingFirst: head.length), length: length,
          window: Recognition<C2CForm>.window)
      else { return .other }
      return .done(C2CForm(head: head, bodyLength: length))
    }
  }

  /// Whether the request line is one of the three, without a query.
  private static func hasPath(_ reader: borrowing Reader) throws(Stop) -> Bool {
    // "POST /", then "download " or "upload".
    guard try reader.has(0x504f_5354 as UInt32), try reader.has(0x202f as UInt16, at: 4) else {
      return false
    }
    if try reader.has(0x64 as UInt8, at: 6) {
      guard try reader.has(0x646f_776e_6c6f_6164 as UInt64, at: 6) else { return false }
      return try reader.has(0x20 as UInt8, at: 14)
    }
    guard try reader.has(0x7570_6c6f as UInt32, at: 6), try reader.has(0x6164 as UInt16, at: 10)
    else { return false }
    // "v3 " or "checkmd5 ".
    if try reader.has(0x76 as UInt8, at: 12) {
      return try reader.has(0x3320 as UInt16, at: 13)
    }
    guard try reader.has(0x6368_6563_6b6d_6435 as UInt64, at: 12) else { return false }
    return try reader.has(0x20 as UInt8, at: 20)
  }
}
