/// Follows the mmtls records of a body whose length is known, piece by piece, without keeping any of
/// it: they must add up to that length exactly.
public struct MMTLSRecords: Sendable {
  private let versions: MMTLSVersions
  // Bytes of the body that are still to come.
  private var left: UInt64
  // Bytes of the current record that are still to come.
  private var missing = 0
  // The part of a header that has come, its bytes in order, and how many there are.
  private var header: UInt64 = 0
  private var headerCount = 0

  /// How many records have begun.
  public private(set) var count = 0

  /// A follower before the first record of a body of `length` bytes.
  public init(length: UInt64, versions: MMTLSVersions) {
    left = length
    self.versions = versions
  }

  /// Reads on: `done` with how many bytes of this piece belong to the body when the body ends in it,
  /// `needMore` when all of it does and the body goes on.
  ///
  /// After `done` and `malformed` the follower is of no more use.
  public mutating func consume(_ bytes: RawSpan) -> Parsed<Int> {
    var reader = Reader(bytes)
    do throws(Stop) {
      while left > 0 {
        if missing > 0 {
          let step = min(missing, reader.count)
          try reader.skip(step)
          missing -= step
          left -= UInt64(step)
          if missing > 0 { return .needMore }
        } else {
          try readHeader(byte: try reader.take(UInt8.self))
        }
      }
      // A header of which nothing more can come.
      guard headerCount == 0, missing == 0, count > 0 else {
        throw .malformed("the body ends inside a record")
      }
      return .done(bytes.byteCount - reader.count)
    } catch {
      return error.outcome()
    }
  }

  private mutating func readHeader(byte: UInt8) throws(Stop) {
    left -= 1
    header = header << 8 | UInt64(byte)
    headerCount += 1
    guard headerCount == MMTLSRecord.headerLength else { return }
    let type = UInt8(truncatingIfNeeded: header >> 32)
    let length = Int(header & 0xffff)
    guard versions.contains(UInt16(truncatingIfNeeded: header >> 16)) else {
      throw .malformed("not an mmtls record")
    }
    guard count > 0 || type == MMTLSRecord.handshake || type == MMTLSRecord.early else {
      throw .malformed("the first record is no hello")
    }
    guard MMTLSRecord.canHave(length, type: type) else {
      throw .malformed("record of a type and length that mmtls doesn't have")
    }
    guard UInt64(length) <= left else { throw .malformed("record runs past the body") }
    missing = length
    header = 0
    headerCount = 0
    count += 1
  }
}
