/// What a recogniser says of the beginning of a stream, or of a datagram: the outcomes of `Parsed`,
/// and `other`.
///
/// A parser is asked when the protocol is known; a recogniser finds out whether it is the protocol.
/// Several of them look at the same first bytes, and at most one says anything but `other` in the
/// end: each says `other` as soon as a byte is not what its protocol has there, and `malformed` only
/// of bytes that nothing but its protocol begins with.
///
/// Of a datagram, which comes whole, `needMore` means that it was cut short.
public enum Recognition<Value> {
  /// It is this protocol, and enough of it is there.
  case done(Value)
  /// All bytes so far are as they should be, and more are needed to decide.
  case needMore
  /// It is this protocol, but no continuation can make the bytes valid.
  case malformed(Malformation)
  /// It is not this protocol; another recogniser may know it.
  case other

  /// Bytes on which a longer frame is decided, when the frame is not there whole.
  ///
  /// A client sends about ten packets before it hears an acknowledgement, and some are held back
  /// until the verdict: a beginning must be decided with less than that.
  static var window: Int { 4_096 }
}

extension Recognition: Sendable where Value: Sendable {}

extension Stop {
  /// The same as a recogniser's outcome.
  func recognition<Value>(_: Value.Type = Value.self) -> Recognition<Value> {
    switch self {
    case .needMore: .needMore
    case .malformed(let malformation): .malformed(malformation)
    }
  }
}

extension Reader {
  /// Whether `value` stands at `offset`: false as soon as a byte differs, `needMore` while those that
  /// are there agree.
  func has<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int = 0) throws(Stop)
    -> Bool
  {
    for i in 0..<MemoryLayout<T>.size {
      let expected = UInt8(truncatingIfNeeded: value >> T(T.bitWidth - 8 - 8 * i))
      guard try peek(UInt8.self, at: offset + i) == expected else { return false }
    }
    return true
  }
}
