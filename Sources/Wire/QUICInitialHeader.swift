/// The clear part of a QUIC Initial packet, versions 1 and 2 (RFC 9000 §17.2.2, RFC 9369 §3.2).
///
/// ```
/// 1 1 type (2 bits) ....  version (4)
/// destination id: length (1), <= 20   source id: the same
/// token: length (variable), bytes     length (variable) of packet number and payload
/// ```
///
/// The hello inside is encrypted with a key that follows from the destination id.
public struct QUICInitialHeader: Sendable {
  /// The version: 1, or 2 as 0x6b3343cf.
  public let version: UInt32
  /// Where the destination's connection id stands in the datagram.
  public let destinationID: Range<Int>
  /// Where the source's connection id stands in the datagram.
  public let sourceID: Range<Int>
  /// Where the token stands in the datagram.
  public let token: Range<Int>
  /// Where packet number (protected) and payload stand; other packets may follow in the datagram.
  public let payload: Range<Int>

  /// The number of version 1.
  public static let version1: UInt32 = 1
  /// The number of version 2.
  public static let version2: UInt32 = 0x6b33_43cf

  /// Recognises a UDP datagram; other packets and versions of QUIC are `other`.
  public static func recognise(_ datagram: RawSpan) -> Recognition<QUICInitialHeader> {
    do throws(Stop) {
      return try read(datagram)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ datagram: RawSpan) throws(Stop) -> Recognition<QUICInitialHeader> {
    var reader = Reader(datagram)
    let first = try reader.take(UInt8.self)
    // Long header and fixed bit.
    guard first & 0xc0 == 0xc0 else { return .other }
    let version = try reader.take(UInt32.self)
    // The type of an Initial differs between the versions.
    switch version {
    case version1: guard first & 0x30 == 0x00 else { return .other }
    case version2: guard first & 0x30 == 0x10 else { return .other }
    default: return .other
    }
    let size = datagram.byteCount
    let destination = try skip(try connectionID(&reader), &reader, size)
    let source = try skip(try connectionID(&reader), &reader, size)
    let token = try skip(try reader.takeVariable(), &reader, size)
    let payload = try skip(try reader.takeVariable(), &reader, size)
    // RFC 9001 §5.4.2: the sample that unprotects the header ends 20 bytes behind its start.
    guard payload.count >= 20 else { throw .malformed("packet too short to be unprotected") }
    return .done(
      QUICInitialHeader(
        version: version, destinationID: destination, sourceID: source, token: token,
        payload: payload))
  }

  /// Skips `length` bytes; where they stand in a datagram of `size` bytes.
  @_lifetime(reader: copy reader)
  private static func skip(
    _ length: Int, _ reader: inout Reader, _ size: Int
  ) throws(Stop) -> Range<Int> {
    let start = size - reader.count
    try reader.skip(length)
    return start..<start + length
  }

  @_lifetime(reader: copy reader)
  private static func connectionID(_ reader: inout Reader) throws(Stop) -> Int {
    let length = Int(try reader.take(UInt8.self))
    guard length <= 20 else { throw .malformed("connection id longer than 20") }
    return length
  }
}

extension Reader {
  /// Takes an integer of one, two, four or eight bytes (RFC 9000 §16); all are below 2^62.
  @_lifetime(self: copy self)
  mutating func takeVariable() throws(Stop) -> Int {
    let first = try take(UInt8.self)
    var value = Int(first & 0x3f)
    for _ in 1..<(1 << Int(first >> 6)) {
      value = value << 8 | Int(try take(UInt8.self))
    }
    return value
  }
}
