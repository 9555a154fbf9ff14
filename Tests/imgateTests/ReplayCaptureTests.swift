import Capture
import PacketBuilder
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// What captures do to a flow that a router would never see, and captures that are broken.
@Suite struct ReplayCaptureTests {
  static let allowed = "allow host-allowed allow short.weixin.qq.com tls short.weixin.qq.com"
  static let refused = "deny host-not-allowed - tls www.example.com"

  /// An IPv4 packet in two fragments.
  static func fragmented(_ packet: [UInt8], identification: UInt16) -> [[UInt8]] {
    let payload = Array(packet[20...])
    let middle = payload.count / 2 & ~7
    return [(0..<middle, 0x2000), (middle..<payload.count, 0)].map { range, flags in
      var part = IPPacket(
        from: ReplayTests.phone.address, to: ReplayTests.tls.address, proto: .tcp,
        payload: Array(payload[range]))
      part.identification = identification
      part.fragment = UInt16(flags | range.lowerBound / 8)
      return part.bytes
    }
  }

  @Test func `a hello in fragments is judged like a whole one`() throws {
    for (hello, expected) in [
      (ReplayTests.hello, Self.allowed), (ReplayTests.otherHello, Self.refused),
    ] {
      var tcp = TCPConversation(client: ReplayTests.phone, server: ReplayTests.tls)
      var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
      for part in Self.fragmented(tcp.clientSends(hello).bytes, identification: 9) {
        capture.add(part)
      }
      let (flows, summary) = try ReplayTests.replay(capture)
      #expect(flows == [expected])
      #expect(summary.fragments == 0)
    }
  }

  @Test func `fragments that never were complete are counted, and make no flow`() throws {
    var tcp = TCPConversation(client: ReplayTests.phone, server: ReplayTests.tls)
    let parts = Self.fragmented(tcp.clientSends(ReplayTests.hello).bytes, identification: 9)
    let (flows, summary) = try ReplayTests.replay(CaptureBuilder(packets: [parts[0]]))
    #expect(flows.isEmpty)
    #expect(summary.fragments == 1)
  }

  @Test(arguments: [true, false])
  func `a segment that the network card would cut has length 0, and is judged`(isIPv4: Bool) throws
  {
    let client: Endpoint = isIPv4 ? "198.18.1.10:40001" : "[2001:2::10]:40001"
    let server: Endpoint = isIPv4 ? "198.18.0.7:443" : "[2001:2::7]:443"
    var tcp = TCPConversation(client: client, server: server)
    // Its checksum isn't filled in either, and so it is with the SYN.
    var capture = CaptureBuilder(packets: [tcp.clientSYN().with { $0.checksum = 1 }.bytes])
    capture.add(tcp.serverSYNACK().bytes)
    capture.add(
      tcp.clientSends(ReplayTests.hello).with {
        $0.ip.length = 0
        $0.checksum = 1
      }.bytes)
    let (flows, summary) = try ReplayTests.replay(capture)
    #expect(flows == [Self.allowed])
    #expect(summary.malformed == 0)
  }

  @Test(arguments: [true, false])
  func `data in a SYN is judged as if the client had sent it again`(isTaken: Bool) throws {
    var tcp = TCPConversation(client: ReplayTests.phone, server: ReplayTests.tls)
    var capture = CaptureBuilder(
      packets: [tcp.clientSYN(options: [.fastOpen(hex("c0*8"))], payload: ReplayTests.hello).bytes])
    let hello = tcp.clientNext
    // A server that takes the data acknowledges it; one that doesn't gets it once more.
    if isTaken { tcp.clientNext &+= UInt32(ReplayTests.hello.count) }
    capture.add(tcp.serverSYNACK().bytes)
    tcp.clientNext = hello
    if isTaken {
      tcp.clientNext &+= UInt32(ReplayTests.hello.count)
      capture.add(tcp.clientACK().bytes)
    } else {
      capture.add(tcp.clientSends(ReplayTests.hello).bytes)
    }
    capture.add(tcp.serverSends(ReplayTests.serverHello).bytes)
    #expect(try ReplayTests.replay(capture).flows == [Self.allowed])
  }

