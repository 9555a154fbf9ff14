import Flow
import PacketBuilder
import Policy
import Queue
import Testing
import Wire

/// Packets whose only use is to make the gateway count from another place than the server does.
///
/// A decoy here is delivered, as far as the gateway knows; the server never got it (its hops ran
/// out), or ignored it (it lies left of what the server has already).
@Suite struct DecoyTests {
  static let swallower = httpRequest(
    "POST", host: "short.weixin.qq.com", fields: ["Content-Length: 100000000"])
  static let forbiddenRequest = httpRequest(host: "www.example.com")

  /// A second SYN on an open connection, `distance` away from the first.
  static func decoySYN(_ tcp: TCPConversation, _ distance: Int) -> TCPConversation {
    TCPConversation(
      client: tcp.client, server: tcp.server,
      clientSequence: tcp.clientNext &- 1 &+ UInt32(truncatingIfNeeded: distance),
      serverSequence: tcp.serverNext &- 1)
  }

  @Test(arguments: [10_000, -10_000, 1, -1, 1 << 31])
  func aSYNThatTheServerDoesNotAnswerMovesNothing(distance: Int) throws {
    let path = try Path()
    var tcp = opened(path)
    var decoy = Self.decoySYN(tcp, distance)
    path.client(decoy.clientSYN())
    // What an open connection answers to a SYN (RFC 5961 section 4).
    path.server(tcp.serverACK())
    decoy.serverNext = tcp.serverNext
    path.client(decoy.clientSends(allowedHello))
    path.client(tcp.clientSends(forbiddenHello))
    #expect(path.stream == [])
    #expect(path.reason == .outOfWindow)
    #expect(path.state(tcp.tuple) == .denied)
  }

  @Test(arguments: [10_000, -10_000])
  func aBodyThatOnlyTheGatewayWaitsForSwallowsNoRequest(distance: Int) throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    var decoy = Self.decoySYN(tcp, distance)
    path.client(decoy.clientSYN())
    decoy.serverNext = tcp.serverNext
    path.client(decoy.clientSends(Self.swallower))
    path.client(tcp.clientSends(Self.forbiddenRequest))
    #expect(path.stream == [])
  }

  @Test func twoSYNsInTheQueueAtOnceAreNotBothBelieved() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    var decoy = Self.decoySYN(tcp, -10_000)
    // The second one was queued before the kernel knew the first one's verdict.
    path.mark(tcp.tuple, .unknown)
    path.client(decoy.clientSYN())
    path.mark(tcp.tuple, .opened)
    decoy.serverNext = tcp.serverNext
    path.client(decoy.clientSends(Self.swallower))
    path.client(tcp.clientSends(Self.forbiddenRequest))
    #expect(path.stream == [])
  }

  @Test func theAnswerToAnotherSYNIsNoAnswer() throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    path.client(tcp.clientSYN())
    var decoy = Self.decoySYN(tcp, 10_000)
    path.client(decoy.clientSYN())
    path.server(tcp.serverSYNACK())
    decoy.serverNext = tcp.serverNext
    path.client(decoy.clientSends(allowedHello))
    path.client(tcp.clientSends(forbiddenHello))
    #expect(path.stream == [])
  }

  @Test func aClientThatTriesAgainFromTheSamePortIsServed() throws {
    let path = try Path()
    var lost = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    path.client(lost.clientSYN())
    var tcp = opened(path, from: lost.client, to: lost.server)
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
    var again = TCPConversation(client: lost.client, server: lost.server, clientSequence: 90_000)
    path.client(again.clientSYN())
    #expect(path.state(tcp.tuple) == .awaiting)
    path.server(again.serverSYNACK())
    #expect(path.state(tcp.tuple) == .opened)
    #expect(path.client(again.clientSends(allowedHello)) == .delivered)
    path.server(again.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  @Test func aLateCopyOfTheSYNChangesNothing() throws {
    let path = try Path()
    var fresh = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:443")
    let syn = fresh.clientSYN()
    var tcp = opened(path)
    path.client(tcp.clientSends(Array(allowedHello.prefix(20))))
    #expect(path.client(syn) == .dropped)
    path.client(tcp.clientSends(Array(allowedHello.dropFirst(20))))
    #expect(path.stream == allowedHello)
  }

  @Test func bytesLeftOfTheFirstOneEndTheFlowInEveryPhase() throws {
    let path = try Path()
    var tcp = opened(path)
    var left = tcp
    left.clientNext &-= 500
    path.client(tcp.clientSends(allowedHello))
    #expect(path.client(left.clientSends(Array(forbiddenHello.prefix(40)))) == .refused)
    #expect(path.reason == .outOfWindow)
    #expect(path.stream == allowedHello)
  }

  @Test func aSecondRetryIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.server(tcp.serverSends(ServerHelloBuilder(isRetry: true).bytes))
    path.client(tcp.clientSends(allowedHello))
    #expect(path.server(tcp.serverSends(ServerHelloBuilder(isRetry: true).bytes)) == .refused)
    #expect(path.client(tcp.clientSends(forbiddenHello)) == .refused)
    #expect(path.stream == allowedHello + allowedHello)
  }

  @Test func earlyDataThatIsNotCompleteAtTheRetryIsWaitedFor() throws {
    let path = try Path()
    var tcp = opened(path)
    let early = tlsRecord(23, [UInt8](repeating: 7, count: 400))
    path.client(tcp.clientSends(allowedHello))
    let first = tcp.clientSends(Array(early.prefix(100)))
    let second = tcp.clientSends(Array(early.dropFirst(100)))
    path.client(first)
    tcp.clientNext &-= 300
    path.server(tcp.serverSends(ServerHelloBuilder(isRetry: true).bytes))
    tcp.clientNext &+= 300
    #expect(path.client(second) == .held)
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.heldCount == 0)
  }
}
