extension DNSMessage {
  /// Addresses that are reported of one message at most.
  public static let maximumAddresses = 64
  /// CNAMEs that are followed at most.
  public static let maximumAliases = 16

  /// Reports the addresses that a response gives for the name in its question.
  ///
  /// These are its A and AAAA records at the end of the CNAME chain that starts at the question, in
  /// any order (RFC 1034 §3.6.2, RFC 3596); records of other names are passed over. `body` gets the
  /// address and for how many seconds it may be kept: the least of the chain. Returns how many were
  /// reported, at most 64; 0 for a query or an error. A chain that leads in a circle, or has more
  /// than 16 links, is malformed, and so are more than 512 answers: nothing is then reported.
  public static func forEachAddress(
    in message: RawSpan, _ body: (IPAddress, _ ttl: UInt32) -> Void
  ) -> Parsed<Int> {
    do throws(Stop) {
      return .done(try reportAddresses(Reader(message), body))
    } catch {
      return error.outcome()
    }
  }

  private static func reportAddresses(
    _ reader: borrowing Reader, _ body: (IPAddress, UInt32) -> Void
  ) throws(Stop) -> Int {
    let message = try DNSMessage(reader)
    guard message.isResponse, message.responseCode == 0 else { return 0 }
    guard message.answerCount <= maximumAnswers else { throw .malformed("more than 512 answers") }
    var owner = message.question
    var lifetime = UInt32.max
    try followAliases(reader, message, to: &owner, &lifetime)

    var count = 0
    var offset = message.answers
    for _ in 0..<message.answerCount {
      let record = try DNSRecord(reader, at: &offset)
      guard count < maximumAddresses, record.isInternet, record.owner.equalsIgnoringCase(owner)
      else { continue }
      switch (record.type, record.data.count) {
      case (DNSRecord.a, 4):
        let bits = try reader.peek(UInt32.self, at: record.data.lowerBound)
        body(IPAddress(ipv4: bits), min(lifetime, record.lifetime))
        count += 1
      case (DNSRecord.aaaa, 16):
        let bits = try reader.peek(UInt128.self, at: record.data.lowerBound)
        body(IPAddress(ipv6: bits), min(lifetime, record.lifetime))
        count += 1
      default: break
      }
    }
    return count
  }

  /// Follows the CNAMEs from `owner` to the chain's end, and reads every record once at least.
  ///
  /// One pass is enough when the records stand in the chain's order, as they mostly do.
  private static func followAliases(
    _ reader: borrowing Reader, _ message: DNSMessage, to owner: inout WireName,
    _ lifetime: inout UInt32
  ) throws(Stop) {
    var links = 0
    var linksBefore: Int
    repeat {
      linksBefore = links
      var offset = message.answers
      for _ in 0..<message.answerCount {
        let record = try DNSRecord(reader, at: &offset)
        guard record.type == DNSRecord.cname, record.isInternet,
          record.owner.equalsIgnoringCase(owner)
        else { continue }
        links += 1
        guard links <= maximumAliases else { throw .malformed("more than 16 aliases") }
        var target = record.data.lowerBound
        owner = try DNSName.read(reader, at: &target)
        guard target == record.data.upperBound else {
          throw .malformed("alias does not fill its record")
        }
        lifetime = min(lifetime, record.lifetime)
      }
    } while links > linksBefore
  }
}

/// A resource record (RFC 1035 §4.1.3).
///
/// ```
/// name  type (2)  class (2)  time to live (4)  data length (2)  data
/// ```
struct DNSRecord {
  static let a: UInt16 = 1
  static let cname: UInt16 = 5
  static let aaaa: UInt16 = 28

  let owner: WireName
  let type: UInt16
  let isInternet: Bool
  /// Seconds for which the record may be kept.
  let lifetime: UInt32
  /// Where its data stands in the message.
  let data: Range<Int>

  /// Reads the record at `offset` and moves `offset` behind it.
  init(_ reader: borrowing Reader, at offset: inout Int) throws(Stop) {
    owner = try DNSName.read(reader, at: &offset)
    type = try reader.peek(UInt16.self, at: offset)
    isInternet = try reader.peek(UInt16.self, at: offset + 2) == 1
    let lifetime = try reader.peek(UInt32.self, at: offset + 4)
    // RFC 2181 §8: with the highest bit set it is 0.
    self.lifetime = lifetime >> 31 == 0 ? lifetime : 0
    let length = Int(try reader.peek(UInt16.self, at: offset + 8))
    guard reader.count - offset - 10 >= length else { throw .needMore }
    data = offset + 10..<offset + 10 + length
    offset += 10 + length
  }
}
