/// ASCII by hand: String's functions bring Unicode tables into the Embedded build.
extension UInt8 {
  /// A letter in lower case, anything else as it is.
  var lowercasedASCII: UInt8 { 0x41...0x5a ~= self ? self | 0x20 : self }
  /// Neither a space nor a control byte, nor above 0x7e.
  var isVisibleASCII: Bool { 0x21...0x7e ~= self }
  /// `0` to `9`.
  var isDigit: Bool { 0x30...0x39 ~= self }
  /// A letter of either case.
  var isLetter: Bool { 0x61...0x7a ~= self | 0x20 }
  /// The value of a hexadecimal digit of either case.
  var hexValue: UInt8? {
    if isDigit { return self - 0x30 }
    let folded = self | 0x20
    return 0x61...0x66 ~= folded ? folded - 0x57 : nil
  }
}

/// The same for eight bytes at once; the order of the bytes does not matter.
extension UInt64 {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// A word whose bytes are all `byte`.
  private static func all(_ byte: UInt8) -> UInt64 { ones &* UInt64(byte) }

  /// The high bit of each byte that lies within `first` to `last`; all bytes must be below 0x80, and
  /// so must both bounds.
  private func within(_ first: UInt8, _ last: UInt8) -> UInt64 {
    // Neither sum carries into the next byte: both terms are below 0x80.
    let atLeastFirst = self &+ Self.all(0x80 - first)
    let aboveLast = self &+ Self.all(0x7f - last)
    return atLeastFirst & ~aboveLast & Self.highBits
  }

  /// Whether every byte is visible ASCII.
  var isVisibleASCII: Bool {
    self & Self.highBits == 0 && within(0x21, 0x7e) == Self.highBits
  }

  /// Whether every byte is ASCII and no control byte.
  var isPrintableASCII: Bool {
    self & Self.highBits == 0 && within(0x20, 0x7e) == Self.highBits
  }

  /// Letters in lower case, all else as it is.
  var lowercasedASCII: UInt64 {
    // The high bits are set aside; bytes with one are no letters.
    let low = self & ~Self.highBits
    let capitals = low.within(0x41, 0x5a) & ~self
    return self | capitals >> 2
  }
}
