/// The text forms of addresses: RFC 4291 §2.2 and RFC 5952 for IPv6, four decimal numbers for IPv4.
extension IPAddress {
  /// An address from its text; nil for anything else.
  ///
  /// IPv4 is strict: four numbers of 0 to 255 without leading zeros (some readers take those for
  /// octal). IPv6 may end in an IPv4 address; zones (`%eth0`) and brackets are refused.
  public init?(_ text: String) {
    guard let name = WireName(text) else { return nil }
    self.init(name, 0..<name.count)
  }

  /// An address from the ASCII of its text.
  public init?(_ bytes: ArraySlice<UInt8>) {
    var name = WireName()
    for byte in bytes {
      guard name.append(byte) else { return nil }
    }
    self.init(name, 0..<name.count)
  }

  /// An address from a part of a name; without allocation.
  init?(_ name: WireName, _ range: Range<Int>) {
    if range.contains(where: { name[$0] == 0x3a }) {
      guard let bits = Self.parseIPv6(name, range) else { return nil }
      self.init(ipv6: bits)
    } else {
      guard let bits = Self.parseIPv4(name, range) else { return nil }
      self.init(ipv4: bits)
    }
  }

  /// For a person: `198.51.100.9`, or RFC 5952's form for IPv6 (`2001:db8::1`).
  public var text: String {
    var bytes: [UInt8] = []
    appendText(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the ASCII of `text`.
  public func appendText(to bytes: inout [UInt8]) {
    if isIPv4 {
      for shift: UInt32 in [24, 16, 8, 0] {
        if shift < 24 { bytes.append(0x2e) }
        appendDecimal(UInt64(ipv4 >> shift & 0xff), to: &bytes)
      }
      return
    }
    let zeros = longestZeros
    var i = 0
    while i < 8 {
      if i == zeros.lowerBound, zeros.count > 1 {
        bytes.append(0x3a)
        bytes.append(0x3a)
        i = zeros.upperBound
        continue
      }
      if i > 0, i != zeros.upperBound || zeros.count < 2 { bytes.append(0x3a) }
      appendHex(group(i), to: &bytes)
      i += 1
    }
  }

  /// The 16-bit group at `index`, 0 to 7, first in text.
  private func group(_ index: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: bits >> UInt128(16 * (7 - index)))
  }

  /// The longest run of groups that are zero, the first of equals (RFC 5952 §4.2).
  private var longestZeros: Range<Int> {
    var best = 0..<0
    var start = 0
    for i in 0..<8 {
      if group(i) != 0 {
        start = i + 1
      } else if i + 1 - start > best.count {
        best = start..<i + 1
      }
    }
    return best
  }

  private static func parseIPv4(_ bytes: WireName, _ range: Range<Int>) -> UInt32? {
    var value: UInt32 = 0
    var numbers = 0
    var i = range.lowerBound
    while true {
      var number: UInt32 = 0
      let start = i
      while i < range.upperBound, bytes[i].isDigit, i - start < 3 {
        number = number * 10 + UInt32(bytes[i] - 0x30)
        i += 1
      }
      guard i > start, number <= 255, i - start == 1 || bytes[start] != 0x30 else { return nil }
      value = value << 8 | number
      numbers += 1
      if i == range.upperBound { return numbers == 4 ? value : nil }
      guard bytes[i] == 0x2e, numbers < 4 else { return nil }
      i += 1
    }
  }

  private static func parseIPv6(_ bytes: WireName, _ range: Range<Int>) -> UInt128? {
    var value: UInt128 = 0
    var groups = 0
    // How many groups stand before `::`.
    var gap: Int?
    var i = range.lowerBound
    while i < range.upperBound {
      if bytes[i] == 0x3a {
        // Only as the first or second colon of `::`.
        guard i + 1 < range.upperBound, bytes[i + 1] == 0x3a, gap == nil else { return nil }
        gap = groups
        i += 2
        continue
      }
      let start = i
      var group: UInt128 = 0
      while i < range.upperBound, i - start < 4, let digit = bytes[i].hexValue {
        group = group << 4 | UInt128(digit)
        i += 1
      }
      if i < range.upperBound, bytes[i] == 0x2e {
        guard let ipv4 = parseIPv4(bytes, start..<range.upperBound), groups <= 6 else { return nil }
        value = value << 32 | UInt128(ipv4)
        groups += 2
        break
      }
      guard i > start, groups < 8 else { return nil }
      value = value << 16 | group
      groups += 1
      if i == range.upperBound { break }
      guard bytes[i] == 0x3a, i + 1 < range.upperBound else { return nil }
      // One colon separates; of two, the first is left for the `::` above.
      if bytes[i + 1] != 0x3a { i += 1 }
    }
    guard let gap else { return groups == 8 ? value : nil }
    guard groups < 8 else { return nil }
    let tail = UInt128(groups - gap) * 16
    // A shift by all 128 bits gives 0, as it should.
    let head = (value >> tail) << (tail + UInt128(8 - groups) * 16)
    return head | (value & ~(UInt128.max << tail))
  }
}

/// Appends a number in decimal digits.
func appendDecimal(_ value: UInt64, to bytes: inout [UInt8]) {
  if value >= 10 { appendDecimal(value / 10, to: &bytes) }
  bytes.append(0x30 + UInt8(value % 10))
}

/// Appends a number in lower-case hexadecimal digits without leading zeros.
private func appendHex(_ value: UInt16, to bytes: inout [UInt8]) {
  if value >= 16 { appendHex(value >> 4, to: &bytes) }
  bytes.append(hexDigit(UInt8(value & 15)))
}
