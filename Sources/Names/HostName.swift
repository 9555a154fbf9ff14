public import Wire

/// A normalised host name: lower case, no trailing dot, labels of 1 to 63 letters, digits and
/// hyphens, at most 253 bytes; kept inline, so that matching one needs no allocation.
///
/// No label begins or ends with a hyphen, and the last one is not all digits: an IPv4 address is no
/// host name (RFC 1123 §2.1).
public struct HostName: Hashable, Sendable {
  // Eight bytes a word, the first one lowest; bytes past the length are zero.
  private var words: InlineArray<32, UInt64>
  private var length: UInt8

  /// How many bytes the name has.
  public var count: Int { Int(length) }

  /// The byte at `index`, which must be below `count`.
  public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return UInt8(truncatingIfNeeded: words[index >> 3] >> (UInt64(index & 7) * 8))
  }

  private init() {
    words = .init(repeating: 0)
    length = 0
  }

  /// Normalises a name from the wire; nil when it is not a host name.
  public init?(_ raw: WireName) {
    self.init()
    var name = raw.count
    if name > 0, raw[name - 1] == 0x2e { name -= 1 }
    guard 1...253 ~= name else { return nil }
    var label = LabelCheck()
    for i in 0..<name {
      guard let byte = label.step(raw[i]) else { return nil }
      append(byte)
    }
    guard label.isEnd else { return nil }
  }

  /// Normalises a name from a rules file or the command line; nil when it is not a host name.
  public init?(_ text: String) {
    guard let raw = WireName(text) else { return nil }
    self.init(raw)
  }

  /// A name of bytes that were normalised before.
  init(normalised bytes: [UInt8]) {
    self.init()
    for byte in bytes { append(byte) }
  }

  private mutating func append(_ byte: UInt8) {
    words[count >> 3] |= UInt64(byte) << (UInt64(count & 7) * 8)
    length += 1
  }

  /// For a person.
  public var text: String {
    var bytes: [UInt8] = []
    appendText(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the ASCII of `text`.
  public func appendText(to bytes: inout [UInt8]) {
    for i in 0..<count { bytes.append(self[i]) }
  }

  /// The name as a question to a resolver takes it.
  public var wire: WireName {
    var wire = WireName()
    // Never full: 253 bytes at most.
    for i in 0..<count { _ = wire.append(self[i]) }
    return wire
  }

  /// Byte by byte.
  public static func == (a: HostName, b: HostName) -> Bool {
    guard a.length == b.length else { return false }
    for i in 0..<a.wordCount where a.words[i] != b.words[i] { return false }
    return true
  }

  /// Hashes the bytes that count.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(length)
    for i in 0..<wordCount { hasher.combine(words[i]) }
  }

  private var wordCount: Int { (count + 7) >> 3 }
}

/// The rules of labels, byte by byte.
private struct LabelCheck {
  private var length = 0
  private var isAllDigits = true
  private var last: UInt8 = 0x2e

  /// The byte in lower case; nil when it may not stand here.
  mutating func step(_ byte: UInt8) -> UInt8? {
    if byte == 0x2e {
      guard length > 0, last != 0x2d else { return nil }
      length = 0
      isAllDigits = true
      last = byte
      return byte
    }
    let folded = 0x41...0x5a ~= byte ? byte | 0x20 : byte
    let isDigit = 0x30...0x39 ~= folded
    let isHyphen = folded == 0x2d
    guard isDigit || isHyphen || 0x61...0x7a ~= folded, length < 63, !isHyphen || length > 0 else {
      return nil
    }
    length += 1
    if !isDigit { isAllDigits = false }
    last = folded
    return folded
  }

  /// Whether a name may end here.
  var isEnd: Bool { length > 0 && last != 0x2d && !isAllDigits }
}
