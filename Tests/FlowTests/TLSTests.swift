import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite struct TLSTests {
  @Test func anAllowedConnectionVisitsThreeTimesAndIsHandedOver() throws {
    let path = try Path()
    var tcp = opened(path)
    #expect(path.visits == 1)
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
    #expect(path.state(tcp.tuple) == .opened)
    #expect(path.server(tcp.serverACK()) == .delivered)
    #expect(path.server(tcp.serverSends(ServerHelloBuilder().bytes)) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.visits == 3)
    #expect(path.client(tcp.clientSends([1, 2, 3])) == .delivered)
    #expect(path.visits == 3)
    #expect(path.records.map(\.reason) == [.hostAllowed])
    #expect(path.records.first?.host?.text == "short.weixin.qq.com")
    #expect(path.records.first?.application == .tls)
  }

  @Test func aForbiddenNameReachesTheServerNotByOneByteAndBothEndsAreReset() throws {
    let path = try Path()
    var tcp = opened(path)
    let next = tcp.clientNext
    #expect(path.client(tcp.clientSends(forbiddenHello)) == .refused)
    #expect(path.stream == [])
    #expect(path.reason == .hostNotAllowed)
    #expect(path.state(tcp.tuple) == .denied)
    // The kernel resets the client, which sent the packet; the server gets our reset, with the very
    // number that it expects.
    #expect(path.resets == [FlowReset(tuple: tcp.tuple, sequence: next)])
    #expect(path.client(tcp.clientSends([1])) == .refused)
    #expect(path.heldCount == 0)
  }

  @Test(arguments: [1, 3, 7, 20, 50, 66])
  func aHelloInPiecesIsHeldUntilItIsComplete(size: Int) throws {
    let path = try Path(limits: FlowLimits().with { $0.packets = 200 })
    var tcp = opened(path)
    let pieces = allowedHello.pieces(of: size)
    for piece in pieces.dropLast() {
      #expect(path.client(tcp.clientSends(piece)) == .held)
      #expect(path.stream == [])
    }
    path.client(tcp.clientSends(pieces[pieces.count - 1]))
    #expect(path.stream == allowedHello)
    #expect(path.heldCount == 0)
    #expect(path.atServer.map(\.sequence) == path.atServer.map(\.sequence).sorted())
  }

  @Test(arguments: 1..<87)
  func aForbiddenHelloSplitAnywhereIsRefused(at offset: Int) throws {
    let path = try Path()
    var tcp = opened(path)
    for piece in forbiddenHello.split(at: min(offset, forbiddenHello.count - 1)) {
      path.client(tcp.clientSends(piece))
    }
    #expect(path.stream == [])
    #expect(path.reason == .hostNotAllowed)
    #expect(path.heldCount == 0)
  }

  @Test(arguments: [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]])
  func segmentsInAnyOrderAreReleasedInOrder(order: [Int]) throws {
    let path = try Path()
    var tcp = opened(path)
    let packets = allowedHello.pieces(of: allowedHello.count / 4 + 1).map { tcp.clientSends($0) }
    for i in order { path.client(packets[i]) }
    #expect(path.stream == allowedHello)
    #expect(path.atServer.map(\.sequence) == packets.map(\.sequence))
  }

  @Test func aPostQuantumHelloOfTwoSegmentsOverManyRecordsPasses() throws {
    let path = try Path()
    var tcp = opened(path)
    let hello = ClientHelloBuilder.postQuantum(name: "short.weixin.qq.com").bytes(recordsOf: 100)
    for piece in hello.pieces(of: 1400) { path.client(tcp.clientSends(piece)) }
    #expect(path.stream == hello)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.visits == 4)
  }

  @Test func sequenceNumbersWrap() throws {
    let path = try Path()
    var tcp = TCPConversation(
      client: "198.18.1.10:40001", server: "198.18.0.7:443", clientSequence: UInt32.max - 20,
      serverSequence: UInt32.max)
    for packet in tcp.handshake() {
      if packet.sourcePort == 443 { path.server(packet) } else { path.client(packet) }
    }
    for piece in allowedHello.pieces(of: 30) { path.client(tcp.clientSends(piece)) }
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  // MARK: Decoys

  @Test func aDecoyThatTheServerNeverSawIsFoundByTheBytesThatFollow() throws {
    let path = try Path()
    var tcp = opened(path)
    var real = tcp
    // The decoy dies on the way; the client then sends the forbidden hello in its place.
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
    let forbidden = ClientHelloBuilder(name: "blocked.example.com").bytes
    #expect(path.client(real.clientSends(forbidden)) == .refused)
    #expect(path.reason == .overlapMismatch)
    #expect(path.stream == allowedHello)
    #expect(path.state(tcp.tuple) == .denied)
  }

  @Test func heldBytesThatComeAgainOtherwiseAreRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    var again = tcp
    path.client(tcp.clientSends(Array(forbiddenHello.prefix(60))))
    path.client(again.clientSends(Array(allowedHello.prefix(60))))
    #expect(path.reason == .overlapMismatch)
    #expect(path.stream == [])
    #expect(path.heldCount == 0)
  }

  @Test func retransmissionsPassOnceTheHelloHas() throws {
    let path = try Path()
    var tcp = opened(path)
    var again = tcp
    path.client(tcp.clientSends(Array(allowedHello.prefix(40))))
    // A copy of what is held is not needed.
    #expect(path.client(again.clientSends(Array(allowedHello.prefix(40)))) == .dropped)
    path.client(tcp.clientSends(Array(allowedHello.dropFirst(40))))
    // A loss behind us: both segments come again, cut otherwise.
    var third = again
    third.clientNext -= 40
    #expect(path.client(third.clientSends(allowedHello)) == .delivered)
    #expect(path.records.count == 1)
  }

  @Test func aServerHelloThatDoesNotAcknowledgeTheHelloHandsNothingOver() throws {
    let path = try Path()
    var tcp = opened(path)
    let early = tcp
    path.client(tcp.clientSends(allowedHello))
    var forged = early
    #expect(path.server(forged.serverSends(ServerHelloBuilder().bytes)) == .delivered)
    #expect(path.state(tcp.tuple) == .opened)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  // MARK: HelloRetryRequest

  @Test func theSecondHelloMustCarryTheSameName() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    #expect(path.server(tcp.serverSends(ServerHelloBuilder(isRetry: true).bytes)) == .delivered)
    #expect(path.state(tcp.tuple) == .opened)
    #expect(path.client(tcp.clientSends(forbiddenHello)) == .refused)
    #expect(path.reason == .nameChanged)
    #expect(path.stream == allowedHello)
  }

  @Test func anHonestRetryPasses() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.server(tcp.serverSends(ServerHelloBuilder(isRetry: true).bytes + tlsRecord(20, [1])))
    let second = tlsRecord(20, [1]) + ClientHelloBuilder(name: "short.weixin.qq.com").bytes
    #expect(path.client(tcp.clientSends(second)) == .delivered)
    #expect(path.server(tcp.serverSends(ServerHelloBuilder().bytes)) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.records.count == 1)
  }

  @Test func aSecondHelloBeforeTheRetryIsSeenIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    #expect(path.client(tcp.clientSends(allowedHello + forbiddenHello)) == .refused)
    #expect(path.stream == [])
    let other = try Path()
    var two = opened(other)
    other.client(two.clientSends(allowedHello))
    #expect(other.client(two.clientSends(forbiddenHello)) == .refused)
    #expect(other.stream == allowedHello)
  }

  @Test func earlyDataWaitsForTheServerHello() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    #expect(path.client(tcp.clientSends(tlsRecord(23, [1, 2, 3]))) == .held)
    path.server(tcp.serverSends(ServerHelloBuilder().bytes))
    #expect(path.stream == allowedHello + tlsRecord(23, [1, 2, 3]))
    #expect(path.heldCount == 0)
  }

  // MARK: Names

  @Test func aHelloWithoutANameIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(ClientHelloBuilder(name: nil).bytes))
    #expect(path.reason == .noServerName)
  }

  @Test(arguments: [
    "short.weixin.qq.com\n", "short.weixin.qq.com\0.example.com", "-short.weixin.qq.com",
    "short..weixin.qq.com", "short_weixin.qq.com", "short.weixin.qq.com..",
  ])
  func aNameThatIsNoHostNameIsRefused(name: String) throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(
      tcp.clientSends(ClientHelloBuilder(extensions: [.serverName(.ascii(name))]).bytes))
    #expect(path.reason == .malformedName || path.reason == .malformedTLS)
    #expect(path.stream == [])
  }

  @Test func aServerThatDoesNotSpeakTLSIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    #expect(path.server(tcp.serverSends(.ascii("SSH-2.0-OpenSSH_9.2\r\n"))) == .refused)
    #expect(path.reason == .serverNotTLS)
    // The kernel resets the server; the client gets our reset.
    #expect(path.resets.map(\.tuple) == [tcp.tuple.reversed])
  }
}

extension FlowLimits {
  func with(_ change: (inout FlowLimits) -> Void) -> FlowLimits {
    var copy = self
    change(&copy)
    return copy
  }
}
