import PacketBuilder
import Testing
import Wire

private let client: Endpoint = "198.18.1.7:40001"
private let server: Endpoint = "198.18.0.7:443"
private let client6: Endpoint = "[2001:2::1:7]:40001"
private let server6: Endpoint = "[2001:2::7]:443"

private func udp6(_ extensions: IPv6Extension...) -> [UInt8] {
  UDPPacket(from: client6, to: server6, payload: .ascii("hello"))
    .with { $0.ip.extensions = extensions }.bytes
}

@Suite("An IPv4 header")
struct IPv4HeaderTests {
  @Test("gives addresses, protocol and payload")
  func plain() throws {
    // RFC 791 §3.1, field by field.
    let bytes = hex(
      """
      45 00 001d ; version 4, header of 5 words, total length 29
      1234 4000 ; identification, don't fragment
      3f 11 0000 ; time to live 63, UDP, checksum
      c6120107 c6120007 ; 198.18.1.7 to 198.18.0.7
      9c41 01bb 0009 0000 61 ; UDP, one byte of payload
      """)
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.source == client.address)
    #expect(header.destination == server.address)
    #expect(header.proto == .udp)
    #expect(header.payload == 20..<29)
    #expect(header.totalLength == 29)
    #expect(header.hopLimit == 63)
    #expect(!header.hasOptions)
    #expect(!header.isFragment)
  }

  @Test("with options says so, and the payload begins behind them")
  func options() throws {
    let bytes = UDPPacket(from: client, to: server).with { $0.ip.options = hex("94 04 0000") }.bytes
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.hasOptions)
    #expect(header.payload == 24..<32)
    #expect(headerIsValid(bytes, header))
  }

  @Test("leaves out what the link padded")
  func padding() throws {
    let bytes = UDPPacket(from: client, to: server, payload: [1]).bytes + hex("00*17")
    #expect(try #require(IPHeader.parse(bytes.raw).value).payload == 20..<29)
  }

  @Test(
    "of a fragment says so",
    arguments: [(0x0000, false), (0x4000, false), (0x2000, true), (0x0001, true), (0x3fff, true)])
  func fragments(_ field: UInt16, _ isFragment: Bool) throws {
    let bytes = UDPPacket(from: client, to: server).with { $0.ip.fragment = field }.bytes
    #expect(try #require(IPHeader.parse(bytes.raw).value).isFragment == isFragment)
  }

  @Test("whose packet was cut needs more")
  func prefixes() {
    let bytes = UDPPacket(from: client, to: server, payload: .ascii("hello")).bytes
    for count in 0..<bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(IPHeader.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
  }

  @Test(
    "that contradicts itself is malformed",
    arguments: [
      Fixture(
        "header of four words", UDPPacket(from: client, to: server).bytes.overwriting(at: 0, [0x44])
      ),
      Fixture(
        "length below the header",
        UDPPacket(from: client, to: server).with { $0.ip.length = 19 }.bytes),
      Fixture("version 5", UDPPacket(from: client, to: server).bytes.overwriting(at: 0, [0x55])),
    ])
  func malformed(_ fixture: Fixture) {
    #expect(IPHeader.parse(fixture.bytes.raw).malformation != nil)
  }
}

