/// The data of an SVCB or HTTPS record (RFC 9460 §2.2).
///
/// ```
/// priority (2)  target, a name  parameters, each: key (2)  length (2)  value
/// ```
///
/// Priority 0 makes it an alias: the target stands for the owner, and parameters mean nothing. Else it
/// is a service at the target, and a target that is the root is the owner itself.
struct DNSServiceBinding {
  let isAlias: Bool
  let target: WireName
  /// Where the values of ipv4hint and ipv6hint stand in the message.
  private(set) var ipv4Hints = 0..<0
  private(set) var ipv6Hints = 0..<0

  /// Reads a record's data; keys must ascend (§2.2), and hints be whole addresses (§7.3).
  init(_ reader: borrowing Reader, _ data: Range<Int>) throws(Stop) {
    let rest = Reader(reader.bytes.extracting(data))
    guard rest.count >= 3 else { throw .malformed("service binding without a target") }
    isAlias = try rest.peek(UInt16.self) == 0
    var offset = data.lowerBound + 2
    target = try DNSName.read(reader, at: &offset)
    guard offset <= data.upperBound else { throw Self.past }
    var last = -1
    while offset < data.upperBound {
      guard data.upperBound - offset >= 4 else { throw Self.past }
      let key = Int(try reader.peek(UInt16.self, at: offset))
      let length = Int(try reader.peek(UInt16.self, at: offset + 2))
      offset += 4
      guard key > last else { throw .malformed("keys of a service binding do not ascend") }
      guard length <= data.upperBound - offset else { throw Self.past }
      last = key
      let value = offset..<offset + length
      offset = value.upperBound
      switch key {
      case 4: ipv4Hints = try Self.hints(value, of: 4)
      case 6: ipv6Hints = try Self.hints(value, of: 16)
      default: break
      }
    }
  }

  private static func hints(_ value: Range<Int>, of size: Int) throws(Stop) -> Range<Int> {
    guard !value.isEmpty, value.count % size == 0 else {
      throw .malformed("address hint of a wrong length")
    }
    return value
  }

  private static var past: Stop { .malformed("service binding runs past its record") }
}
