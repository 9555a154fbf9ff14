import PacketBuilder
import Testing
import Wire

@Suite("mmtls")
struct MMTLSTests {
  private func hello(
    _ bytes: [UInt8], in carrier: MMTLSHello.Carrier = .stream
  ) -> Recognition<MMTLSHello> {
    MMTLSHello.recognise(bytes.raw, versions: .known, in: carrier)
  }

  @Test("tells what a hello's keys come from")
  func keys() {
    #expect(hello(Chat.ticketHello).value?.keys == .ticket)
    #expect(hello(Chat.sharesHello).value?.keys == .shares)
    #expect(hello(Chat.ticketHello).value?.version == 0xf104)
  }

  @Test("is taken in the versions that are listed, and no other")
  func versions() {
    let old = Chat.ticketHello.overwriting(at: 1, hex("f103")).overwriting(at: 10, hex("03f1"))
    let next = Chat.ticketHello.overwriting(at: 1, hex("f205")).overwriting(at: 10, hex("05f2"))
    #expect(hello(old).value?.version == 0xf103)
    #expect(hello(next).isOther)
    var versions = MMTLSVersions()
    #expect(MMTLSHello.recognise(old.raw, versions: versions).isOther)
    let takes = versions.insert(0xf205)
    #expect(takes)
    #expect(MMTLSHello.recognise(next.raw, versions: versions).value != nil)
    #expect(MMTLSHello.recognise(old.raw, versions: versions).isOther)
    let takesTLS = versions.insert(0x0303)
    #expect(!takesTLS)
    let disagreeing = Chat.ticketHello.overwriting(at: 10, hex("03f1"))
    #expect(hello(disagreeing).malformation == "version of hello and record disagree")
  }

  @Test("has hellos of type 19 in HTTP bodies only")
  func early() {
    #expect(hello(Chat.shortLinkBody).isOther)
    #expect(hello(Chat.shortLinkBody, in: .body).value?.length == 166)
    #expect(hello(Chat.ticketHello, in: .body).value?.length == 166)
  }

  @Test(
    "refuses a hello whose lengths disagree",
    arguments: [
      Fixture("record of 99", Chat.ticketHello.overwriting(at: 3, hex("0063 0000005f"))),
      Fixture("record of 1025", Chat.ticketHello.overwriting(at: 3, hex("0401 000003fd"))),
      Fixture("no suite", Chat.ticketHello.overwriting(at: 12, hex("00"))),
      Fixture("unknown suite", Chat.ticketHello.overwriting(at: 13, hex("1301"))),
      Fixture("extensions short", Chat.ticketHello.overwriting(at: 51, hex("0000006e"))),
      Fixture("extensions long", Chat.ticketHello.overwriting(at: 51, hex("00000070"))),
      Fixture("no extension", Chat.ticketHello.overwriting(at: 55, hex("00"))),
      Fixture("two extensions", Chat.ticketHello.overwriting(at: 55, hex("02"))),
      Fixture("extension long", Chat.ticketHello.overwriting(at: 56, hex("0000006b"))),
      Fixture("another extension", Chat.ticketHello.overwriting(at: 60, hex("0011"))),
      Fixture("no ticket", Chat.ticketHello.overwriting(at: 62, hex("00"))),
      Fixture("two tickets", Chat.ticketHello.overwriting(at: 62, hex("02"))),
      Fixture("ticket short", Chat.ticketHello.overwriting(at: 63, hex("00000062"))),
      Fixture("a MAC that is not there", Chat.ticketHello.overwriting(at: 72, hex("0001"))),
      Fixture("nonce long", Chat.ticketHello.overwriting(at: 78, hex("000d"))),
      Fixture("share of 70", Chat.sharesHello.overwriting(at: 65, hex("00000046"))),
      Fixture("compressed point", Chat.sharesHello.overwriting(at: 75, hex("02"))),
      Fixture("three shares", Chat.sharesHello.overwriting(at: 64, hex("03"))),
    ])
  func nearMisses(_ fixture: Fixture) {
    #expect(hello(fixture.bytes).malformation != nil)
  }

