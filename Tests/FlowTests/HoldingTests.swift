import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

@Suite struct HoldingTests {
  static let tablet = MACAddress(bits: 0x0200_5e10_0003)

  @Test func aBeginningThatTakesTooLongIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    path.client(tcp.clientSends(Array(allowedHello.prefix(20))))
    path.wait(.seconds(9))
    #expect(path.heldCount == 1)
    path.wait(.seconds(2))
    #expect(path.heldCount == 0)
    #expect(path.reason == .heldTooLong)
    #expect(path.state(tcp.tuple) == .denied)
    #expect(path.stream == [])
  }

  @Test func aHelloEightSecondsAfterTheHandshakePasses() throws {
    let path = try Path()
    var tcp = opened(path)
    path.wait(.seconds(8))
    #expect(path.client(tcp.clientSends(allowedHello)) == .delivered)
  }

  @Test func aBeginningOfTooManyPacketsOrBytesIsRefused() throws {
    let many = try Path()
    var tcp = opened(many)
    let hello = ClientHelloBuilder.postQuantum(name: "short.weixin.qq.com").bytes
    for byte in hello.prefix(65) { many.client(tcp.clientSends([byte])) }
    #expect(many.reason == .heldTooMuch)
    #expect(many.heldCount == 0)
    let large = try Path()
    var two = opened(large)
    let endless: [UInt8] = .ascii("GET / HTTP/1.1\r\nX: ") + [UInt8](repeating: 0x61, count: 20_000)
    for piece in endless.pieces(of: 1400) { large.client(two.clientSends(piece)) }
    #expect(large.reason == .heldTooMuch || large.reason == .malformedHTTP)
    #expect(large.heldCount == 0)
    #expect(large.stream == [])
  }

  @Test func aDeviceThatHoldsTooMuchLosesItsOwnOldestFlow() throws {
    let path = try Path(limits: FlowLimits().with { $0.packetsPerDevice = 10 })
    let start = Array(allowedHello.prefix(20))
    var others = opened(path, from: "198.18.1.99:50000", device: Self.tablet)
    path.send(others.clientSends(start).bytes, fromLAN: true, Self.tablet)
    var flows: [TCPConversation] = []
    for i in 0..<11 {
      var tcp = opened(path, from: Endpoint("198.18.1.10", UInt16(41_000 + i)))
      path.client(tcp.clientSends(start))
      flows.append(tcp)
    }
    #expect(path.records.map(\.reason) == [.deviceLimit])
    #expect(path.records.first?.tuple.sourcePort == 41_000)
    #expect(path.heldCount == 11)
  }

  @Test func whenAllHoldTooMuchWhoHasHeldLongestGivesWay() throws {
    let path = try Path(limits: FlowLimits().with { $0.packetsInAll = 4 })
    let start = Array(allowedHello.prefix(20))
    for i in 0..<4 {
      let device = MACAddress(bits: UInt64(0x0200_5e10_1000 + i))
      var tcp = opened(path, from: Endpoint("198.18.1.20", UInt16(42_000 + i)), device: device)
      path.client(tcp.clientSends(start), device: device)
    }
    var honest = opened(path)
    path.client(honest.clientSends(start))
    path.client(honest.clientSends(Array(allowedHello.dropFirst(20))))
    #expect(path.stream == allowedHello)
    #expect(path.records.map(\.reason) == [.gatewayLimit, .gatewayLimit, .hostAllowed])
    #expect(path.records.first?.tuple.sourcePort == 42_000)
  }

  @Test func nothingIsHeldByAnEngineThatHasForgottenAll() throws {
    let path = try Path()
    for port in 41_000..<41_010 {
      var tcp = opened(path, from: Endpoint("198.18.1.10", UInt16(port)))
      path.client(tcp.clientSends(Array(allowedHello.prefix(20))))
    }
    path.engine.forgetAll()
    #expect(path.batch.entries.count == 10)
    #expect(path.engine.heldPacketCount == 0)
    #expect(path.engine.flowCount == 0)
  }

  @Test func aServerThatSpeaksFirstIsRefused() throws {
    let path = try Path()
    var tcp = opened(path)
    #expect(path.server(tcp.serverSends(.ascii("220 mail ESMTP\r\n"))) == .refused)
    #expect(path.reason == .serverFirst)
    #expect(path.atClient.count == 1, "the SYN-ACK alone")
    #expect(path.resets == [FlowReset(tuple: tcp.tuple.reversed, sequence: 5001)])
  }

  @Test func aFloodOfHardwareAddressesFillsNoMemory() throws {
    let path = try Path(limits: FlowLimits().with { $0.flowsInAll = 100 })
    var held = opened(path)
    path.client(held.clientSends(Array(allowedHello.prefix(20))))
    for i in 0..<1000 {
      let device = MACAddress(bits: 0x0200_5e20_0000 + UInt64(i))
      _ = opened(path, from: Endpoint("198.18.1.99", UInt16(20_000 + i)), device: device)
    }
    #expect(path.engine.flowCount == 100)
    // Who has begun to speak stays, and who comes next gets room.
    #expect(path.client(held.clientSends(Array(allowedHello.dropFirst(20)))) == .delivered)
    var next = opened(path, from: "198.18.1.10:40002")
    #expect(path.client(next.clientSends(allowedHello)) == .delivered)
  }

  // MARK: Lookups

  static let strict = Path.rules.replacing("binding: off", with: "binding: strict")

  @Test func aNameAtAnUnknownAddressWaitsForTheResolver() throws {
    let path = try Path(rules: Self.strict)
    var tcp = opened(path)
    #expect(path.client(tcp.clientSends(allowedHello)) == .held)
    #expect(path.lookups.map(\.text) == ["short.weixin.qq.com"])
    let name = try #require(HostName("short.weixin.qq.com"))
    path.learned.learn(
      address("198.18.0.7"), for: name, timeToLive: 60, from: .resolver, now: path.now)
    try path.resolved("short.weixin.qq.com")
    #expect(path.stream == allowedHello)
    #expect(path.reason == .hostAllowed)
  }

  @Test func aNameThatTheResolverPutsElsewhereIsRefused() throws {
    let path = try Path(rules: Self.strict)
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    let name = try #require(HostName("short.weixin.qq.com"))
    path.learned.learn(
      address("198.18.0.8"), for: name, timeToLive: 60, from: .resolver, now: path.now)
    try path.resolved("short.weixin.qq.com")
    #expect(path.reason == .addressNotLearned)
    #expect(path.stream == [])
    #expect(path.lookups.count == 1)
  }

  @Test func aResolverThatIsSilentIsWaitedForHalfASecond() throws {
    let path = try Path(rules: Self.strict)
    var tcp = opened(path)
    path.client(tcp.clientSends(allowedHello))
    path.wait(.milliseconds(400))
    #expect(path.heldCount == 1)
    path.wait(.milliseconds(200))
    #expect(path.reason == .addressNotLearned)
    #expect(path.heldCount == 0)
  }

  @Test func aDeviceOfManyNamesLeavesLookupsToTheOthers() throws {
    let path = try Path(
      rules: "version: 1\nallow:\n  - {host: .example.org}\n",
      limits: FlowLimits().with { $0.lookupsPerDevice = 10 })
    for i in 0..<12 {
      var tcp = opened(path, from: Endpoint("198.18.1.10", UInt16(41_000 + i)))
      path.client(tcp.clientSends(ClientHelloBuilder(name: "n\(i).example.org").bytes))
    }
    #expect(path.lookups.count == 10)
    #expect(path.records.map(\.reason) == [.addressNotLearned, .addressNotLearned])
    #expect(path.heldCount == 10)
    var others = opened(path, from: "198.18.1.99:50000", device: Self.tablet)
    let hello = others.clientSends(ClientHelloBuilder(name: "m.example.org").bytes)
    #expect(path.send(hello.bytes, fromLAN: true, Self.tablet) == .held)
    #expect(path.lookups.count == 11)
    // Six seconds are worth one of ten a minute.
    path.wait(.seconds(7))
    var late = opened(path, from: "198.18.1.10:42000")
    #expect(
      path.client(late.clientSends(ClientHelloBuilder(name: "late.example.org").bytes)) == .held)
  }

  @Test func anotherNameOnAKeptConnectionIsLookedUpToo() throws {
    let path = try Path(
      rules: Self.strict.replacing(
        "{host: long.weixin.qq.com, ports: [443]}", with: "{host: long.weixin.qq.com, ports: [80]}")
    )
    var tcp = opened(path, to: "198.18.0.7:80")
    let short = try #require(HostName("short.weixin.qq.com"))
    let long = try #require(HostName("long.weixin.qq.com"))
    path.learned.learn(
      address("198.18.0.7"), for: short, timeToLive: 60, from: .dns, now: path.now)
    path.client(tcp.clientSends(httpRequest(host: "short.weixin.qq.com")))
    path.server(tcp.serverSends(httpResponse()))
    #expect(path.client(tcp.clientSends(httpRequest(host: "long.weixin.qq.com"))) == .held)
    // The answer to the first request goes on meanwhile.
    #expect(path.server(tcp.serverSends([1, 2, 3])) == .delivered)
    path.learned.learn(
      address("198.18.0.7"), for: long, timeToLive: 60, from: .resolver, now: path.now)
    try path.resolved("long.weixin.qq.com")
    #expect(path.heldCount == 0)
    #expect(path.records.map { $0.host?.text } == ["short.weixin.qq.com", "long.weixin.qq.com"])
    #expect(path.records.map(\.isContinuation) == [false, true])
  }
}

extension String {
  func replacing(_ old: String, with new: String) -> String {
    var result = ""
    var rest = Substring(self)
    while !rest.isEmpty {
      if rest.hasPrefix(old) {
        result += new
        rest = rest.dropFirst(old.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }
}
