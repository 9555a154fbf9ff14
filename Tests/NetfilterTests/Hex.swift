/// The bytes of a fixture: hex digits, a field to a line, with `//` comments.
///
/// Netlink headers are in the machine's byte order: the fixtures are for little-endian machines.
func hex(_ text: String) -> [UInt8] {
  var digits: [UInt8] = []
  for line in text.split(separator: "\n") {
    let field = line.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)[0]
    digits += field.compactMap { $0.hexDigitValue.map(UInt8.init) }
  }
  precondition(digits.count % 2 == 0, "an odd number of hex digits")
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The bytes of a span.
func array(_ bytes: RawSpan) -> [UInt8] {
  bytes.byteOffsets.map { offset in
    unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}
