import PacketBuilder
import Testing
import Wire

private let endpoints: [(Endpoint, Endpoint)] = [
  ("198.18.1.7:40001", "198.18.0.7:443"), ("[2001:2::1:7]:40001", "[2001:2::7]:443"),
]

@Suite("The Internet checksum")
struct ChecksumTests {
  @Test("of RFC 1071's example")
  func example() {
    let bytes = hex("00 01 f2 03 f4 f5 f6 f7")
    #expect(Checksum.of(bytes.raw) == ~0xddf2)
  }

  @Test("of every length agrees with a sum over pairs")
  func lengths() {
    var bytes: [UInt8] = []
    for i in 0..<300 {
      #expect(Checksum.of(bytes.raw) == internetChecksum(bytes), "\(i) bytes")
      bytes.append(UInt8(truncatingIfNeeded: i &* 167 &+ 91))
    }
  }

  @Test("of TCP and UDP packets of any length is found right", arguments: endpoints)
  func packets(_ client: Endpoint, _ server: Endpoint) throws {
    for length in [0, 1, 2, 3, 7, 8, 9, 100, 1460, 1461, 65_000] {
      let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let tcp = TCPPacket(from: client, to: server, flags: .ack, payload: payload)
      let udp = UDPPacket(from: client, to: server, payload: payload)
      for bytes in [tcp.bytes, udp.bytes] {
        let header = try #require(IPHeader.parse(bytes.raw).value)
        #expect(transportIsValid(bytes, header), "\(length) bytes")
        #expect(headerIsValid(bytes, header))
      }
    }
  }

  @Test("of a packet joined by the kernel, 64 KiB of ones, is found right and wrong")
  func joined() throws {
    let payload = [UInt8](repeating: 0xff, count: 65_535 - 40)
    let packet = TCPPacket(from: endpoints[0].0, to: endpoints[0].1, flags: .ack, payload: payload)
    let good = packet.bytes
    let header = try #require(IPHeader.parse(good.raw).value)
    #expect(header.totalLength == 65_535)
    #expect(transportIsValid(good, header))
    let bad = packet.with { $0.checksum = 0x1234 }.bytes
    #expect(!transportIsValid(bad, header))
  }

  @Test("0 means none for UDP over IPv4, and is wrong over IPv6")
  func udpZero() throws {
    for (client, server) in endpoints {
      let bytes = UDPPacket(from: client, to: server).with { $0.checksum = 0 }.bytes
      let header = try #require(IPHeader.parse(bytes.raw).value)
      #expect(transportIsValid(bytes, header) == client.address.isIPv4)
    }
  }

  @Test("covers the addresses")
  func pseudoHeader() throws {
    for (client, server) in endpoints {
      let bytes = TCPPacket(from: client, to: server, flags: .syn).bytes
      let offset = client.address.isIPv4 ? 19 : 39
      let other = bytes.overwriting(at: offset, [8])
      let header = try #require(IPHeader.parse(other.raw).value)
      #expect(!transportIsValid(other, header))
    }
  }

  @Test("of a fragment can't be verified")
  func fragment() throws {
    let bytes = UDPPacket(from: endpoints[0].0, to: endpoints[0].1)
      .with { $0.ip.fragment = 0x2000 }.bytes
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(!transportIsValid(bytes, header))
  }

  @Test("of an IPv4 header is found wrong")
  func header() throws {
    let bytes = UDPPacket(from: endpoints[0].0, to: endpoints[0].1)
      .with { $0.ip.headerChecksum = 1 }.bytes
    let header = try #require(IPHeader.parse(bytes.raw).value)
    #expect(!headerIsValid(bytes, header))
  }
}
