import PacketBuilder
import Testing
import Wire

/// A response of the router's resolver: szlong.weixin.qq.com is an alias with two addresses.
private let response = hex(
  """
  1234 8180 0001 0004 0000 0000 ; id, response without error, one question, four answers
  06 "szlong" 06 "weixin" 02 "qq" 03 "com" 00 0001 0001 ; question at 12: A, Internet
  c00c 0005 0001 00000258 0009 06 "sztail" c013 ; alias: sztail.weixin.qq.com, 600 s, at 49
  c032 0001 0001 0000003c 0004 c6120007 ; at the pointer to byte 50: see below
  c032 0001 0001 00000e10 0004 c6120008
  c00c 0001 0001 00000e10 0004 c6120009 ; the alias itself has an address too: not ours
  """)

private struct Answer: Equatable {
  var address: String
  var timeToLive: UInt32
}

private func answers(_ message: [UInt8]) -> (Parsed<Int>, [Answer]) {
  var answers: [Answer] = []
  let outcome = DNSMessage.forEachAddress(in: message.raw) {
    answers.append(Answer(address: $0.text, timeToLive: $1))
  }
  return (outcome, answers)
}

/// A name's labels on the wire.
private func labels(_ name: String) -> [UInt8] {
  name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + .ascii(String($0)) } + [0]
}

/// A response to `question` with records of (owner, type, time to live, data).
///
/// `additional` are the last so many of them.
private func message(
  _ question: String, _ records: [(String, UInt16, UInt32, [UInt8])], count: Int? = nil,
  flags: UInt16 = 0x8180, type: UInt16 = a, additional: Int = 0
) -> [UInt8] {
  var bytes = hex("0007")
  bytes.append(bigEndian: flags)
  bytes += hex("0001")
  bytes.append(bigEndian: UInt16(truncatingIfNeeded: (count ?? records.count) - additional))
  bytes += hex("0000")
  bytes.append(bigEndian: UInt16(additional))
  bytes += labels(question)
  bytes.append(bigEndian: type)
  bytes += hex("0001")
  for (owner, type, timeToLive, data) in records {
    bytes += labels(owner)
    bytes.append(bigEndian: type)
    bytes += hex("0001")
    bytes.append(bigEndian: timeToLive)
    bytes.append(bigEndian: UInt16(data.count))
    bytes += data
  }
  return bytes
}

private let a: UInt16 = 1
private let cname: UInt16 = 5
private let aaaa: UInt16 = 28
private let https: UInt16 = 65
private let one = hex("c6120001")
private let two = hex("c6120002")

@Suite("A DNS message")
struct DNSMessageTests {
  @Test("that asks gives its question")
  func query() throws {
    let bytes = hex(
      """
      abcd 0100 0001 0000 0000 0001 ; id, recursion desired, one question, one additional
      05 "Short" 06 "weixin" 02 "qq" 03 "com" 00 001c 0001 ; AAAA, Internet
      00 0029 04d0 00000000 0000 ; EDNS
      """)
    let message = try #require(DNSMessage.parse(bytes.raw).value)
    #expect(message.id == 0xabcd)
    #expect(!message.isResponse)
    #expect(!message.isTruncated)
    #expect(message.question.text == "Short.weixin.qq.com")
    #expect(message.questionType == 28)
    #expect(message.questionClass == 1)
  }

  @Test("that answers gives its code")
  func responses() throws {
    let refused = message("a.example", [], flags: 0x8385)
    let parsed = try #require(DNSMessage.parse(refused.raw).value)
    #expect(parsed.isResponse)
    #expect(parsed.isTruncated)
    #expect(parsed.responseCode == 5)
  }

  @Test("for the root has an empty name")
  func root() throws {
    let bytes = hex("0001 0100 0001 0000 0000 0000  00 0002 0001")
    #expect(try #require(DNSMessage.parse(bytes.raw).value).question.count == 0)
  }

