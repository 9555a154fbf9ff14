import Flow
import PacketBuilder
import Policy
import Queue
import Testing
import Wire

/// What the server's TCP would ignore must not be believed; what no honest client sends ends the
/// flow.
@Suite struct EndHostTests {
  @Test func segmentsThatAServerIgnoresAreDroppedAndNotBelieved() throws {
    let decoys: [(String, (inout TCPPacket) -> Void)] = [
      ("a wrong checksum", { $0.checksum = 0xdead }),
      ("no ACK flag", { $0.flags = [.psh] }),
      ("a SYN flag with ACK", { $0.flags = [.syn, .ack] }),
      ("a RST flag", { $0.flags = [.rst, .ack] }),
      ("a timestamp from before the SYN", { $0.options = [.timestamp(100, echo: 0)] }),
    ]
    for (what, spoil) in decoys {
      let path = try Path()
      var tcp = opened(path, timestamp: 1000)
      tcp.options = [.timestamp(1001, echo: 1)]
      var decoy = tcp
      #expect(path.client(decoy.clientSends(allowedHello).with(spoil)) == .dropped, "\(what)")
      #expect(path.client(tcp.clientSends(forbiddenHello)) == .refused, "\(what)")
      #expect(path.reason == .hostNotAllowed, "\(what)")
      #expect(path.stream == [], "\(what)")
    }
  }

  @Test func segmentsThatNoHonestClientSendsEndTheFlow() throws {
    let spoilers: [(Reason, (inout TCPPacket) -> Void)] = [
      (.urgentData, { $0.flags = [.psh, .ack, .urg] }),
      (.forbiddenOption, { $0.options = [.md5] }),
      (.forbiddenOption, { $0.ip.options = [1, 1, 1, 0] }),
      (.outOfWindow, { $0.sequence &-= 5 }),
      (.heldTooMuch, { $0.sequence &+= 100_000 }),
    ]
    for (reason, spoil) in spoilers {
      let path = try Path()
      var tcp = opened(path)
      path.client(tcp.clientSends(allowedHello).with(spoil))
      #expect(path.reason == reason)
      #expect(path.stream == [])
      #expect(path.state(tcp.tuple) == .denied)
    }
  }

  @Test func aSegmentThatAcknowledgesSomethingElseEndsTheFlow() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(Array(allowedHello.prefix(20))))
    path.client(
      tcp.clientSends(Array(allowedHello.dropFirst(20))).with { $0.acknowledgement &+= 1 })
    #expect(path.reason == .outOfWindow)
    #expect(path.stream == [])
  }

  @Test func aChecksumThatTheNetworkCardWillFillInIsNotVerified() throws {
    let path = try Path()
    var tcp = opened(path)
    let packet = tcp.clientSends(allowedHello).with { $0.checksum = 0x1234 }
    #expect(path.client(packet, checksumIsFinal: false) == .delivered)
  }

  @Test func dataInTheSYNIsTakenOut() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    let syn = tcp.clientSYN(options: [.fastOpen([1, 2, 3, 4])], payload: allowedHello)
    #expect(path.client(syn) == .delivered)
    #expect(path.stream == [])
    let sent = try #require(path.packetsAtServer.first)
    let plain = syn.with { $0.payload = [] }
    #expect(sent == plain.bytes, "lengths and checksums are those of a SYN without data")
  }

  @Test func aNewSYNOnTheSamePortsIsJudgedAnew() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
    var second = TCPConversation(
      client: tcp.client, server: tcp.server, clientSequence: 90_000, serverSequence: 80_000)
    for packet in second.handshake() {
      if packet.sourcePort == 443 { path.server(packet) } else { path.client(packet) }
    }
    #expect(path.state(tcp.tuple) == .opened)
    #expect(path.client(second.clientSends(forbiddenHello)) == .refused)
    #expect(path.reason == .hostNotAllowed)
  }

  @Test func aResetThatOnlyTheGatewaySawEndsNothing() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientACK().with { $0.flags = [.rst] })
    #expect(path.client(tcp.clientSends(forbiddenHello)) == .refused)
    #expect(path.reason == .hostNotAllowed)
  }

  @Test func simultaneousOpenDoesNotHappen() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    path.client(tcp.clientSYN())
    let syn = tcp.serverSYNACK().with { $0.flags = [.syn] }
    #expect(path.server(syn) == .dropped)
  }
}
