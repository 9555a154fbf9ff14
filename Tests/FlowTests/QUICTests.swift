import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

private let closed = """
  version: 1
  allow:
    - {host: short.weixin.qq.com}
  deny:
    - {host: .video.qq.com}
  """
private let open = """
  version: 1
  binding: off
  allow:
    - {host: short.weixin.qq.com, ports: [443], protocol: quic}
    - {host: szquic.weixin.qq.com, ports: [443], protocol: quic}
  """
private let bound = open.replacing("binding: off", with: "binding: strict")

private let caller: Endpoint = "198.18.1.10:50000"
private let callee: Endpoint = "198.18.0.7:443"
private let tuple = FiveTuple(.udp, from: caller, to: callee)
private let answer = hex("c0 00000001 00 08 c7*8 00 4040 00*64")

/// Google's QUIC, for szquic.weixin.qq.com.
private let gquic = hex(
  #"""
  0d c7*8 "Q043" 01 c8*12 a0 01 003c "CHLO" 0200 0000
  "PAD\0" 10000000 "SNI\0" 24000000 2d*16 "szquic.weixin.qq.com"
  """#)

extension Path {
  @discardableResult
  fileprivate func up(_ payload: [UInt8], from client: Endpoint = caller) -> Fate {
    send(UDPPacket(from: client, to: callee, payload: payload).bytes, fromLAN: true)
  }

  @discardableResult
  fileprivate func down(_ payload: [UInt8] = answer, to client: Endpoint = caller) -> Fate {
    send(UDPPacket(from: callee, to: client, payload: payload).bytes, fromLAN: false)
  }

  fileprivate var host: String? { records.last?.host?.text }
}

@Suite struct QUICTests {
  // MARK: Refused

  @Test func quicIsRefusedAtOnceAndItsNameIsKnown() throws {
    let path = try Path(rules: closed)
    #expect(path.up(quicHello("www.example.com")) == .refused)
    #expect(path.reason == .quic)
    #expect(path.host == "www.example.com")
    #expect(path.records.last?.application == .quic)
    #expect(path.up(quicHello("short.weixin.qq.com"), from: "198.18.1.10:50001") == .refused)
    #expect(path.reason == .quic)
    #expect(path.host == "short.weixin.qq.com")
    #expect(path.up(quicHello("a.video.qq.com"), from: "198.18.1.10:50002") == .refused)
    #expect(path.reason == .hostDenied)
    #expect(path.up(gquic, from: "198.18.1.10:50003") == .refused)
    #expect(path.reason == .quic)
    #expect(path.host == "szquic.weixin.qq.com")
    #expect(path.records.last?.application == .gquic)
    #expect(path.records.count == 4)
    #expect(path.packetsAtServer.isEmpty)
  }

  @Test func everyOneOfAHundredIsAnswered() throws {
    let path = try Path(rules: closed)
    for port in 0..<100 {
      #expect(
        path.up(quicHello("www.example.com"), from: Endpoint("198.18.1.10", UInt16(50_000 + port)))
          == .refused)
    }
    #expect(path.records.filter { $0.host?.text == "www.example.com" }.count == 100)
  }

  @Test func theNameOfAHelloInTwoDatagramsIsInTheOneRecord() throws {
    let path = try Path(rules: closed)
    let hello = quicHello("www.example.com", piecesOf: 1_000)
    #expect(hello.count == 2)
    #expect(path.up(hello[0]) == .refused)
    #expect(path.records.isEmpty)
    #expect(path.up(hello[1]) == .refused)
    #expect(path.records.map(\.reason) == [.quic])
    #expect(path.host == "www.example.com")
    #expect(path.records.last?.packets == 2)
    // Again: nothing new.
    #expect(path.up(hello[0]) == .refused)
    #expect(path.records.count == 1)
    // In the other order, and of a host that a rule denies.
    let other = quicHello("a.video.qq.com", piecesOf: 1_000)
    #expect(path.up(other[1], from: "198.18.1.10:50001") == .refused)
    #expect(path.up(other[0], from: "198.18.1.10:50001") == .refused)
    #expect(path.reason == .hostDenied)
    #expect(path.records.count == 2)
    path.wait(.seconds(11))
    #expect(path.records.count == 2)
  }

  @Test func aHelloThatStaysIncompleteIsRecordedWithoutItsName() throws {
    let path = try Path(rules: closed)
    let hello = quicHello("www.example.com", piecesOf: 1_000)
    path.up(hello[0])
    path.wait(.milliseconds(400))
    #expect(path.records.isEmpty)
    path.wait(.milliseconds(200))
    #expect(path.records.map(\.reason) == [.quic])
    #expect(path.host == nil)
    #expect(path.up(hello[1]) == .refused)
    #expect(path.records.count == 1)
    // Another connection on the same ports is another attempt.
    let new = QUICInitialBuilder(quicCrypto(0, ClientHelloBuilder(name: "b.example").message))
      .with { $0.destinationID = hex("0102030405060708") }
    #expect(path.up(new.bytes) == .refused)
    #expect(path.host == "b.example")
  }

  @Test func refusalsThatWaitForANameAreNotLostAtTheEnd() throws {
    let path = try Path(rules: closed)
    path.up(quicHello("www.example.com", piecesOf: 1_000)[0])
    var effects = FlowEffects()
    path.engine.recordRefusals(effects: &effects)
    path.engine.recordRefusals(effects: &effects)
    #expect(effects.records.map(\.reason) == [.quic])
  }

  @Test func thePiecesOfManyAreRememberedWithinBounds() throws {
    let path = try Path(rules: closed)
    let hello = quicHello("www.example.com", piecesOf: 1_000)
    for port in 0..<200 {
      #expect(path.up(hello[0], from: Endpoint("198.18.1.10", UInt16(50_000 + port))) == .refused)
    }
    // What is not remembered is recorded at once.
    #expect(path.records.count == 200 - 64)
    for device in 0..<40 {
      for port in 0..<64 {
        let packet = UDPPacket(
          from: Endpoint("198.18.1.20", UInt16(20_000 + device * 64 + port)), to: callee,
          payload: hello[0])
        #expect(
          path.send(packet.bytes, fromLAN: true, MACAddress(bits: UInt64(100 + device))) == .refused
        )
      }
    }
    path.wait(.seconds(1))
    #expect(path.records.count == 200 + 40 * 64)
  }

  @Test(arguments: [
    (hex("c0 1a2a3a4a 08 c7*8 00 00*1200"), Reason.quic),
    (hex("c3 51303436 50 00*1200"), .quic), (hex("80 00000000 00 00 00000001"), .quic),
    (hex("c0 00000001 08 c7*8 00 00 4040 00*64"), .quic), (hex("c0 00000001 ff 00*1200"), .quic),
    (hex("e0 00000001 00 00 05 00*5"), .midstream),
    (hex("d0 00000001 00 00 05 00*5"), .midstream), (hex("c0"), .portNotAllowed),
    (hex("00*20"), .portNotAllowed), ([], .portNotAllowed),
  ])
  func whatIsNoHelloIsRefused(_ payload: [UInt8], _ reason: Reason) throws {
    let path = try Path(rules: closed)
    #expect(path.up(payload) == .refused)
    #expect(path.reason == reason)
    let other = try Path(rules: open)
    #expect(other.up(payload) == .refused)
    #expect(other.reason == (reason == .portNotAllowed ? .udp : reason))
  }

  @Test func aShortHeaderIsTakenForQUICOnlyWhereARuleOpensIt() throws {
    let path = try Path(rules: closed)
    #expect(path.up(hex("40 00*40")) == .refused)
    #expect(path.reason == .portNotAllowed)
    let other = try Path(rules: open)
    #expect(other.up(hex("40 00*40")) == .refused)
    #expect(other.reason == .midstream)
  }

  // MARK: Allowed

  @Test func anAllowedNameIsHandedOverWhenTheServerAnswers() throws {
    let path = try Path(rules: open)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .delivered)
    #expect(path.state(tuple) == .watchedBothWays)
    #expect(path.reason == .hostAllowed)
    #expect(path.records.last?.isConnection == true)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .delivered)
    #expect(path.down() == .delivered)
    #expect(path.state(tuple) == .allowed)
    let visits = path.visits
    #expect(path.up(hex("40 00*40")) == .delivered)
    #expect(path.down(hex("40 00*40")) == .delivered)
    #expect(path.visits == visits)
    #expect(path.records.count == 1)
  }

  @Test func gquicIsAllowedTheSameWay() throws {
    let path = try Path(rules: open)
    #expect(path.up(gquic) == .delivered)
    #expect(path.reason == .hostAllowed)
    // More of the same connection, before the answer.
    #expect(path.up(hex("0d c7*8 51303433 02 00*30")) == .delivered)
    #expect(path.down(hex("00 00*40")) == .delivered)
    #expect(path.state(tuple) == .allowed)
    let other = try Path(rules: open)
    #expect(other.up(gquic) == .delivered)
    #expect(other.up(hex("0d c8*8 51303433 02 00*30")) == .refused)
  }

  @Test func otherNamesAreRefused() throws {
    let path = try Path(rules: open)
    #expect(path.up(quicHello("www.example.com")) == .refused)
    #expect(path.reason == .quic)
    #expect(path.host == "www.example.com")
    #expect(path.up(quicHello(nil), from: "198.18.1.10:50001") == .refused)
    #expect(path.reason == .noServerName)
    #expect(path.up(quicHello("a_b"), from: "198.18.1.10:50002") == .refused)
    #expect(path.reason == .malformedName)
    let record = QUICInitialBuilder(quicCrypto(0, hex("02 000001 00"))).bytes
    #expect(path.up(record, from: "198.18.1.10:50003") == .refused)
    #expect(path.reason == .malformedTLS)
  }

  @Test func whereQUICIsOpenALongHelloIsHeldUntilItIsComplete() throws {
    let path = try Path(rules: open)
    let hello = quicHello("short.weixin.qq.com", piecesOf: 500)
    #expect(hello.count == 4)
    for i in [2, 0, 3] { #expect(path.up(hello[i]) == .held) }
    #expect(path.packetsAtServer.isEmpty)
    #expect(path.up(hello[1]) == .delivered)
    #expect(path.heldCount == 0)
    #expect(path.packetsAtServer.count == 4)
    #expect(path.reason == .hostAllowed)
    #expect(path.engine.heldPacketCount == 0)
    let other = quicHello("www.example.com", piecesOf: 500)
    for i in [0, 1, 2] { path.up(other[i], from: "198.18.1.10:50001") }
    #expect(path.up(other[3], from: "198.18.1.10:50001") == .refused)
    #expect(path.packetsAtServer.count == 4)
    #expect(path.heldCount == 0)
  }

  @Test func aHelloThatIsNotFinishedIsRefusedAfterTenSeconds() throws {
    let path = try Path(rules: open)
    let hello = quicHello("short.weixin.qq.com", piecesOf: 500)
    #expect(path.up(hello[0]) == .held)
    path.wait(.seconds(9))
    #expect(path.heldCount == 1)
    path.wait(.seconds(2))
    #expect(path.heldCount == 0)
    #expect(path.reason == .heldTooLong)
    #expect(path.packetsAtServer.isEmpty)
  }

  @Test func aHelloHasOnlySoManyDatagramsAndBytes() throws {
    let path = try Path(rules: open)
    let hello = quicHello("short.weixin.qq.com", piecesOf: 50)
    for i in 0..<16 { #expect(path.up(hello[i]) == .held) }
    #expect(path.up(hello[16]) == .refused)
    #expect(path.reason == .heldTooMuch)
    #expect(path.heldCount == 0)
    let far = QUICInitialBuilder(quicCrypto(16 << 10, [1])).bytes
    #expect(path.up(far, from: "198.18.1.10:50001") == .refused)
    #expect(path.reason == .quic)
  }

  @Test func oneDeviceHoldsOnlyItsShare() throws {
    let path = try Path(rules: open)
    let hello = quicHello("short.weixin.qq.com", piecesOf: 1_000)
    for port in 0..<32 {
      #expect(path.up(hello[0], from: Endpoint("198.18.1.10", UInt16(50_000 + port))) == .held)
    }
    #expect(path.up(hello[0], from: "198.18.1.10:60000") == .refused)
    #expect(path.reason == .deviceLimit)
    let other = UDPPacket(from: "198.18.1.11:50000", to: callee, payload: hello[0])
    #expect(path.send(other.bytes, fromLAN: true, Path.laptop) == .held)
    path.wait(.seconds(11))
    #expect(path.heldCount == 0)
    #expect(path.engine.heldPacketCount == 0)
    #expect(path.up(quicHello("short.weixin.qq.com"), from: "198.18.1.10:60001") == .delivered)
  }

  @Test func whatIsNoLongerHeldLeavesRoom() throws {
    let path = try Path(rules: open)
    path.up(quicHello("short.weixin.qq.com"), from: "198.18.1.10:40000")
    let hello = quicHello("short.weixin.qq.com", piecesOf: 1_000)
    for port in 0..<50 {
      let client = Endpoint("198.18.1.10", UInt16(50_000 + port))
      #expect(path.up(hello[0], from: client) == .held)
      #expect(path.up(hello[1], from: client) == .delivered)
    }
    #expect(path.engine.heldPacketCount == 0)
  }

  @Test func theServersAnswerToAnEarlierHelloAllowsNoOther() throws {
    let path = try Path(rules: open)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .delivered)
    let message = ClientHelloBuilder.postQuantum(name: "www.example.com").message
    func piece(_ range: Range<Int>) -> [UInt8] {
      QUICInitialBuilder(quicCrypto(range.lowerBound, Array(message[range])))
        .with { $0.destinationID = hex("0102030405060708") }.bytes
    }
    #expect(path.up(piece(0..<900)) == .held)
    #expect(path.down() == .delivered)
    #expect(path.state(tuple) == .watchedBothWays)
    #expect(path.up(piece(900..<message.count)) == .refused)
    #expect(path.host == "www.example.com")
    #expect(path.packetsAtServer.count == 1)
  }

  @Test func anUnknownAddressOfAnAllowedNameIsLookedUpWhileTheHelloWaits() throws {
    let path = try Path(rules: bound)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .held)
    #expect(path.lookups.map(\.text) == ["short.weixin.qq.com"])
    try path.learn("198.18.0.7", "short.weixin.qq.com")
    try path.resolved("short.weixin.qq.com")
    #expect(path.heldCount == 0)
    #expect(path.packetsAtServer.count == 1)
    #expect(path.reason == .hostAllowed)
    #expect(path.down() == .delivered)
    #expect(path.state(tuple) == .allowed)
    // Now it is known.
    #expect(path.up(quicHello("short.weixin.qq.com"), from: "198.18.1.10:50001") == .delivered)
  }

  @Test func aNameThatDoesNotLiveThereIsRefused() throws {
    let path = try Path(rules: bound)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .held)
    try path.resolved("short.weixin.qq.com")
    #expect(path.reason == .addressNotLearned)
    #expect(path.host == "short.weixin.qq.com")
    #expect(path.up(gquic, from: "198.18.1.10:50001") == .held)
    path.wait(.milliseconds(600))
    #expect(path.reason == .addressNotLearned)
    #expect(path.packetsAtServer.isEmpty)
    #expect(path.heldCount == 0)
  }

  @Test func anotherHelloBeforeTheAnswerIsJudgedAnew() throws {
    let path = try Path(rules: open)
    #expect(path.up(quicHello("short.weixin.qq.com")) == .delivered)
    // The same id with other bytes, and another id.
    #expect(path.up(quicHello("www.example.com")) == .refused)
    let second = try Path(rules: open)
    #expect(second.up(quicHello("short.weixin.qq.com")) == .delivered)
    let other = QUICInitialBuilder(
      quicCrypto(0, ClientHelloBuilder(name: "www.example.com").message)
    )
    .with { $0.destinationID = hex("0102030405060708") }
    #expect(second.up(other.bytes) == .refused)
    #expect(second.host == "www.example.com")
    #expect(second.packetsAtServer.count == 1)
    let third = try Path(rules: open)
    #expect(third.up(quicHello("short.weixin.qq.com")) == .delivered)
    #expect(third.up(hex("40 00*40")) == .refused)
    #expect(third.packetsAtServer.count == 1)
  }

  @Test func otherPacketsMayShareTheDatagram() throws {
    let path = try Path(rules: open)
    let hello = QUICInitialBuilder(
      quicCrypto(0, ClientHelloBuilder(name: "short.weixin.qq.com").message)
    ).with { $0.size = 0 }.bytes
    let data = hex("d0 00000001 08 8394c8f03e515708 00 4040 00*64")
    #expect(path.up(hello + data + hex("00*40")) == .delivered)
    // More data before the answer.
    #expect(path.up(data) == .delivered)
    #expect(path.up(hello + [1], from: "198.18.1.10:50001") == .refused)
    // A hello over two packets of a datagram.
    let message = ClientHelloBuilder(name: "short.weixin.qq.com").message
    let halves = message.split(at: 40)
    let one = QUICInitialBuilder(quicCrypto(40, halves[1])).with { $0.size = 0 }.bytes
    let two = QUICInitialBuilder(quicCrypto(0, halves[0])).with {
      $0.size = 0
      $0.number = 1
    }.bytes
    #expect(path.up(one + two, from: "198.18.1.10:50002") == .delivered)
  }

  @Test func versionTwoIsReadTheSameWay() throws {
    let path = try Path(rules: open)
    let hello = QUICInitialBuilder(
      quicCrypto(0, ClientHelloBuilder(name: "short.weixin.qq.com").message)
    ).with { $0.version = QUICInitialHeader.version2 }
    #expect(path.up(hello.bytes) == .delivered)
  }

  // MARK: Bad input

  @Test func aHelloWithABitWrongOrCutNeverPasses() throws {
    let hello = QUICInitialBuilder(
      quicCrypto(0, ClientHelloBuilder(name: "short.weixin.qq.com").message)
    ).with { $0.size = 0 }.bytes
    let path = try Path(rules: open)
    for bit in 0..<hello.count * 8 {
      path.up(hello.flippingBit(bit), from: Endpoint("198.18.1.10", UInt16(20_000 + bit)))
    }
    for count in 0..<hello.count {
      path.up(Array(hello[..<count]), from: Endpoint("198.18.1.10", UInt16(40_000 + count)))
    }
    path.wait(.seconds(11))
    #expect(path.packetsAtServer.isEmpty)
    #expect(path.heldCount == 0)
    #expect(path.strayVerdicts == 0)
    #expect(path.batch.failures == 0)
  }

  @Test func noPartOfGooglesHelloPasses() throws {
    let path = try Path(rules: open)
    for count in 0..<gquic.count {
      path.up(Array(gquic[..<count]), from: Endpoint("198.18.1.10", UInt16(40_000 + count)))
    }
    #expect(path.packetsAtServer.isEmpty)
    for bit in 0..<gquic.count * 8 {
      path.up(gquic.flippingBit(bit), from: Endpoint("198.18.1.10", UInt16(20_000 + bit)))
    }
    #expect(path.strayVerdicts == 0)
    #expect(path.batch.failures == 0)
  }

  // MARK: The rules change

  @Test func aReloadDecidesForHellosThatAreHeldYet() throws {
    let path = try Path(rules: open)
    let hello = quicHello("short.weixin.qq.com", piecesOf: 1_000)
    #expect(path.up(hello[0]) == .held)
    path.engine.policy = try Path.policy(closed)
    #expect(path.up(hello[1]) == .refused)
    #expect(path.packetsAtServer.isEmpty)
    path.wait(.seconds(11))
    #expect(path.heldCount == 0)
  }

  @Test func inAuditQUICPassesAndIsNoted() throws {
    let path = try Path(rules: closed)
    path.engine.enforcement = .audit
    #expect(path.up(quicHello("www.example.com")) == .delivered)
    #expect(path.reason == .quic)
    #expect(path.host == "www.example.com")
    #expect(path.records.last?.passedAnyway == true)
    #expect(
      path.up(quicHello("b.example", piecesOf: 1_000)[0], from: "198.18.1.10:50001") == .delivered)
    #expect(path.records.count == 2)
  }
}
