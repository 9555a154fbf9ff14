import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite("The short link")
struct ShortLinkTests {
  let server: Endpoint = "198.18.0.9:80"

  @Test("passes by its name, at an address that is known for the name")
  func named() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    #expect(path.client(tcp.clientSends(Chat.shortLink())) == .delivered)
    #expect(path.reason == .hostAllowed)
    #expect(path.application == .shortLink)
    #expect(path.records.last?.host?.text == "short.weixin.qq.com")
    path.server(tcp.serverSends(httpResponse(body: "x")))
    #expect(path.state(tcp.tuple) == .watched)
    #expect(path.companions.liveCount == 0, "requests come and go: they vouch for nothing")
  }

  @Test("may be split anywhere, and come byte by byte")
  func pieces() throws {
    let request = Chat.shortLink()
    for offset in 1..<request.count {
      let path = try ChatFixtures.path()
      var tcp = opened(path, to: server)
      for piece in request.split(at: offset) { path.client(tcp.clientSends(piece)) }
      #expect(path.stream == request, "split at \(offset)")
      #expect(path.heldCount == 0)
    }
    let path = try ChatFixtures.path(
      limits: FlowLimits().with {
        $0.packets = 1000; $0.packetsPerDevice = 1000
      })
    var tcp = opened(path, to: server)
    for byte in request { path.client(tcp.clientSends([byte])) }
    #expect(path.stream == request)
  }

  @Test("leaves nothing out before the hello in its body is whole")
  func holdsTheHello() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    let request = Chat.shortLink()
    let head = request.count - Chat.shortLinkBody.count
    #expect(path.client(tcp.clientSends(Array(request[..<head]))) == .held)
    #expect(path.client(tcp.clientSends(Array(request[head..<head + 165]))) == .held)
    #expect(path.stream == [])
    #expect(path.client(tcp.clientSends(Array(request[(head + 165)...]))) == .delivered)
    #expect(path.stream == request)
  }

  @Test("may be several requests on a connection, of which each is judged")
  func several() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    for _ in 0..<3 {
      #expect(path.client(tcp.clientSends(Chat.shortLink())) == .delivered)
      path.server(tcp.serverSends(httpResponse(body: "x")))
    }
    #expect(path.records.count == 1)
    #expect(
      path.client(tcp.clientSends(Chat.shortLink() + httpRequest(host: "short.weixin.qq.com")))
        == .delivered)
    #expect(path.client(tcp.clientSends(Chat.shortLink(host: "www.example.com"))) == .refused)
    #expect(path.reason == .hostNotAllowed)
  }

  static let nearMisses: [(String, [UInt8], Reason)] = [
    ("records longer than the body", Chat.shortLink(length: 263), Reason.malformedMMTLS),
    ("records shorter than the body", Chat.shortLink(length: 265) + [0], .malformedMMTLS),
    ("two hosts", Chat.shortLink(first: "Host: www.example.com"), .malformedMMTLS),
    ("another host", Chat.shortLink(host: "short.weixin.qq.com.evil.example"), .hostNotAllowed),
    (
      "no mmtls in the body",
      httpRequest(
        "POST", "/mmtls/0a1b2c3d", host: "short.weixin.qq.com", body: "GET / HTTP/1.1\r\n\r\n"),
      .malformedMMTLS
    ),
    (
      "a body shorter than a hello",
      httpRequest("POST", "/mmtls/0a1b2c3d", host: "short.weixin.qq.com", body: "\u{16}"),
      .malformedMMTLS
    ),
    (
      "no body", httpRequest("POST", "/mmtls/0a1b2c3d", host: "short.weixin.qq.com"),
      .malformedMMTLS
    ),
    (
      "chunks",
      httpRequest(
        "POST", "/mmtls/0a1b2c3d", host: "short.weixin.qq.com",
        fields: ["Transfer-Encoding: chunked"]), .malformedMMTLS
    ),
    ("an address that is not the server's", Chat.shortLink(host: "198.18.0.7"), .noServerName),
    (
      "an address, and no mmtls",
      httpRequest("POST", "/mmtls/0A1B2C3D", host: "198.18.0.9", body: "x"), .noServerName
    ),
  ]

  @Test("is refused when something in it is wrong", arguments: Self.nearMisses)
  func nearMiss(name: String, bytes: [UInt8], reason: Reason) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(bytes))
    #expect(path.reason == reason, "\(name)")
    #expect(path.stream == [])
    #expect(path.heldCount == 0)
  }

  @Test("with capitals in its id is plain HTTP")
  func capitals() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    #expect(path.client(tcp.clientSends(Chat.shortLink(id: "0A1B2C3D"))) == .delivered)
    #expect(path.application == .http)
    #expect(path.reason == .hostAllowed)
  }

  @Test("to an address that its name was never given for is refused")
  func unknownAddress() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 80))
    #expect(path.client(tcp.clientSends(Chat.shortLink())) == .held)
    #expect(path.lookups.map(\.text) == ["short.weixin.qq.com"])
    try path.resolved("short.weixin.qq.com")
    #expect(path.reason == .addressNotLearned)
    #expect(path.application == .shortLink)
    #expect(path.stream == [])
  }

  @Test("is followed to the end of its body, record by record")
  func followed() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    // After the hello: a record of 30,000 bytes, and one that is none.
    let body =
      Array(Chat.shortLinkBody[..<166]) + hex("17 f104 7530 e3*30000") + hex("18 f104 0018 e3*24")
    let head = Array(Chat.shortLink(length: body.count).dropLast(Chat.shortLinkBody.count))
    for piece in (head + body[..<30_166]).pieces(of: 1400) {
      #expect(path.client(tcp.clientSends(piece)) == .delivered)
      path.server(tcp.serverACK())
    }
    #expect(path.records.count == 1)
    #expect(path.client(tcp.clientSends(Array(body[30_166..<30_171]))) == .delivered)
    #expect(path.client(tcp.clientSends(Array(body[30_171...]))) == .refused)
    #expect(path.reason == .malformedMMTLS)
  }

  @Test("ends when a record's header comes again with other bytes")
  func decoy() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    let request = Chat.shortLink()
    path.client(tcp.clientSends(Array(request[..<400])))
    var decoy = tcp
    path.client(tcp.clientSends(Array(request[400..<440])))
    #expect(path.client(decoy.clientSends(.ascii("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test("is no tunnel: what follows it is judged")
  func tunnel() throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: server)
    path.client(tcp.clientSends(Chat.shortLink()))
    path.server(tcp.serverSends(.ascii("HTTP/1.1 101 Switching Protocols\r\n\r\n")))
    #expect(path.client(tcp.clientSends(Chat.ticketHello)) == .refused)
    #expect(path.reason == .malformedHTTP)
  }

  // MARK: Without a name

  @Test(
    "without a name passes to an address that is known for it",
    arguments: [
      ("198.18.0.9", "198.18.0.9"), ("[::ffff:198.18.0.9]", "198.18.0.9"),
      ("::ffff:198.18.0.9", "198.18.0.9"), ("2001:2::9", "2001:2::9"),
      ("[2001:2::9]", "2001:2::9"), ("2001:2:0:0:0:0:0:9", "2001:2::9"),
    ])
  func literal(host: String, server: String) throws {
    let path = try ChatFixtures.path()
    try path.learn("2001:2::9", "short.weixin.qq.com")
    let client: Endpoint = server.contains(":") ? "[2001:2::10]:40001" : "198.18.1.10:40001"
    var tcp = opened(path, from: client, to: Endpoint(server, 80))
    #expect(path.client(tcp.clientSends(Chat.shortLink(host: host))) == .delivered)
    #expect(path.reason == .signatureAllowed)
    #expect(path.application == .shortLink)
    #expect(path.records.last?.host == nil)
    #expect(path.companions.liveCount == 0)
    path.server(tcp.serverSends(httpResponse(body: "x")))
    #expect(path.client(tcp.clientSends(httpRequest(host: host))) == .refused)
    #expect(path.reason == .noServerName)
  }

  @Test(
    "without a name is refused elsewhere",
    arguments: [
      ("198.18.0.66", "198.18.0.66", Reason.addressNotLearned),
      ("198.18.0.7", "198.18.0.7", .addressNotLearned),
      ("2001:2::66", "2001:2::66", .addressNotLearned),
      ("198.18.0.9", "198.18.0.66", .noServerName),
      ("2001:2::9", "2001:2::66", .noServerName),
    ])
  func literalElsewhere(host: String, server: String, reason: Reason) throws {
    let path = try ChatFixtures.path()
    try path.learn("2001:2::9", "short.weixin.qq.com")
    let client: Endpoint = server.contains(":") ? "[2001:2::10]:40001" : "198.18.1.10:40001"
    var tcp = opened(path, from: client, to: Endpoint(server, 80))
    path.client(tcp.clientSends(Chat.shortLink(host: host)))
    #expect(path.reason == reason)
    #expect(path.stream == [])
  }
}
