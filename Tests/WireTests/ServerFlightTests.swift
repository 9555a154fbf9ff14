import PacketBuilder
import Testing
import Wire

@Suite("A TLS server's first bytes")
struct ServerFlightTests {
  @Test("are a ServerHello, told from a HelloRetryRequest by its random")
  func hellos() {
    let hello = ServerHelloBuilder().bytes
    let retry = ServerHelloBuilder(isRetry: true).bytes
    let almost = retry.overwriting(at: 42, [0x9d])
    #expect(ServerFlight.parse(hello.raw).value == .serverHello)
    #expect(ServerFlight.parse(retry.raw).value == .helloRetryRequest)
    #expect(ServerFlight.parse(almost.raw).value == .serverHello)
  }

  @Test("suffice once the random has come, and need more before")
  func prefixes() {
    for isRetry in [false, true] {
      let bytes = ServerHelloBuilder(isRetry: isRetry).bytes
      for count in 0..<43 {
        let prefix = Array(bytes[..<count])
        #expect(ServerFlight.parse(prefix.raw).needsMore, "first \(count) bytes")
      }
      let enough = Array(bytes[..<43])
      #expect(ServerFlight.parse(enough.raw).value == (isRetry ? .helloRetryRequest : .serverHello))
    }
  }

  @Test("may come in records of any size", arguments: Array(1...40))
  func records(of size: Int) {
    let bytes = ServerHelloBuilder(isRetry: true).message.pieces(of: size)
      .flatMap { tlsRecord(22, $0) }
    #expect(ServerFlight.parse(bytes.raw).value == .helloRetryRequest)
  }

  @Test("may be followed by more messages in the same record (TLS 1.2)")
  func following() {
    let bytes = tlsRecord(22, ServerHelloBuilder().message + hex("0b 000003 000000"))
    #expect(ServerFlight.parse(bytes.raw).value == .serverHello)
  }

  @Test("are an alert when the server refuses")
  func alerts() {
    let fatal = tlsAlert()
    let close = tlsAlert(level: 1, description: 0)
    #expect(ServerFlight.parse(fatal.raw).value == .alert)
    #expect(ServerFlight.parse(close.raw).value == .alert)
  }

  @Test("may begin with the warning that the name is not known")
  func unrecognisedName() {
    let warning = tlsAlert(level: 1, description: 112)
    let both = warning + ServerHelloBuilder().bytes
    #expect(ServerFlight.parse(warning.raw).needsMore)
    #expect(ServerFlight.parse(both.raw).value == .serverHello)
  }

  @Test(
    "that no TLS server sends are malformed",
    arguments: [
      Fixture("SSH", .ascii("SSH-2.0-OpenSSH_9.2\r\n")),
      Fixture("HTTP", .ascii("HTTP/1.1 400 Bad Request\r\n\r\n")),
      Fixture("application data", hex("17 0303 0010 aa*16")),
      Fixture("a ClientHello", ClientHelloBuilder(name: "short.weixin.qq.com").bytes),
      Fixture("record version 3.255", ServerHelloBuilder().bytes.overwriting(at: 2, [0xff])),
      Fixture("alert of three bytes", tlsRecord(21, [2, 40, 0])),
      Fixture("alert of level 3", tlsAlert(level: 3)),
      Fixture(
        "ServerHello shorter than its random", tlsRecord(22, hex("02 000010 0303") + hex("00*40"))),
    ])
  func malformed(_ fixture: Fixture) {
    #expect(ServerFlight.parse(fixture.bytes.raw).malformation != nil)
  }

  @Test("with one bit wrong never crash the parser")
  func bitFlips() {
    let bytes = ServerHelloBuilder(isRetry: true).bytes
    for bit in 0..<bytes.count * 8 {
      let flipped = bytes.flippingBit(bit)
      _ = ServerFlight.parse(flipped.raw)
    }
  }
}
