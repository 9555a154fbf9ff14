/// The head of an HTTP/1 request (RFC 9112 §2, §3, §5, §6), read more strictly than servers do.
///
/// What servers read in different ways is malformed, so that the host found here is the one that any
/// server would find. Besides the RFC's own errors these are: leading empty lines, bare line feeds,
/// folded fields, a space before the colon, two Host or Content-Length fields (also equal ones), a
/// Content-Length beside a Transfer-Encoding, any transfer coding but `chunked`, an absolute target
/// whose host is not the Host field's, a method that is not all capitals, and a GET or HEAD with a
/// body.
public struct HTTPRequestHead: Sendable {
  /// How the body, which follows the head, is delimited (RFC 9112 §6.3).
  public enum Body: Equatable, Sendable {
    /// There is none: the next request follows.
    case none
    /// It has so many bytes, at least one.
    case length(UInt64)
    /// It is chunked: `ChunkScanner` finds its end.
    case chunked
  }

  /// Bytes of the head, with the empty line.
  public private(set) var length = 0
  /// The host that is asked for: the target's when it is absolute, else the Host field's.
  ///
  /// It is not yet known to be a host name: it may be an address literal, in Host also an IPv6 one
  /// without brackets (`WireName.address`). Nil without a Host field (HTTP/1.0) or with an empty one.
  public private(set) var host: WireName?
  /// The port beside the host, when one is written.
  public private(set) var port: UInt16?
  /// Where the method stands in the stream.
  public private(set) var method = 0..<0
  /// Where the request target stands in the stream.
  public private(set) var target = 0..<0
  /// How the body is delimited.
  public private(set) var body = Body.none
  // Whether the method is one whose body servers pass over.
  private var hasNoBody = false
  /// Whether the method is CONNECT.
  public private(set) var isConnect = false
  /// Where the value of the first Upgrade field stands in the stream (RFC 9110 §7.8).
  public private(set) var upgrade: Range<Int>?
  /// Whether there is an Upgrade or HTTP2-Settings field.
  public private(set) var asksUpgrade = false
  /// Whether the version is HTTP/1.0, where the connection ends with the response unless both ends
  /// agree otherwise.
  public private(set) var isHTTP10 = false

  /// The longest head that is read; a longer one is malformed.
  public static let maximumLength = 16_384

  /// Parses the head that begins a stream.
  public static func parse(_ stream: RawSpan) -> Parsed<HTTPRequestHead> {
    var reader = HTTPLineReader(stream.extracting(first: maximumLength))
    var head = HTTPRequestHead()
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
    let targetAuthority = try readRequestLine(&reader)
    var fields = HTTPFraming()
    while let field = try reader.field() {
      switch field.name {
      case .host:
        guard fields.host == nil else { throw .malformed("two Host fields") }
        fields.host = try HTTPAuthority(reader.slice(field.value), allowsBareLiteral: true)
      case .contentLength: try fields.readContentLength(reader.slice(field.value))
      case .transferEncoding: try fields.readTransferEncoding(reader.slice(field.value))
      case .upgrade:
        asksUpgrade = true
        if upgrade == nil { upgrade = field.value }
      case .http2Settings: asksUpgrade = true
      default: break
      }
    }
    length = reader.offset
    try fields.check(isHTTP10: isHTTP10)
    body = fields.isChunked ? .chunked : .none
    if let length = fields.contentLength, length > 0 { body = .length(length) }
    // RFC 9110 §9.3.1: such a body means nothing, so many a server takes it for the next request.
    if hasNoBody, body != .none { throw .malformed("GET or HEAD with a body") }
    guard isHTTP10 || fields.host != nil else { throw .malformed("HTTP/1.1 without a Host field") }
    host = fields.host?.host
    port = fields.host?.port
    guard let authority = targetAuthority else { return }
    if let field = fields.host, !isConnect {
      // RFC 9112 §3.2.2: a server goes by the target, others by the field.
      guard let named = field.host, let asked = authority.host, named.equalsIgnoringCase(asked),
        field.port ?? 80 == authority.port ?? 80
      else { throw .malformed("absolute target and Host field disagree") }
    }
    host = authority.host
    port = authority.port
  }

  /// Reads `method SP target SP version CRLF`; the authority of an absolute target.
  @_lifetime(reader: copy reader)
  private mutating func readRequestLine(
    _ reader: inout HTTPLineReader
  ) throws(Stop) -> HTTPAuthority? {
    let name = try readMethod(&reader)
    let start = reader.offset
    let first = try reader.byte()
    guard first.isVisibleASCII else { throw .malformed("request line without a target") }
    var byte = first
    while byte != 0x20 {
      guard byte.isVisibleASCII else { throw .malformed("request line without a version") }
      byte = try reader.byte()
    }
    target = start..<reader.offset - 1
    isHTTP10 = try reader.version()
    try reader.lineEnd()
    return try readTarget(reader, name, first)
  }

  @_lifetime(reader: copy reader)
  private mutating func readMethod(_ reader: inout HTTPLineReader) throws(Stop) -> ASCIIWord {
    var name = ASCIIWord()
    while true {
      let byte = try reader.byte()
      if byte == 0x20, reader.offset > 1 { break }
      // RFC 9110 §9.1: registered methods are letters and hyphens; all in use are capitals.
      guard 0x41...0x5a ~= byte || byte == 0x2d && reader.offset > 1 else {
        throw .malformed("method is not in capitals")
      }
      guard reader.offset <= 24 else { throw .malformed("method longer than 24") }
      name.append(byte.lowercasedASCII)
    }
    method = 0..<reader.offset - 1
    isConnect = name == .connect
    hasNoBody = name == .get || name == .head
    return name
  }

  /// Tells the forms of targets (RFC 9112 §3.2) apart.
  private func readTarget(
    _ reader: borrowing HTTPLineReader, _ name: ASCIIWord, _ first: UInt8
  ) throws(Stop) -> HTTPAuthority? {
    // authority-form: CONNECT is known by its name, and judged by that.
    if isConnect { return try HTTPAuthority(reader.slice(target)) }
    if first == 0x2f { return nil }  // origin-form
    if first == 0x2a, target.count == 1, name == .options { return nil }  // asterisk-form
    // absolute-form
    var scheme = ASCIIWord()
    var text = try reader.slice(target)
    for _ in 0..<min(7, text.count) { scheme.append(try text.take(UInt8.self).lowercasedASCII) }
    guard scheme == .httpScheme else {
      throw .malformed("target is neither a path nor an http URI")
    }
    var length = 0
    while length < text.count {
      let byte = try text.peek(UInt8.self, at: length)
      if byte == 0x2f || byte == 0x3f || byte == 0x23 { break }  // / ? #
      length += 1
    }
    let authority = try HTTPAuthority(text.split(upTo: length))
    guard authority.host != nil else { throw .malformed("absolute target without a host") }
    return authority
  }
}
