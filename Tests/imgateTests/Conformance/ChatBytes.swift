/// The chat protocols' bytes, recognised by the grammar of their first packets alone.
///
/// Written from the description of the protocols, and apart from the program's own parsers: both
/// must come to the same.
enum ChatBytes {
  // MARK: WeChat

  /// mmtls over TCP: one clear ClientHello record, whose inner lengths add up.
  ///
  /// ```
  /// 16 f1 03|04  length (2)  section (4)  01  version reversed (2)  count, suites (2 each)
  /// random (32)  time (4)  extensions (4)  count  { length (4)  content }
  /// ```
  static func isLongLink(_ stream: [UInt8]) -> Bool { helloEnd(stream, types: [0x16]) != nil }

  /// The end of an mmtls ClientHello at the beginning of `bytes`.
  private static func helloEnd(_ bytes: [UInt8], types: Set<UInt8>) -> Int? {
    guard bytes.count >= 5, types.contains(bytes[0]), bytes[1] == 0xf1,
      bytes[2] == 3 || bytes[2] == 4
    else { return nil }
    let length = number(bytes, 3, 2)
    guard (100...1024).contains(length), bytes.count >= 5 + length else { return nil }
    let hello = Array(bytes[5..<5 + length])
    guard number(hello, 0, 4) == length - 4, hello[4] == 1, hello[5] == bytes[2],
      hello[6] == 0xf1
    else { return nil }
    let suites = Int(hello[7])
    guard (1...8).contains(suites) else { return nil }
    var offset = 8 + suites * 2 + 32 + 4
    guard offset + 5 <= length, number(hello, offset, 4) == length - offset - 4 else { return nil }
    let count = hello[offset + 4]
    offset += 5
    for _ in 0..<count {
      guard offset + 4 <= length else { return nil }
      offset += 4 + number(hello, offset, 4)
    }
    return offset == length ? 5 + length : nil
  }

  /// The short link: `POST /mmtls/<8 hex>` whose body is an mmtls hello and records, exactly.
  ///
  /// The end of the request; nil for anything else.
  static func shortLinkEnd(_ request: [UInt8], _ head: HTTPHead) -> Int? {
    let words = head.line.split(separator: " ")
    let hexadecimal = Set("0123456789abcdef")
    guard words.count == 3, words[0] == "POST", words[1].hasPrefix("/mmtls/"),
      words[1].count == 15, words[1].dropFirst(7).allSatisfy({ hexadecimal.contains($0) }),
      let length = head.contentLength, head.end + length <= request.count
    else { return nil }
    let body = Array(request[head.end..<head.end + length])
    guard var offset = helloEnd(body, types: [0x16, 0x19]) else { return nil }
    while offset < body.count {
      guard offset + 5 <= body.count, [0x15, 0x16, 0x17, 0x19].contains(body[offset]),
        body[offset + 1] == 0xf1, body[offset + 2] == body[2]
      else { return nil }
      offset += 5 + number(body, offset + 3, 2)
    }
    return offset == body.count ? head.end + length : nil
  }

  // MARK: QQ

  /// Commands of OICQ that are known.
  private static let commands: Set<Int> = [
    0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0a, 0x0b, 0x0d, 0x12, 0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1d,
    0x21, 0x22, 0x26, 0x27, 0x29, 0x30, 0x31, 0x3c, 0x3d, 0x3e, 0x58, 0x5c, 0x62, 0x65, 0x67, 0x80,
    0x81, 0x91, 0xa4, 0xb5, 0xba, 0xcd, 0xce, 0xdd, 0xe5, 0x03f7, 0x0818, 0x0825, 0x0836,
  ]

  /// An OICQ frame: `02  version (2)  command (2)  sequence (2)  number (4)  body  03`.
  static func isOICQ(_ frame: [UInt8]) -> Bool {
    frame.count > 12 && frame[0] == 0x02 && frame[frame.count - 1] == 0x03
      && commands.contains(number(frame, 3, 2))
  }

  /// QQ of a computer over TCP: `length with itself (2)`, then an OICQ frame; another may follow.
  static func isPCQQ(_ stream: [UInt8]) -> Bool {
    guard stream.count >= 2 else { return false }
    let length = number(stream, 0, 2)
    return length > 2 && length <= stream.count && isOICQ(Array(stream[2..<length]))
  }

  /// QQ's service channel.
  ///
  /// ```
  /// length with itself (4)  0000000a..0d  encryption 0..2
  /// 0a, 0c: D2 with its length (4 + n)    0b, 0d: sequence (4)
  /// 00  number with its length (4 + n): up to 11 digits
  /// ```
  static func isMSF(_ stream: [UInt8]) -> Bool {
    guard stream.count >= 14 else { return false }
    let length = number(stream, 0, 4)
    let kind = number(stream, 4, 4)
    guard length <= 10 << 20, (0x0a...0x0d).contains(kind), stream[8] <= 2 else { return false }
    var offset = 9
    if kind == 0x0a || kind == 0x0c {
      let size = number(stream, offset, 4)
      guard size >= 4, size < length else { return false }
      offset += size
    } else {
      offset += 4
    }
    guard stream.count >= offset + 5, stream[offset] == 0 else { return false }
    let size = number(stream, offset + 1, 4)
    guard (4...15).contains(size), stream.count >= offset + 1 + size,
      offset + 1 + size <= length
    else { return false }
    return stream[offset + 5..<offset + 1 + size].allSatisfy { (0x30...0x39).contains($0) }
  }

  static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
    bytes[offset..<offset + count].reduce(0) { $0 << 8 | Int($1) }
  }
}

/// The head of an HTTP request, as far as the classifier needs it.
struct HTTPHead {
  let line: String
  let host: String?
  let contentLength: Int?
  /// Behind its empty line.
  let end: Int

  static let methods = [
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH",
  ]

  /// Whether a stream begins with a method.
  static func begins(_ stream: [UInt8]) -> Bool {
    methods.contains { stream.starts(with: Array(($0 + " ").utf8)) }
  }

  init?(_ stream: [UInt8]) {
    guard Self.begins(stream) else { return nil }
    var lines: [String] = []
    var start = 0
    var end: Int?
    for i in stream.indices.dropLast() where stream[i] == 0x0d && stream[i + 1] == 0x0a {
      if i == start {
        end = i + 2
        break
      }
      lines.append(String(decoding: stream[start..<i], as: UTF8.self))
      start = i + 2
    }
    guard let end, let first = lines.first else { return nil }
    line = first
    self.end = end
    func value(_ name: String) -> String? {
      let line = lines.dropFirst().first { $0.lowercased().hasPrefix(name + ":") }
      guard let line else { return nil }
      let value = line.dropFirst(name.count + 1).drop { $0 == " " }
      return String(value).lowercased()
    }
    host = value("host")
    contentLength = value("content-length").flatMap { Int($0) }
  }
}
