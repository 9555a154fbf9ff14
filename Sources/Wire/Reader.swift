/// Why a parser stopped before its end: thrown inside the module, a `Parsed` outside.
enum Stop: Error {
  case needMore
  case malformed(Malformation)

  /// A malformation; not inlined, so that cold text stays out of the hot path.
  @inline(never) static func malformed(_ explanation: StaticString) -> Stop {
    .malformed(Malformation(explanation))
  }

  /// The same as an outcome.
  func outcome<Value>(_: Value.Type = Value.self) -> Parsed<Value> {
    switch self {
    case .needMore: .needMore
    case .malformed(let malformation): .malformed(malformation)
    }
  }
}

/// A view of bytes that shrinks from the front as integers, big-endian, are taken from it.
///
/// Every parser of the module reads through this type, and it holds the module's only unsafe load.
struct Reader: ~Escapable {
  private(set) var bytes: RawSpan

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  var count: Int { bytes.byteCount }
  var isEmpty: Bool { bytes.byteCount == 0 }

  /// The integer that begins `offset` bytes ahead; takes nothing.
  @inline(__always)
  func peek<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self, at offset: Int = 0)
    throws(Stop) -> T
  {
    guard offset >= 0, bytes.byteCount &- offset >= MemoryLayout<T>.size else { throw .needMore }
    // Within bounds: offset is not negative, and so many bytes follow it.
    let raw = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
    return T(bigEndian: raw)
  }

  /// Takes an integer from the front.
  @inline(__always)
  @_lifetime(self: copy self)
  mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) throws(Stop) -> T {
    let value = try peek(T.self)
    bytes = bytes.extracting(droppingFirst: MemoryLayout<T>.size)
    return value
  }

  /// Takes `length` bytes from the front and forgets them.
  @_lifetime(self: copy self)
  mutating func skip(_ length: Int) throws(Stop) {
    guard length <= count else { throw .needMore }
    bytes = bytes.extracting(droppingFirst: length)
  }

  /// Takes the first `length` bytes, or all when there are fewer.
  @_lifetime(self: copy self)
  @_lifetime(copy self)
  mutating func split(upTo length: Int) -> Reader {
    let head = Reader(bytes.extracting(first: length))
    bytes = bytes.extracting(droppingFirst: head.count)
    return head
  }
}
