/// The OPT record of a DNS message (RFC 6891 §6.1).
///
/// ```
/// root (1)  41 (2)  payload size (2)  code's upper part (1)  version (1)  flags (2)
/// data length (2)  options, each: code (2)  length (2)  data
/// ```
public struct EDNS: Sendable {
  /// Bytes of a UDP payload that the sender takes, at least 512.
  public let payloadSize: UInt16
  /// The upper eight bits of the response code.
  public let responseCode: UInt8
  /// The version; 0 is the only one.
  public let version: UInt8
  /// Whether DNSSEC records are wanted (DO).
  public let wantsSignatures: Bool
  /// Where the options stand in the message.
  public let options: Range<Int>

  /// The option that says more of an error (RFC 8914 §2).
  static let extendedError: UInt16 = 15
  /// Extended error "Blocked" (RFC 8914 §4.16): by the policy of whoever runs the resolver.
  static let blocked: UInt16 = 15

  /// Reads all records of a message and finds the OPT record; nil without one.
  ///
  /// Malformed are two of them, one that is not of the root or not among the additional records, more
  /// than 512 records, and bytes behind the last record.
  public static func parse(_ message: RawSpan) -> Parsed<EDNS?> {
    do throws(Stop) {
      return .done(try find(Reader(message)))
    } catch {
      return error.outcome()
    }
  }

  private static func find(_ reader: borrowing Reader) throws(Stop) -> EDNS? {
    let message = try DNSMessage(reader)
    guard message.recordCount <= DNSMessage.maximumAnswers else {
      throw .malformed("more than 512 records")
    }
    var found: EDNS?
    var offset = message.answers
    for i in 0..<message.recordCount {
      let record = try DNSRecord(reader, at: &offset)
      guard record.type == DNSRecord.opt else { continue }
      guard found == nil else { throw .malformed("two OPT records") }
      guard i >= message.answerCount + message.authorityCount, record.owner.count == 0 else {
        throw .malformed("OPT record out of place")
      }
      found = try EDNS(reader, record)
    }
    guard offset == reader.count else { throw .malformed("bytes follow the DNS message") }
    return found
  }

  private init(_ reader: borrowing Reader, _ record: DNSRecord) throws(Stop) {
    // The header, from its type on, ends with the data's length.
    let type = record.data.lowerBound - 10
    payloadSize = max(512, try reader.peek(UInt16.self, at: type + 2))
    responseCode = try reader.peek(UInt8.self, at: type + 4)
    version = try reader.peek(UInt8.self, at: type + 5)
    wantsSignatures = try reader.peek(UInt16.self, at: type + 6) & 0x8000 != 0
    options = record.data
    var rest = BoundedReader(reader.bytes.extracting(record.data))
    while !rest.isAtEnd {
      try rest.skip(2)
      try rest.skip(Int(try rest.take(UInt16.self)))
    }
  }
}
