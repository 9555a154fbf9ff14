/// A TLS ClientHello, as far as a gateway wants to know it (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2).
///
/// ```
/// handshake type 1 (1)  length (3)
///   legacy_version (2)  random (32)
///   legacy_session_id: length (1), <= 32
///   cipher_suites: length (2), pairs
///   legacy_compression_methods: length (1), null among them
///   extensions: length (2), each: type (2) length (2) data
/// ```
public struct ClientHello: Sendable {
  /// Bytes of the stream that the hello takes, with the headers of its records.
  public private(set) var length = 0
  /// The host name of the server_name extension (RFC 6066 §3), as the client wrote it.
  ///
  /// All its bytes are visible ASCII; it is not yet known to be a host name.
  public var serverName: WireName? { hasName ? name : nil }
  /// Whether encrypted_client_hello is offered (extension 0xfe0d).
  ///
  /// Clients also send it as GREASE: its presence proves nothing.
  public private(set) var offersEncryptedHello = false
  /// Whether supported_versions (RFC 8446 §4.2.1) lists TLS 1.3.
  public private(set) var offersTLS13 = false

  private var name = WireName()
  private var hasName = false

  /// The longest message that is read on: longer than any server takes (OpenSSL: 131,396).
  public static let maximumLength = 131_396

  /// Parses the beginning of a client's stream, over any number of records.
  ///
  /// What a server would ignore or refuse is malformed: other record versions than 3.0 to 3.4, empty
  /// or oversized records, an extension that occurs twice, two names or none in server_name, bytes
  /// left over in any structure, or after the message in its record.
  public static func parse(_ stream: RawSpan) -> Parsed<ClientHello> {
    var reader = HandshakeReader(stream)
    return parse(&reader, stream.byteCount)
  }

  /// Parses the message by itself, as QUIC carries it: without records, and with nothing behind.
  public static func parseMessage(_ message: RawSpan) -> Parsed<ClientHello> {
    var reader = HandshakeReader(messages: message)
    return parse(&reader, message.byteCount)
  }

  @_lifetime(reader: copy reader)
  private static func parse(_ reader: inout HandshakeReader, _ size: Int) -> Parsed<ClientHello> {
    do throws(Stop) {
      var hello = ClientHello()
      try hello.read(&reader)
      hello.length = size - reader.remaining
      return .done(hello)
    } catch {
      return error.outcome()
    }
  }

  @_lifetime(reader: copy reader)
  private mutating func read(_ reader: inout HandshakeReader) throws(Stop) {
    guard try reader.take(UInt8.self) == 1 else { throw .malformed("not a ClientHello") }
    let length = Int(try reader.take(UInt8.self)) << 16 | Int(try reader.take(UInt16.self))
    guard length <= Self.maximumLength else { throw .malformed("ClientHello longer than any") }
    let outer = try reader.enter(length)
    guard 0x0301...0x0303 ~= (try reader.take(UInt16.self)) else {
      throw .malformed("legacy_version is not within 3.1 to 3.3")
    }
    try reader.skip(32)
    let session = Int(try reader.take(UInt8.self))
    guard session <= 32 else { throw .malformed("session id longer than 32") }
    try reader.skip(session)
    let suites = Int(try reader.take(UInt16.self))
    guard suites >= 2, suites & 1 == 0 else { throw .malformed("cipher suites of odd length") }
    try reader.skip(suites)
    try Self.readCompression(&reader)

    // A hello without extensions ends here.
    if !reader.isAtLimit { try readExtensions(&reader) }
    try reader.leave(outer)
    try reader.endMessage()
  }

  @_lifetime(reader: copy reader)
  private static func readCompression(_ reader: inout HandshakeReader) throws(Stop) {
    var offersNull = false
    for _ in 0..<(try reader.take(UInt8.self)) {
      if try reader.take(UInt8.self) == 0 { offersNull = true }
    }
    guard offersNull else { throw .malformed("null compression is not offered") }
  }

  @_lifetime(reader: copy reader)
  private mutating func readExtensions(_ reader: inout HandshakeReader) throws(Stop) {
    var seen = ExtensionSet()
    let outer = try reader.enter(Int(try reader.take(UInt16.self)))
    while !reader.isAtLimit {
      let type = try reader.take(UInt16.self)
      let list = try reader.enter(Int(try reader.take(UInt16.self)))
      try seen.insert(type)
      switch type {
      case 0x0000: try readServerName(&reader)
      case 0x002b: offersTLS13 = try Self.readSupportedVersions(&reader)
      case 0xfe0d:
        offersEncryptedHello = true
        try reader.skip(reader.left)
      default: try reader.skip(reader.left)
      }
      try reader.leave(list)
      // RFC 8446 §4.2.11: pre_shared_key comes last.
      if type == 0x0029, !reader.isAtLimit {
        throw .malformed("an extension follows pre_shared_key")
      }
    }
    try reader.leave(outer)
  }

  /// Reads server_name: `list length (2)  name type 0 (1)  name length (2)  name`.
  @_lifetime(reader: copy reader)
  private mutating func readServerName(_ reader: inout HandshakeReader) throws(Stop) {
    let outer = try reader.enter(Int(try reader.take(UInt16.self)))
    guard try reader.take(UInt8.self) == 0 else { throw .malformed("name type is not host_name") }
    let length = Int(try reader.take(UInt16.self))
    guard length == reader.left else {
      throw .malformed("server_name is not exactly one host_name")
    }
    guard length > 0 else { throw .malformed("empty host_name") }
    guard length <= WireName.maximumCount else { throw .malformed("host_name longer than 255") }
    try reader.takeName(length, into: &name)
    hasName = true
    try reader.leave(outer)
  }

  /// Reads supported_versions: `list length (1)  versions (2 each)`.
  @_lifetime(reader: copy reader)
  private static func readSupportedVersions(
    _ reader: inout HandshakeReader
  ) throws(Stop) -> Bool {
    let length = Int(try reader.take(UInt8.self))
    guard length >= 2, length & 1 == 0 else {
      throw .malformed("supported_versions of odd length")
    }
    guard length == reader.left else {
      throw .malformed("supported_versions does not fill its extension")
    }
    var offersTLS13 = false
    for _ in 0..<length / 2 {
      if try reader.take(UInt16.self) == 0x0304 { offersTLS13 = true }
    }
    return offersTLS13
  }
}
