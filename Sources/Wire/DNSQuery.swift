/// Writes DNS queries (RFC 1035 §4.1).
public enum DNSQuery {
  /// Type A: IPv4 addresses.
  public static let a: UInt16 = 1
  /// Type AAAA: IPv6 addresses (RFC 3596).
  public static let aaaa: UInt16 = 28

  /// A query with one question of class Internet, recursion desired; 18 bytes and the name.
  ///
  /// `name` is text, labels joined by dots. Empty when it is no name: a label of none or more than 63
  /// bytes, or more than 253 in all. A `HostName`'s is always one.
  public static func bytes(id: UInt16, name: WireName, type: UInt16) -> [UInt8] {
    guard 1...253 ~= name.count else { return [] }
    var query: [UInt8] = []
    query.reserveCapacity(18 + name.count)
    query.append(bigEndian: id)
    query.append(bigEndian: UInt16(0x0100))  // recursion desired
    query.append(bigEndian: UInt64(0x0001_0000_0000_0000))  // one question
    var label = query.count
    query.append(0)
    for i in 0..<name.count {
      let byte = name[i]
      if byte == 0x2e {
        guard 1...63 ~= query[label] else { return [] }
        label = query.count
        query.append(0)
      } else {
        guard query[label] < 63 else { return [] }
        query[label] += 1
        query.append(byte)
      }
    }
    guard query[label] > 0 else { return [] }
    query.append(0)
    query.append(bigEndian: type)
    query.append(bigEndian: UInt16(1))  // class Internet
    return query
  }
}
