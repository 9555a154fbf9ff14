/// The head of an HTTP/1 response (RFC 9112 §4, §5, §6), read more strictly than clients do.
///
/// What clients read in different ways is malformed: bare line feeds, folded fields, a space before
/// the colon, two Content-Length fields (also equal ones), a Content-Length beside a
/// Transfer-Encoding, any transfer coding but `chunked`.
public struct HTTPResponseHead: Sendable {
  /// How the body, which follows the head, is delimited (RFC 9112 §6.3), unless the request was a
  /// HEAD.
  public enum Body: Equatable, Sendable {
    /// There is none: the next response follows.
    case none
    /// It has so many bytes, at least one.
    case length(UInt64)
    /// It is chunked: `ChunkScanner` finds its end.
    case chunked
    /// It ends with the connection.
    case untilClose
  }

  /// What was done to the body (RFC 9110 §8.4).
  public enum Coding: Equatable, Sendable {
    /// Nothing.
    case identity
    /// `deflate`: zlib by the RFC, raw DEFLATE by some servers.
    case deflate
    /// Something else, or more than one thing.
    case other
  }

  /// Bytes of the head, with the empty line.
  public private(set) var length = 0
  /// The status code, 100 to 599.
  public private(set) var status: UInt16 = 0
  /// How the body is delimited.
  public private(set) var body = Body.none
  /// What was done to the body.
  public private(set) var coding = Coding.identity
  /// Whether the version is HTTP/1.0.
  public private(set) var isHTTP10 = false

  /// The longest head that is read; a longer one is malformed.
  public static let maximumLength = 16_384

  /// Parses the head that begins a stream.
  public static func parse(_ stream: RawSpan) -> Parsed<HTTPResponseHead> {
    var reader = HTTPLineReader(stream.extracting(first: maximumLength))
    var head = HTTPResponseHead()
    do throws(Stop) {
      try head.read(&reader)
      return .done(head)
    } catch .needMore where stream.byteCount >= maximumLength {
      return .malformed(Malformation("head longer than 16 KiB"))
    } catch {
      return error.outcome()
    }
  }

  @_lifetime(reader: copy reader)
  private mutating func read(_ reader: inout HTTPLineReader) throws(Stop) {
    isHTTP10 = try reader.version()
    try readStatus(&reader)
    var framing = HTTPFraming()
    var codings = 0
    while let field = try reader.field() {
      switch field.name {
      case .contentLength: try framing.readContentLength(reader.slice(field.value))
      case .transferEncoding: try framing.readTransferEncoding(reader.slice(field.value))
      case .contentEncoding:
        codings += 1
        var value = try reader.slice(field.value)
        switch try value.takeWord() {
        case .identity: coding = .identity
        case .deflate: coding = .deflate
        default: coding = .other
        }
        if codings > 1 { coding = .other }
      default: break
      }
    }
    length = reader.offset
    try framing.check(isHTTP10: isHTTP10)
    // RFC 9112 §6.3: these have none, whatever their fields say.
    if status < 200 || status == 204 || status == 304 { return }
    if framing.isChunked {
      body = .chunked
    } else if let length = framing.contentLength {
      body = length > 0 ? .length(length) : .none
    } else {
      body = .untilClose
    }
  }

  /// Reads the rest of `version SP status SP reason CRLF`; servers leave out the reason, and some the
  /// space before it.
  @_lifetime(reader: copy reader)
  private mutating func readStatus(_ reader: inout HTTPLineReader) throws(Stop) {
    guard try reader.byte() == 0x20 else { throw .malformed("status line without a status") }
    for _ in 0..<3 {
      let byte = try reader.byte()
      guard byte.isDigit else { throw .malformed("status is not a number") }
      status = status * 10 + UInt16(byte - 0x30)
    }
    guard 100...599 ~= status else { throw .malformed("status is not within 100 to 599") }
    try reader.reason()
  }
}
