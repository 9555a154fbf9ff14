internal import Wire

/// Follows the body of an HTTP request whose framing is judged as it comes.
enum BodyFollower {
  /// Chunks (RFC 9112 §7.1).
  case chunks(ChunkScanner)
  /// The mmtls records of a short link.
  case records(MMTLSRecords)

  /// Reads on, as `ChunkScanner.consume` does.
  mutating func consume(_ bytes: RawSpan) -> Parsed<Int> {
    switch self {
    case .chunks(var scanner):
      let outcome = scanner.consume(bytes)
      self = .chunks(scanner)
      return outcome
    case .records(var records):
      let outcome = records.consume(bytes)
      self = .records(records)
      return outcome
    }
  }
}
