/// A host name as it stands on the wire, before normalisation: at most 255 bytes, kept inline.
///
/// It is a copy, not a range, since a name may span two TLS records.
public struct WireName: Sendable {
  /// The most bytes that a name has (RFC 1035 §2.3.4).
  public static let maximumCount = 255

  // Eight bytes a word, the first one lowest; bytes past the length are zero. Words, since names are
  // copied from the wire and compared eight bytes at a time.
  private var words: InlineArray<32, UInt64>
  private var length: UInt8

  /// How many bytes the name has.
  public var count: Int { Int(length) }

  /// The empty name.
  public init() {
    words = .init(repeating: 0)
    length = 0
  }

  /// The bytes of `text`; nil when there are more than 255.
  public init?(_ text: String) {
    self.init()
    for byte in text.utf8 {
      guard append(byte) else { return nil }
    }
  }

  /// Fills the empty name with all bytes of `reader`, which must be 255 at most and visible ASCII.
  ///
  /// In place, since the compiler copies a name that is returned several times over.
  mutating func fill(visible reader: consuming Reader) throws(Stop) {
    guard reader.count <= Self.maximumCount else { throw .malformed("name longer than 255") }
    length = UInt8(reader.count)
    var index = 0
    while reader.count >= 8 {
      let word = try reader.take(UInt64.self).byteSwapped
      guard word.isVisibleASCII else { throw Self.notVisible }
      words[index] = word
      index += 1
    }
    var shift: UInt64 = 0
    while !reader.isEmpty {
      let byte = try reader.take(UInt8.self)
      guard byte.isVisibleASCII else { throw Self.notVisible }
      words[index] |= UInt64(byte) << shift
      shift += 8
    }
  }

  private static var notVisible: Stop { .malformed("name is not visible ASCII") }

  /// Adds a byte; false when the name is full.
  public mutating func append(_ byte: UInt8) -> Bool {
    guard count < Self.maximumCount else { return false }
    words[count >> 3] |= UInt64(byte) << (UInt64(count & 7) * 8)
    length += 1
    return true
  }

  /// The byte at `index`, which must be below `count`.
  public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return UInt8(truncatingIfNeeded: words[index >> 3] >> (UInt64(index & 7) * 8))
  }

  /// Whether both names have the same bytes, letters of either case being equal.
  public func equalsIgnoringCase(_ other: WireName) -> Bool {
    guard length == other.length else { return false }
    for i in 0..<(count + 7) >> 3 where words[i] != other.words[i] {
      guard words[i].lowercasedASCII == other.words[i].lowercasedASCII else { return false }
    }
    return true
  }

  /// For a person; bytes that are not visible ASCII, and the backslash, as `\x00`.
  ///
  /// Names are the client's words: control bytes must not reach a terminal or a log.
  public var text: String {
    var text: [UInt8] = []
    text.reserveCapacity(count)
    for i in 0..<count {
      let byte = self[i]
      if byte.isVisibleASCII, byte != 0x5c {
        text.append(byte)
      } else {
        text.append(0x5c)
        text.append(0x78)
        text.append(hexDigit(byte >> 4))
        text.append(hexDigit(byte & 15))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The lower-case digit of a value below 16.
func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
