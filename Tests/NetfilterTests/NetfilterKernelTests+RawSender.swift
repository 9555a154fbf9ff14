import CSystem
import Queue
import System
import Testing
import Wire

@testable import Netfilter

extension NetfilterKernelTests {
  /// What is needed of a TCP packet to forge its resets.
  struct Segment {
    var ipv6 = false
    var source: UInt16 = 0
    var sequence: UInt32 = 0
    var acknowledgement: UInt32 = 0

    init(_ packet: RawSpan) {
      ipv6 = packet.byte(at: 0) >> 4 == 6
      let start = ipv6 ? 40 : 20
      source = packet.network16(at: start)
      sequence = packet.network32(at: start + 4)
      acknowledgement = packet.network32(at: start + 8)
    }
  }

  /// A TCP reset as an IP packet, checksums right.
  func reset(_ tuple: FiveTuple, sequence: UInt32) -> [UInt8] {
    let ipv6 = !tuple.source.isIPv4
    func bytes(_ address: IPAddress) -> [UInt8] {
      let all = (0..<16).map { UInt8(truncatingIfNeeded: address.bits >> UInt128(120 - 8 * $0)) }
      return ipv6 ? all : Array(all[12...])
    }
    var tcp: [UInt8] = []
    for word in [UInt32(tuple.sourcePort) << 16 | UInt32(tuple.destinationPort), sequence, 0] {
      tcp += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
    }
    // Header of 5 words, RST, no window, checksum, no urgent pointer.
    tcp += [0x50, 0x04, 0, 0, 0, 0, 0, 0]
    let addresses = bytes(tuple.source) + bytes(tuple.destination)
    // The pseudo-header: addresses, length 20, protocol 6.
    let sum = ~onesComplementSum(tcp[...], from: UInt32(onesComplementSum(addresses[...])) + 26)
    (tcp[16], tcp[17]) = (UInt8(sum >> 8), UInt8(sum & 0xff))
    // IPv6: version, payload length 20, next header 6, hop limit. IPv4: header of 5 words, length
    // 40, no fragment, time to live, protocol 6, header checksum.
    if ipv6 { return [0x60, 0, 0, 0, 0, 20, 6, 64] + addresses + tcp }
    var packet: [UInt8] = [0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]
    packet.append(contentsOf: addresses + tcp)
    setIPv4Checksum(&packet)
    return packet
  }

  @Test(arguments: [false, true])
  func `A raw reset from the other end's address ends the connection at both ends`(ipv6: Bool)
    throws
  {
    let queue = try queue()
    let server = LabSocket.tcp(in: "nfk-server", ipv6: ipv6)
    server.bind(port: 5003)
    server.listen()
    let client = LabSocket.tcp(in: "nfk-client", ipv6: ipv6)
    client.connect(ipv6 ? Lab.serverIPv6 : Lab.serverIPv4, 5003, block: false)
    var last: Segment?
    while last == nil || last?.acknowledgement == 0 {
      try take(1, from: queue) { packet, queued in
        last = Segment(queued.bytes)
        packet.settle(.pass(.opened))
      }
      try queue.flush()
    }
    let accepted = server.accept()
    let segment = try #require(last)
    let sender = try RawSender()
    let tuple = FiveTuple(
      proto: .tcp, source: ipv6 ? Lab.clientIPv6 : Lab.clientIPv4, sourcePort: segment.source,
      destination: ipv6 ? Lab.serverIPv6 : Lab.serverIPv4, destinationPort: 5003)
    try sender.send(
      reset(tuple.reversed, sequence: segment.acknowledgement), to: tuple.source, mark: 0x0200_0000)
    #expect(client.receive() == .failure(SystemError("recv", code: ECONNRESET)))
    try sender.send(reset(tuple, sequence: segment.sequence), to: tuple.destination, mark: 0)
    #expect(accepted.receive() == .failure(SystemError("recv", code: ECONNRESET)))
  }

  @Test func `A raw reset towards the server is masqueraded like its connection`() throws {
    let server = LabSocket.tcp(in: "nfk-server")
    server.bind(port: 5106)
    server.listen()
    let client = LabSocket.tcp(in: "nfk-client")
    client.connect(Lab.serverIPv4, 5106)
    let accepted = server.accept()
    let sender = try RawSender()
    let tuple = FiveTuple(
      proto: .tcp, source: Lab.clientIPv4, sourcePort: client.localPort,
      destination: Lab.serverIPv4, destinationPort: 5106)
    try sender.send(reset(tuple, sequence: client.nextSequence), to: Lab.serverIPv4, mark: 0)
    #expect(accepted.receive() == .failure(SystemError("recv", code: ECONNRESET)))
  }

  @Test func `The mark of a raw packet is seen by the rules of OUTPUT`() throws {
    let sender = try RawSender()
    let before = try #require(try Lab.packetsCounted(chain: "OUTPUT", byRuleWith: "0x2000000"))
    let tuple = FiveTuple(
      proto: .tcp, source: Lab.serverIPv4, sourcePort: 1, destination: Lab.clientIPv4,
      destinationPort: 2)
    try sender.send(reset(tuple, sequence: 1), to: tuple.destination, mark: 0x0200_0000)
    try sender.send(reset(tuple, sequence: 1), to: tuple.destination, mark: 0)
    #expect(try Lab.packetsCounted(chain: "OUTPUT", byRuleWith: "0x2000000") == before + 1)
  }

  @Test func `A packet without a route is a typed error`() throws {
    let sender = try RawSender()
    let nowhere = IPAddress(ipv6: 0x2001_0002_ffff_0000_0000_0000_0000_0001)
    let tuple = FiveTuple(
      proto: .tcp, source: Lab.clientIPv6, sourcePort: 1, destination: nowhere, destinationPort: 2)
    let packet = reset(tuple, sequence: 1)
    #expect(throws: NetfilterError(.sendPacket, code: ENETUNREACH)) {
      try sender.send(packet, to: nowhere, mark: 0)
    }
  }

  @Test func `An interface has its addresses and prefixes`() throws {
    let lan = try #require(try Interfaces.all().first { $0.name == "lan" })
    #expect(lan.index == Interfaces.index(of: "lan"))
    #expect(lan.isUp)
    let expected = try [
      #require(IPPrefix(IPAddress(ipv4: 0xc612_0000), length: 24)),
      #require(IPPrefix(IPAddress(ipv6: 0x2001_0002_0000_000a << 64), length: 64)),
    ]
    for prefix in expected { #expect(lan.prefixes.contains(prefix)) }
    // And its link-local address, fe80::/64.
    #expect(lan.addresses.count == 3)
    #expect(Interfaces.index(of: "no-such-name") == nil)
  }
}
