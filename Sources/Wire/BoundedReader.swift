/// Reads structures whose lengths nest, all of whose bytes are there: what runs past its structure is
/// malformed, never `needMore`.
struct BoundedReader: ~Escapable {
  private var rest: Reader

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { rest = Reader(bytes) }

  var left: Int { rest.count }
  var isAtEnd: Bool { rest.isEmpty }

  @_lifetime(self: copy self)
  mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) throws(Stop) -> T {
    guard rest.count >= MemoryLayout<T>.size else { throw Self.past }
    return try rest.take(T.self)
  }

  @_lifetime(self: copy self)
  mutating func skip(_ length: Int) throws(Stop) {
    guard length <= rest.count else { throw Self.past }
    try rest.skip(length)
  }

  /// Takes the next `length` bytes as a structure of its own.
  @_lifetime(self: copy self)
  @_lifetime(copy self)
  mutating func structure(_ length: Int) throws(Stop) -> BoundedReader {
    guard length <= rest.count else { throw Self.past }
    return BoundedReader(rest.split(upTo: length).bytes)
  }

  /// The structure must have been read whole.
  func end() throws(Stop) {
    guard rest.isEmpty else { throw .malformed("bytes are left over inside a structure") }
  }

  private static var past: Stop { .malformed("a length runs past the structure around it") }
}