  @Test("cut within its question needs more")
  func prefixes() {
    for count in 0..<38 {
      let prefix = Array(response[..<count])
      #expect(DNSMessage.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
    let enough = Array(response[..<38])
    #expect(DNSMessage.parse(enough.raw).value != nil)
  }

  @Test(
    "that no resolver sends is malformed",
    arguments: [
      Fixture("no question", hex("0001 0100 0000 0000 0000 0000")),
      Fixture("two questions", hex("0001 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001")),
      Fixture("update", hex("0001 2800 0001 0000 0000 0000 00 0006 0001")),
      Fixture("query with answers", hex("0001 0100 0001 0001 0000 0000 00 0001 0001")),
      Fixture("pointer to itself", hex("0001 0100 0001 0000 0000 0000 c00c 0001 0001")),
      Fixture("pointer forward", hex("0001 0100 0001 0000 0000 0000 c00e 00 0001 0001")),
      Fixture(
        "pointer to the start of its own labels",
        hex("0001 0100 0001 0000 0000 0000 01 61 c00c 0001 0001")),
      Fixture("pointer into the header", hex("0001 0100 0001 0000 0000 0000 c002 0001 0001")),
      Fixture(
        "label of a reserved type", hex("0001 0100 0001 0000 0000 0000 41 61*65 00 0001 0001")),
      Fixture("label with a dot", hex("0001 0100 0001 0000 0000 0000 03 \"a.b\" 00 0001 0001")),
      Fixture("label with a NUL", hex("0001 0100 0001 0000 0000 0000 03 \"a\\0b\" 00 0001 0001")),
      Fixture(
        "name of 256 bytes",
        hex("0001 0100 0001 0000 0000 0000 3f 61*63 3f 61*63 3f 61*63 3f 61*63 00 0001 0001")),
    ])
  func malformed(_ fixture: Fixture) {
    #expect(DNSMessage.parse(fixture.bytes.raw).malformation != nil)
  }

  @Test("has names of 127 pointers at most")
  func pointers() {
    // Each leads to the one before, the first to the question's name.
    func chain(_ count: Int) -> [UInt8] {
      var bytes = hex("0001 8180 0001 0001 0000 0000 0161 00 0041 0001")
      var last = 12
      var data: [UInt8] = [0, 1]
      let start = bytes.count + 12
      for i in 0..<count {
        data.append(bigEndian: UInt16(0xc000 | last))
        last = start + 2 + 2 * i
      }
      bytes += hex("c00c 0041 0001 00000009")
      bytes.append(bigEndian: UInt16(data.count))
      bytes += data
      // A second record, whose owner is the end of the chain.
      bytes[7] = 2
      bytes.append(bigEndian: UInt16(0xc000 | last))
      bytes += hex("0001 0001 00000009 0004 c6120001")
      return bytes
    }
    func isRead(_ count: Int) -> Bool {
      let bytes = chain(count)
      return EDNS.parse(bytes.raw).value != nil
    }
    #expect(isRead(126))
    #expect(!isRead(127))
  }

  @Test("has names of 253 bytes at most")
  func longestName() throws {
    let longest = hex(
      "0001 0100 0001 0000 0000 0000 3f 61*63 3f 61*63 3f 61*63 3d 61*61 00 0001 0001")
    let longer = hex(
      "0001 0100 0001 0000 0000 0000 3f 61*63 3f 61*63 3f 61*63 3e 61*62 00 0001 0001")
    #expect(try #require(DNSMessage.parse(longest.raw).value).question.count == 253)
    #expect(DNSMessage.parse(longer.raw).malformation != nil)
  }
}

@Suite("Addresses of a DNS response")
struct DNSAddressTests {
  @Test("are those at the end of the alias, for the shortest time of the chain")
  func chain() throws {
    // The alias's name stands at byte 50, within the first record's data.
    let (outcome, found) = answers(response)
    #expect(outcome.value == 2)
    #expect(
      found == [
        Answer(address: "198.18.0.7", timeToLive: 60),
        Answer(address: "198.18.0.8", timeToLive: 600),
      ])
  }

