import PacketBuilder
import Testing
import Wire

private let client: Endpoint = "198.18.1.7:40001"
private let resolver: Endpoint = "198.18.0.53:53"

/// A query with EDNS that wants DNSSEC records.
private let query = hex(
  """
  abcd 0110 0001 0000 0000 0001 ; id, recursion desired, checking disabled, a question, a record
  03 "WWW" 07 "example" 03 "com" 00 001c 0001 ; AAAA, Internet
  00 0029 04d0 00 00 8000 000c ; OPT of the root: 1,232 bytes, version 0, DO, 12 bytes
  000a 0008 0102030405060708 ; a cookie
  """)
private let plain = Array(query[..<10]) + hex("0000") + Array(query[12..<33])

private func answer(_ query: [UInt8], _ code: DNSRefusal.Code = .refused) -> [UInt8] {
  DNSRefusal.message(query.raw, code)
}

@Suite("An answer to a refused question")
struct DNSRefusalTests {
  @Test("says refused, and that it was blocked")
  func refused() {
    #expect(
      answer(query)
        == hex(
          """
          abcd 8195 0001 0000 0000 0001 ; response, RD and CD as asked, RA, refused
          03 "WWW" 07 "example" 03 "com" 00 001c 0001
          00 0029 04d0 00 00 8000 0006 ; OPT: DO as asked
          000f 0002 000f ; extended error 15: blocked
          """))
  }

  @Test("says that there is no such name")
  func noSuchName() {
    #expect(
      answer(query, .noSuchName)
        == hex(
          """
          abcd 8193 0001 0000 0000 0001 03 "WWW" 07 "example" 03 "com" 00 001c 0001
          00 0029 04d0 00 00 8000 0000
          """))
  }

  @Test("has no EDNS when the query had none, or one that can't be read")
  func withoutEDNS() {
    let expected = hex("abcd 8195 0001 0000 0000 0000") + query[12..<33]
    #expect(answer(plain) == expected)
    #expect(answer(Array(query.dropLast(1))) == expected)
    #expect(answer(query + [0]) == expected)
    // The record's data ends within an option.
    #expect(answer(query.overwriting(at: 47, hex("09"))) == expected)
  }

  @Test("has no EDNS when the query is longer than any question")
  func tooLong() {
    // An option of padding fills it up to 512 bytes, and past that.
    let near = query[..<42] + hex("01d4 000c 01d0") + [UInt8](repeating: 0, count: 464)
    #expect(near.count == 512)
    #expect(answer(Array(near)).count == 33 + 17)
    let far = query[..<42] + hex("0400 000c 03fc") + [UInt8](repeating: 0, count: 1020)
    #expect(answer(Array(far)) == hex("abcd 8195 0001 0000 0000 0000") + query[12..<33])
  }

  @Test("repeats a question whose name is no host's")
  func oddNames() {
    let odd = hex(
      "0001 0100 0001 0000 0000 0000  04 \"a.b\" 00 3f 00*63 00 0010 0001")
    #expect(answer(odd) == hex("0001 8185 0001 0000 0000 0000") + odd[12...])
    let root = hex("0001 0000 0001 0000 0000 0000 00 0002 0001")
    #expect(answer(root) == hex("0001 8085 0001 0000 0000 0000 00 0002 0001"))
  }

  @Test(
    "to a question that can't be read is a format error",
    arguments: [
      Fixture("no question", hex("0001 0100 0000 0000 0000 0000")),
      Fixture("two questions", hex("0001 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001")),
      Fixture("cut", hex("0001 0100 0001 0000 0000 0000 03 6161")),
      Fixture("without a class", hex("0001 0100 0001 0000 0000 0000 00 0001 00")),
      Fixture("pointer", hex("0001 0100 0001 0000 0000 0000 c00c 0001 0001")),
      Fixture(
        "name of 256 bytes",
        hex("0001 0100 0001 0000 0000 0000 3f 61*63 3f 61*63 3f 61*63 3f 61*63 00 0001 0001")),
    ])
  func formatErrors(_ fixture: Fixture) {
    #expect(answer(fixture.bytes) == hex("0001 8181 0000 0000 0000 0000"))
  }

  @Test("repeats names of 255 bytes on the wire")
  func longestName() {
    let longest = hex(
      "0001 0100 0001 0000 0000 0000 3f 61*63 3f 61*63 3f 61*63 3d 61*61 00 0001 0001")
    #expect(answer(longest).count == longest.count)
  }

  @Test("to another kind of request is that it is not known")
  func otherKinds() {
    #expect(
      answer(hex("0001 2800 0001 0000 0000 0000 00 0006 0001"))
        == hex("0001 a884 0000 0000 0000 0000"))
  }

  @Test("is not given to responses, nor to less than a header")
  func silence() {
    #expect(answer(query.overwriting(at: 2, hex("81"))) == [])
    for count in 0..<12 { #expect(answer(Array(query[..<count])) == []) }
    let short = Array(query[..<11])
    #expect(DNSRefusal.stream(short.raw, .refused) == [])
    let tuple = FiveTuple(.udp, from: client, to: resolver)
    #expect(DNSRefusal.packet(short.raw, from: tuple, .refused) == [])
  }

  @Test("with any bit wrong, or cut, is an answer or none, and never longer")
  func nonsense() {
    for bit in 0..<query.count * 8 { #expect(answer(query.flippingBit(bit)).count <= query.count) }
    for count in 12..<query.count {
      #expect(answer(Array(query[..<count])).count <= query.count, "first \(count) bytes")
    }
  }

  @Test("goes back as a datagram in the resolver's name")
  func datagram() throws {
    let pairs: [(Endpoint, Endpoint)] = [
      (client, resolver), ("[2001:2::1:7]:40001", "[2001:2::53]:53"),
    ]
    for (client, resolver) in pairs {
      let tuple = FiveTuple(.udp, from: client, to: resolver)
      let packet = DNSRefusal.packet(query.raw, from: tuple, .refused)
      let expected = UDPPacket(from: resolver, to: client, payload: answer(query))
      #expect(packet == expected.bytes)
      let ip = try #require(IPHeader.parse(packet.raw).value)
      #expect(transportIsValid(packet, ip))
    }
  }

  @Test("goes back in a stream behind its length")
  func stream() {
    let message = answer(query)
    #expect(DNSRefusal.stream(query.raw, .refused) == [0, UInt8(message.count)] + message)
  }
}

@Suite("EDNS")
struct EDNSTests {
  private func parse(_ bytes: [UInt8]) -> Parsed<EDNS?> { EDNS.parse(bytes.raw) }

  /// The record of a message that can be read.
  private func record(_ bytes: [UInt8]) throws -> EDNS? {
    let parsed = parse(bytes)
    return try #require(parsed.value)
  }

  @Test("gives size, version, flags and options")
  func fields() throws {
    let found = try record(query)
    let edns = try #require(found)
    #expect(edns.payloadSize == 1_232)
    #expect(edns.version == 0)
    #expect(edns.responseCode == 0)
    #expect(edns.wantsSignatures)
    #expect(edns.options == 44..<56)
    let small = try record(query.overwriting(at: 36, hex("0010")))
    #expect(small?.payloadSize == 512)
  }

  @Test("may be missing")
  func none() throws {
    let found = try record(plain)
    #expect(found == nil)
  }

  @Test(
    "that no client sends is malformed",
    arguments: [
      Fixture(
        "twice", query.overwriting(at: 11, hex("02")) + hex("00 0029 04d0 00000000 0000")),
      Fixture("among the authorities", query.overwriting(at: 8, hex("0001 0000"))),
      Fixture(
        "of a name", hex("0001 0100 0001 0000 0000 0001 00 0001 0001 0161 00 0029 04d0 00*6")),
      Fixture("option past the record", query.overwriting(at: 47, hex("09"))),
      Fixture("bytes behind", query + [0]),
      Fixture("10,000 records", query.overwriting(at: 10, hex("2710"))),
    ])
  func malformed(_ fixture: Fixture) { #expect(parse(fixture.bytes).malformation != nil) }

  @Test("cut anywhere needs more")
  func prefixes() {
    for count in 0..<query.count {
      #expect(parse(Array(query[..<count])).needsMore, "first \(count) bytes")
    }
  }

  @Test("with one bit wrong never crashes the parser")
  func bitFlips() { for bit in 0..<query.count * 8 { _ = parse(query.flippingBit(bit)) } }
}

@Suite("DNS over TCP")
struct DNSStreamTests {
  private func first(_ bytes: [UInt8], limit: Int = 65_535) -> Parsed<DNSStream.Frame> {
    DNSStream.first(in: bytes.raw, limit: limit)
  }

  @Test("is messages behind their lengths")
  func frames() throws {
    let stream = [0, UInt8(query.count)] + query + hex("0010 1234")
    let frame = try #require(first(stream).value)
    #expect(frame.length == 2 + query.count)
    #expect(Array(stream[frame.message]) == query)
    let rest = Array(stream[frame.length...])
    #expect(first(rest).needsMore)
  }

  @Test("cut anywhere needs more")
  func prefixes() {
    let stream = [0, UInt8(query.count)] + query
    for count in 0..<stream.count { #expect(first(Array(stream[..<count])).needsMore) }
  }

  @Test("has messages of a header at least, and of the limit at most")
  func lengths() {
    #expect(first(hex("0000")).malformation != nil)
    #expect(first(hex("000b 00*11")).malformation != nil)
    #expect(first(hex("000c 00*12")).value?.length == 14)
    #expect(first(hex("0201 00*513"), limit: 512).malformation != nil)
    #expect(first(hex("ffff")).needsMore)
    #expect(first(hex("ffff 00*65535")).value?.length == 65_537)
  }
}
