/// A few first bytes by which a protocol without a parser is known: data, from the service packs.
///
/// They prove little: what they allow needs an address, a voucher or a rate besides.
public struct BytePattern: Hashable, Sendable {
  /// What carries the bytes.
  public enum Carrier: Sendable {
    /// The beginning of a TCP stream.
    case stream
    /// Each UDP datagram.
    case datagram
  }

  /// One of the beginnings that a pattern takes.
  public struct Beginning: Hashable, Sendable {
    // The first byte highest; zero past the end and, in both, where any byte will do.
    fileprivate var value: UInt128 = 0
    fileprivate var mask: UInt128 = 0
    fileprivate let count: Int

    /// Those bytes, nil standing for any; nil when there are none, only such, or too many.
    public init?(_ bytes: [UInt8?]) {
      guard bytes.count <= BytePattern.maximumLength else { return nil }
      count = bytes.count
      for (i, byte) in bytes.enumerated() {
        guard let byte else { continue }
        let shift = UInt128(120 - 8 * i)
        value |= UInt128(byte) << shift
        mask |= 0xff << shift
      }
      if mask == 0 { return nil }
    }
  }

  /// The most bytes of a beginning.
  public static let maximumLength = 16

  /// What carries it.
  public let carrier: Carrier
  private let beginnings: [Beginning]
  // How long a datagram is.
  private let lengths: ClosedRange<Int>

  /// Bytes that begin in one of these ways.
  ///
  /// `lengths` are those of the whole datagram, and nothing to a stream.
  public init(
    _ carrier: Carrier, _ beginnings: [Beginning], lengths: ClosedRange<Int> = 1...65_535
  ) {
    self.carrier = carrier
    self.beginnings = beginnings
    self.lengths = lengths
  }

  /// Calls `body` with bytes that tell it from every other pattern.
  public func addBytes(_ body: (UInt8) -> Void) {
    body(carrier == .stream ? 0 : 1)
    for length in [lengths.lowerBound, lengths.upperBound] {
      body(UInt8(truncatingIfNeeded: length >> 8))
      body(UInt8(truncatingIfNeeded: length))
    }
    for beginning in beginnings {
      body(UInt8(beginning.count))
      for word in [beginning.value, beginning.mask] {
        for i in 0..<Self.maximumLength {
          body(UInt8(truncatingIfNeeded: word >> UInt128(120 - 8 * i)))
        }
      }
    }
  }

  /// Whether the bytes have the pattern.
  public func recognise(_ bytes: RawSpan) -> Recognition<Void> {
    let reader = Reader(bytes)
    if carrier == .datagram, !(lengths ~= reader.count) { return .other }
    let count = min(reader.count, Self.maximumLength)
    var word: UInt128 = 0
    do throws(Stop) {
      for i in 0..<count { word = word << 8 | UInt128(try reader.peek(UInt8.self, at: i)) }
    } catch {
      // Not reached: so many bytes are there.
      return error.recognition()
    }
    if count < Self.maximumLength { word <<= UInt128(8 * (Self.maximumLength - count)) }
    let present = count == 0 ? 0 : UInt128.max << UInt128(8 * (Self.maximumLength - count))
    var needsMore = false
    for i in beginnings.indices {
      guard (word ^ beginnings[i].value) & beginnings[i].mask & present == 0 else { continue }
      if beginnings[i].count <= count { return .done(()) }
      needsMore = true
    }
    // Nothing more comes of a datagram.
    return needsMore && carrier == .stream ? .needMore : .other
  }
}