  @Test func `data in a SYN that nobody answered is not judged`() throws {
    var tcp = TCPConversation(client: ReplayTests.phone, server: ReplayTests.tls)
    let syn = tcp.clientSYN(payload: ReplayTests.hello).bytes
    #expect(
      try ReplayTests.replay(CaptureBuilder(packets: [syn])).flows == ["undecided - - unknown -"])
  }

  @Test func `a beginning that the capture doesn't complete has waited too long`() throws {
    var tcp = TCPConversation(client: ReplayTests.phone, server: ReplayTests.tls)
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    capture.add(tcp.clientSends(Array(ReplayTests.hello.prefix(40))).bytes)
    #expect(try ReplayTests.replay(capture).flows == ["deny held-too-long - tls -"])
  }

  @Test func `clients that no hardware address tells apart don't share a device's limits`() throws {
    var capture = CaptureBuilder()
    var ends: [[UInt8]] = []
    for number in 0..<400 {
      let client = Endpoint("198.18.\(number / 200).\(number % 200 + 10)", 40000)
      var tcp = TCPConversation(client: client, server: ReplayTests.tls)
      for packet in tcp.handshake() { capture.add(packet.bytes, after: 0) }
      let halves = ReplayTests.hello.split(at: 50)
      capture.add(tcp.clientSends(halves[0]).bytes, after: 0)
      ends.append(tcp.clientSends(halves[1]).bytes)
    }
    for packet in ends { capture.add(packet, after: 0) }
    let flows = try ReplayTests.replay(capture).flows
    #expect(flows.count == 400)
    #expect(Set(flows) == [Self.allowed])
  }

  // MARK: DNS over TCP

  /// A resolver's answer over TCP, in segments of `size`.
  static func resolved(_ message: [UInt8], size: Int) -> CaptureBuilder {
    var tcp = TCPConversation(client: "198.18.1.10:50000", server: "198.18.1.1:53")
    var capture = CaptureBuilder(packets: tcp.handshake().map(\.bytes))
    var stream: [UInt8] = []
    for _ in 0..<2 {
      stream.append(bigEndian: UInt16(message.count))
      stream += message
    }
    for piece in stream.pieces(of: size) { capture.add(tcp.serverSends(piece).bytes) }
    return capture
  }

  @Test(arguments: [1, 2, 7, 1000])
  func `with binding the capture's DNS over TCP counts, too`(size: Int) throws {
    for name in ["short.weixin.qq.com", "www.example.com"] {
      var capture = Self.resolved(ReplayTests.answer(name), size: size)
      for packet in ReplayTests.connection(
        hello: [ReplayTests.hello], answer: ReplayTests.serverHello)
      {
        capture.add(packet)
      }
      let flows = try ReplayTests.replay(capture, rules: ReplayTests.strict).flows
      #expect(flows.contains(Self.allowed) == (name == "short.weixin.qq.com"), "\(name)")
    }
  }

  @Test func `resolvers' streams are followed in bounded number and size`() {
    var streams = AnswerStreams()
    let half = [UInt8](repeating: 0xff, count: 1000)
    for port in 1000..<3000 as Range<UInt16> {
      var tcp = TCPConversation(client: Endpoint("198.18.1.10", port), server: "198.18.1.1:53")
      _ = tcp.clientSYN()
      for packet in [tcp.serverSYNACK(), tcp.serverSends(half), tcp.serverSends(half)] {
        let bytes = packet.bytes
        guard case .done(let ip) = IPHeader.parse(bytes.raw),
          let outline = PacketOutline(bytes.raw, ip)
        else {
          Issue.record("a good packet")
          return
        }
        streams.add(Array(bytes.suffix(outline.payloadCount)).raw, outline) { _ in
          Issue.record("no message is complete")
        }
      }
    }
    #expect(streams.waiting <= 256 * 65_537)
  }

  // MARK: WeChat's own name service

  /// A request of newgetdns and its reply, which puts szlong.weixin.qq.com at 198.18.0.7.
  static func newgetdns(isAnswered: Bool) -> [[UInt8]] {
    var tcp = TCPConversation(client: "198.18.1.10:40100", server: "198.18.0.1:8080")
    var packets = tcp.handshake().map(\.bytes)
    packets.append(
      tcp.clientSends(
        hex(
          #"""
          "GET /cgi-bin/micromsg-bin/newgetdns?uin=0&clientversion=671094583&scene=0&net=1 HTTP/1.0\r\n"
          "Accept-Encoding: deflate\r\nConnection: close\r\nHost: dns.weixin.qq.com\r\n"
          "User-Agent: MicroMessenger Client\r\n\r\n"
          """#)
      ).bytes)
    packets.append(tcp.serverACK().bytes)
    let reply = hex(
      #"""
      "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: deflate\r\nContent-Length: 219\r\n\r\n"
      7d515d73c220107cefaf60782f041f346692f85b2292f43a70877c58db5f5f6c5adb58471e1876b9db5d8e767776969d4c88
      40d871252ace0c6a3a004e1dcf697caef9ae7f6a0f182f3bb901d0424c57c07070a6e3f1c3124ee2cdc019501c8f4293e32c
      81339453d1add7152f3de04febbe69c6b21ab5ad85aa452536adfce22fd7fd922d9c9c7d6e0d2de9c1be504c775d7ab5da14
      8d4aa8c72ace3f8ecca668f7e53cab321fc89b90de4be3f04a81ffa6ddfef3918b61ed33d80408fe1bff7de935e36d919ca7
      1e8dcec12ce4e41d6ecca853f9c59f9225fe04
      """#)
    if isAnswered {
      for piece in reply.pieces(of: 100) { packets.append(tcp.serverSends(piece).bytes) }
    }
    return packets
  }

  static let nameService = """
    version: 1
    service: talk
    title: Talk
    default: on
    mmtls: [f104]
    ports: {tcp: [80, 443, 8080]}
    features:
      messaging:
        title: Messages
        default: on
        endpoints:
          - signatures: [mmtls]
            hosts: [szlong.weixin.qq.com]
          - signatures: [newgetdns]
            hosts: [dns.weixin.qq.com]
            addresses: ['198.18.0.1:8080']
    """

  @Test(arguments: [true, false])
  func `with binding WeChat's own name service in the capture counts, too`(
    isAnswered: Bool
  ) throws {
    let policy = try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: "version: 1\n"),
      packs: [SourceFile(path: "talk.yaml", text: Self.nameService)])
    let chat = ReplayTests.connection(
      to: "198.18.0.7:8080", hello: [ClassifierTests.mmtls],
      answer: hex(
        """
        16 f104 002e 0000002a 02 04f1 00a8 b7*32 00000001 00
        16 f104 0037 e1*55
        """))
    let flows = try Self.replay(
      CaptureBuilder(packets: Self.newgetdns(isAnswered: isAnswered) + chat), policy)
    #expect(
      flows == [
        "allow host-allowed newgetdns",
        isAnswered ? "allow signature-allowed mmtls" : "deny address-not-learned mmtls",
      ])
  }

  // MARK: Media

  static let media = """
    version: 1
    service: talk
    title: Talk
    default: on
    ports: {tcp: [443, 8080]}
    features:
      messaging:
        title: Messages
        default: on
        endpoints:
          - signatures: [msf]
            addresses: ['198.18.0.1:8080']
      pictures:
        title: Pictures
        default: on
        endpoints:
          - signatures: [highway]
            companion: [msf]
    """

  @Test(arguments: [
    ("while the phone chats", 0, true), ("just after", 100, true), ("long after", 200, false),
  ])
  func `a chat of the capture vouches for media until the kernel would have forgotten it`(
    name: String, seconds: Int, isAllowed: Bool
  ) throws {
    let policy = try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: "version: 1\n"),
      packs: [SourceFile(path: "talk.yaml", text: Self.media)])
    let chat = ReplayTests.connection(
      to: "198.18.0.1:8080", hello: [ClassifierTests.msf],
      answer: hex("0000001b 0000000c 02 00 00000009 \"10001\" c5*8"))
    var capture = CaptureBuilder(packets: seconds == 0 ? Array(chat.dropLast(3)) : chat)
    let picture = ReplayTests.connection(
      from: "198.18.1.10:40002", to: "198.18.0.99:443",
      hello: [hex("28 00000004 00000004 0a020801 \"abcd\" 29")], answer: hex("28 00"))
    for (index, packet) in picture.enumerated() {
      capture.add(packet, after: index == 0 ? seconds * 1000 + 1 : 1)
    }
    let flows = try Self.replay(capture, policy)
    #expect(
      flows == [
        "allow signature-allowed msf",
        isAllowed ? "allow media-companion highway" : "deny no-companion highway",
      ], "\(name)")
  }

  /// Each flow in short, in the order of their first packets.
  private static func replay(_ capture: CaptureBuilder, _ policy: Policy) throws -> [String] {
    var flows: [(UInt64, String)] = []
    let replay = Replay(policy: policy, lan: []) { flow in
      flows.append(
        (
          flow.firstPacket,
          "\(flow.verdict.rawValue) \(flow.reason?.name ?? "-") \(flow.application.rawValue)"
        ))
    }
    var reader = CaptureReader()
    reader.append(capture.bytes)
    reader.append([])
    while case .packet(let packet) = try reader.next() {
      replay.packet(packet, Array(reader.buffer[packet.bytes]).raw)
    }
    replay.finish()
    return flows.sorted { $0.0 < $1.0 }.map(\.1)
  }

  // MARK: Bad input

  /// A connection for a name that no rule allows, a datagram, a fragment: over IPv4 and IPv6.
  static let refusedPackets: [[UInt8]] = {
    var packets = ReplayTests.connection(
      hello: ReplayTests.otherHello.pieces(of: 60), answer: ReplayTests.serverHello)
    packets += ReplayTests.connection(
      from: "[2001:2::10]:40001", to: "[2001:2::7]:443", hello: [ReplayTests.otherHello],
      answer: ReplayTests.serverHello)
    packets.append(
      UDPPacket(from: ReplayTests.phone, to: "198.18.0.9:123", payload: hex("00*20")).bytes)
    var part = IPPacket(
      from: ReplayTests.phone.address, to: ReplayTests.tls.address, proto: .udp,
      payload: hex("00*16"))
    part.fragment = 0x2000
    packets.append(part.bytes)
    return packets
  }()

  /// Replays a file whatever it holds; returns whether anything was allowed, and how many packets
  /// were read.
  static func survives(_ file: [UInt8], _ policy: Policy) -> (isAllowed: Bool, packets: UInt64) {
    var isAllowed = false
    let replay = Replay(policy: policy, lan: []) { flow in
      if flow.verdict == .allow { isAllowed = true }
      _ = flow.json(capture: "x")
      _ = flow.line
    }
    var reader = CaptureReader()
    reader.append(file)
    reader.append([])
    do throws(CaptureError) {
      while case .packet(let packet) = try reader.next() {
        replay.packet(packet, Array(reader.buffer[packet.bytes]).raw)
      }
    } catch {
      // A broken file is told so.
    }
    replay.finish()
    return (isAllowed, replay.summary.packets)
  }

  /// The same capture as every kind of file.
  static func files(_ packets: [[UInt8]]) -> [(name: String, bytes: [UInt8])] {
    func number(_ value: Int, _ count: Int, isBig: Bool) -> [UInt8] {
      let bytes = (0..<count).map { UInt8(value >> ($0 * 8) & 0xff) }
      return isBig ? bytes.reversed() : bytes
    }
    var files: [(String, [UInt8])] = []
    for isBig in [true, false] {
      func n4(_ value: Int) -> [UInt8] { number(value, 4, isBig: isBig) }
      func n2(_ value: Int) -> [UInt8] { number(value, 2, isBig: isBig) }
      for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
        var file = n4(magic) + n2(2) + n2(4) + n4(0) + n4(0) + n4(65535) + n4(101)
        for packet in packets {
          file += n4(1_763_683_200) + n4(0) + n4(packet.count) + n4(packet.count) + packet
        }
        files.append(("pcap \(magic) \(isBig)", file))
      }
      var file =
        n4(0x0a0d_0d0a) + n4(28) + n4(0x1a2b_3c4d) + n2(1) + n2(0)
        + [UInt8](repeating: 0xff, count: 8)
        + n4(28) + n4(1) + n4(20) + n2(101) + n2(0) + n4(0) + n4(20)
      for packet in packets {
        let padding = (4 - packet.count % 4) % 4
        let length = 32 + packet.count + padding
        file += n4(6) + n4(length) + n4(0) + n4(0) + n4(0) + n4(packet.count) + n4(packet.count)
        file += packet + [UInt8](repeating: 0, count: padding) + n4(length)
      }
      files.append(("pcapng \(isBig)", file))
    }
    return files
  }

  static func policy() throws -> Policy {
    try Policy.load(rules: SourceFile(path: "rules.yaml", text: ReplayTests.rules), packs: [])
  }

  @Test func `a file that is cut anywhere crashes nothing`() throws {
    let policy = try Self.policy()
    for (name, file) in Self.files(Self.refusedPackets) {
      #expect(Self.survives(file, policy) == (false, UInt64(Self.refusedPackets.count)), "\(name)")
      for length in stride(from: 0, to: file.count, by: 11) {
        #expect(!Self.survives(Array(file[..<length]), policy).isAllowed, "\(name) \(length)")
      }
    }
  }

  @Test func `a flipped bit crashes nothing, and allows nothing`() throws {
    let policy = try Self.policy()
    // Every bit in some kind of file.
    for (phase, (name, file)) in Self.files(Array(Self.refusedPackets.prefix(4))).enumerated() {
      for bit in stride(from: phase, to: file.count * 8, by: 6) {
        #expect(!Self.survives(file.flippingBit(bit), policy).isAllowed, "\(name) \(bit)")
      }
    }
  }

  @Test func `no length in any header crashes anything, or allows anything`() throws {
    let policy = try Self.policy()
    // A SYN and a segment over IPv4 and IPv6, the datagram and the fragment.
    let count = Self.refusedPackets.count
    for index in [0, 3, count / 2 + 1, count / 2 + 4, count - 2, count - 1] {
      for offset in 0..<min(68, Self.refusedPackets[index].count - 2) {
        for value in [0, 1, 0x7fff, 0x8000, 0xffff] as [UInt16] {
          var packets = Self.refusedPackets
          packets[index] = packets[index].overwriting(
            at: offset, [UInt8(value >> 8), UInt8(value & 0xff)])
          let (isAllowed, read) = Self.survives(CaptureBuilder(packets: packets).bytes, policy)
          #expect(!isAllowed, "packet \(index), offset \(offset), \(value)")
          #expect(read == UInt64(count))
        }
      }
    }
  }
}
