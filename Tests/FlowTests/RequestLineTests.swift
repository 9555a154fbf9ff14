import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite("A host of which only single requests are allowed")
struct RequestLineTests {
  let probe = httpRequest("GET", "/hotspot-detect.html", host: "captive.apple.com")

  static func path(binding: String = "strict") throws -> Path {
    let path = try ChatFixtures.path(binding: binding)
    try path.learn("198.18.0.30", "captive.apple.com")
    return path
  }

  @Test("is answered to that request, again and again")
  func allowed() throws {
    let path = try Self.path()
    var tcp = opened(path, to: "198.18.0.30:80")
    for _ in 0..<3 {
      #expect(path.client(tcp.clientSends(probe)) == .delivered)
      path.server(tcp.serverSends(httpResponse(body: "Success")))
    }
    #expect(path.records.map(\.reason) == [.requestAllowed])
    #expect(path.rule == "connectivity.probes")
    #expect(
      path.client(tcp.clientSends(httpRequest("GET", "/", host: "captive.apple.com"))) == .refused)
    #expect(path.reason == .hostNotAllowed)
  }

  static let others: [[UInt8]] = [
    httpRequest("GET", "/", host: "captive.apple.com"),
    httpRequest("GET", "/hotspot-detect.html?a=b", host: "captive.apple.com"),
    httpRequest("GET", "/hotspot-detect.html/", host: "captive.apple.com"),
    httpRequest("GET", "/Hotspot-detect.html", host: "captive.apple.com"),
    httpRequest("HEAD", "/hotspot-detect.html", host: "captive.apple.com"),
    httpRequest("POST", "/hotspot-detect.html", host: "captive.apple.com", body: "x"),
    httpRequest("GET", "/hotspot-detect.html", host: "www.apple.com"),
    httpRequest("GET", "http://captive.apple.com/hotspot-detect.html", host: "captive.apple.com"),
    ClientHelloBuilder(name: "captive.apple.com").bytes,
  ]

  @Test("is refused to any other", arguments: Self.others)
  func refused(bytes: [UInt8]) throws {
    let path = try Self.path()
    var tcp = opened(path, to: "198.18.0.30:80")
    path.client(tcp.clientSends(bytes))
    #expect(path.reason == .hostNotAllowed)
    #expect(path.stream == [])
  }

  @Test("must live where the resolver says, too")
  func unknownAddress() throws {
    let path = try Self.path()
    var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 80))
    path.client(tcp.clientSends(probe))
    #expect(path.lookups.map(\.text) == ["captive.apple.com"])
    try path.resolved("captive.apple.com")
    #expect(path.reason == .addressNotLearned)
  }

  @Test("may come in pieces")
  func pieces() throws {
    for offset in 1..<probe.count {
      let path = try Self.path()
      var tcp = opened(path, to: "198.18.0.30:80")
      for piece in probe.split(at: offset) { path.client(tcp.clientSends(piece)) }
      #expect(path.stream == probe)
    }
  }
}

@Suite("Under observe an allowed name")
struct ObserveTests {
  @Test("at an address that was not given for it is looked up, passes, and is noted as unproven")
  func unproven() throws {
    for bytes in [allowedHello, httpRequest(host: "short.weixin.qq.com"), Chat.shortLink()] {
      let path = try ChatFixtures.path(binding: "observe")
      var tcp = opened(path, to: Endpoint(ChatFixtures.stranger, 443))
      #expect(path.client(tcp.clientSends(bytes)) == .held)
      try path.resolved("short.weixin.qq.com")
      #expect(path.reason == .addressUnproven)
      #expect(path.rule == "wechat.messaging")
      #expect(path.stream == bytes)
    }
  }

  @Test("at its own address is as usual")
  func proven() throws {
    let path = try ChatFixtures.path(binding: "observe")
    var known = opened(path, to: "198.18.0.9:443")
    path.client(known.clientSends(allowedHello))
    #expect(path.reason == .hostAllowed)
    var late = opened(path, from: "198.18.1.10:40002", to: Endpoint(ChatFixtures.stranger, 443))
    path.client(late.clientSends(allowedHello))
    try path.learn(ChatFixtures.stranger, "short.weixin.qq.com")
    try path.resolved("short.weixin.qq.com")
    #expect(path.reason == .hostAllowed)
  }
}
