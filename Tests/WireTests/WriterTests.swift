import PacketBuilder
import Testing
import Wire

private let endpoints: [(Endpoint, Endpoint)] = [
  ("198.18.1.7:40001", "198.18.0.7:443"), ("[2001:2::1:7]:40001", "[2001:2::7]:443"),
]

@Suite("A TCP reset")
struct TCPResetTests {
  @Test("is what its parts say, with right checksums", arguments: endpoints)
  func fields(_ client: Endpoint, _ server: Endpoint) throws {
    for acknowledgement in [nil, UInt32(77)] {
      let packet = TCPReset.packet(
        FiveTuple(from: server, to: client), sequence: 0xffff_fff0,
        acknowledgement: acknowledgement)
      let ip = try #require(IPHeader.parse(packet.raw).value)
      let tcp = try #require(TCPHeader.parse(packet.raw.extracting(ip.payload)).value)
      #expect(ip.source == server.address && ip.destination == client.address)
      #expect(ip.totalLength == packet.count)
      #expect(ip.hopLimit == 64)
      #expect(tcp.sourcePort == 443 && tcp.destinationPort == 40001)
      #expect(tcp.sequence == 0xffff_fff0)
      #expect(tcp.acknowledgement == acknowledgement ?? 0)
      #expect(tcp.flags == (acknowledgement == nil ? .rst : [.rst, .ack]))
      #expect(tcp.window == 0)
      #expect(transportIsValid(packet, ip))
      #expect(headerIsValid(packet, ip))
    }
  }

  @Test("is the packet that the tests' own builder makes")
  func bytes() {
    for (client, server) in endpoints {
      let built = TCPPacket(from: client, to: server, flags: .rst, sequence: 9)
        .with { $0.window = 0 }.bytes
      #expect(
        TCPReset.packet(FiveTuple(from: client, to: server), sequence: 9, acknowledgement: nil)
          == built)
    }
  }
}

@Suite("A TCP segment")
struct TCPSegmentTests {
  @Test("is the packet that the tests' own builder makes", arguments: endpoints)
  func bytes(_ client: Endpoint, _ server: Endpoint) throws {
    for payload in [[], [1], [UInt8](repeating: 7, count: 1_220)] as [[UInt8]] {
      let built = TCPPacket(
        from: server, to: client, flags: [.fin, .psh, .ack], sequence: 0xffff_ffff,
        acknowledgement: 77, payload: payload
      ).with { $0.window = 512 }.bytes
      let packet = TCPSegment.packet(
        FiveTuple(from: server, to: client), [.fin, .psh], sequence: 0xffff_ffff,
        acknowledgement: 77, window: 512, payload: payload)
      #expect(packet == built)
    }
  }
}

@Suite("A UDP datagram")
struct UDPDatagramTests {
  @Test("is the packet that the tests' own builder makes", arguments: endpoints)
  func bytes(_ client: Endpoint, _ server: Endpoint) {
    for payload in [[], [1], hex("00*1200 7f")] as [[UInt8]] {
      #expect(
        UDPDatagram.packet(FiveTuple(.udp, from: client, to: server), payload: payload)
          == UDPPacket(from: client, to: server, payload: payload).bytes)
    }
  }

  @Test("whose checksum comes out as 0 has all ones")
  func zeroChecksum() throws {
    let tuple = FiveTuple(.udp, from: endpoints[0].0, to: endpoints[0].1)
    // Of two payload bytes one pair makes the sum come out so.
    var found = false
    for pair in 0...UInt16.max {
      let payload = [UInt8(pair >> 8), UInt8(pair & 0xff)]
      let packet = UDPDatagram.packet(tuple, payload: payload)
      if packet[26] == 0xff, packet[27] == 0xff { found = true }
      #expect(packet[26] != 0 || packet[27] != 0)
    }
    #expect(found)
  }
}

@Suite("A SYN without its payload")
struct RewriteTests {
  @Test("is the packet that never had one", arguments: endpoints)
  func strip(_ client: Endpoint, _ server: Endpoint) throws {
    let bare = TCPPacket(
      from: client, to: server, flags: .syn, sequence: 1000,
      options: [.maximumSegmentSize(1460), .fastOpen([1, 2, 3, 4, 5, 6, 7, 8])]
    ).with { $0.ip.identification = 7 }
    let full = bare.with { $0.payload = .ascii("GET / HTTP/1.1\r\n") }.bytes
    let ip = try #require(IPHeader.parse(full.raw).value)
    let tcp = try #require(TCPHeader.parse(full.raw.extracting(ip.payload)).value)
    #expect(Rewrite.withoutPayload(full.raw, ip, tcp) == bare.bytes)
  }

  @Test("keeps options and extension headers")
  func options() throws {
    let four = TCPPacket(from: endpoints[0].0, to: endpoints[0].1, flags: .syn)
      .with { $0.ip.options = hex("94 04 0000") }
    let six = TCPPacket(from: endpoints[1].0, to: endpoints[1].1, flags: [.syn, .fin])
      .with { $0.ip.extensions = [.hopByHop, .destinationOptions] }
    for bare in [four, six] {
      let full = bare.with { $0.payload = [1, 2, 3] }.bytes
      let ip = try #require(IPHeader.parse(full.raw).value)
      let tcp = try #require(TCPHeader.parse(full.raw.extracting(ip.payload)).value)
      #expect(Rewrite.withoutPayload(full.raw, ip, tcp) == bare.bytes)
    }
  }
}
