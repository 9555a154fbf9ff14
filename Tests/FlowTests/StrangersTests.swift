import Flow
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

/// Everything that is not a connection of a client's to an allowed host.
@Suite struct StrangersTests {
  @Test func aPortThatNoRuleNamesIsRefusedAtTheSYN() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:22")
    #expect(path.client(tcp.clientSYN()) == .refused)
    #expect(path.reason == .portNotAllowed)
    #expect(path.packetsAtServer.isEmpty)
  }

  @Test func anAddressLineAllowsAtTheSYN() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.9.4:9100")
    #expect(path.client(tcp.clientSYN()) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.reason == .addressAllowed)
  }

  @Test func anUnrestrictedDeviceIsNotJudged() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.11:40001", server: "198.18.0.7:22")
    #expect(path.client(tcp.clientSYN(), device: Path.laptop) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.reason == .deviceUnrestricted)
    let ping = IPPacket(
      from: address("198.18.1.11"), to: address("198.18.0.7"), proto: .icmp,
      payload: hex("08 00 0000 0001 0001"))
    #expect(path.send(ping.bytes, fromLAN: true, Path.laptop) == .delivered)
  }

  @Test func aConnectionWhoseBeginningWasNotSeenIsRefusedAtBothEnds() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    #expect(path.client(tcp.clientSends(allowedHello)) == .refused)
    #expect(path.reason == .midstream)
    #expect(path.resets == [FlowReset(tuple: tcp.tuple, sequence: 1000)])
    let other = try Path()
    var two = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    #expect(other.server(two.serverSends([1, 2])) == .refused)
    #expect(other.resets.map(\.tuple) == [two.tuple.reversed])
  }

  @Test func whatComesFromOutsideIsRefused() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.0.7:443", server: "198.18.1.10:80")
    #expect(path.send(tcp.clientSYN().bytes, fromLAN: false) == .refused)
    #expect(path.reason == .inbound)
    let datagram = UDPPacket(from: "198.18.0.7:53", to: "198.18.1.10:4000", payload: [1])
    #expect(path.send(datagram.bytes, fromLAN: false) == .refused)
    #expect(path.atClient.isEmpty)
  }

  @Test func aSYNFromOutsideDoesNotEndAConnection() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    var stranger = TCPConversation(client: "198.18.0.7:443", server: "198.18.1.10:40001")
    #expect(path.send(stranger.clientSYN().bytes, fromLAN: false) == .dropped)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.client(tcp.clientSends([1])) == .delivered)
  }

  @Test func aForeignSourceIsDropped() throws {
    let path = try Path()
    path.engine.lanPrefixes = [try #require(IPPrefix(address("198.18.1.0"), length: 24))]
    var tcp = TCPConversation(client: "198.18.77.1:40001", server: "198.18.0.7:443")
    #expect(path.client(tcp.clientSYN()) == .dropped)
    #expect(path.reason == .spoofedSource)
    var honest = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    #expect(path.client(honest.clientSYN()) == .delivered)
  }

  @Test(arguments: [
    (IPProtocol.icmp, Reason.icmp), (IPProtocol(47), .otherProtocol),
    (IPProtocol(50), .otherProtocol),
  ])
  func otherProtocolsAreRefused(proto: IPProtocol, reason: Reason) throws {
    let path = try Path()
    let packet = IPPacket(
      from: address("198.18.1.10"), to: address("198.18.0.7"), proto: proto,
      payload: hex("08 00 0000 0001 0001"))
    #expect(path.send(packet.bytes, fromLAN: true) == .refused)
    #expect(path.reason == reason)
  }

  @Test func datagramsAreJudgedOneByOne() throws {
    let path = try Path()
    let allowed = UDPPacket(from: "198.18.1.10:4000", to: "198.18.9.4:123", payload: [1])
    for _ in 0..<3 { #expect(path.send(allowed.bytes, fromLAN: true) == .delivered) }
    #expect(path.records.count == 1)
    let answer = UDPPacket(from: "198.18.9.4:123", to: "198.18.1.10:4000", payload: [2])
    #expect(path.send(answer.bytes, fromLAN: false) == .delivered)
    #expect(path.visits == 3)
    let quic = UDPPacket(from: "198.18.1.10:4000", to: "198.18.0.7:443", payload: [0xc0])
    #expect(path.send(quic.bytes, fromLAN: true) == .refused)
  }

  @Test(arguments: 0..<40)
  func aPacketThatIsCutShortIsDropped(length: Int) throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    let syn = tcp.clientSYN().bytes
    #expect(path.send(Array(syn.prefix(length)), fromLAN: true) == .dropped)
    #expect(path.engine.counters.malformedPackets == 1)
  }

  @Test func ofNonsenseNothingPassesAndNothingIsForgotten() throws {
    let path = try Path()
    var tcp = opened(path)
    let good = tcp.clientSends(allowedHello).bytes
    for bit in 0..<good.count * 8 {
      var bad = good
      bad[bit / 8] ^= 1 << (bit % 8)
      path.send(bad, fromLAN: true)
    }
    #expect(path.batch.failures == 0)
    #expect(path.strayVerdicts == 0)
    path.wait(.seconds(11))
    #expect(path.heldCount == 0)
  }

  // MARK: Audit, pause, cut

  @Test func inAuditEverythingPassesAndIsNoted() throws {
    let path = try Path()
    path.engine.enforcement = .audit
    var tcp = opened(path)
    for piece in forbiddenHello.pieces(of: 30) {
      #expect(path.client(tcp.clientSends(piece)) == .delivered)
    }
    #expect(path.reason == .hostNotAllowed)
    #expect(path.records.last?.passedAnyway == true)
    #expect(path.stream == forbiddenHello)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.client(tcp.clientSends([1])) == .delivered)
    #expect(path.resets.isEmpty)
    let datagram = UDPPacket(from: "198.18.1.10:4000", to: "198.18.0.7:9999", payload: [1])
    #expect(path.send(datagram.bytes, fromLAN: true) == .delivered)
  }

  @Test func inAPauseEverythingPassesUnread() throws {
    let path = try Path()
    path.engine.pausedDevices = [Path.phone]
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:22")
    #expect(path.client(tcp.clientSYN()) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.reason == .paused)
    var other = TCPConversation(client: "198.18.1.12:40001", server: "198.18.0.7:22")
    #expect(path.client(other.clientSYN(), device: MACAddress(bits: 9)) == .refused)
  }

  @Test func whatAnAuditLetsPassIsInTheBooksSoThatItEndsWithTheAudit() throws {
    let path = try Path()
    path.engine.enforcement = .audit
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:22")
    path.client(tcp.clientSYN())
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.records.last?.isConnection == true)
    var unseen = TCPConversation(client: "198.18.1.10:40002", server: "198.18.0.7:22")
    path.client(unseen.clientSends([1]))
    #expect(path.state(unseen.tuple) == .allowed)
    #expect(path.records.last?.tuple == unseen.tuple)
    #expect(path.records.last?.isConnection == true)
    #expect(path.records.last?.passedAnyway == true)
    var inbound = TCPConversation(client: "198.18.0.7:443", server: "198.18.1.10:80")
    path.send(inbound.clientSYN().bytes, fromLAN: false)
    #expect(path.records.last?.reason == .inbound)
    #expect(path.records.last?.isConnection == true)
  }

  @Test func aConnectionFromBeforeAPauseIsNotedWhenThePauseLetsItPass() throws {
    let path = try Path()
    path.engine.enforcement = .pause
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:22")
    path.server(tcp.serverSends([1]))
    #expect(path.state(tcp.tuple.reversed) == .allowed || path.state(tcp.tuple) == .allowed)
    #expect(path.records.map(\.reason) == [.paused])
    #expect(path.records.last?.tuple == tcp.tuple)
  }

  @Test func aPingThatAPauseLetPassEndsWithThePause() throws {
    let path = try Path()
    let ping = IPPacket(
      from: address("198.18.1.10"), to: address("198.18.0.7"), proto: .icmp,
      payload: hex("08 00 0000 0001 0001"))
    path.engine.enforcement = .pause
    for _ in 0..<3 { #expect(path.send(ping.bytes, fromLAN: true) == .delivered) }
    #expect(path.records.map(\.reason) == [.paused])
    path.engine.enforcement = .enforce
    #expect(path.send(ping.bytes, fromLAN: true) == .refused)
  }

  @Test func theAnswerToAPingFromOutsideEndsWithThePauseToo() throws {
    let path = try Path()
    let ping = IPPacket(
      from: address("198.18.0.7"), to: address("198.18.1.10"), proto: .icmp,
      payload: hex("08 00 0000 0001 0001"))
    let answer = IPPacket(
      from: address("198.18.1.10"), to: address("198.18.0.7"), proto: .icmp,
      payload: hex("00 00 0000 0001 0001"))
    path.engine.enforcement = .pause
    #expect(path.send(ping.bytes, fromLAN: false) == .delivered)
    #expect(path.send(answer.bytes, fromLAN: true) == .delivered)
    path.engine.enforcement = .enforce
    #expect(path.send(answer.bytes, fromLAN: true) == .refused)
  }

  // MARK: Counted once

  @Test func aSYNThatComesAgainCountsOnce() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.9.4:9100")
    let syn = tcp.clientSYN()
    for _ in 0..<6 { path.client(syn) }
    #expect(path.records.filter { !$0.isContinuation }.count == 1)
  }

  @Test func datagramsThatComeAtOnceCountOnce() throws {
    let path = try Path()
    let datagram = UDPPacket(from: "198.18.1.10:4000", to: "198.18.9.4:123", payload: [1])
    let tuple = FiveTuple(.udp, from: "198.18.1.10:4000", to: "198.18.9.4:123")
    for _ in 0..<4 {
      // Queued before the kernel knew the first one's verdict.
      path.mark(tuple, .unknown)
      path.send(datagram.bytes, fromLAN: true)
    }
    #expect(path.records.filter { !$0.isContinuation }.count == 1)
    path.wait(.seconds(40))
    path.wait(.seconds(40))
    path.mark(tuple, .unknown)
    path.send(datagram.bytes, fromLAN: true)
    #expect(path.records.filter { !$0.isContinuation }.count == 2)
  }

  @Test func aConnectionThatIsCutIsResetAtBothEnds() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    path.mark(tcp.tuple, .cut)
    let expected = tcp.serverNext
    #expect(path.server(tcp.serverSends([1, 2, 3])) == .refused)
    #expect(path.resets == [FlowReset(tuple: tcp.tuple.reversed, sequence: expected)])
    #expect(path.client(tcp.clientSends([1])) == .refused)
  }

  @Test func aReloadDecidesForFlowsThatAreOpenYet() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(Array(allowedHello.prefix(20))))
    path.engine.policy = try Path.policy("version: 1\nallow:\n  - {host: other.example.com}\n")
    #expect(path.client(tcp.clientSends(Array(allowedHello.dropFirst(20)))) == .refused)
    #expect(path.stream == [])
  }
}