@Suite("An IPv6 header")
struct IPv6HeaderTests {
  @Test("gives addresses, protocol and payload")
  func plain() throws {
    let bytes = udp6()
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.source == client6.address)
    #expect(header.destination == server6.address)
    #expect(header.proto == .udp)
    #expect(header.payload == 40..<53)
    #expect(header.totalLength == 53)
    #expect(header.hopLimit == 64)
    #expect(!header.hasOptions)
  }

  @Test(
    "with extension headers: the transport is found behind them",
    arguments: [
      [IPv6Extension.hopByHop],
      [.destinationOptions],
      [.routing(segmentsLeft: 0)],
      [.fragment(offset: 0, more: false)],
      [
        .hopByHop, .destinationOptions, .routing(segmentsLeft: 0),
        .fragment(offset: 0, more: false), .destinationOptions,
      ],
    ])
  func chains(_ chain: [IPv6Extension]) throws {
    var packet = UDPPacket(from: client6, to: server6, payload: .ascii("hello"))
    packet.ip.extensions = chain
    let bytes = packet.bytes
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.proto == .udp)
    #expect(header.payload.lowerBound == 40 + 8 * chain.count)
    #expect(header.hasOptions)
    #expect(!header.isFragment)
    #expect(transportIsValid(bytes, header))
    for count in 0..<bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(IPHeader.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
  }

  @Test("with a long extension header")
  func longExtension() throws {
    let bytes = udp6(
      IPv6Extension(number: 60, rest: [3, 1, 28] + [UInt8](repeating: 0, count: 28)))
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.payload.lowerBound == 72)
  }

  @Test("of a fragment says so, and looks for nothing behind a later one")
  func fragments() throws {
    let first = udp6(.fragment(offset: 0, more: true))
    let later = udp6(.fragment(offset: 1, more: false), .destinationOptions)
    #expect(try #require(IPHeader.parse(first.raw).value).isFragment)
    let header = try #require(IPHeader.parse(later.raw).value)
    #expect(header.isFragment)
    #expect(header.proto.number == 60)
    #expect(header.payload.lowerBound == 48)
  }

  @Test(
    "ends at authentication, ESP and what is not known",
    arguments: [51, 50, 59, 135, 41, 4] as [UInt8])
  func otherProtocols(_ number: UInt8) throws {
    let bytes = IPPacket(
      from: client6.address, to: server6.address, proto: IPProtocol(number), payload: hex("00*24")
    ).bytes
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(header.proto.number == number)
    #expect(header.payload == 40..<64)
  }

  @Test(
    "that contradicts itself is malformed",
    arguments: [
      Fixture("hop-by-hop options behind another", udp6(.destinationOptions, .hopByHop)),
      Fixture("hop-by-hop options twice", udp6(.hopByHop, .hopByHop)),
      Fixture("source route that goes on", udp6(.routing(segmentsLeft: 1))),
      Fixture(
        "six extension headers",
        udp6(
          .destinationOptions, .destinationOptions, .destinationOptions, .destinationOptions,
          .destinationOptions, .destinationOptions)),
      Fixture(
        "extension header longer than the packet",
        udp6(IPv6Extension(number: 60, rest: hex("ff 0104 00000000")))),
      Fixture(
        "extension header cut by the length",
        UDPPacket(from: client6, to: server6).with {
          $0.ip.extensions = [.destinationOptions]
          $0.ip.length = 7
        }.bytes),
      Fixture(
        "jumbogram",
        UDPPacket(from: client6, to: server6).with {
          $0.ip.extensions = [IPv6Extension(number: 0, rest: hex("00 c204 00010000"))]
          $0.ip.length = 0
        }.bytes),
      Fixture("IPv4-mapped source", udp6().overwriting(at: 8, hex("00*10 ffff c6120107"))),
      Fixture("IPv4-mapped destination", udp6().overwriting(at: 24, hex("00*10 ffff c6120007"))),
    ])
  func malformed(_ fixture: Fixture) {
    #expect(IPHeader.parse(fixture.bytes.raw).malformation != nil)
  }
}

@Suite("Packets with one bit wrong")
struct PacketBitFlipTests {
  @Test(
    "never lead a parser past their end",
    arguments: [
      Fixture(
        "TCP over IPv4",
        TCPPacket(
          from: client, to: server, flags: .syn,
          options: [
            .maximumSegmentSize(1460), .timestamp(1, echo: 2), .fastOpen([1, 2, 3, 4, 5, 6]),
          ],
          payload: [1, 2, 3]
        ).bytes),
      Fixture(
        "TCP over IPv6",
        TCPPacket(from: client6, to: server6, flags: .ack, payload: [1]).with {
          $0.ip.extensions = [
            .hopByHop, .routing(segmentsLeft: 0), .fragment(offset: 0, more: false),
          ]
        }.bytes),
      Fixture("UDP over IPv6", udp6(.destinationOptions)),
    ])
  func bitFlips(_ fixture: Fixture) {
    for bit in 0..<fixture.bytes.count * 8 {
      let flipped = fixture.bytes.flippingBit(bit)
      guard let header = IPHeader.parse(flipped.raw).value else { continue }
      #expect(header.payload.upperBound <= flipped.count)
      let segment = flipped.raw.extracting(header.payload)
      if let tcp = TCPHeader.parse(segment).value {
        #expect(tcp.headerLength <= header.payload.count)
        if header.proto == .tcp { _ = Rewrite.withoutPayload(flipped.raw, header, tcp) }
      }
      _ = UDPHeader.parse(segment)
      // One flipped bit in what the checksum covers is always found.
      if header.payload.contains(bit / 8), header.proto == .tcp || header.proto == .udp,
        !header.isFragment
      {
        #expect(!transportIsValid(flipped, header), "bit \(bit)")
      }
    }
  }
}
