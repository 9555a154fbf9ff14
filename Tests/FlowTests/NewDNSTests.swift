import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite("newgetdns")
struct NewDNSTests {
  let server: Endpoint = "198.18.0.1:8080"
  let whole = Chat.newDNSAnswer(length: 219)

  /// An engine that has learned nothing yet; 198.18.0.1:8080 is built in.
  static func path(_ lines: String = "", binding: String = "strict") throws -> Path {
    Path(policy: try ChatFixtures.policy(lines, binding))
  }

  static func known(_ path: Path) -> [String] {
    path.learned.entries(now: path.now).filter { $0.source == .newgetdns }
      .map { "\($0.name.text) \($0.address.text)" }
  }

  static let taught = ["dns.weixin.qq.com 198.18.0.1", "szlong.weixin.qq.com 198.18.0.7"]

  @Test("teaches the names that the rules allow, and nothing else")
  func teaches() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    #expect(path.client(tcp.clientSends(Chat.newDNS)) == .delivered)
    #expect(path.reason == .hostAllowed)
    #expect(path.application == .newgetdns)
    #expect(path.server(tcp.serverSends(whole)) == .delivered)
    #expect(Self.known(path) == Self.taught)
    #expect(path.state(tcp.tuple) == .watched)
    // What it taught opens the long link.
    var link = opened(path, from: "198.18.1.10:40002", to: "198.18.0.7:8080")
    #expect(path.client(link.clientSends(Chat.ticketHello)) == .delivered)
  }

  @Test("teaches for as long as the reply says, and no longer than a day")
  func timeout() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    let text =
      "<dns><domainlist><domain name=\"szlong.weixin.qq.com\" timeout=\"999999999\"><ip>198.18.0.7</ip></domain></domainlist></dns>"
    path.server(
      tcp.serverSends(Chat.newDNSAnswer(.ascii(text), coding: nil, length: text.utf8.count)))
    let entry = try #require(path.learned.entries(now: path.now).first)
    #expect(entry.expiry == path.now + .seconds(86_400 + 3_600))
  }

  // MARK: How the reply comes

  @Test("reads a reply in two segments, in either order")
  func segments() throws {
    for offset in 1..<whole.count {
      for isReversed in [false, true] {
        let path = try Self.path()
        var tcp = opened(path, to: server)
        path.client(tcp.clientSends(Chat.newDNS))
        var packets = whole.split(at: offset).map { tcp.serverSends($0) }
        if isReversed { packets.reverse() }
        path.server(packets[0])
        #expect(Self.known(path) == [])
        path.server(packets[0])
        path.server(packets[1])
        #expect(Self.known(path) == Self.taught, "split at \(offset)")
        path.server(packets[1])
        #expect(path.state(tcp.tuple) == .watched)
      }
    }
  }

  @Test("knows the addresses before the last byte is released")
  func byteByByte() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    for byte in whole.dropLast() {
      path.server(tcp.serverSends([byte]))
      #expect(Self.known(path) == [])
    }
    path.server(tcp.serverSends([whole[whole.count - 1]]))
    #expect(Self.known(path) == Self.taught)
  }

  @Test("reads a reply that ends with the connection", arguments: [0, 1, 2])
  func untilClose(kind: Int) throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    let reply = Chat.newDNSAnswer(length: nil)
    switch kind {
    case 0:  // the end in a packet of its own
      path.server(tcp.serverSends(reply))
      #expect(Self.known(path) == [])
      path.server(tcp.serverSends([], flags: [.fin, .ack]))
    case 1:  // with the last bytes
      path.server(tcp.serverSends(Array(reply[..<100])))
      path.server(tcp.serverSends(Array(reply[100...]), flags: [.psh, .fin, .ack]))
    default:  // before the last bytes
      path.server(tcp.serverSends(Array(reply[..<100])))
      let rest = tcp.serverSends(Array(reply[100...]))
      path.server(tcp.serverSends([], flags: [.fin, .ack]))
      #expect(Self.known(path) == [])
      path.server(rest)
    }
    #expect(Self.known(path) == Self.taught)
  }

  @Test("reads a reply that was not deflated")
  func identity() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(
      tcp.serverSends(Chat.newDNSAnswer(.ascii(Chat.newDNSReply), coding: nil, length: 489)))
    #expect(Self.known(path) == Self.taught)
  }

  @Test("brings few packets to the gateway, and none when the reply is read")
  func visits() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(tcp.serverACK())
    path.server(tcp.serverSends(whole))
    #expect(path.visits == 4)
    path.client(tcp.clientACK())
    path.server(tcp.serverSends([], flags: [.fin, .ack]))
    path.client(tcp.clientSends([], flags: [.fin, .ack]))
    #expect(path.visits == 4)
  }

  // MARK: What teaches nothing

  static func text(_ text: String, _ body: [UInt8] = []) -> [UInt8] { .ascii(text) + body }

  static let zlibReply = hex("78da") + Chat.newDNSDeflated + hex("5e4f8a3c")
  static let spaces = hex("edc13101000000c2a02aeb9fd2df0c40 01 00*253 9c01")
  /// 60 KB that would become 60 MB.
  static let bomb = hex("edc0810000000080a0fda917a900") + [UInt8](repeating: 0, count: 60_000)
  /// 10,000 names without an address.
  static let names =
    hex(
      "edc8c10980200040d155c2055ac0dc45b083a076d0fd8988 76e8f06effbf58c64cb15c3dd7d1ea5c5f6f23f7f30839ec"
    )
    + [[UInt8]](repeating: hex("8410420821"), count: 87).flatMap { $0 }
    + hex("e4dfb2bfd4ea5ccf8c996e")

  static let uselessReplies: [(String, [UInt8])] = [
    ("zlib instead of raw DEFLATE", Chat.newDNSAnswer(zlibReply, length: zlibReply.count)),
    ("262,145 spaces", Chat.newDNSAnswer(spaces, length: spaces.count)),
    ("a bomb", Chat.newDNSAnswer(bomb, length: bomb.count)),
    ("10,000 names", Chat.newDNSAnswer(names, length: names.count)),
    (
      "a stream that does not end",
      Chat.newDNSAnswer(Array(Chat.newDNSDeflated.dropLast(9)), length: 210)
    ),
    ("more than it says", Chat.newDNSAnswer(Chat.newDNSDeflated + [0], length: 220)),
    ("gzip", Chat.newDNSAnswer(coding: "gzip", length: 219)),
    ("deflated and not said so", Chat.newDNSAnswer(coding: nil, length: 219)),
    ("10 MB", Chat.newDNSAnswer(length: 10_000_000)),
    ("no XML", Chat.newDNSAnswer(.ascii("hello"), coding: nil, length: 5)),
    (
      "another status",
      text(
        "HTTP/1.0 302 Found\r\nContent-Encoding: deflate\r\nContent-Length: 219\r\n\r\n",
        Chat.newDNSDeflated)
    ),
    (
      "chunks",
      text(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e9\r\n\(Chat.newDNSReply)\r\n0\r\n\r\n"
      )
    ),
    (
      "two lengths",
      text(
        "HTTP/1.0 200 OK\r\nContent-Length: 489\r\nContent-Length: 489\r\n\r\n\(Chat.newDNSReply)")
    ),
    ("no HTTP", text("ICY 200 OK\r\nContent-Length: 489\r\n\r\n\(Chat.newDNSReply)")),
  ]

  @Test(
    "learns nothing of a reply that is not as it should be, and lets it go on",
    arguments: Self.uselessReplies)
  func useless(name: String, reply: [UInt8]) throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    for piece in reply.pieces(of: 1400) {
      #expect(path.server(tcp.serverSends(piece)) == .delivered, "\(name)")
    }
    path.server(tcp.serverSends([], flags: [.fin, .ack]))
    #expect(path.learned.count == 0, "\(name)")
    #expect(path.records.count == 1)
    if name != "10 MB" { #expect(path.state(tcp.tuple) == .watched, "\(name)") }
  }

  @Test("has a bomb that ends with the connection read no further than 64 KiB")
  func endlessBomb() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(tcp.serverSends(Chat.newDNSAnswer(Self.bomb, length: nil)))
    for _ in 0..<10 { path.server(tcp.serverSends([UInt8](repeating: 0, count: 1400))) }
    let visits = path.visits
    for _ in 0..<7000 { path.server(tcp.serverSends([UInt8](repeating: 0, count: 1400))) }
    #expect(path.visits == visits)
    #expect(path.learned.count == 0)
  }

  @Test("learns nothing of bytes that come twice and differ")
  func overlap() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    var other = tcp
    path.server(tcp.serverSends(Array(whole[..<200])))
    var changed = Array(whole[..<200])
    changed[150] ^= 1
    path.server(other.serverSends(changed))
    path.server(tcp.serverSends(Array(whole[200...])))
    #expect(path.learned.count == 0)
  }

  @Test(
    "learns nothing from a server that is not known for it, also without binding",
    arguments: ["off", "observe"])
  func unknownServer(binding: String) throws {
    for host in ["dns.weixin.qq.com", ChatFixtures.stranger] {
      let path = try Self.path(binding: binding)
      var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 8080))
      let request = String(decoding: Chat.newDNS, as: UTF8.self)
      path.client(tcp.clientSends(.ascii(request.replacing("dns.weixin.qq.com", with: host))))
      if binding == "observe" { try path.resolved("dns.weixin.qq.com") }
      #expect(path.records.last?.reason.isAllow == true)
      path.server(tcp.serverSends(whole))
      #expect(path.learned.count == 0)
    }
  }

  @Test("learns from a server that the resolver gave, as from one that is built in")
  func learnedServer() throws {
    for binding in ["strict", "observe", "off"] {
      let path = try Self.path(binding: binding)
      try path.learn("198.18.0.2", "dns.weixin.qq.com")
      var tcp = opened(path, to: "198.18.0.2:8080")
      path.client(tcp.clientSends(Chat.newDNS))
      path.server(tcp.serverSends(whole))
      #expect(Self.known(path) == Self.taught)
    }
  }

  @Test("learns nothing of a reply that a reset ends")
  func reset() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(tcp.serverSends(Chat.newDNSAnswer(length: nil)))
    path.server(tcp.serverACK().with { $0.flags = [.rst, .ack] })
    path.server(tcp.serverSends([], flags: [.fin, .ack]))
    #expect(path.learned.count == 0)
  }

  @Test("is refused at an address that nobody gave")
  func refused() throws {
    let path = try Self.path()
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 8080))
    path.client(tcp.clientSends(Chat.newDNS))
    try path.resolved("dns.weixin.qq.com")
    #expect(path.reason == .addressNotLearned)
    #expect(path.stream == [])
  }

  @Test("of another request than the connection's first is not read")
  func notAskedFirst() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(
      tcp.clientSends(httpRequest("GET", "/other", host: "dns.weixin.qq.com") + Chat.newDNS))
    path.server(tcp.serverSends(whole))
    #expect(path.learned.count == 0)
  }

  @Test("is not asked for by another request")
  func notAsked() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    path.client(
      tcp.clientSends(
        httpRequest("GET", "/cgi-bin/micromsg-bin/newgetdn?x", host: "dns.weixin.qq.com")))
    path.server(tcp.serverSends(whole))
    #expect(path.learned.count == 0)
  }

  @Test("does not teach what the owner denies")
  func denied() throws {
    let path = try Self.path("deny: [{host: szlong.weixin.qq.com}]")
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(tcp.serverSends(whole))
    #expect(Self.known(path) == ["dns.weixin.qq.com 198.18.0.1"])
  }

  @Test("may ask a known address by itself")
  func literal() throws {
    let path = try Self.path()
    var tcp = opened(path, to: server)
    let request = String(decoding: Chat.newDNS, as: UTF8.self)
    path.client(tcp.clientSends(.ascii(request.replacing("dns.weixin.qq.com", with: "198.18.0.1"))))
    #expect(path.reason == .signatureAllowed)
    path.server(tcp.serverSends(whole))
    #expect(Self.known(path) == ["szlong.weixin.qq.com 198.18.0.7"])
  }

  @Test("may be split anywhere")
  func split() throws {
    for offset in 1..<Chat.newDNS.count {
      let path = try Self.path()
      var tcp = opened(path, to: server)
      for piece in Chat.newDNS.split(at: offset) { path.client(tcp.clientSends(piece)) }
      path.server(tcp.serverSends(whole))
      #expect(Self.known(path) == Self.taught, "split at \(offset)")
    }
  }

  @Test("collects only so many replies at a time, and goes on when some have ended")
  func manyReplies() throws {
    let path = try Self.path()
    var waiting: [TCPConversation] = []
    for i in 0..<70 {
      var tcp = opened(path, from: Endpoint("198.18.1.10", UInt16(41_000 + i)), to: server)
      path.client(tcp.clientSends(Chat.newDNS))
      path.server(tcp.serverSends(Array(whole[..<20])))
      waiting.append(tcp)
    }
    path.server(waiting[69].serverSends(Array(whole[20...])))
    #expect(path.learned.count == 0)
    path.server(waiting[0].serverSends(Array(whole[20...])))
    #expect(Self.known(path) == Self.taught)
    path.engine.forgetAll()
    let fresh = try #require(path.learned.entries(now: path.now).first)
    path.wait(.seconds(1000))
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.newDNS))
    path.server(tcp.serverSends(whole))
    let renewed = try #require(path.learned.entries(now: path.now).first)
    #expect(renewed.expiry > fresh.expiry)
  }
}
