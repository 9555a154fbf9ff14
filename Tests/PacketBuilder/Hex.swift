/// Bytes from a hex fixture with comments.
///
/// - hex digits in pairs, spaces and line breaks anywhere between pairs: `16 0301 0052`
/// - a pair repeated: `5a*32`
/// - text: `"GET / HTTP/1.1\r\n"` with `\r`, `\n`, `\0`, `\"` and `\\` (in Swift, use `#"""`…`"""#`)
/// - a comment: from `;` to the end of the line
///
/// Anything else is a mistake in the test and stops it.
public func hex(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]

  func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  while let first = rest.popFirst() {
    switch first {
    case 0x20, 0x09, 0x0a, 0x0d: continue
    case UInt8(ascii: ";"):
      while let byte = rest.first, byte != 0x0a { rest.removeFirst() }
    case UInt8(ascii: "\""):
      while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
        guard byte == UInt8(ascii: "\\") else {
          bytes.append(byte)
          continue
        }
        switch rest.popFirst() {
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "0"): bytes.append(0)
        case .some(let other): bytes.append(other)
        case .none: preconditionFailure("hex fixture: text without its end")
        }
      }
    case UInt8(ascii: "*"):
      guard let last = bytes.last else { preconditionFailure("hex fixture: * without a pair") }
      var count = 0
      while let byte = rest.first, 0x30...0x39 ~= byte {
        count = count * 10 + Int(byte - 0x30)
        rest.removeFirst()
      }
      precondition(count > 0, "hex fixture: * without a count")
      bytes.append(contentsOf: [UInt8](repeating: last, count: count - 1))
    default:
      guard let high = digit(first), let second = rest.popFirst(), let low = digit(second) else {
        preconditionFailure("hex fixture: not a pair of digits in \(text)")
      }
      bytes.append(high << 4 | low)
    }
  }
  return bytes
}

extension [UInt8] {
  /// The ASCII (UTF-8) bytes of a text.
  public static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// A copy with other bytes at `offset`: `hello.overwriting(at: 59, hex("0014"))`.
  public func overwriting(at offset: Int, _ bytes: [UInt8]) -> [UInt8] {
    precondition(offset + bytes.count <= count, "overwrites past the end")
    var copy = self
    copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    return copy
  }

  /// A copy with one bit flipped; bit 0 is the lowest of the first byte.
  public func flippingBit(_ bit: Int) -> [UInt8] {
    var copy = self
    copy[bit / 8] ^= 1 << UInt8(bit % 8)
    return copy
  }

  /// Pieces of at most `size` bytes, in order.
  public func pieces(of size: Int) -> [[UInt8]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }

  /// Two pieces: the first `offset` bytes, and the rest.
  public func split(at offset: Int) -> [[UInt8]] {
    [Array(self[..<offset]), Array(self[offset...])]
  }

  /// Appends an integer, big-endian.
  public mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
    for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  /// The bytes as a parser takes them.
  public var raw: RawSpan {
    @_lifetime(borrow self)
    // A Span of bytes as raw bytes: reading any byte as an integer is defined.
    get { unsafe span.bytes }
  }
}
