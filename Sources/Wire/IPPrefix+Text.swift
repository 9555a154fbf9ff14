extension IPPrefix {
  /// A prefix from its text, `198.51.100.0/28` or `2001:db8::/32`; nil for anything else.
  ///
  /// An address alone is the prefix of that one address. Host bits need not be zero: they are cleared.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard let slash = bytes.firstIndex(of: 0x2f) else {
      guard let address = IPAddress(bytes[...]) else { return nil }
      self.init(address, length: address.isIPv4 ? 32 : 128)
      return
    }
    guard let address = IPAddress(bytes[..<slash]) else { return nil }
    let digits = bytes[(slash + 1)...]
    guard 1...3 ~= digits.count, digits.count == 1 || digits.first != 0x30 else { return nil }
    var length = 0
    for digit in digits {
      guard digit.isDigit else { return nil }
      length = length * 10 + Int(digit - 0x30)
    }
    self.init(address, length: length)
  }

  /// For a person: `198.51.100.0/28`.
  public var text: String {
    var bytes: [UInt8] = []
    address.appendText(to: &bytes)
    bytes.append(0x2f)
    appendDecimal(UInt64(length) - (isIPv4 ? 96 : 0), to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
