extension MACAddress {
  /// An address from six pairs of hexadecimal digits of either case, separated by colons or by
  /// hyphens; nil for anything else.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 17, bytes[2] == 0x3a || bytes[2] == 0x2d else { return nil }
    var bits: UInt64 = 0
    for i in bytes.indices {
      if i % 3 == 2 {
        guard bytes[i] == bytes[2] else { return nil }
      } else {
        guard let digit = bytes[i].hexValue else { return nil }
        bits = bits << 4 | UInt64(digit)
      }
    }
    self.init(bits: bits)
  }

  /// For a person: `02:00:5e:10:00:01`.
  public var text: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(17)
    for shift: UInt64 in [40, 32, 24, 16, 8, 0] {
      if shift < 40 { bytes.append(0x3a) }
      let byte = UInt8(truncatingIfNeeded: bits >> shift)
      bytes.append(hexDigit(byte >> 4))
      bytes.append(hexDigit(byte & 15))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
