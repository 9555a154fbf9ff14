import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

/// The door of names: what may be asked of the trusted resolver, and what its answers teach.
@Suite struct DNSTests {
  private static let rules = """
    version: 1
    allow:
      - {host: short.weixin.qq.com}
      - {host: .example.org}
      - {address: 198.18.9.53, ports: [53], protocol: udp}
    devices:
      - {mac: '02:00:5e:10:00:02', name: Owner laptop, policy: unrestricted}
    """
  static let resolver: Endpoint = "198.18.0.53:53"
  static let phone: Endpoint = "198.18.1.10:40001"

  static func path() throws -> Path {
    let path = try Path(rules: rules)
    path.engine.resolvers = [resolver.address]
    return path
  }

  /// The router's own resolver.
  static func router() throws -> Path {
    let path = try Path(rules: rules)
    path.engine.isForRouter = true
    return path
  }

  static func query(_ name: String, type: UInt16 = 1, id: UInt16 = 7) throws -> [UInt8] {
    DNSQuery.bytes(id: id, name: try #require(WireName(name)), type: type)
  }

  /// An answer to `query` with one A record, of the question's name.
  static func answer(_ query: [UInt8], _ address: String, code: UInt8 = 0) throws -> [UInt8] {
    var answer = query
    answer[2] = 0x81
    answer[3] = 0x80 | code
    answer[7] = 1
    let bits = try #require(IPAddress(address)).ipv4
    // A pointer to the question's name, A, Internet, 60 s, 4 bytes.
    answer += hex("c00c 0001 0001 0000003c 0004")
    return answer + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) }
  }

  static func framed(_ message: [UInt8]) -> [UInt8] {
    [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message
  }

  private func ask(
    _ path: Path, _ message: [UInt8], to server: Endpoint = resolver,
    device: MACAddress = Path.phone
  ) -> Path.Fate {
    let packet = UDPPacket(from: Self.phone, to: server, payload: message)
    return path.send(packet.bytes, fromLAN: true, device)
  }

  private func reply(_ path: Path, _ message: [UInt8], from server: Endpoint = resolver) {
    path.send(UDPPacket(from: server, to: Self.phone, payload: message).bytes, fromLAN: false)
  }

  private func knows(_ path: Path, _ name: String, _ address: String) throws -> Bool {
    path.learned.knows(
      try #require(HostName(name)), at: try #require(IPAddress(address)), now: path.now)
  }

  /// The DNS message in a packet that the gateway sent itself.
  private func message(_ answer: FlowAnswer) throws -> [UInt8] {
    guard case .done(let ip) = IPHeader.parse(answer.bytes.raw) else { throw Unreadable() }
    let isValid = Checksum.isTransportValid(answer.bytes.raw, ip)
    #expect(isValid)
    return Array(answer.bytes[(ip.payload.lowerBound + UDPHeader.size)...])
  }

  private struct Unreadable: Error {}

  // MARK: UDP

  @Test func `an allowed question passes and its answer teaches before it is delivered`() throws {
    for path in [try Self.path(), try Self.router()] {
      let query = try Self.query("short.weixin.qq.com")
      #expect(ask(path, query) == .delivered)
      reply(path, try Self.answer(query, "203.0.113.9"))
      #expect(try knows(path, "short.weixin.qq.com", "203.0.113.9"))
      #expect(path.atClient.count == 1)
      #expect(path.answers.isEmpty)
    }
  }

  @Test func `bytes of a flow to a listed resolver count once, those of the router's own never`()
    throws
  {
    let path = try Self.path()
    _ = ask(path, try Self.query("short.weixin.qq.com"))
    _ = ask(path, try Self.query("a.example.org"))
    #expect(path.records.map(\.reason) == [.resolverAllowed])
    #expect(path.records.allSatisfy { $0.isConnection })
    let router = try Self.router()
    _ = ask(router, try Self.query("short.weixin.qq.com"))
    #expect(router.records.isEmpty)
  }

  @Test func `a refused question is answered at once and does not reach the resolver`() throws {
    for path in [try Self.path(), try Self.router()] {
      let query = try Self.query("tunnel.evil.example", id: 0xabcd)
      #expect(ask(path, query) == .dropped)
      #expect(path.packetsAtServer.isEmpty)
      let answer = try message(try #require(path.answers.first))
      // The id; response, recursion desired and available, refused; one question, as it was.
      #expect(Array(answer[..<4]) == hex("abcd 8185"))
      #expect(Array(answer[12...]) == Array(query[12...]))
      let record = try #require(path.records.first)
      #expect(record.reason == .hostNotAllowed)
      #expect(record.host?.text == "tunnel.evil.example")
      #expect(record.application == .dns)
      #expect(!record.isConnection)
    }
  }

  @Test func `a question that was sent on to another port of the router's is judged all the same`()
    throws
  {
    let elsewhere: Endpoint = "198.18.0.53:6053"
    let path = try Self.router()
    let query = try Self.query("short.weixin.qq.com")
    #expect(ask(path, query, to: elsewhere) == .delivered)
    reply(path, try Self.answer(query, "203.0.113.9"), from: elsewhere)
    #expect(try knows(path, "short.weixin.qq.com", "203.0.113.9"))
    #expect(ask(path, try Self.query("tunnel.evil.example"), to: elsewhere) == .dropped)
    #expect(path.reason == .hostNotAllowed)
    // The client knows of port 53 only.
    let answer = try #require(path.answers.first).bytes
    guard case .done(let ip) = IPHeader.parse(answer.raw) else { throw Unreadable() }
    #expect(answer[ip.payload].prefix(2) == [0, 53])
    // Nothing else is a question.
    #expect(ask(path, Array("hello, I am no question".utf8), to: elsewhere) == .dropped)
  }

  @Test(arguments: [
    "mask.icloud.com", "MASK-H2.icloud.com", "mask.apple-dns.net", "use-application-dns.net",
    "_dns.resolver.arpa",
  ])
  func `the names by which a network says no to relays do not exist`(name: String) throws {
    let path = try Self.path()
    _ = ask(path, try Self.query(name, type: 64))
    #expect(try message(try #require(path.answers.first))[3] & 15 == 3)
  }

  @Test func `a question with EDNS hears that it was blocked`() throws {
    let path = try Self.path()
    var query = try Self.query("www.example.com")
    query[11] = 1
    query += hex("00 0029 04d0 00000000 0000")
    _ = ask(path, query)
    // OPT: extended error 15 of 2 bytes, "blocked".
    #expect(try message(try #require(path.answers.first)).suffix(6) == hex("000f 0002 000f")[...])
  }

  @Test func `what a question must not carry`() throws {
    let good = try Self.query("short.weixin.qq.com")
    var many = good
    many[11] = 1
    // A TXT record behind the question.
    let record = many + hex("c00c 0010 0001 00000000 0003 02 6869")
    var two = good
    two[5] = 2
    var chaos = good
    chaos[chaos.count - 1] = 3
    var reserved = good
    reserved[3] |= 0x40
    let longOption =
      many + hex("00 0029 04d0 00000000 01f4 000c 01f0")
      + [UInt8](repeating: 0x41, count: 0x1f0)
    for message in [
      good + [0], record, two, chaos, reserved, longOption, Array(good.dropLast()), [], [1, 2, 3],
      [UInt8](repeating: 0xff, count: 40),
    ] {
      let path = try Self.path()
      #expect(ask(path, message) == .dropped, "\(message)")
      #expect(path.packetsAtServer.isEmpty)
      #expect(path.reason == .malformedDNS)
      for answer in path.answers { #expect(try self.message(answer)[3] & 15 == 1) }
    }
    // A cookie and padding are what clients send.
    let path = try Self.path()
    let options = many + hex("00 0029 04d0 00000000 0010 000a 0008 0102030405060708 000c 0000")
    #expect(ask(path, options) == .delivered)
  }

  @Test func `types that carry anything are refused for allowed names too`() throws {
    for (type, fate): (UInt16, Path.Fate) in [
      (1, .delivered), (28, .delivered), (65, .delivered), (16, .dropped), (10, .dropped),
      (255, .dropped),
    ] {
      let path = try Self.path()
      #expect(ask(path, try Self.query("a.example.org", type: type)) == fate, "\(type)")
    }
  }

  @Test func `local names are refused unless a rule allows them`() throws {
    for name in ["router", "router.lan", "1.1.18.198.in-addr.arpa"] {
      let path = try Self.path()
      #expect(ask(path, try Self.query(name)) == .dropped)
    }
  }

  @Test func `an answer that nobody asked for teaches nothing`() throws {
    let query = try Self.query("short.weixin.qq.com")
    let answer = try Self.answer(query, "203.0.113.9")
    // Another id, another type, another name, another client's port, another server.
    let path = try Self.path()
    _ = ask(path, query)
    var otherID = answer
    otherID[0] ^= 1
    reply(path, otherID)
    var otherType = answer
    otherType[query.count - 3] = 28
    reply(path, otherType)
    reply(path, try Self.answer(try Self.query("a.example.org"), "203.0.113.9"))
    reply(path, answer, from: "198.18.0.54:53")
    path.send(
      UDPPacket(from: Self.resolver, to: "198.18.1.10:40002", payload: answer).bytes,
      fromLAN: false)
    #expect(path.learned.count == 0)
    reply(path, answer)
    #expect(path.learned.count == 1)
  }

  @Test func `nor does one that comes too late, or that says no`() throws {
    let query = try Self.query("short.weixin.qq.com")
    let path = try Self.path()
    _ = ask(path, query)
    reply(path, try Self.answer(query, "203.0.113.9", code: 3))
    path.wait(.seconds(16))
    reply(path, try Self.answer(query, "203.0.113.9"))
    #expect(path.learned.count == 0)
  }

  @Test func `no question goes to anybody else`() throws {
    for port in ["53", "853"] {
      let path = try Self.path()
      #expect(
        ask(
          path, try Self.query("short.weixin.qq.com"),
          to: Endpoint(stringLiteral: "198.18.0.99:\(port)"))
          == .refused)
      #expect(path.reason == .otherResolver)
      var tcp = TCPConversation(
        client: Self.phone, server: Endpoint(stringLiteral: "198.18.0.99:\(port)"))
      #expect(path.client(tcp.clientSYN()) == .refused)
      #expect(path.reason == .otherResolver)
    }
    // The trusted resolver speaks nothing but plain DNS.
    let path = try Self.path()
    var dot = TCPConversation(client: Self.phone, server: "198.18.0.53:853")
    #expect(path.client(dot.clientSYN()) == .refused)
    // But where an address line says so.
    #expect(ask(path, try Self.query("www.example.com"), to: "198.18.9.53:53") == .delivered)
    #expect(path.reason == .addressAllowed)
  }

  @Test func `the unrestricted, the paused and an audit may ask anything`() throws {
    let query = try Self.query("www.example.com")
    for make in [Self.path, Self.router] {
      let path = try make()
      #expect(ask(path, query, device: Path.laptop) == .delivered)
      path.engine.pausedDevices = [Path.phone]
      #expect(ask(path, query) == .delivered)
      path.engine.pausedDevices = []
      let audit = try make()
      audit.engine.enforcement = .audit
      #expect(ask(audit, query) == .delivered)
      #expect(audit.records.first?.passedAnyway == true)
      #expect(audit.answers.isEmpty)
    }
  }

  // MARK: TCP

  private func stream(
    _ path: Path, timestamp: UInt32? = nil, to server: Endpoint = resolver
  ) -> TCPConversation {
    var tcp = opened(path, from: Self.phone, to: server, timestamp: timestamp)
    if let timestamp { tcp.options = [.timestamp(timestamp &+ 1, echo: 77)] }
    return tcp
  }

  /// The payload of a segment that the gateway sent in the resolver's name, and its header.
  private func segment(_ answer: FlowAnswer) throws -> (tcp: TCPHeader, payload: [UInt8]) {
    guard case .done(let ip) = IPHeader.parse(answer.bytes.raw),
      case .done(let tcp) = TCPHeader.parse(answer.bytes.raw.extracting(ip.payload))
    else { throw Unreadable() }
    let isValid = Checksum.isTransportValid(answer.bytes.raw, ip)
    #expect(isValid)
    return (tcp, Array(answer.bytes[(ip.payload.lowerBound + tcp.headerLength)...]))
  }

  @Test func `questions of a stream are judged for its life and answers teach`() throws {
    for path in [try Self.path(), try Self.router()] {
      var tcp = stream(path)
      for number in 0..<20 {
        let query = try Self.query("n\(number).example.org", id: UInt16(number))
        #expect(path.client(tcp.clientSends(Self.framed(query))) == .delivered)
        let answer = Self.framed(try Self.answer(query, "203.0.113.\(number)"))
        // The answer in two segments: it is known with the second.
        path.server(tcp.serverSends(Array(answer[..<9])))
        path.server(tcp.serverSends(Array(answer[9...])))
        #expect(try knows(path, "n\(number).example.org", "203.0.113.\(number)"))
      }
      let before = path.stream.count
      let bad = Self.framed(try Self.query("www.example.com", id: 99))
      #expect(path.client(tcp.clientSends(bad)) == .dropped)
      #expect(path.stream.count == before)
      #expect(path.answers.count == 1)
    }
  }

  @Test func `a refused question of a stream is answered in the stream, then it ends`() throws {
    for path in [try Self.path(), try Self.router()] {
      var tcp = stream(path, timestamp: 1000)
      let query = Self.framed(try Self.query("www.example.com", id: 0x1234))
      let packet = tcp.clientSends(query)
      #expect(path.client(packet) == .dropped)
      let (header, payload) = try segment(try #require(path.answers.first))
      #expect(header.sequence == tcp.serverNext)
      #expect(header.acknowledgement == tcp.clientNext)
      #expect(header.flags == [.psh, .ack, .fin])
      #expect(header.timestamp == TCPTimestamp(value: 77, echo: 1001))
      #expect(Array(payload[2..<6]) == hex("1234 8185"))
      #expect(Int(payload[0]) << 8 | Int(payload[1]) == payload.count - 2)
      // The resolver's end is told where nothing was said.
      #expect(path.resets.map(\.tuple) == [tcp.tuple])
      #expect(path.resets.map(\.sequence) == [tcp.clientNext &- UInt32(query.count)])
      #expect(path.records.map(\.reason) == [.hostNotAllowed])
      // Should the answer be lost, it comes again.
      #expect(path.client(packet) == .dropped)
      #expect(path.answers.count == 2)
      #expect(path.answers[0] == path.answers[1])
      // And nobody is there to be asked further.
      #expect(path.client(tcp.clientSends(query)) == .refused)
      #expect(path.stream.isEmpty)
    }
  }

  @Test func `a question cut at every byte`() throws {
    let good = Self.framed(try Self.query("short.weixin.qq.com"))
    let bad = Self.framed(try Self.query("www.example.com"))
    for cut in 1..<good.count {
      let path = try Self.path()
      var tcp = stream(path)
      #expect(path.client(tcp.clientSends(Array(good[..<cut]))) == .held)
      #expect(path.client(tcp.clientSends(Array(good[cut...]))) == .delivered)
      #expect(path.stream == good)
    }
    for cut in 1..<bad.count {
      let path = try Self.router()
      var tcp = stream(path)
      #expect(path.client(tcp.clientSends(Array(bad[..<cut]))) == .held)
      #expect(path.client(tcp.clientSends(Array(bad[cut...]))) == .dropped)
      #expect(path.heldCount == 0)
      #expect(path.stream.isEmpty)
      #expect(path.answers.count == 1)
    }
  }

  @Test func `questions in one segment pass together, a refused one takes them with it`() throws {
    let a = Self.framed(try Self.query("a.example.org", id: 1))
    let aaaa = Self.framed(try Self.query("a.example.org", type: 28, id: 2))
    let bad = Self.framed(try Self.query("www.example.com", id: 3))
    let path = try Self.path()
    var tcp = stream(path)
    #expect(path.client(tcp.clientSends(a + aaaa)) == .delivered)
    #expect(path.stream == a + aaaa)
    let other = try Self.path()
    var two = stream(other)
    #expect(other.client(two.clientSends(a + bad)) != .delivered)
    #expect(other.stream.isEmpty)
  }

  @Test func `answers to the questions before a refused one are not lost`() throws {
    let path = try Self.path()
    var tcp = stream(path)
    let first = try Self.query("a.example.org", id: 1)
    #expect(path.client(tcp.clientSends(Self.framed(first))) == .delivered)
    let bad = Self.framed(try Self.query("www.example.com", id: 2))
    #expect(path.client(tcp.clientSends(bad)) == .held)
    #expect(path.answers.isEmpty)
    path.server(tcp.serverSends(Self.framed(try Self.answer(first, "203.0.113.1"))))
    #expect(path.atClient.count == 2, "the SYN-ACK and the answer")
    #expect(path.heldCount == 0)
    #expect(try segment(try #require(path.answers.first)).tcp.sequence == tcp.serverNext)
    // Where the resolver says nothing, the refusal waits no longer than it must.
    let silent = try Self.path()
    var two = stream(silent)
    silent.client(two.clientSends(Self.framed(first)))
    silent.client(two.clientSends(bad))
    silent.wait(.seconds(4))
    #expect(silent.answers.count == 1)
    #expect(silent.heldCount == 0)
  }

  @Test func `what cannot be a question ends the stream`() throws {
    for bytes in [
      hex("0003 010203"), hex("ffff 0102"), hex("000c") + [UInt8](repeating: 0xff, count: 12),
    ] {
      let path = try Self.path()
      var tcp = stream(path)
      path.client(tcp.clientSends(bytes))
      #expect(path.reason == .malformedDNS)
      #expect(path.stream.isEmpty)
    }
  }

  @Test func `a decoy question the resolver never saw, and another at its place`() throws {
    let path = try Self.path()
    var tcp = stream(path)
    let good = Self.framed(try Self.query("a.example.org", id: 1))
    let place = tcp.clientNext
    path.client(tcp.clientSends(good))
    var bad = try Self.query("b.example.org", id: 1)
    bad[13] = UInt8(ascii: "z")
    let copy = tcp.clientSends(Self.framed(bad)).with { $0.sequence = place }
    #expect(path.client(copy) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test func `a second SYN does not move the place that questions are read from`() throws {
    let path = try Self.router()
    var tcp = stream(path)
    var decoy = TCPConversation(client: Self.phone, server: Self.resolver, clientSequence: 990)
    path.client(decoy.clientSYN())
    // No SYN-ACK has answered it.
    #expect(path.client(tcp.clientSends(Self.framed(try Self.query("a.example.org")))) == .refused)
    #expect(path.stream.isEmpty)
  }

  @Test func `an audit lets refused questions of a stream pass and notes them`() throws {
    let path = try Self.path()
    path.engine.enforcement = .audit
    var tcp = stream(path)
    for name in ["www.example.com", "a.example.org", "v.example.com"] {
      let question = Self.framed(try Self.query(name))
      #expect(path.client(tcp.clientSends(question)) == .delivered)
    }
    #expect(path.records.map(\.reason) == [.hostNotAllowed, .resolverAllowed, .hostNotAllowed])
    #expect(path.answers.isEmpty)
  }

  @Test func `a long answer is passed over, and the next one read`() throws {
    let path = try Self.path()
    var tcp = stream(path)
    let first = try Self.query("a.example.org", id: 1)
    let second = try Self.query("b.example.org", id: 2)
    path.client(tcp.clientSends(Self.framed(first)))
    path.client(tcp.clientSends(Self.framed(second)))
    let long = Self.framed([UInt8](repeating: 0x80, count: 60_000))
    for piece in long.pieces(of: 1400) { path.server(tcp.serverSends(piece)) }
    path.server(tcp.serverSends(Self.framed(try Self.answer(second, "203.0.113.2"))))
    #expect(try knows(path, "b.example.org", "203.0.113.2"))
  }

  @Test func `a connection from before is refused at both ends`() throws {
    let path = try Self.router()
    var tcp = TCPConversation(client: Self.phone, server: Self.resolver)
    #expect(path.client(tcp.clientSends(Self.framed(try Self.query("a.example.org")))) == .refused)
    #expect(path.resets.map(\.tuple) == [tcp.tuple])
    #expect(path.server(tcp.serverSends([1])) == .delivered, "what the router says is its own")
  }
}
