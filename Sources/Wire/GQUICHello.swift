/// The hello of Google's own QUIC, versions Q024 to Q043, which WeChat still speaks: in clear.
///
/// ```
/// flags (1): bit 0 version, bit 3 connection id, bits 4 and 5 size of the packet number
/// id (8)  "Q0nn"  packet number (1, 2, 4 or 6)  hash (12)
/// stream frame a0, stream (1), length (2)
/// "CHLO", count of tags (2), 0 (2), each: tag (4) end of its value (4); the values
/// ```
///
/// The message's numbers are little-endian; before Q039 so is the frame's length.
public struct GQUICHello: Sendable {
  /// The version's number: 43 of Q043.
  public let version: Int
  /// The value of tag SNI, visible ASCII; nil without one.
  public let serverName: WireName?

  /// The most tags that a hello has.
  private static let maximumTags = 128

  /// Recognises a UDP datagram; packets without the version, and what is no hello in clear, are
  /// `other`.
  public static func recognise(_ datagram: RawSpan) -> Recognition<GQUICHello> {
    do throws(Stop) {
      return try read(datagram)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ datagram: RawSpan) throws(Stop) -> Recognition<GQUICHello> {
    var reader = Reader(datagram)
    let flags = try reader.take(UInt8.self)
    // Neither IETF QUIC's bits, nor a reset, and with version and id, as clients send it.
    guard flags & 0xc0 == 0, flags & 0x09 == 0x09 else { return .other }
    try reader.skip(8)
    // "Q0", two digits
    guard try reader.has(0x5130 as UInt16) else { return .other }
    let tens = try reader.peek(UInt8.self, at: 2), ones = try reader.peek(UInt8.self, at: 3)
    guard tens.isDigit, ones.isDigit else { return .other }
    let version = Int(tens - 0x30) * 10 + Int(ones - 0x30)
    // Later ones have another header, earlier ones another frame.
    guard 24...43 ~= version else { return .other }
    let numberSize = flags >> 4 & 3
    try reader.skip(4 + (numberSize == 3 ? 6 : 1 << Int(numberSize)) + 12)

    // A frame with its length, without an offset, on a stream below 256.
    guard try reader.has(0xa0 as UInt8) else { return .other }
    try reader.skip(2)
    var length = Int(try reader.take(UInt16.self))
    if version < 39 { length = Int(UInt16(length).byteSwapped) }
    guard try reader.has(0x4348_4c4f as UInt32) else { return .other }
    guard reader.count >= length else { throw .needMore }
    let name = try readName(BoundedReader(reader.split(upTo: length).bytes))
    return .done(GQUICHello(version: version, serverName: name))
  }

  /// The value of tag SNI.
  private static func readName(_ message: consuming BoundedReader) throws(Stop) -> WireName? {
    var message = message
    try message.skip(4)
    let count = Int(try message.take(UInt16.self).byteSwapped)
    guard count <= maximumTags else { throw .malformed("more tags than any hello has") }
    try message.skip(2)
    var tags = try message.structure(count * 8)
    var place: Range<Int>?
    var start = 0
    while !tags.isAtEnd {
      let tag = try tags.take(UInt32.self)
      let end = Int(try tags.take(UInt32.self).byteSwapped)
      guard end >= start, end <= message.left else {
        throw .malformed("a value ends past the message, or before it begins")
      }
      if tag == 0x534e_4900 {  // "SNI\0"
        guard place == nil else { throw .malformed("two names") }
        place = start..<end
      }
      start = end
    }
    guard start == message.left else { throw .malformed("bytes are left over in the hello") }
    guard let place else { return nil }
    try message.skip(place.lowerBound)
    var value = try message.structure(place.count)
    guard !value.isAtEnd else { throw .malformed("empty name") }
    var name = WireName()
    while !value.isAtEnd {
      let byte = try value.take(UInt8.self)
      guard byte.isVisibleASCII, name.append(byte) else {
        throw .malformed("name is not visible ASCII, or longer than 255")
      }
    }
    return name
  }
}
