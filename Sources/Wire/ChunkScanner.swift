/// Finds the end of a chunked body (RFC 9112 §7.1), piece by piece, without keeping any of it.
///
/// Chunk extensions and trailer fields are malformed: honest requests have none, and servers differ
/// in how they read them.
///
/// ```
/// size in hexadecimal digits CR LF  data CR LF  ...  0 CR LF CR LF
/// ```
public struct ChunkScanner: Sendable {
  private enum Place: Sendable {
    case size(digits: UInt8)
    case sizeLineFeed
    case data
    case dataReturn
    case dataLineFeed
    case lastReturn
    case lastLineFeed
    case ended
  }

  private var place = Place.size(digits: 0)
  // In `size` the number so far, in `data` the bytes that are still to come.
  private var left: UInt64 = 0

  /// A scanner before the first chunk.
  public init() {}

  /// Whether bytes of a chunk's data come next: nothing but data is in sight for so many bytes.
  public var dataLeft: UInt64 {
    if case .data = place { left } else { 0 }
  }

  /// Reads on: `done` with how many bytes of this piece belong to the body when the body ends in it,
  /// `needMore` when all of it does and the body goes on.
  ///
  /// After `done` and `malformed` the scanner is of no more use.
  public mutating func consume(_ bytes: RawSpan) -> Parsed<Int> {
    var reader = Reader(bytes)
    do throws(Stop) {
      while true {
        if case .ended = place { return .done(bytes.byteCount - reader.count) }
        if case .data = place {
          let step = min(left, UInt64(reader.count))
          try reader.skip(Int(step))
          left -= step
          if left > 0 { return .needMore }
          place = .dataReturn
        }
        try step(over: try reader.take(UInt8.self))
      }
    } catch {
      return error.outcome()
    }
  }

  private mutating func step(over byte: UInt8) throws(Stop) {
    switch place {
    case .size(let digits):
      if let digit = byte.hexValue {
        // 15 digits stay below 2^60.
        guard digits < 15 else { throw .malformed("chunk size of more than 15 digits") }
        left = left << 4 | UInt64(digit)
        place = .size(digits: digits + 1)
      } else {
        guard byte == 0x0d, digits > 0 else { throw .malformed("chunk size is not a number") }
        place = .sizeLineFeed
      }
    case .sizeLineFeed:
      guard byte == 0x0a else { throw .malformed("chunk size without CR LF") }
      place = left == 0 ? .lastReturn : .data
    case .dataReturn:
      guard byte == 0x0d else { throw .malformed("chunk longer than its size") }
      place = .dataLineFeed
    case .dataLineFeed:
      guard byte == 0x0a else { throw .malformed("chunk without CR LF") }
      place = .size(digits: 0)
    case .lastReturn:
      guard byte == 0x0d else { throw .malformed("trailer field") }
      place = .lastLineFeed
    case .lastLineFeed:
      guard byte == 0x0a else { throw .malformed("last chunk without CR LF") }
      place = .ended
    case .data, .ended:
      break
    }
  }
}
