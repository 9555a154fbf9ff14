import PacketBuilder
import Testing
import Wire

@Suite("QUIC")
struct QUICTests {
  @Test("of Google gives version and name")
  func gquic() throws {
    let gquic = Chat.gquic
    let hello = try #require(GQUICHello.recognise(gquic.raw).value)
    #expect(hello.version == 43)
    #expect(hello.serverName?.text == "szquic.weixin.qq.com")
  }

  @Test("of Google has a little-endian length before Q039")
  func old() {
    let old = Chat.gquic.overwriting(at: 11, .ascii("38"))
    let oldLength = old.overwriting(at: 28, hex("3c00"))
    #expect(GQUICHello.recognise(old.raw).needsMore)
    #expect(GQUICHello.recognise(oldLength.raw).value?.version == 38)
    #expect(GQUICHello.recognise(oldLength.raw).value?.serverName?.count == 20)
  }

  @Test("of Google has packet numbers of 1, 2, 4 or 6 bytes")
  func numbers() {
    for (flags, size) in [(0x0d, 1), (0x1d, 2), (0x2d, 4), (0x3d, 6)] as [(UInt8, Int)] {
      let bytes =
        [flags] + Chat.gquic[1..<13] + [UInt8](repeating: 1, count: size) + Chat.gquic[14...]
      #expect(GQUICHello.recognise(bytes.raw).value?.serverName != nil)
    }
  }

  @Test(
    "of Google is another when it is no hello in clear",
    arguments: [
      Fixture("Q046", Chat.gquic.overwriting(at: 11, .ascii("46"))),
      Fixture("Q023", Chat.gquic.overwriting(at: 11, .ascii("23"))),
      Fixture("T050", Chat.gquic.overwriting(at: 9, .ascii("T050"))),
      Fixture("no id", Chat.gquic.overwriting(at: 0, hex("05"))),
      Fixture("another frame", Chat.gquic.overwriting(at: 26, hex("40"))),
      Fixture("a rejection", Chat.gquic.overwriting(at: 30, hex("52454a00"))),
    ])
  func otherPackets(_ fixture: Fixture) {
    #expect(GQUICHello.recognise(fixture.bytes.raw).isOther)
  }

  @Test(
    "of Google refuses tags that don't fit",
    arguments: [
      Fixture("129 tags", Chat.gquic.overwriting(at: 34, hex("81"))),
      Fixture("ends that go back", Chat.gquic.overwriting(at: 42, hex("25"))),
      Fixture("two names", Chat.gquic.overwriting(at: 38, hex("534e4900"))),
      Fixture("name end before the message's", Chat.gquic.overwriting(at: 50, hex("23"))),
      Fixture("empty name", Chat.gquic.overwriting(at: 42, hex("24"))),
      Fixture("name with a blank", Chat.gquic.overwriting(at: 80, hex("20"))),
    ])
  func tags(_ fixture: Fixture) {
    #expect(GQUICHello.recognise(fixture.bytes.raw).malformation != nil)
  }

  @Test("of the IETF gives where its connection ids stand")
  func initial() throws {
    let quic = Chat.quic
    let header = try #require(QUICInitialHeader.recognise(quic.raw).value)
    #expect(header.version == QUICInitialHeader.version1)
    #expect(header.destinationID == 6..<14)
    #expect(header.sourceID == 15..<15)
    #expect(header.token == 16..<16)
    #expect(header.payload == 18..<82)
  }

  @Test("of the IETF has another type for an Initial of version 2")
  func version2() {
    let bytes = Chat.quic.overwriting(at: 0, hex("d0 6b3343cf"))
    #expect(QUICInitialHeader.recognise(bytes.raw).value?.version == QUICInitialHeader.version2)
    let handshake = Chat.quic.overwriting(at: 0, hex("c0 6b3343cf"))
    #expect(QUICInitialHeader.recognise(handshake.raw).isOther)
  }

  @Test(
    "of the IETF is another when it is no Initial of version 1 or 2",
    arguments: [
      Fixture("short header", Chat.quic.overwriting(at: 0, hex("40"))),
      Fixture("no fixed bit", Chat.quic.overwriting(at: 0, hex("80"))),
      Fixture("0-RTT", Chat.quic.overwriting(at: 0, hex("d0"))),
      Fixture("Retry", Chat.quic.overwriting(at: 0, hex("f0"))),
      Fixture("version negotiation", Chat.quic.overwriting(at: 1, hex("00000000"))),
      Fixture("draft 29", Chat.quic.overwriting(at: 1, hex("ff00001d"))),
    ])
  func otherInitials(_ fixture: Fixture) {
    #expect(QUICInitialHeader.recognise(fixture.bytes.raw).isOther)
  }

  @Test("of the IETF has ids of at most 20 bytes, and a payload that can be unprotected")
  func lengths() {
    let id = Chat.quic.overwriting(at: 5, hex("15"))
    #expect(QUICInitialHeader.recognise(id.raw).malformation != nil)
    let payload = Chat.quic.overwriting(at: 16, hex("4013"))
    #expect(QUICInitialHeader.recognise(payload.raw).malformation != nil)
    let token = Chat.quic.overwriting(at: 15, hex("ff*8"))
    #expect(QUICInitialHeader.recognise(token.raw).needsMore)
  }
}
