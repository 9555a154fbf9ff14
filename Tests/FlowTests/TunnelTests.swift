import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

/// What a client and its friend's server could say to each other without a payload byte, or behind the
/// back of the books.
@Suite struct TunnelTests {
  /// Destination options of 1,024 bytes.
  private static let option = IPv6Extension(
    number: 60, rest: [127] + [UInt8](repeating: 0x73, count: 1_022))

  /// An IPv6 connection that no byte has decided yet.
  private func openedIPv6(_ path: Path) -> TCPConversation {
    opened(path, from: "[2001:2::10]:40001", to: "[2001:2:1::66]:443")
  }

  @Test("a client's packet without payload has nothing in its IP header either")
  func optionsUp() throws {
    for phase in 0..<2 {
      let path = try Path()
      var tcp = openedIPv6(path)
      if phase == 1 { path.client(tcp.clientSends(allowedHello)) }
      let before = path.packetsAtServer.count
      let packet = tcp.clientACK().with { $0.ip.extensions = [Self.option] }
      #expect(path.client(packet) == .refused)
      #expect(path.reason == .forbiddenOption)
      #expect(path.packetsAtServer.count == before)
    }
    let path = try Path()
    let tcp = opened(path)
    let packet = tcp.clientACK().with { $0.ip.options = [0x94, 4, 0x73, 0x73] }
    #expect(path.client(packet) == .refused)
    #expect(path.reason == .forbiddenOption)
  }

  @Test("nor has a server's, which is dropped, as anyone could have sent it")
  func optionsDown() throws {
    let path = try Path()
    var tcp = openedIPv6(path)
    let before = path.atClient.count
    let packet = tcp.serverACK().with { $0.ip.extensions = [Self.option] }
    #expect(path.server(packet) == .dropped)
    #expect(path.atClient.count == before)
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
  }

  @Test("a watched connection that was forgotten is no way for options")
  func optionsForgotten() throws {
    for state in [ConnectionState.watched, .watchedBothWays, .opened] {
      let path = try Path()
      let tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
      path.mark(tcp.tuple, state)
      let packet = tcp.clientACK().with { $0.ip.options = [0x94, 4, 0x73, 0x73] }
      #expect(path.client(packet) == .refused)
      #expect(path.packetsAtServer.isEmpty)
    }
  }

  @Test("very many packets without payload before a verdict are a tunnel of options")
  func options() throws {
    for isServer in [false, true] {
      let path = try Path()
      let tcp = opened(path)
      let secret = TCPOption.raw([253, 38] + [UInt8](repeating: 0x73, count: 36))
      let packet = isServer ? tcp.serverACK() : tcp.clientACK()
      var delivered = 0
      for _ in 0..<200 {
        let fate =
          isServer
          ? path.server(packet.with { $0.options = [secret] })
          : path.client(packet.with { $0.options = [secret] })
        if fate == .delivered { delivered += 1 }
      }
      #expect(delivered < 64)
      #expect(path.reason == .heldTooMuch)
      #expect(path.state(tcp.tuple) == .denied)
    }
  }

  @Test("a second SYN on the same ports opens no way, not even when the flow was forgotten")
  func secondSYN() throws {
    for isForgotten in [false, true] {
      let path = try Path(limits: FlowLimits().with { $0.flowsPerDevice = 4 })
      var tcp = opened(path)
      var second = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
      path.client(second.clientSYN().with { $0.sequence &-= 5_000 })
      #expect(path.state(tcp.tuple) == .awaiting)
      if isForgotten {
        for i in 0..<8 {
          var other = TCPConversation(
            client: Endpoint("198.18.1.10", UInt16(50_000 + i)), server: "198.18.0.7:443")
          path.client(other.clientSYN())
        }
      } else {
        for _ in 0..<300 { path.client(tcp.clientACK()) }
        #expect(path.state(tcp.tuple) == .denied)
        #expect(path.packetsAtServer.count < 140)
      }
      let before = path.atClient.count
      #expect(path.server(tcp.serverSends([1, 2, 3])) == .refused)
      #expect(path.atClient.count == before)
    }
  }

  @Test("what a client sends while it waits for long is not that many")
  func patience() throws {
    let path = try Path()
    var tcp = opened(path)
    for _ in 0..<50 {
      #expect(path.client(tcp.clientACK()) == .delivered)
      #expect(path.server(tcp.serverACK()) == .delivered)
    }
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    for _ in 0..<200 { #expect(path.client(tcp.clientACK()) == .delivered) }
    #expect(path.state(tcp.tuple) == .allowed)
  }

  @Test(
    "a connection whose entry the kernel has lost is over: the books count by entries",
    arguments: MediaCase.all)
  func lostEntry(_ media: MediaCase) throws {
    for isServer in [false, true] {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: MediaTests.server)
      path.client(tcp.clientSends(media.bytes))
      path.server(tcp.serverSends(media.answer))
      #expect(path.state(tcp.tuple) == .watched)
      // A reset that dies on the way ends the entry; the next packet begins another one.
      path.mark(tcp.tuple, .unknown)
      let before = path.stream(tcp.tuple)
      let fate =
        isServer
        ? path.server(tcp.serverSends(media.answer)) : path.client(tcp.clientSends(media.bytes))
      #expect(fate == .refused)
      #expect(path.reason == .midstream)
      #expect(path.stream(tcp.tuple) == before)
      #expect(path.client(tcp.clientSends(media.bytes)) == .refused)
    }
  }
}
