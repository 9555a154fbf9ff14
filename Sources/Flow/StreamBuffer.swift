/// The bytes of one direction of a TCP connection from some offset on, put together from segments
/// in any order.
///
/// Bytes that came twice must be the same both times: of two versions, the gateway could judge one
/// and the server read the other.
struct StreamBuffer {
  /// What became of a segment.
  enum Insertion: Equatable {
    /// At least one byte was new.
    case new
    /// Every byte was known already, with the same value.
    case known
    /// A byte was known with another value.
    case mismatch
    /// The segment reaches past the limit.
    case beyondLimit
  }

  /// Stream offset of the first byte that is kept.
  private(set) var base: Int
  /// How many bytes from `base` on may be kept.
  var limit: Int
  private var bytes: [UInt8] = []
  // What has been filled, relative to `base`: ascending, apart by at least one byte.
  private var filled: [Range<Int>] = []

  /// An empty buffer that keeps at most `limit` bytes from stream offset `base` on.
  init(base: Int, limit: Int) {
    self.base = base
    self.limit = limit
  }

  /// Adds `segment`, whose first byte has stream offset `offset`; what lies left of `base` is
  /// passed over.
  mutating func insert(_ segment: RawSpan, at offset: Int) -> Insertion {
    let skipped = max(0, base - offset)
    guard skipped < segment.byteCount else { return .known }
    let start = offset + skipped - base
    let end = start + segment.byteCount - skipped
    guard end <= limit else { return .beyondLimit }
    if bytes.count < end { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }

    for range in filled where range.overlaps(start..<end) {
      for i in max(range.lowerBound, start)..<min(range.upperBound, end) {
        // In bounds: start <= i < end, and the segment holds end - start bytes after `skipped`.
        let byte = unsafe segment.unsafeLoad(
          fromUncheckedByteOffset: skipped + i - start, as: UInt8.self)
        if bytes[i] != byte { return .mismatch }
      }
    }
    if filled.contains(where: { $0.lowerBound <= start && end <= $0.upperBound }) { return .known }
    for i in start..<end {
      // In bounds, as above.
      bytes[i] = unsafe segment.unsafeLoad(
        fromUncheckedByteOffset: skipped + i - start, as: UInt8.self)
    }
    merge(start..<end)
    return .new
  }

  /// Whether `segment` at `offset` agrees with every byte that is kept; nothing is added.
  func agrees(with segment: RawSpan, at offset: Int) -> Bool {
    for range in filled {
      let low = max(range.lowerBound + base, offset)
      let high = min(range.upperBound + base, offset + segment.byteCount)
      guard low < high else { continue }
      for i in low..<high {
        // In bounds: offset <= i < offset + byteCount.
        let byte = unsafe segment.unsafeLoad(fromUncheckedByteOffset: i - offset, as: UInt8.self)
        if bytes[i - base] != byte { return false }
      }
    }
    return true
  }

  /// Where the run of bytes ends that begins at stream offset `offset`; `offset` itself when that
  /// byte has not come.
  func end(ofRunAt offset: Int) -> Int {
    let position = offset - base
    for range in filled where range.lowerBound <= position && position < range.upperBound {
      return range.upperBound + base
    }
    return offset
  }

  /// The byte at stream offset `offset`, if it has come.
  func byte(at offset: Int) -> UInt8? {
    end(ofRunAt: offset) > offset ? bytes[offset - base] : nil
  }

  /// Calls `body` with the run of bytes that begins at stream offset `offset`.
  func withRun<Result>(at offset: Int, _ body: (RawSpan) -> Result) -> Result {
    let end = end(ofRunAt: offset)
    // Span.bytes of an array's own span.
    let all = unsafe bytes.span.bytes
    guard end > offset else { return body(all.extracting(0..<0)) }
    return body(all.extracting(offset - base..<end - base))
  }

  /// Forgets all bytes before stream offset `offset`.
  mutating func trim(to offset: Int) {
    let count = offset - base
    guard count > 0 else { return }
    bytes.removeFirst(min(count, bytes.count))
    var kept: [Range<Int>] = []
    for range in filled where range.upperBound > count {
      kept.append(max(0, range.lowerBound - count)..<range.upperBound - count)
    }
    filled = kept
    base = offset
    // A watched connection has nothing to keep between its requests, and there are many of them.
    if filled.isEmpty { bytes = [] }
  }

  /// Forgets the bytes of `range` (stream offsets), which need no second look: what comes there
  /// later agrees with anything.
  mutating func forget(_ range: Range<Int>) {
    var kept: [Range<Int>] = []
    for piece in filled {
      let low = max(range.lowerBound - base, piece.lowerBound)
      let high = min(range.upperBound - base, piece.upperBound)
      if low >= high {
        kept.append(piece)
        continue
      }
      if piece.lowerBound < low { kept.append(piece.lowerBound..<low) }
      if high < piece.upperBound { kept.append(high..<piece.upperBound) }
    }
    filled = kept
    let end = kept.last?.upperBound ?? 0
    // A copy, since an array that only shrinks keeps its memory.
    if end < bytes.count { bytes = Array(bytes[..<end]) }
  }

  private mutating func merge(_ new: Range<Int>) {
    var low = new.lowerBound
    var high = new.upperBound
    var result: [Range<Int>] = []
    result.reserveCapacity(filled.count + 1)
    var placed = false
    for range in filled {
      if range.upperBound < low {
        result.append(range)
      } else if range.lowerBound > high {
        if !placed {
          result.append(low..<high)
          placed = true
        }
        result.append(range)
      } else {
        low = min(low, range.lowerBound)
        high = max(high, range.upperBound)
      }
    }
    if !placed { result.append(low..<high) }
    filled = result
  }
}