  @Test("gives the records of a body as long as they add up to it, in pieces of any size")
  func records() {
    for size in 1...Chat.shortLinkBody.count {
      var records = MMTLSRecords(length: 264, versions: .known)
      var ended = false
      for piece in Chat.shortLinkBody.pieces(of: size) {
        #expect(!ended)
        let outcome = records.consume(piece.raw)
        #expect(outcome.malformation == nil)
        ended = outcome.value != nil
      }
      #expect(ended)
      #expect(records.count == 4)
    }
  }

  @Test("knows where a body ends in what follows it")
  func following() {
    var records = MMTLSRecords(length: 264, versions: .known)
    let stream = Chat.shortLinkBody + .ascii("POST /mmtls/0a1b2c3d HTTP/1.1\r\n")
    let outcome = records.consume(stream.raw)
    #expect(outcome.value == 264)
  }

  @Test("takes an answer's two records and nothing shorter")
  func answer() {
    var records = MMTLSRecords(length: 111, versions: .known)
    let body = Chat.mmtlsAnswer
    let outcome = records.consume(body.raw)
    #expect(outcome.value == 111)
  }

  @Test(
    "refuses records that don't add up",
    arguments: [
      ("a byte less", 263, Chat.shortLinkBody), ("a byte more", 265, Chat.shortLinkBody + [0x17]),
      ("three bytes of a header", 267, Chat.shortLinkBody + hex("17 f104")),
      ("no record", 0, []), ("less than a header", 4, hex("19 f104 00")),
      ("data first", 29, hex("17 f104 0018 e3*24")),
      ("version of TLS inside", 293, Chat.shortLinkBody + hex("17 0303 0018 e3*24")),
      ("empty data", 269, Chat.shortLinkBody + hex("17 f104 0000")),
      ("data shorter than its tag", 285, Chat.shortLinkBody + hex("17 f104 0010 e3*16")),
      ("unknown type", 293, Chat.shortLinkBody + hex("18 f104 0018 e3*24")),
    ])
  func sums(_ name: String, _ length: UInt64, _ body: [UInt8]) {
    var records = MMTLSRecords(length: length, versions: .known)
    let outcome = records.consume(body.raw)
    #expect(outcome.malformation != nil)
  }
}

@Suite("A short link request")
struct ShortLinkTests {
  private func request(_ bytes: [UInt8]) -> Recognition<ShortLinkRequest> {
    ShortLinkRequest.recognise(bytes.raw)
  }

  @Test("gives its host and the length of its body")
  func name() throws {
    let value = try #require(request(Chat.shortLink()).value)
    #expect(value.head.host?.text == "short.weixin.qq.com")
    #expect(value.head.host?.address == nil)
    #expect(value.bodyLength == 264)
  }

  @Test(
    "may have an address as its host",
    arguments: [
      ("198.18.0.20", "198.18.0.20"), ("[2001:2::20]", "2001:2::20"),
      ("2001:2::20", "2001:2::20"), ("2001:2:0:0:0:0:0:20", "2001:2::20"),
      ("2001:2::20:80", "2001:2::20:80"), ("::ffff:198.18.0.20", "198.18.0.20"), ("::", "::"),
    ])
  func literal(_ host: String, _ address: String) throws {
    let head = try #require(request(Chat.shortLink(host: host)).value).head
    #expect(head.host?.text == host)
    #expect(head.host?.address?.text == address)
    #expect(head.port == nil)
  }

  @Test(
    "with a host that is neither name nor address is malformed",
    arguments: [
      "2001:2::20::", "2001:2:", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "2001:2::20%eth0", ":::",
      "2001:2::20]", "[2001:2::20", "::ffff:198.18.0.256", "fe80::1, ::2",
    ])
  func notLiteral(_ host: String) {
    #expect(request(Chat.shortLink(host: host)).malformation != nil)
  }

  @Test(
    "has a path of eight lower-case digits and nothing else",
    arguments: [
      "0A1b2c3d", "0a1b2c3", "0a1b2c3d4", "0a1b2c3g", "0a1b2c3d?x=1", "0a1b2c3d/", "", "../../x",
    ])
  func path(_ id: String) {
    #expect(request(Chat.shortLink(id: id)).isOther)
  }

  @Test("without a body is malformed")
  func bodyless() {
    #expect(request(Chat.shortLink(length: 0)).malformation != nil)
  }
}