  @Test("are found whatever the order of the records and the case of their names")
  func order() {
    let (outcome, found) = answers(
      message(
        "A.example",
        [
          ("C.Example", a, 300, one), ("b.example", cname, 50, labels("c.example")),
          ("a.example", cname, 900, labels("B.example")),
          ("c.example", aaaa, 40, hex("20010002 00*11 01")),
        ]))
    #expect(outcome.value == 2)
    #expect(
      found == [
        Answer(address: "198.18.0.1", timeToLive: 50), Answer(address: "2001:2::1", timeToLive: 40),
      ])
  }

  @Test("of other names teach nothing")
  func otherNames() {
    let (outcome, found) = answers(
      message(
        "a.example",
        [
          ("b.example", a, 300, one), ("c.example", cname, 300, labels("a.example")),
          ("xa.example", a, 300, one), ("a.example.com", a, 300, one),
          ("a.example", 16, 300, hex("03 \"txt\"")), ("a.example", a, 300, hex("c61200")),
          ("a.example", aaaa, 300, one),
        ]))
    #expect(outcome.value == 0)
    #expect(found == [])
  }

  @Test("of an error, or of a query, are none")
  func errors() {
    #expect(answers(message("a.example", [("a.example", a, 1, one)], flags: 0x8183)).0.value == 0)
    #expect(answers(message("a.example", [], flags: 0x0100)).0.value == 0)
  }

  @Test("with a time to live above 31 bits live for no time")
  func negativeLifetime() {
    let (_, found) = answers(message("a.example", [("a.example", a, 0x8000_0001, one)]))
    #expect(found.map(\.timeToLive) == [0])
  }

  @Test("whose aliases lead in a circle are refused")
  func circles() {
    let circle = message(
      "a.example",
      [
        ("a.example", cname, 1, labels("b.example")), ("b.example", cname, 1, labels("a.example")),
        ("a.example", a, 1, one),
      ])
    #expect(answers(circle).0.malformation != nil)
    #expect(answers(circle).1 == [])
    let itself = message("a.example", [("a.example", cname, 1, labels("a.example"))])
    #expect(answers(itself).0.malformation != nil)
  }

  @Test("are followed over 16 aliases")
  func longChain() {
    func chain(_ links: Int) -> [UInt8] {
      let links = (0..<links).map {
        ("n\($0).example", cname, UInt32(9), labels("n\($0 + 1).example"))
      }
      return message("n0.example", links.reversed() + [("n\(links.count).example", a, 9, one)])
    }
    #expect(answers(chain(16)).1.count == 1)
    #expect(answers(chain(17)).0.malformation != nil)
  }

  @Test("are 64 at most")
  func many() {
    let records = (0..<100).map { _ in ("a.example", a, UInt32(60), two) }
    #expect(answers(message("a.example", records)).0.value == 64)
  }

  @Test("of a message that promises or holds 10,000 records are none")
  func tooMany() {
    let records = (0..<10_000).map { _ in ("a.example", a, UInt32(60), two) }
    #expect(answers(message("a.example", records)).0.malformation != nil)
    #expect(answers(message("a.example", [], count: 10_000)).0.malformation != nil)
  }

  @Test("of a message that was cut are none")
  func prefixes() {
    for count in 38..<response.count {
      let (outcome, found) = answers(Array(response[..<count]))
      #expect(outcome.needsMore, "first \(count) bytes")
      #expect(found == [])
    }
  }

  @Test("of a message with one bit wrong never crash the parser")
  func bitFlips() {
    for bit in 0..<response.count * 8 { _ = answers(response.flippingBit(bit)) }
  }

  @Test("whose alias does not fill its record is refused")
  func aliasWithRest() {
    let bytes = message("a.example", [("a.example", cname, 1, labels("b.example") + [0])])
    #expect(answers(bytes).0.malformation != nil)
  }
}

/// The data of an HTTPS record.
private func service(_ priority: UInt8, _ target: String, _ parameters: String = "") -> [UInt8] {
  [0, priority] + (target == "." ? [0] : labels(target)) + hex(parameters)
}

@Suite("Services of a DNS response")
struct DNSServiceTests {
  private let four = "0004 0008 c6120001 c6120002 "
  private let six = "0006 0010 20010002 00*11 01"

