/// A resource record (RFC 1035 §4.1.3).
///
/// ```
/// name  type (2)  class (2)  time to live (4)  data length (2)  data
/// ```
struct DNSRecord {
  static let a: UInt16 = 1
  static let cname: UInt16 = 5
  static let aaaa: UInt16 = 28
  static let opt: UInt16 = 41
  static let svcb: UInt16 = 64
  static let https: UInt16 = 65

  let owner: WireName
  let type: UInt16
  let isInternet: Bool
  /// Seconds for which the record may be kept.
  let lifetime: UInt32
  /// Where its data stands in the message.
  let data: Range<Int>

  /// Reads the record at `offset` and moves `offset` behind it.
  init(_ reader: borrowing Reader, at offset: inout Int) throws(Stop) {
    owner = try DNSName.read(reader, at: &offset)
    type = try reader.peek(UInt16.self, at: offset)
    isInternet = try reader.peek(UInt16.self, at: offset + 2) == 1
    let lifetime = try reader.peek(UInt32.self, at: offset + 4)
    // RFC 2181 §8: with the highest bit set it is 0.
    self.lifetime = lifetime >> 31 == 0 ? lifetime : 0
    let length = Int(try reader.peek(UInt16.self, at: offset + 8))
    guard reader.count - offset - 10 >= length else { throw .needMore }
    data = offset + 10..<offset + 10 + length
    offset += 10 + length
  }
}
