import PacketBuilder
import System
import Testing
import Wire

@testable import imgate

/// Fragments are put together as conntrack does it.
@Suite struct FragmentsTests {
  static let from: Endpoint = "198.18.1.10:40001"
  static let to: Endpoint = "198.18.0.7:443"
  static let start = Instant(nanoseconds: 1_000_000_000_000)

  /// A part of a packet: where its data begins and ends, whether more follow.
  struct Part {
    let range: Range<Int>
    let hasMore: Bool

    init(_ range: Range<Int>, more: Bool) {
      self.range = range
      hasMore = more
    }
  }

  /// 32 bytes that are to arrive: those of a UDP datagram.
  static let data = UDPPacket(from: from, to: to, payload: hex("00 01 02 03*21")).datagram

  static func ipv4(_ part: Part, of data: [UInt8] = data, identification: UInt16 = 7) -> [UInt8] {
    var packet = IPPacket(
      from: from.address, to: to.address, proto: .udp, payload: Array(data[part.range]))
    packet.identification = identification
    packet.fragment = (part.hasMore ? 0x2000 : 0) | UInt16(part.range.lowerBound / 8)
    return packet.bytes
  }

  static func ipv6(_ part: Part) -> [UInt8] {
    var packet = IPPacket(
      from: address("2001:2::10"), to: address("2001:2::7"), proto: .udp,
      payload: Array(data[part.range]))
    packet.extensions = [
      .hopByHop,
      .fragment(
        offset: UInt16(part.range.lowerBound / 8), more: part.hasMore, identification: 0x01020304),
    ]
    return packet.bytes
  }

  /// Hands over packets a millisecond apart; returns what became whole.
  static func add(
    _ packets: [[UInt8]], to fragments: inout Fragments, after wait: Instant.Span = .milliseconds(1)
  ) throws -> [[UInt8]] {
    var now = start
    var whole: [[UInt8]] = []
    for packet in packets {
      let ip = try #require(parsed(packet))
      fragments.expire(now)
      if let done = fragments.add(packet.raw, ip, isCut: false, now: now) {
        whole.append(done.bytes)
      }
      now = now + wait
    }
    fragments.expire(now)
    return whole
  }

  static func parsed(_ packet: [UInt8]) -> IPHeader? {
    guard case .done(let ip) = IPHeader.parse(packet.raw) else { return nil }
    return ip
  }

  static let inOrder = [
    Part(0..<16, more: true), Part(16..<24, more: true), Part(24..<32, more: false),
  ]

  @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]], [true, false])
  func `in any order they make the packet, without a trace`(order: [Int], isIPv4: Bool) throws {
    var fragments = Fragments()
    let packets = order.map {
      isIPv4 ? Self.ipv4(Self.inOrder[$0]) : Self.ipv6(Self.inOrder[$0])
    }
    let whole = try Self.add(packets, to: &fragments)
    #expect(whole.count == 1)
    let bytes = try #require(whole.first)
    let ip = try #require(Self.parsed(bytes))
    #expect(!ip.isFragment)
    #expect(ip.proto == .udp)
    #expect(ip.totalLength == bytes.count)
    #expect(Array(bytes[ip.payload]) == Self.data)
    // The hop-by-hop options stay, the fragment header goes.
    #expect(bytes.count == (isIPv4 ? 20 : 48) + Self.data.count)
    #expect(fragments.waiting == 0)
    #expect(fragments.dropped == 0)
  }

  @Test(arguments: [
    (
      "an overlap",
      [Part(0..<16, more: true), Part(8..<24, more: true), Part(24..<32, more: false)]
    ),
    (
      "two ends",
      [Part(0..<16, more: true), Part(24..<32, more: false), Part(16..<24, more: false)]
    ),
    ("more behind the end", [Part(8..<16, more: false), Part(16..<32, more: true)]),
    ("an end before what is there", [Part(16..<32, more: true), Part(8..<16, more: false)]),
    ("a gap", [Part(0..<16, more: true), Part(24..<32, more: false)]),
    ("no beginning", [Part(8..<16, more: true), Part(16..<32, more: false)]),
  ])
  func `what conntrack would drop never becomes a packet`(name: String, parts: [Part]) throws {
    for make in [{ Self.ipv4($0) }, { Self.ipv6($0) }] as [(Part) -> [UInt8]] {
      var fragments = Fragments()
      #expect(try Self.add(parts.map(make), to: &fragments).isEmpty, "\(name)")
      fragments.removeAll()
      #expect(fragments.dropped == UInt64(parts.count), "\(name)")
      #expect(fragments.waiting == 0, "\(name)")
    }
  }

  @Test func `a copy counts for nothing, whatever it says`() throws {
    var fragments = Fragments()
    let other = Self.ipv4(Part(0..<16, more: true), of: [UInt8](repeating: 0xee, count: 32))
    let packets = [Self.ipv4(Self.inOrder[0]), other, Self.ipv4(Self.inOrder[1])]
    let whole = try Self.add(packets + [Self.ipv4(Self.inOrder[2])], to: &fragments)
    #expect(whole.map { Array($0.dropFirst(20)) } == [Self.data])
    #expect(fragments.dropped == 1)
  }

  @Test func `packets of several numbers don't mix, and what takes too long is dropped`() throws {
    var fragments = Fragments()
    let halves = [Part(0..<16, more: true), Part(16..<32, more: false)]
    let mixed = [Self.ipv4(halves[0], identification: 1), Self.ipv4(halves[1], identification: 2)]
    #expect(try Self.add(mixed, to: &fragments).isEmpty)
    fragments.expire(Self.start + .seconds(29))
    #expect(fragments.dropped == 0)
    fragments.expire(Self.start + .seconds(31))
    #expect(fragments.dropped == 2)
    #expect(fragments.waiting == 0)
  }

  @Test func `a packet of more than 64 KiB is none`() throws {
    var fragments = Fragments()
    var last = IPPacket(
      from: Self.from.address, to: Self.to.address, proto: .udp, payload: hex("00*64"))
    last.fragment = 0x1fff
    #expect(try Self.add([last.bytes], to: &fragments).isEmpty)
    #expect(fragments.dropped == 1)
    #expect(fragments.waiting == 0)
  }

  @Test func `memory stays bounded, and time frees it`() throws {
    var fragments = Fragments()
    let data = [UInt8](repeating: 0, count: 1400)
    for number in 0..<10_000 {
      let packet = Self.ipv4(
        Part(0..<1400, more: true), of: data, identification: UInt16(number))
      let ip = try #require(Self.parsed(packet))
      _ = fragments.add(packet.raw, ip, isCut: false, now: Self.start)
    }
    #expect(fragments.waiting <= 4 << 20 + 2000)
    fragments.expire(Self.start + .seconds(31))
    #expect(fragments.waiting == 0)
    #expect(fragments.dropped == 10_000)
  }
}
