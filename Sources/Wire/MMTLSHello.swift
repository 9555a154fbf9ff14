/// The hello with which an mmtls client begins: WeChat's own TLS, without any name in it.
///
/// All its lengths must agree, and it must offer what it names; sizes move with tickets.
///
/// ```
/// record: type 16 (in HTTP bodies 19)  version (2)  length (2)
/// section length (4) = record length - 4
///   type 01  version, its two bytes reversed
///   suites: count (1), each (2): c0 2b ECDHE, 00 a8 pre-shared key
///   random (32)  Unix time (4)
///   extensions: length (4), count (1), each: length (4) type (2) data
/// ```
public struct MMTLSHello: Sendable {
  /// What the session's keys come from.
  public enum Keys: Equatable, Sendable {
    /// A ticket of an earlier session.
    case ticket
    /// Key shares: the first contact, or a new key after the ticket's end.
    case shares
  }

  /// What carries the records.
  public enum Carrier: Equatable, Sendable {
    /// A TCP stream: the long link.
    case stream
    /// The body of an HTTP request: the short link, which also has hellos of type 19.
    case body
  }

  /// Bytes of the hello's record, header included.
  public private(set) var length = 0
  /// The version as its two bytes stand in the record.
  public private(set) var version: UInt16 = 0
  /// What the keys come from.
  public private(set) var keys = Keys.ticket

  /// How many bytes the body of a hello's record has.
  public static let bodyLengths = 100...1024

  /// Recognises the beginning of a client's bytes, in one of `versions`.
  public static func recognise(
    _ bytes: RawSpan, versions: MMTLSVersions, in carrier: Carrier = .stream
  ) -> Recognition<MMTLSHello> {
    do throws(Stop) {
      return try read(bytes, versions, carrier)
    } catch {
      return error.recognition()
    }
  }

  private static func read(
    _ bytes: RawSpan, _ versions: MMTLSVersions, _ carrier: Carrier
  ) throws(Stop) -> Recognition<MMTLSHello> {
    var reader = Reader(bytes)
    let early: UInt8? = carrier == .body ? MMTLSRecord.early : nil
    guard
      try MMTLSRecord.begins(reader, versions, type: MMTLSRecord.handshake, or: early)
    else { return .other }
    try reader.skip(1)
    var hello = MMTLSHello()
    hello.version = try reader.take(UInt16.self)
    let body = Int(try reader.take(UInt16.self))
    guard bodyLengths ~= body else { throw .malformed("hello not of 100 to 1024 bytes") }
    hello.length = MMTLSRecord.headerLength + body
    // These five bytes tell early that it is none.
    guard try reader.peek(UInt32.self) == UInt32(body - 4) else {
      throw .malformed("section does not fill its record")
    }
    guard try reader.peek(UInt8.self, at: 4) == 1 else { throw .malformed("not a ClientHello") }
    guard reader.count >= body else { throw .needMore }
    var section = BoundedReader(reader.split(upTo: body).bytes)
    try section.skip(5)
    try hello.read(&section)
    return .done(hello)
  }

  @_lifetime(section: copy section)
  private mutating func read(_ section: inout BoundedReader) throws(Stop) {
    guard try section.take(UInt16.self) == version.byteSwapped else {
      throw .malformed("version of hello and record disagree")
    }
    let suites = try section.take(UInt8.self)
    guard 1...8 ~= suites else { throw .malformed("not one to eight suites") }
    var offersShares = false, offersTicket = false
    for _ in 0..<suites {
      switch try section.take(UInt16.self) {
      case 0xc02b: offersShares = true
      case 0x00a8: offersTicket = true
      default: break
      }
    }
    guard offersShares || offersTicket else { throw .malformed("no suite that is known") }
    try section.skip(32 + 4)

    var extensions = try section.structure(Int(try section.take(UInt32.self)))
    try section.end()
    var hasTicket = false, hasShares = false
    for _ in 0..<(try extensions.take(UInt8.self)) {
      var data = try extensions.structure(Int(try extensions.take(UInt32.self)))
      switch try data.take(UInt16.self) {
      case 0x000f:
        guard !hasTicket else { throw .malformed("an extension occurs twice") }
        hasTicket = true
        try Self.readTickets(&data)
      case 0x0010:
        guard !hasShares else { throw .malformed("an extension occurs twice") }
        hasShares = true
        try Self.readShares(&data)
      default: break
      }
    }
    try extensions.end()
    // A suite without what it needs, or nothing of what any needs, is no hello.
    if offersShares, hasShares {
      keys = .shares
    } else {
      guard offersTicket, hasTicket else {
        throw .malformed("neither a key share nor a ticket for the suites")
      }
      keys = .ticket
    }
  }

  /// Reads the tickets: `count (1)`, each `length (4)  kind (1)  lifetime (4)`, then with a length of
  /// two bytes each a MAC, and after `key version (4)` a nonce and a ticket.
  @_lifetime(data: copy data)
  private static func readTickets(_ data: inout BoundedReader) throws(Stop) {
    let count = try data.take(UInt8.self)
    guard count > 0 else { throw .malformed("no ticket") }
    for _ in 0..<count {
      var ticket = try data.structure(Int(try data.take(UInt32.self)))
      try ticket.skip(1 + 4)
      try ticket.skip(Int(try ticket.take(UInt16.self)))
      try ticket.skip(4)
      try ticket.skip(Int(try ticket.take(UInt16.self)))
      try ticket.skip(Int(try ticket.take(UInt16.self)))
      try ticket.end()
    }
    try data.end()
  }

  /// Reads the key shares: `count (1)`, each `length (4)  id (4)  length (2)  point`, uncompressed on
  /// P-256; some bytes of unknown meaning follow.
  @_lifetime(data: copy data)
  private static func readShares(_ data: inout BoundedReader) throws(Stop) {
    let count = try data.take(UInt8.self)
    guard count > 0 else { throw .malformed("no key share") }
    for _ in 0..<count {
      var share = try data.structure(Int(try data.take(UInt32.self)))
      try share.skip(4)
      guard try share.take(UInt16.self) == 65, try share.take(UInt8.self) == 4 else {
        throw .malformed("key share is not an uncompressed point")
      }
      try share.skip(64)
      try share.end()
    }
  }
}
