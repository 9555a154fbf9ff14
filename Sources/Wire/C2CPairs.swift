/// The key-value pairs of WeChat's media protocol: each `length (4) key  length (4) value`.
///
/// The first key is "ver". The values name the account and the message: nothing of them is kept.
enum C2CPairs {
  /// The longest key; those that are known have at most 20 bytes.
  private static let maximumKeyLength = 64

  /// Walks the pairs, `length` bytes in all, as far as they are there; false when the first key is
  /// not "ver".
  ///
  /// `needMore` while they are not whole, unless `window` bytes are in sight.
  static func walk(_ bytes: RawSpan, length: UInt64, window: Int) throws(Stop) -> Bool {
    var reader = Reader(bytes.extracting(first: Int(min(length, UInt64(Int.max)))))
    let sight = reader.count
    guard length >= 7 + 4 else { throw .malformed("no room for a pair") }
    guard try reader.has(3 as UInt32), try reader.has(0x7665 as UInt16, at: 4),
      try reader.has(0x72 as UInt8, at: 6)
    else { return false }
    do throws(Stop) {
      var left = length
      while left > 0 {
        try skip(&reader, &left, isKey: true)
        try skip(&reader, &left, isKey: false)
      }
    } catch .needMore where sight >= window {
      // The beginning decides.
    }
    return true
  }

  @_lifetime(reader: copy reader)
  private static func skip(
    _ reader: inout Reader, _ left: inout UInt64, isKey: Bool
  ) throws(Stop) {
    guard left >= 4 else { throw .malformed("a pair's length runs past the end") }
    let length = try reader.take(UInt32.self)
    left -= 4
    guard UInt64(length) <= left else { throw .malformed("a key or value runs past the end") }
    if isKey {
      guard 1...maximumKeyLength ~= Int(length) else {
        throw .malformed("key empty or longer than any")
      }
    }
    try reader.skip(Int(length))
    left -= UInt64(length)
  }
}