  @Test("give their address hints, for the question's name")
  func hints() {
    let (outcome, found) = answers(
      message(
        "a.example",
        [
          ("a.example", https, 300, service(1, ".", "0001 0003 026832 " + four + six)),
          ("b.example", https, 300, service(1, ".", "0004 0004 c6120009")),
        ], type: https))
    #expect(outcome.value == 3)
    #expect(
      found == [
        Answer(address: "198.18.0.1", timeToLive: 300),
        Answer(address: "198.18.0.2", timeToLive: 300),
        Answer(address: "2001:2::1", timeToLive: 300),
      ])
  }

  @Test("are found over aliases, also among the additional records")
  func aliases() {
    let (outcome, found) = answers(
      message(
        "a.example",
        [
          ("a.example", cname, 900, labels("b.example")),
          ("b.example", https, 50, service(0, "c.example")),
          ("c.example", https, 70, service(1, ".", "0004 0004 c6120001")),
          ("c.example", a, 80, two),
        ], type: https, additional: 2))
    #expect(outcome.value == 2)
    #expect(
      found == [
        Answer(address: "198.18.0.2", timeToLive: 50),
        Answer(address: "198.18.0.1", timeToLive: 50),
      ])
  }

  @Test("live at the addresses of their targets")
  func targets() {
    let (_, found) = answers(
      message(
        "a.example",
        [
          ("a.example", https, 50, service(1, "C.example")),
          ("a.example", https, 50, service(2, "d.example")),
          ("c.example", a, 80, one), ("e.example", a, 80, two),
        ], type: https, additional: 2))
    #expect(found == [Answer(address: "198.18.0.1", timeToLive: 50)])
  }

  @Test("count only where they were asked for")
  func otherQuestions() {
    let records = [("a.example", https, UInt32(9), service(1, ".", "0004 0004 c6120001"))]
    #expect(answers(message("a.example", records)).1 == [])
    let additional = [("a.example", a, UInt32(9), one), ("a.example", a, 9, two)]
    #expect(answers(message("a.example", additional, additional: 1)).1.count == 1)
  }

  @Test("of an alias for the root are none")
  func noService() {
    let (outcome, found) = answers(
      message(
        "a.example", [("a.example", https, 9, service(0, ".", "0004 0004 c6120001"))], type: https))
    #expect(outcome.value == 0)
    #expect(found == [])
  }

  @Test(
    "that are not well-formed teach nothing",
    arguments: [
      "0004 0004 c6120001 0004 0004 c6120002", "0006 0010 00*16 0004 0004 c6120002",
      "0004 0003 c61200", "0004 0000", "0006 000f 00*15", "0004 0005 c6120001 00",
      "0004 0004 c61200", "0004 0004 c6120001 00", "0004 0004 c6120001 0005 00",
    ])
  func malformed(_ parameters: String) {
    let records = [
      ("a.example", https, UInt32(9), service(1, ".", "0004 0004 c6120001")),
      ("a.example", https, 9, service(2, ".", parameters)),
    ]
    let (outcome, found) = answers(message("a.example", records, type: https))
    #expect(outcome.malformation != nil)
    #expect(found == [])
  }

  @Test("whose target runs past the record, or is missing, teach nothing")
  func noTarget() {
    for data in [hex("0001"), hex("0001 09 61"), hex("00"), []] {
      #expect(
        answers(message("a.example", [("a.example", https, 9, data)], type: https)).0.value == nil)
    }
  }

  @Test("whose aliases lead in a circle are refused")
  func circles() {
    let circle = message(
      "a.example",
      [
        ("a.example", https, 1, service(0, "b.example")),
        ("b.example", https, 1, service(0, "a.example")),
      ], type: https)
    #expect(answers(circle).0.malformation != nil)
  }

  @Test("give 64 addresses at most, and none of 10,000 records")
  func many() {
    let record = ("a.example", https, UInt32(9), service(1, ".", four + six))
    #expect(
      answers(message("a.example", (0..<100).map { _ in record }, type: https)).0.value == 64)
    let all = message("a.example", (0..<1_000).map { _ in record }, count: 10_000, type: https)
    #expect(answers(all).0.malformation != nil)
  }

  @Test("cut or with one bit wrong never crash the parser")
  func nonsense() {
    let bytes = message(
      "a.example", [("a.example", https, 9, service(1, "b.example", four + six))], type: https)
    for count in 0..<bytes.count { #expect(answers(Array(bytes[..<count])).1 == []) }
    for bit in 0..<bytes.count * 8 { _ = answers(bytes.flippingBit(bit)) }
  }
}

@Suite("A DNS query")
struct DNSQueryTests {
  @Test("asks for a name")
  func query() throws {
    let name = try #require(WireName("short.weixin.qq.com"))
    #expect(
      DNSQuery.bytes(id: 0xabcd, name: name, type: DNSQuery.aaaa)
        == hex(
          """
          abcd 0100 0001 0000 0000 0000 ; id, recursion desired, one question
          05 "short" 06 "weixin" 02 "qq" 03 "com" 00 001c 0001 ; AAAA, Internet
          """))
  }

  @Test("is read back by the parser")
  func roundTrip() throws {
    let name = try #require(WireName(String(repeating: "abcdefg.", count: 31) + "abcde"))
    #expect(name.count == 253)
    let bytes = DNSQuery.bytes(id: 1, name: name, type: DNSQuery.a)
    let message = try #require(DNSMessage.parse(bytes.raw).value)
    #expect(message.question.text == name.text)
    #expect(message.questionType == DNSQuery.a)
  }

  @Test(
    "for what is no name is empty",
    arguments: [
      "", ".", "a..b", ".a", "a.", String(repeating: "a", count: 64),
      String(repeating: "a.", count: 127) + "a",
    ])
  func noName(_ text: String) throws {
    let name = try #require(WireName(text))
    #expect(DNSQuery.bytes(id: 1, name: name, type: DNSQuery.a) == [])
  }
}
