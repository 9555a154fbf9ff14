/// Appends of big-endian integers and spans, for the module's writers.
extension [UInt8] {
  mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
    var shift = T.bitWidth
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  mutating func append(_ bytes: RawSpan) {
    var reader = Reader(bytes)
    // Never throws: the loop ends with the bytes.
    do throws(Stop) {
      while !reader.isEmpty { append(try reader.take(UInt8.self)) }
    } catch {}
  }

  /// Puts a 16-bit integer over the bytes at `offset`.
  mutating func overwrite(_ value: UInt16, at offset: Int) {
    self[offset] = UInt8(value >> 8)
    self[offset + 1] = UInt8(value & 0xff)
  }

  /// The span of all bytes.
  var raw: RawSpan {
    @_lifetime(borrow self)
    // A Span of bytes as raw bytes: reading any byte as an integer is defined.
    get { unsafe span.bytes }
  }
}
