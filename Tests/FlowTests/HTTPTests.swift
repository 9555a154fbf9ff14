import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite struct HTTPTests {
  let request = httpRequest(host: "short.weixin.qq.com")
  let forbidden = httpRequest(host: "www.example.com")

  @Test func everyRequestOfAConnectionIsJudged() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    #expect(path.client(tcp.clientSends(request)) == .delivered)
    #expect(path.state(tcp.tuple) == .watchedBothWays)
    path.server(tcp.serverSends(httpResponse(body: "hi")))
    #expect(path.state(tcp.tuple) == .watched)
    let visits = path.visits
    for _ in 0..<100 {
      path.server(tcp.serverSends([UInt8](repeating: 0x61, count: 1400)))
      path.client(tcp.clientACK())
    }
    #expect(path.visits == visits, "a download visits no more")
    #expect(path.client(tcp.clientSends(request)) == .delivered)
    path.server(tcp.serverSends(httpResponse()))
    #expect(path.client(tcp.clientSends(forbidden)) == .refused)
    #expect(path.stream == request + request)
    #expect(path.records.map(\.reason) == [.hostAllowed, .hostNotAllowed])
    #expect(path.records.last?.host?.text == "www.example.com")
  }

  @Test func aBodyIsFollowedByItsLength() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let body = String(repeating: "x", count: 100_000)
    let post = httpRequest("POST", host: "short.weixin.qq.com", body: body)
    for piece in post.pieces(of: 1400) {
      #expect(path.client(tcp.clientSends(piece)) == .delivered)
    }
    path.server(tcp.serverSends(httpResponse()))
    #expect(path.client(tcp.clientSends(forbidden)) == .refused)
    #expect(path.stream == post)
  }

  @Test func whatLooksLikeARequestInsideABodyIsBody() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let body = String(decoding: forbidden, as: UTF8.self)
    let post = httpRequest("POST", host: "short.weixin.qq.com", body: body)
    #expect(path.client(tcp.clientSends(post)) == .delivered)
    #expect(path.records.map(\.reason) == [.hostAllowed])
  }

  @Test func aForbiddenRequestBehindAnAllowedOneInTheSameSegmentIsRefused() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    #expect(path.client(tcp.clientSends(request + forbidden)) == .refused)
    #expect(path.stream == [])
  }

  @Test func pipelinedAllowedRequestsPass() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    #expect(path.client(tcp.clientSends(request + request)) == .delivered)
    #expect(path.client(tcp.clientSends(request)) == .delivered)
    #expect(path.stream == request + request + request)
  }

  @Test func chunksAreFollowedToTheirEnd() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let head = httpRequest(
      "POST", host: "short.weixin.qq.com", fields: ["Transfer-Encoding: chunked"])
    #expect(path.client(tcp.clientSends(head + .ascii("5\r\nhello\r\n"))) == .delivered)
    #expect(path.state(tcp.tuple) == .awaiting)
    #expect(path.client(tcp.clientSends(.ascii("3\r\nabc\r\n0\r\n\r\n"))) == .delivered)
    path.server(tcp.serverSends(httpResponse()))
    #expect(path.client(tcp.clientSends(forbidden)) == .refused)
    #expect(path.reason == .hostNotAllowed)
  }

  @Test func aLongChunkedBodyGoesOnAsTheServerAcknowledges() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(
      tcp.clientSends(
        httpRequest("POST", host: "short.weixin.qq.com", fields: ["Transfer-Encoding: chunked"])))
    for _ in 0..<50 {
      let chunk: [UInt8] =
        .ascii("400\r\n") + [UInt8](repeating: 0x61, count: 1024) + .ascii("\r\n")
      #expect(path.client(tcp.clientSends(chunk)) == .delivered)
      path.server(tcp.serverACK())
    }
    #expect(path.records.count == 1)
  }

  @Test func chunkFramingThatComesTwiceOtherwiseIsRefused() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(
      tcp.clientSends(
        httpRequest("POST", host: "short.weixin.qq.com", fields: ["Transfer-Encoding: chunked"])))
    var again = tcp
    path.client(tcp.clientSends(.ascii("40\r\n")))
    #expect(path.client(again.clientSends(.ascii("0\r\n\r"))) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test func aHeadInPiecesIsHeld() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let pieces = forbidden.pieces(of: 9)
    for piece in pieces.dropLast() { #expect(path.client(tcp.clientSends(piece)) == .held) }
    path.client(tcp.clientSends(pieces[pieces.count - 1]))
    #expect(path.stream == [])
    #expect(path.reason == .hostNotAllowed)
  }

  @Test func aHeadThatTheServerMayNotHaveGotIsNotReplaced() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    var again = tcp
    path.client(tcp.clientSends(request))
    #expect(path.client(again.clientSends(forbidden)) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test(arguments: [
    (
      httpRequest("CONNECT", "www.example.com:443", host: "www.example.com:443"), Reason.httpConnect
    ),
    (httpRequest(host: nil, version: "HTTP/1.0"), .noServerName),
    (httpRequest(host: "198.18.0.7"), .noServerName),
    (httpRequest(host: "short.weixin.qq.com", fields: ["Host: www.example.com"]), .malformedHTTP),
    (.ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .malformedHTTP),
    (.ascii("GET /\r\nHost: short.weixin.qq.com\r\n\r\n"), .malformedHTTP),
    (.ascii("SSH-2.0-OpenSSH_9.2\r\n"), .unknownProtocol),
    ([0x16, 0xf1, 0x04, 0, 1, 0], .unknownProtocol),
  ])
  func whatCannotBeJudgedIsRefused(bytes: [UInt8], reason: Reason) throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(tcp.clientSends(bytes))
    #expect(path.reason == reason)
    #expect(path.stream == [])
    #expect(path.heldCount == 0)
  }

  @Test func anUpgradeLeadsNowhere() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(
      tcp.clientSends(
        httpRequest(
          host: "short.weixin.qq.com", fields: ["Connection: Upgrade", "Upgrade: websocket"])))
    path.server(tcp.serverSends(.ascii("HTTP/1.1 101 Switching Protocols\r\n\r\n")))
    #expect(path.client(tcp.clientSends([0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9])) == .refused)
  }

  // MARK: From before a restart, or forgotten

  @Test(arguments: [ConnectionState.watched, .watchedBothWays])
  func ofAConnectionThatNobodyRemembersTheAnswerGoesOnAndTheNextRequestIsRefused(
    state: ConnectionState
  ) throws {
    let path = try Path()
    var tcp = TCPConversation(client: "198.18.1.10:40001", server: "198.18.0.7:80")
    path.mark(tcp.tuple, state)
    #expect(path.server(tcp.serverSends(httpResponse())) == .delivered)
    #expect(path.state(tcp.tuple) == state)
    // It may lie within the body of a request that was let through: what follows would be read as
    // its body here, and as requests by the server.
    let swallower = httpRequest(
      "POST", host: "short.weixin.qq.com", fields: ["Content-Length: 100000000"])
    #expect(path.client(tcp.clientSends(swallower)) == .refused)
    #expect(path.reason == .midstream)
    #expect(path.client(tcp.clientSends(forbidden)) == .refused)
    #expect(path.stream == [])
  }

  // MARK: Long and large

  @Test func anUploadThatTakesLongGoesOn() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let body = String(repeating: "x", count: 60_000)
    let post = httpRequest("POST", host: "short.weixin.qq.com", body: body)
    for piece in post.pieces(of: 10_000) {
      #expect(path.client(tcp.clientSends(piece)) == .delivered)
      path.wait(.seconds(100))
    }
    #expect(path.stream == post)
  }

  @Test func theAnswerToALongPollMayTakeMinutes() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(tcp.clientSends(request))
    path.wait(.seconds(300))
    #expect(path.server(tcp.serverSends(httpResponse())) == .delivered)
    #expect(path.client(tcp.clientSends(request)) == .delivered)
    #expect(path.stream == request + request)
  }

  @Test func aPacketOf64KiBThatBeginsWithARequestPasses() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    let post = httpRequest(
      "POST", host: "short.weixin.qq.com", body: String(repeating: "x", count: 63_000))
    for _ in 0..<3 {
      #expect(path.client(tcp.clientSends(request)) == .delivered)
      path.server(tcp.serverSends(httpResponse()))
      #expect(path.client(tcp.clientSends(post)) == .delivered)
      path.server(tcp.serverSends(httpResponse()))
    }
    #expect(path.client(tcp.clientSends(forbidden)) == .refused)
  }

  @Test func aPacketOf64KiBOfPipelinedRequestsIsJudgedToItsEnd() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(tcp.clientSends(request))
    path.server(tcp.serverSends(httpResponse()))
    var many: [UInt8] = []
    while many.count < 60_000 { many += request }
    #expect(path.client(tcp.clientSends(many)) == .delivered)
    path.server(tcp.serverSends(httpResponse()))
    let passed = path.stream.count
    #expect(path.client(tcp.clientSends(many + forbidden)) == .refused)
    #expect(path.stream.count == passed)
  }

  @Test func aPartOfARequestIsNotHeldLongerForTheAnswersToOthers() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80")
    path.client(tcp.clientSends(request))
    #expect(path.client(tcp.clientSends(Array(request.prefix(10)))) == .held)
    path.server(tcp.serverSends(httpResponse()))
    path.wait(.seconds(11))
    #expect(path.heldCount == 0)
    #expect(path.reason == .heldTooLong)
  }

  @Test func aConnectionOfWeeksMayWrapItsClock() throws {
    let path = try Path()
    var tcp = opened(path, to: "198.18.0.7:80", timestamp: 1000)
    tcp.options = [.timestamp(1001, echo: 1)]
    path.client(tcp.clientSends(request))
    path.server(tcp.serverSends(httpResponse()))
    tcp.options = [.timestamp(0x8000_2000, echo: 1)]
    #expect(path.client(tcp.clientSends(request)) == .delivered)
  }
}
