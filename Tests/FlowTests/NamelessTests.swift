import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite("A protocol without a name")
struct NamelessTests {
  @Test("passes to a server that is known for it, in one segment", arguments: NamelessCase.all)
  func allowed(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    #expect(path.client(tcp.clientSends(chat.bytes)) == .delivered)
    #expect(path.reason == .signatureAllowed)
    #expect(path.application == chat.application)
    #expect(path.rule == chat.rule)
    #expect(path.stream == chat.bytes)
    path.server(tcp.serverSends(chat.answer))
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.visits == 3, "its SYN, its beginning, the answer")
    #expect(path.companions.liveCount == (chat.application.mayVouch ? 1 : 0))
    #expect(path.records.count == 1)
  }

  @Test("is refused where nobody said that it lives", arguments: NamelessCase.all)
  func unknownAddress(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    let server = Endpoint(ChatFixtures.stranger, chat.server.port)
    var tcp = opened(path, to: server)
    #expect(path.client(tcp.clientSends(chat.bytes)) == .refused)
    #expect(path.reason == .addressNotLearned)
    #expect(path.rule == chat.rule)
    #expect(path.stream == [])
    #expect(path.companions.liveCount == 0)
  }

  @Test(
    "is refused where another family of servers lives, and passes no more when that is forgotten",
    arguments: NamelessCase.all)
  func otherFamily(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: Endpoint("198.18.0.9", chat.server.port))
    path.client(tcp.clientSends(chat.bytes))
    #expect(path.reason == .addressNotLearned)
    path.wait(.seconds(5000))
    var late = opened(path, from: "198.18.1.10:40002", to: chat.server)
    path.client(late.clientSends(chat.bytes))
    #expect(path.reason == .addressNotLearned)
    #expect(path.stream == [])
  }

  @Test("is refused on a port that is not its own", arguments: NamelessCase.all)
  func wrongPort(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path("allow: [{host: a.example, ports: [5000]}]")
    var tcp = opened(path, to: Endpoint(chat.server.address, 5000))
    path.client(tcp.clientSends(chat.bytes))
    #expect(path.reason == .portNotAllowed)
    #expect(path.stream == [])
  }

  @Test("is refused when its feature is off", arguments: NamelessCase.all)
  func featureOff(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path(
      """
      services: {wechat: {messaging: off}, qq: {messaging: off}}
      allow: [{host: a.example, ports: [80, 443, 8080, 14000]}]
      """)
    var tcp = opened(path, to: chat.server)
    path.client(tcp.clientSends(chat.bytes))
    #expect(path.reason == .featureOff)
    #expect(path.stream == [])
  }

  @Test("needs no known address without binding", arguments: NamelessCase.all)
  func bindingOff(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path(binding: "off")
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, chat.server.port))
    #expect(path.client(tcp.clientSends(chat.bytes)) == .delivered)
    #expect(path.reason == .signatureAllowed)
  }

  @Test("passes unproven under observe", arguments: NamelessCase.all)
  func observed(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path(binding: "observe")
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, chat.server.port))
    #expect(path.client(tcp.clientSends(chat.bytes)) == .delivered)
    #expect(path.reason == .addressUnproven)
  }

  // MARK: Pieces

  @Test("may be split anywhere", arguments: NamelessCase.all)
  func split(_ chat: NamelessCase) throws {
    for offset in 1..<chat.bytes.count {
      let path = try ChatFixtures.path()
      var tcp = opened(path, to: chat.server)
      let pieces = chat.bytes.split(at: offset)
      let first = path.client(tcp.clientSends(pieces[0]))
      // The first of two packets of the old long link, and what a pattern has told, go at once.
      if first != .held {
        #expect(chat.application == .pattern || chat.application == .longLink, "at \(offset)")
        #expect(path.reason == .signatureAllowed)
      }
      path.client(tcp.clientSends(pieces[1]))
      path.server(tcp.serverSends(chat.answer))
      #expect(path.stream == chat.bytes, "split at \(offset)")
      #expect(path.state(tcp.tuple) == .allowed, "split at \(offset)")
      #expect(path.heldCount == 0)
    }
  }

  @Test("may come byte by byte, the last one first", arguments: NamelessCase.framed)
  func singleBytes(_ chat: NamelessCase) throws {
    // Two real segments can't be so many packets; the limit is not what is tried here.
    let path = try ChatFixtures.path(limits: FlowLimits().with { $0.packets = 256 })
    var tcp = opened(path, to: chat.server)
    var packets = chat.bytes.map { tcp.clientSends([$0]) }
    packets.reverse()
    for packet in packets.dropLast() { #expect(path.client(packet) == .held) }
    #expect(path.client(packets[packets.count - 1]) == .delivered)
    #expect(path.stream == chat.bytes)
    path.server(tcp.serverSends(chat.answer))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  // MARK: What is behind the beginning, and copies of it

  @Test("waits with what follows until the server has the beginning", arguments: NamelessCase.all)
  func behind(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    path.client(tcp.clientSends(chat.bytes))
    let before = tcp
    // The beginning of what it says next, which can't be judged: for mmtls a record that is its own.
    let next =
      chat.application == .mmtls ? Array(Chat.mmtlsAnswer[51...53]) : Array(chat.bytes[..<2])
    #expect(path.client(tcp.clientSends(next)) == .held)
    #expect(path.stream == chat.bytes)
    path.server(before.serverSent(chat.answer))
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.heldCount == 0)
    #expect(path.stream == chat.bytes + next)
  }

  @Test("is not left to the kernel for half an acknowledgement", arguments: NamelessCase.framed)
  func halfAcknowledged(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    let before = tcp.clientNext
    path.client(tcp.clientSends(chat.bytes))
    var half = tcp
    half.clientNext = before &+ UInt32(chat.bytes.count - 1)
    let judged = chat.application == .mmtls ? chat.answer : []
    path.server(half.serverSends(judged))
    #expect(path.state(tcp.tuple) != .allowed)
    #expect(path.companions.liveCount == 0)
    if chat.application != .longLink {
      // What only the gateway saw is no use: the copy that the server gets must be the same.
      var decoy = tcp
      decoy.clientNext = before
      var other = chat.bytes
      other[other.count - 1] ^= 1
      #expect(path.client(decoy.clientSends(other)) == .refused)
      #expect(path.reason == .overlapMismatch)
    }
  }

  @Test(
    "is refused when a held part of it comes again with other bytes", arguments: NamelessCase.framed
  )
  func decoyWhileHeld(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    var decoy = tcp
    path.client(tcp.clientSends(Array(chat.bytes[..<8])))
    #expect(path.client(decoy.clientSends([0x47, 0x45, 0x54, 0x20])) == .refused)
    #expect(path.reason == .overlapMismatch)
    #expect(path.stream == [])
  }

  @Test("ends when its beginning comes again with other bytes", arguments: NamelessCase.all)
  func decoyAfterRelease(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    var decoy = tcp
    path.client(tcp.clientSends(chat.bytes))
    #expect(path.client(decoy.clientSends(.ascii("GET /"))) == .refused)
    #expect(path.reason == .overlapMismatch)
    path.server(tcp.serverSends(chat.answer))
    #expect(path.state(tcp.tuple) == .denied)
    #expect(path.companions.liveCount == 0)
  }

  @Test("is not moved by packets from far away", arguments: NamelessCase.framed)
  func farAway(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    let before = tcp
    // What only the gateway saw.
    path.client(tcp.clientSends(chat.bytes))
    var far = tcp
    for _ in 0..<4 {
      far.clientNext &+= 0x7fff_0000
      path.client(far.clientSends([1]))
    }
    // The server has nothing yet, and says so.
    path.server(before.serverACK())
    #expect(path.state(tcp.tuple) != .allowed)
    var real = before
    path.client(real.clientSends(.ascii("GET / HTTP/1.1\r\n")))
    #expect(path.stream(tcp.tuple) == chat.bytes)
  }

  @Test("may come again as it was", arguments: NamelessCase.all)
  func retransmitted(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    var again = tcp
    path.client(tcp.clientSends(chat.bytes))
    #expect(path.client(again.clientSends(chat.bytes)) == .delivered)
    path.server(tcp.serverSends(chat.answer))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  @Test("is refused where the server speaks first", arguments: NamelessCase.all)
  func serverFirst(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    path.server(tcp.serverSends(chat.answer))
    #expect(path.reason == .serverFirst)
  }

  @Test("goes on after hours of silence", arguments: NamelessCase.all)
  func sleeps(_ chat: NamelessCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: chat.server)
    path.client(tcp.clientSends(chat.bytes))
    path.server(tcp.serverSends(chat.answer))
    let visits = path.visits
    for _ in 0..<5 {
      path.wait(.seconds(2000))
      #expect(path.client(tcp.clientSends(hex("00 01 02"))) == .delivered)
      #expect(path.server(tcp.serverSends(hex("03 04"))) == .delivered)
    }
    #expect(path.visits == visits)
    #expect(path.engine.flowCount == 0)
    #expect(path.companions.liveCount == (chat.application.mayVouch ? 1 : 0))
  }

  @Test("that waits for its acknowledgement for long is not remembered for ever")
  func unanswered() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    path.client(tcp.clientSends(Chat.heartbeat))
    path.wait(.seconds(130))
    #expect(path.engine.flowCount == 0)
    #expect(path.companions.liveCount == 0)
    #expect(path.client(tcp.clientSends(Chat.heartbeat)) == .refused)
    #expect(path.reason == .midstream)
  }

  @Test("is not left to the kernel by a reset")
  func reset() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    path.client(tcp.clientSends(Chat.heartbeat))
    path.server(tcp.serverACK().with { $0.flags = [.rst, .ack] })
    #expect(path.state(tcp.tuple) == .awaiting)
    #expect(path.companions.liveCount == 0)
  }

  // MARK: Frames that follow

  @Test("lets further frames go before the acknowledgement, and none that is not valid")
  func moreFrames() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    #expect(path.client(tcp.clientSends(Chat.ntLogin + Chat.heartbeat)) == .delivered)
    #expect(path.client(tcp.clientSends(Chat.simple)) == .delivered)
    #expect(path.client(tcp.clientSends(.ascii("GET / HTTP/1.1\r\n"))) == .refused)
    #expect(path.reason == .malformedFrame)
    #expect(path.stream == Chat.ntLogin + Chat.heartbeat + Chat.simple)
  }

  @Test("is left to the kernel when its first frame is acknowledged, though more are under way")
  func firstFrameAcknowledged() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    path.client(tcp.clientSends(Chat.ntLogin))
    let acknowledged = tcp
    path.client(tcp.clientSends(Chat.simple))
    path.server(acknowledged.serverACK())
    #expect(path.state(tcp.tuple) == .allowed)
  }

  @Test("with a frame longer than what is judged lets the rest of the frame go")
  func longFrame() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    // 100,000 bytes: total, NT simple, session key, sequence, 0, account, encrypted.
    let size = 8 * 12_500
    var frame = hex("00000000 0000000d 01 00000007 00 00000009 \"10001\"")
    frame = frame.overwriting(at: 0, bigEndian(UInt32(frame.count + size)))
    frame += [UInt8](repeating: 0xc5, count: size)
    for piece in frame.pieces(of: 1400) { path.client(tcp.clientSends(piece)) }
    #expect(path.stream == frame)
    #expect(path.heldCount == 0)
    path.server(tcp.serverACK())
    #expect(path.state(tcp.tuple) == .allowed)
  }

  // MARK: Near misses

  static let nearMisses: [(String, [UInt8], Reason)] = [
    (
      "section shorter than its record", Chat.ticketHello.overwriting(at: 8, hex("9c")),
      Reason.malformedMMTLS
    ),
    ("nine suites", Chat.ticketHello.overwriting(at: 12, hex("09")), .malformedMMTLS),
    ("data before any hello", Chat.ticketHello.overwriting(at: 0, hex("17")), .midstream),
    ("an alert before any hello", Chat.mmtlsAlert, .midstream),
    ("the hello of a request's body", Chat.shortLinkBody, .unknownProtocol),
    (
      "a version that no pack lists", Chat.ticketHello.overwriting(at: 1, hex("f105")),
      .unknownProtocol
    ),
    (
      "HTTP behind an mmtls hello", Chat.ticketHello + .ascii("GET / HTTP/1.1\r\n"), .malformedMMTLS
    ),
    ("TLS behind an mmtls hello", Chat.ticketHello + Chat.tlsHello, .malformedMMTLS),
    ("a long link header of 20", Chat.longLink.overwriting(at: 5, hex("14")), .unknownProtocol),
    (
      "a long link shorter than its header", Chat.longLink.overwriting(at: 3, hex("0f")),
      .unknownProtocol
    ),
    (
      "no packet behind the first", hex("00000010 0010 0001 00000006 00000001 0a \"hello\""),
      .malformedFrame
    ),
    ("protocol 0E", Chat.heartbeat.overwriting(at: 7, hex("0e")), .unknownProtocol),
    ("encryption 3", Chat.heartbeat.overwriting(at: 8, hex("03")), .unknownProtocol),
    ("an account of 60 digits", Chat.ntLogin.overwriting(at: 14, hex("00000040")), .malformedFrame),
    ("a length without itself", Chat.oicqStream.overwriting(at: 0, hex("002c")), .unknownProtocol),
    ("TDS, 512 bytes", hex("0200 0200 00*508"), .unknownProtocol),
    (
      "a first key that is not ver", Chat.mediaFrame.overwriting(at: 29, hex("78")),
      .unknownProtocol
    ),
    ("a frame below 50", Chat.mediaFrame.overwriting(at: 4, hex("10")), .malformedFrame),
    ("a frame without its end", Chat.highway.overwriting(at: 17, hex("2a")), .malformedFrame),
    ("a head past the cap", Chat.highway.overwriting(at: 1, hex("28000000")), .unknownProtocol),
    ("what a pack refuses", hex("77 6e 73 00 01 02"), .unwantedProtocol),
    ("a pattern's beginning on a port that opens nothing", hex("c4 1a 77 02"), .unknownProtocol),
  ]

  @Test(
    "is refused when something in it is wrong",
    arguments: Self.nearMisses)
  func nearMiss(name: String, bytes: [UInt8], reason: Reason) throws {
    // What is behind a hello is judged only where the hello may go.
    let servers: [Endpoint] = ["198.18.0.7:443", "198.18.0.8:443"]
    for server in servers.prefix(name.contains("behind an mmtls hello") ? 1 : 2) {
      let path = try ChatFixtures.path()
      _ = try path.hasLongLink()
      var tcp = opened(path, to: server)
      path.client(tcp.clientSends(bytes))
      #expect(path.reason == reason, "\(name)")
      #expect(path.stream(tcp.tuple) == [], "\(name)")
      #expect(path.heldCount == 0)
    }
  }

  @Test("whose length never comes is refused in time")
  func neverWhole() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.8:8080")
    #expect(path.client(tcp.clientSends(Chat.heartbeat.overwriting(at: 3, hex("36")))) == .held)
    path.wait(.seconds(11))
    #expect(path.reason == .heldTooLong)
    #expect(path.stream == [])
  }

  // MARK: Answers to mmtls

  @Test(
    "is refused when the server answers something else",
    arguments: [
      .ascii("HTTP/1.1 400 Bad Request\r\n\r\n"), ServerHelloBuilder().bytes,
      Chat.mmtlsAnswer.overwriting(at: 9, hex("01")), hex("17 f104 0018 e3*24"),
    ])
  func serverMismatch(answer: [UInt8]) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.7:8080")
    path.client(tcp.clientSends(Chat.ticketHello))
    path.server(tcp.serverSends(answer))
    #expect(path.reason == .serverMismatch)
    #expect(path.state(tcp.tuple) == .denied)
    #expect(path.companions.liveCount == 0)
    #expect(path.atClient.count == 1, "the SYN-ACK")
  }

  @Test("may get its answer byte by byte")
  func answerInPieces() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.7:8080")
    path.client(tcp.clientSends(Chat.ticketHello))
    for byte in Chat.mmtlsAnswer.prefix(50) {
      #expect(path.server(tcp.serverSends([byte])) == .delivered)
      #expect(path.state(tcp.tuple) == .opened)
    }
    path.server(tcp.serverSends(Array(Chat.mmtlsAnswer[50...])))
    #expect(path.state(tcp.tuple) == .allowed)
  }

  @Test("that is answered by an alert is over, and vouches for nothing")
  func alert() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(tcp.clientSends(Chat.ticketHello))
    #expect(path.server(tcp.serverSends(Chat.mmtlsAlert)) == .delivered)
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.companions.liveCount == 0)
  }

  @Test("takes records behind the hello in the same segment with it")
  func helloAndData() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: "198.18.0.7:8080")
    let both = Chat.ticketHello + hex("16 f104 0037 e1*55 17 f104 0018 e3*10")
    #expect(path.client(tcp.clientSends(both)) == .delivered)
    #expect(path.client(tcp.clientSends(hex("e3*14 17 f104 0018 e3*24"))) == .held)
    #expect(path.client(tcp.clientSends(hex("16 0301 0052"))) == .refused)
    #expect(path.reason == .malformedMMTLS)
    #expect(path.stream == both)
  }

  // MARK: Cut

  @Test("vouches no more when the rules cut it")
  func cut() throws {
    let path = try ChatFixtures.path()
    var tcp = try path.hasLongLink()
    path.mark(tcp.tuple, .cut)
    path.server(tcp.serverSends([1]))
    #expect(path.companions.liveCount == 0)
  }

  // MARK: Observed only

  @Test("that would be refused passes in an audit, and is noted")
  func audit() throws {
    let path = try ChatFixtures.path()
    path.engine.enforcement = .audit
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 8080))
    #expect(path.client(tcp.clientSends(Chat.ticketHello)) == .delivered)
    #expect(path.reason == .addressNotLearned)
    #expect(path.records.last?.passedAnyway == true)
    path.server(tcp.serverSends(Chat.mmtlsAnswer))
    #expect(path.state(tcp.tuple) == .allowed)
    #expect(path.companions.liveCount == 0)
  }
}

func bigEndian(_ value: UInt32) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(bigEndian: value)
  return bytes
}

extension TCPConversation {
  /// A packet of the server's as it would be sent now, without moving on.
  func serverSent(_ payload: [UInt8]) -> TCPPacket {
    var copy = self
    return copy.serverSends(payload)
  }
}
