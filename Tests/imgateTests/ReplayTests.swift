import Capture
import Names
import PacketBuilder
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// What the router would have made of the flows of a capture.
@Suite struct ReplayTests {
  static let rules = """
    version: 1
    binding: off
    allow:
      - {host: short.weixin.qq.com, ports: [80, 443]}
      - {address: 198.18.9.0/24, ports: [123], protocol: udp}
    """
  static let tls: Endpoint = "198.18.0.7:443"
  static let web: Endpoint = "198.18.0.7:80"
  static let phone: Endpoint = "198.18.1.10:40001"

  /// A flow as a line of the table has it, and the summary.
  static func replay(
    _ capture: CaptureBuilder, rules: String = ReplayTests.rules, lan: [String] = []
  ) throws -> (flows: [String], summary: ReplaySummary) {
    var flows: [String] = []
    let summary = try each(capture, rules: rules, lan: lan) { flow in
      flows.append(
        [
          flow.verdict.rawValue, flow.reason?.name, flow.rule, flow.application.rawValue,
          flow.host?.text,
        ].map { $0 ?? "-" }.joined(separator: " "))
    }
    return (flows, summary)
  }

  private static func each(
    _ capture: CaptureBuilder, rules: String, lan: [String],
    _ body: @escaping (ReplayedFlow) -> Void
  ) throws -> ReplaySummary {
    let policy = try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: rules), packs: [])
    let replay = Replay(
      policy: policy, lan: try lan.map { try #require(IPPrefix($0)) }, report: body)
    var reader = CaptureReader()
    reader.append(capture.bytes)
    reader.append([])
    while case .packet(let packet) = try reader.next() {
      replay.packet(packet, Array(reader.buffer[packet.bytes]).raw)
    }
    replay.finish()
    return replay.summary
  }

  /// A connection that says `hello`, gets `answer` and is closed.
  static func connection(
    from client: Endpoint = phone, to server: Endpoint = tls, hello: [[UInt8]], answer: [UInt8]
  ) -> [[UInt8]] {
    var tcp = TCPConversation(client: client, server: server)
    var packets = tcp.handshake().map(\.bytes)
    for piece in hello { packets.append(tcp.clientSends(piece).bytes) }
    packets.append(tcp.serverACK().bytes)
    packets.append(tcp.serverSends(answer).bytes)
    packets.append(tcp.clientSends([], flags: [.fin, .ack]).bytes)
    packets.append(tcp.serverSends([], flags: [.fin, .ack]).bytes)
    packets.append(tcp.clientACK().bytes)
    return packets
  }

  static let hello = ClientHelloBuilder(name: "short.weixin.qq.com").bytes
  static let otherHello = ClientHelloBuilder(name: "www.example.com").bytes
  static let serverHello = ServerHelloBuilder().bytes

  @Test(
    arguments: [
      (
        "allowed TLS", tls, [hello],
        "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"
      ),
      (
        "allowed TLS in three segments", tls, hello.pieces(of: 40),
        "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"
      ),
      ("other TLS", tls, [otherHello], "deny host-not-allowed - tls www.example.com"),
      (
        "TLS without a name", tls, [ClientHelloBuilder(name: nil).bytes],
        "deny no-server-name - tls -"
      ),
      (
        "allowed HTTP", web, [httpRequest(host: "short.weixin.qq.com")],
        "allow host-allowed allow short.weixin.qq.com http short.weixin.qq.com"
      ),
      (
        "other HTTP", web, [httpRequest(host: "www.example.com")],
        "deny host-not-allowed - http www.example.com"
      ),
      ("neither", tls, [.ascii("SSH-2.0-x\r\n")], "deny unknown-protocol - unknown -"),
      ("another port", "198.18.0.7:22", [hello], "deny port-not-allowed - unknown -"),
    ] as [(String, Endpoint, [[UInt8]], String)])
  func `a connection is judged as the router would`(
    name: String, server: Endpoint, hello: [[UInt8]], expected: String
  ) throws {
    let capture = CaptureBuilder(
      packets: Self.connection(to: server, hello: hello, answer: Self.serverHello))
    let (flows, summary) = try Self.replay(capture)
    #expect(flows == [expected], "\(name)")
    #expect(summary.flows == 1)
    #expect(summary.packets == UInt64(capture.packets.count))
  }

  @Test(
    arguments: [
      ("Ethernet", 1, "02005e1000fe 02005e100001 0800"),
      ("VLAN", 1, "02005e1000fe 02005e100001 8100 0064 0800"),
      ("Linux cooked", 113, "0000 0001 0006 02005e100001 0000 0800"),
      ("loopback", 0, "02000000"),
    ] as [(String, UInt32, String)])
  func `the link makes no difference`(name: String, linkType: UInt32, header: String) throws {
    let capture = CaptureBuilder(
      linkType: linkType, header: hex(header),
      packets: Self.connection(hello: [Self.hello], answer: Self.serverHello))
    #expect(
      try Self.replay(capture).flows
        == ["allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"], "\(name)")
  }

  @Test func `the JSON line is as it is documented`() throws {
    var lines: [String] = []
    let packets = Self.connection(hello: [Self.hello], answer: Self.serverHello)
    _ = try Self.each(CaptureBuilder(packets: packets), rules: Self.rules, lan: []) {
      lines.append($0.json(capture: "a.pcap"))
    }
    // Judged are the SYN, the hello and the ServerHello.
    #expect(
      lines == [
        #"{"type":"flow","capture":"a.pcap","protocol":"tcp","client":"198.18.1.10","#
          + #""clientPort":40001,"server":"198.18.0.7","serverPort":443,"verdict":"allow","#
          + #""reason":"host-allowed","rule":"allow short.weixin.qq.com","application":"tls","#
          + #""host":"short.weixin.qq.com","packetsInspected":3,"#
          + #""bytes":\#(packets.map(\.count).reduce(0, +)),"firstPacket":1}"# + "\n"
      ])
  }

  @Test func `a protocol without ports has its number and no ports`() throws {
    var lines: [String] = []
    let packet = IPPacket(
      from: Self.phone.address, to: Self.tls.address, proto: IPProtocol(47), payload: hex("00*8"))
    _ = try Self.each(CaptureBuilder(packets: [packet.bytes]), rules: Self.rules, lan: []) {
      lines.append($0.json(capture: "a.pcap"))
    }
    #expect(lines.first?.contains(#""protocol":"47","client":"198.18.1.10","server""#) == true)
    #expect(lines.first?.contains(#""verdict":"deny","reason":"other-protocol""#) == true)
  }

  @Test func `datagrams are judged by their address, one line a flow`() throws {
    let client: Endpoint = "198.18.1.10:5000"
    var capture = CaptureBuilder()
    for server in ["198.18.9.1:123", "198.18.0.9:123"] as [Endpoint] {
      for _ in 0..<3 {
        capture.add(UDPPacket(from: client, to: server, payload: hex("1b 00*47")).bytes)
        capture.add(UDPPacket(from: server, to: client, payload: hex("1c 00*47")).bytes)
      }
    }
    #expect(
      try Self.replay(capture).flows == [
        "allow address-allowed allow 198.18.9.0/24 unknown -", "deny port-not-allowed - unknown -",
      ])
  }

  @Test func `a flow that was refused is not judged again, though the capture goes on`() throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    capture.add(tcp.clientSends(Self.otherHello).bytes)
    for _ in 0..<20 {
      capture.add(tcp.serverSends(Self.serverHello).bytes)
      capture.add(tcp.clientSends(Self.hello).bytes)
    }
    // By its port a connection is refused at its SYN, and a datagram at once.
    for packet in Self.connection(
      from: "198.18.1.10:40002", to: "198.18.0.7:22", hello: [Self.hello], answer: [])
    {
      capture.add(packet)
    }
    for _ in 0..<3 { capture.add(UDPPacket(from: Self.phone, to: "198.18.0.7:9000").bytes) }
    var inspected: [UInt64] = []
    _ = try Self.each(capture, rules: Self.rules, lan: []) { inspected.append($0.packetsInspected) }
    #expect(inspected == [2, 1, 1])
    #expect(
      try Self.replay(capture).flows == [
        "deny host-not-allowed - tls www.example.com", "deny port-not-allowed - unknown -",
        "deny port-not-allowed - unknown -",
      ])
  }

  @Test func `a connection without payload is undecided, one without a beginning midstream`() throws
  {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    var late = TCPConversation(client: "198.18.1.10:40002", server: Self.tls)
    capture.add(late.clientSends(Self.hello).bytes)
    _ = tcp.clientACK()
    let (flows, summary) = try Self.replay(capture)
    #expect(flows == ["undecided - - unknown -", "deny midstream - unknown -"])
    #expect([summary.allowed, summary.denied, summary.undecided] == [0, 1, 1])
  }

  @Test func `another SYN on the same ports is another flow`() throws {
    var capture = CaptureBuilder(
      packets: Self.connection(hello: [Self.hello], answer: Self.serverHello))
    var tcp = TCPConversation(client: Self.phone, server: Self.tls, clientSequence: 900_000)
    for packet in tcp.handshake() { capture.add(packet.bytes) }
    capture.add(tcp.clientSends(Self.otherHello).bytes)
    #expect(
      try Self.replay(capture).flows == [
        "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com",
        "deny host-not-allowed - tls www.example.com",
      ])
  }

  // MARK: Names

  static let strict = rules.split(separator: "\n").map {
    $0 == "binding: off" ? "binding: strict" : String($0)
  }.joined(separator: "\n")

  /// An answer that gives `name` the address 198.18.0.7.
  static func answer(_ name: String) -> [UInt8] {
    var message = hex("1234 8180 0001 0001 0000 0000")
    for label in name.split(separator: ".") {
      message.append(UInt8(label.utf8.count))
      message += Array(label.utf8)
    }
    message += hex("00 0001 0001 c00c 0001 0001 0000003c 0004")
    return message + hex("c6120007")
  }

  @Test(arguments: [
    ("short.weixin.qq.com", "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"),
    (
      "www.example.com",
      "deny address-not-learned allow short.weixin.qq.com tls short.weixin.qq.com"
    ),
  ])
  func `with binding a name counts where the capture's own DNS has put it`(
    name: String, expected: String
  ) throws {
    var capture = CaptureBuilder()
    capture.add(
      UDPPacket(
        from: "198.18.1.1:53", to: "198.18.1.10:5353", payload: Self.answer(name)
      ).bytes)
    for packet in Self.connection(hello: [Self.hello], answer: Self.serverHello) {
      capture.add(packet)
    }
    let flows = try Self.replay(capture, rules: Self.strict, lan: ["198.18.1.0/24"]).flows
    #expect(flows == [expected])
  }

  // MARK: What captures are like

  @Test func `who is in the LAN is told by --lan: others are strangers, the rest is not forwarded`()
    throws
  {
    var capture = CaptureBuilder()
    var stranger = TCPConversation(client: "198.18.0.9:40000", server: "198.18.1.10:443")
    capture.add(stranger.clientSYN().bytes)
    capture.add(UDPPacket(from: "198.18.0.9:1", to: "198.18.0.8:2").bytes)
    let (flows, summary) = try Self.replay(capture, lan: ["198.18.1.0/24"])
    #expect(flows == ["deny inbound - unknown -"])
    #expect(summary.notForwarded == 1)
  }

  @Test func `a packet that the capture has cut is counted, and not believed`() throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    let hello = tcp.clientSends(Self.hello).bytes
    for length in 0..<hello.count {
      var copy = capture
      copy.add(hello, cutTo: length)
      let (flows, summary) = try Self.replay(copy)
      #expect(flows == ["undecided - - unknown -"], "\(length)")
      #expect(summary.truncated == 1)
      #expect(summary.malformed == 0)
    }
    capture.add(hello)
    #expect(try Self.replay(capture).summary.truncated == 0)
  }

  @Test func `checksums that the sender's network card would fill in later don't matter`() throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder()
    capture.add(tcp.clientSYN().with { $0.checksum = 0x1234 }.bytes)
    capture.add(tcp.serverSYNACK().bytes)
    capture.add(tcp.clientSends(Self.hello).with { $0.checksum = 0x1234 }.bytes)
    #expect(
      try Self.replay(capture).flows
        == ["allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"])
  }

  @Test(arguments: [true, false])
  func `a wrong checksum is believed when the server acknowledges the bytes, and not before`(
    isAcknowledged: Bool
  ) throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    let before = tcp.serverACK()
    capture.add(tcp.clientSends(Self.hello).with { $0.checksum = 0x1234 }.bytes)
    capture.add((isAcknowledged ? tcp.serverACK() : before).bytes)
    #expect(
      try Self.replay(capture).flows == [
        isAcknowledged
          ? "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"
          : "undecided - - unknown -"
      ])
  }

  @Test func `a decoy with a wrong checksum is dropped beside the real bytes`() throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    var decoy = tcp
    capture.add(decoy.clientSends(Self.otherHello).with { $0.checksum = 0x1234 }.bytes)
    capture.add(tcp.clientSends(Self.hello).bytes)
    capture.add(tcp.serverACK().bytes)
    #expect(
      try Self.replay(capture).flows
        == ["allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"])
  }

  @Test func `an ICMP error about a flow is part of it`() throws {
    var tcp = TCPConversation(client: Self.phone, server: Self.tls)
    let syn = tcp.clientSYN().bytes
    let error = IPPacket(
      from: address("198.18.0.1"), to: Self.phone.address, proto: .icmp,
      payload: hex("03 01 0000 00000000") + syn.prefix(28))
    let (flows, _) = try Self.replay(CaptureBuilder(packets: [syn, error.bytes]))
    #expect(flows == ["undecided - - unknown -"])
  }
}
