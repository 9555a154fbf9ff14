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

  /// Appends an IP header for `payload` bytes of the tuple's protocol: 20 bytes over IPv4 (identification
  /// 0, don't fragment), 40 over IPv6, hop limit 64.
  ///
  /// Header and payload together must be at most 65,535 bytes.
  mutating func appendIPHeader(_ tuple: FiveTuple, payload: Int) {
    guard tuple.source.isIPv4, tuple.destination.isIPv4 else {
      append(bigEndian: UInt32(0x6000_0000))  // version
      append(bigEndian: UInt16(truncatingIfNeeded: payload))
      append(tuple.proto.number)
      append(64)  // hop limit
      append(bigEndian: tuple.source.bits)
      append(bigEndian: tuple.destination.bits)
      return
    }
    let start = count
    append(bigEndian: UInt16(0x4500))  // version, header of 5 words
    append(bigEndian: UInt16(truncatingIfNeeded: 20 + payload))
    append(bigEndian: UInt32(0x0000_4000))  // identification 0, don't fragment
    append(64)  // time to live
    append(tuple.proto.number)
    append(bigEndian: UInt16(0))  // checksum to come
    append(bigEndian: tuple.source.ipv4)
    append(bigEndian: tuple.destination.ipv4)
    overwrite(Checksum.of(raw.extracting(start...)), at: start + 10)
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
