extension DNSMessage {
  /// Addresses that are reported of one message at most.
  public static let maximumAddresses = 64
  /// Aliases that are followed at most.
  public static let maximumAliases = 16
  /// Services of one name whose targets are looked up in the message.
  private static let maximumServices = 8

  /// Reports the addresses that a response gives for the name in its question.
  ///
  /// These are its A and AAAA records at the end of the CNAME chain that starts at the question, in
  /// any order (RFC 1034 §3.6.2, RFC 3596); records of other names are passed over. Of an answer to a
  /// question for HTTPS or SVCB records (RFC 9460) it is also the hints of the services there, and the
  /// addresses that the message gives for their targets: a client goes there for the question's name.
  /// Such an answer's additional records count too, and its aliases are followed as CNAMEs are.
  ///
  /// `body` gets the address and for how many seconds it may be kept: the least of the chain. Returns
  /// how many were reported, at most 64; 0 for a query or an error. A chain that leads in a circle, or
  /// has more than 16 links, is malformed, and so are more than 512 records and a service binding that
  /// is not well-formed: nothing is then reported.
  public static func forEachAddress(
    in message: RawSpan, _ body: (IPAddress, _ ttl: UInt32) -> Void
  ) -> Parsed<Int> {
    do throws(Stop) {
      return .done(try reportAddresses(Reader(message), body))
    } catch {
      return error.outcome()
    }
  }

  private var asksForServices: Bool {
    questionType == DNSRecord.svcb || questionType == DNSRecord.https
  }

  private static func reportAddresses(
    _ reader: borrowing Reader, _ body: (IPAddress, UInt32) -> Void
  ) throws(Stop) -> Int {
    let message = try DNSMessage(reader)
    guard message.isResponse, message.responseCode == 0 else { return 0 }
    // Resolvers put what belongs to a service into the additional records (RFC 9460 §4.2).
    let count = message.asksForServices ? message.recordCount : message.answerCount
    guard count <= maximumAnswers else { throw .malformed("more than 512 answers") }
    let records = DNSRecords(count: count, start: message.answers)
    var owner = message.question
    var lifetime = UInt32.max
    try followAliases(reader, records, message.questionType, to: &owner, &lifetime)

    var report = AddressReport()
    try report.addresses(of: owner, reader, records, lifetime, body)
    guard message.asksForServices else { return report.count }
    var services = 0
    var offset = records.start
    for _ in 0..<records.count {
      let record = try DNSRecord(reader, at: &offset)
      guard record.type == message.questionType, record.isInternet,
        record.owner.equalsIgnoringCase(owner)
      else { continue }
      let service = try DNSServiceBinding(reader, record.data)
      guard !service.isAlias else { continue }
      let lifetime = min(lifetime, record.lifetime)
      try report.hints(of: service, reader, lifetime, body)
      guard services < maximumServices, service.target.count > 0,
        !service.target.equalsIgnoringCase(owner)
      else { continue }
      services += 1
      try report.addresses(of: service.target, reader, records, lifetime, body)
    }
    return report.count
  }

  /// Follows the aliases from `owner` to the chain's end, and reads every record once at least.
  ///
  /// One pass is enough when the records stand in the chain's order, as they mostly do.
  private static func followAliases(
    _ reader: borrowing Reader, _ records: DNSRecords, _ type: UInt16,
    to owner: inout WireName, _ lifetime: inout UInt32
  ) throws(Stop) {
    var links = 0
    var linksBefore: Int
    repeat {
      linksBefore = links
      var offset = records.start
      for _ in 0..<records.count {
        let record = try DNSRecord(reader, at: &offset)
        guard record.isInternet else { continue }
        let target: WireName
        if record.type == DNSRecord.cname {
          guard record.owner.equalsIgnoringCase(owner) else { continue }
          var end = record.data.lowerBound
          target = try DNSName.read(reader, at: &end)
          guard end == record.data.upperBound else {
            throw .malformed("alias does not fill its record")
          }
        } else if record.type == type, type == DNSRecord.svcb || type == DNSRecord.https {
          let service = try DNSServiceBinding(reader, record.data)
          // An alias for the root says that there is no service (RFC 9460 §2.5.1).
          guard service.isAlias, service.target.count > 0,
            record.owner.equalsIgnoringCase(owner)
          else { continue }
          target = service.target
        } else {
          continue
        }
        links += 1
        guard links <= maximumAliases else { throw .malformed("more than 16 aliases") }
        owner = target
        lifetime = min(lifetime, record.lifetime)
      }
    } while links > linksBefore
  }
}

/// The records of a message that are read.
private struct DNSRecords {
  let count: Int
  /// Where they begin.
  let start: Int
}

/// The addresses on their way to the caller, 64 at most.
private struct AddressReport {
  private(set) var count = 0

  private mutating func report(
    _ address: IPAddress, _ lifetime: UInt32, _ body: (IPAddress, UInt32) -> Void
  ) {
    guard count < DNSMessage.maximumAddresses else { return }
    count += 1
    body(address, lifetime)
  }

  mutating func addresses(
    of owner: WireName, _ reader: borrowing Reader, _ records: DNSRecords, _ lifetime: UInt32,
    _ body: (IPAddress, UInt32) -> Void
  ) throws(Stop) {
    var offset = records.start
    for _ in 0..<records.count {
      let record = try DNSRecord(reader, at: &offset)
      guard record.isInternet, record.owner.equalsIgnoringCase(owner) else { continue }
      switch (record.type, record.data.count) {
      case (DNSRecord.a, 4):
        let bits = try reader.peek(UInt32.self, at: record.data.lowerBound)
        report(IPAddress(ipv4: bits), min(lifetime, record.lifetime), body)
      case (DNSRecord.aaaa, 16):
        let bits = try reader.peek(UInt128.self, at: record.data.lowerBound)
        report(IPAddress(ipv6: bits), min(lifetime, record.lifetime), body)
      default: break
      }
    }
  }

  mutating func hints(
    of service: DNSServiceBinding, _ reader: borrowing Reader, _ lifetime: UInt32,
    _ body: (IPAddress, UInt32) -> Void
  ) throws(Stop) {
    var offset = service.ipv4Hints.lowerBound
    while offset < service.ipv4Hints.upperBound {
      report(IPAddress(ipv4: try reader.peek(UInt32.self, at: offset)), lifetime, body)
      offset += 4
    }
    offset = service.ipv6Hints.lowerBound
    while offset < service.ipv6Hints.upperBound {
      report(IPAddress(ipv6: try reader.peek(UInt128.self, at: offset)), lifetime, body)
      offset += 16
    }
  }
}
