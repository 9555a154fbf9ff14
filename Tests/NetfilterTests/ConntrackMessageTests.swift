import Queue
import Testing
import Wire

@testable import Netfilter

struct ConntrackMessageTests {
  /// The end of a masqueraded TCP connection: 198.18.0.2:40001 to 198.18.1.2:443 through 198.18.1.1.
  static let destroyed = hex(
    """
    e8000000         // nlmsg_len 232
    0201 0000        // subsystem 1 (ctnetlink), IPCTNL_MSG_CT_DELETE
    00000000 00000000
    02 00 0000       // nfgenmsg: AF_INET
    3400 0180        // nla_len 52, CTA_TUPLE_ORIG, nested
    1400 0180        //   CTA_TUPLE_IP
    0800 0100 c6120002 //   CTA_IP_V4_SRC 198.18.0.2
    0800 0200 c6120102 //   CTA_IP_V4_DST 198.18.1.2
    1c00 0280        //   CTA_TUPLE_PROTO
    0500 0100 06 000000 //   CTA_PROTO_NUM TCP
    0600 0200 9c41 0000 //   CTA_PROTO_SRC_PORT 40001
    0600 0300 01bb 0000 //   CTA_PROTO_DST_PORT 443
    3400 0280        // CTA_TUPLE_REPLY
    1400 0180        //   CTA_TUPLE_IP
    0800 0100 c6120102 //   198.18.1.2
    0800 0200 c6120101 //   198.18.1.1, the router: masqueraded
    1c00 0280        //   CTA_TUPLE_PROTO
    0500 0100 06 000000
    0600 0200 01bb 0000 //   443
    0600 0300 c350 0000 //   50000, the masquerade's port
    0800 0c00 deadbeef // CTA_ID
    0800 0300 0000028e // CTA_STATUS
    1c00 0980        // CTA_COUNTERS_ORIG
    0c00 0100 0000000000000005 // CTA_COUNTERS_PACKETS 5
    0c00 0200 0000000100000002 // CTA_COUNTERS_BYTES 4,294,967,298
    1c00 0a80        // CTA_COUNTERS_REPLY
    0c00 0100 0000000000000007
    0c00 0200 0000000000000400
    1c00 1480        // CTA_TIMESTAMP
    0c00 0100 1700000000000001 // CTA_TIMESTAMP_START
    0c00 0200 1700000000000002 // CTA_TIMESTAMP_STOP
    0800 0800 010000f0 // CTA_MARK
    """)

  func parse(_ bytes: [UInt8], isListed: Bool = false) -> ConntrackEntry? {
    var messages = unsafe MessageReader(bytes.span.bytes)
    guard let message = messages.next() else { return nil }
    return ConntrackEntry(message, isListed: isListed)
  }

  @Test func `Every field of an ended connection is found`() throws {
    #expect(Self.destroyed.count == 232)
    let entry = try #require(parse(Self.destroyed))
    #expect(entry.occasion == .destroyed)
    #expect(
      entry.original
        == FiveTuple(
          proto: .tcp, source: IPAddress(ipv4: 0xc612_0002), sourcePort: 40001,
          destination: IPAddress(ipv4: 0xc612_0102), destinationPort: 443))
    #expect(
      entry.reply
        == FiveTuple(
          proto: .tcp, source: IPAddress(ipv4: 0xc612_0102), sourcePort: 443,
          destination: IPAddress(ipv4: 0xc612_0101), destinationPort: 50000))
    #expect(entry.id == 0xdead_beef)
    #expect(entry.mark == 0x0100_00f0)
    #expect(entry.isCounted)
    #expect((entry.packetsUp, entry.bytesUp) == (5, 4_294_967_298))
    #expect((entry.packetsDown, entry.bytesDown) == (7, 1024))
    #expect((entry.began, entry.ended) == (0x1700_0000_0000_0001, 0x1700_0000_0000_0002))
  }

  @Test(arguments: [
    (1, false), (2, false), (3, false),  // SYN_SENT, SYN_RECV, ESTABLISHED
    (4, true), (5, true), (6, true), (7, true), (8, true),  // FIN_WAIT to CLOSE
    (9, false),  // SYN_SENT2
  ])
  func `A TCP connection that an end has closed is told from one that lives`(
    state: UInt8, isClosing: Bool
  ) throws {
    var bytes = Self.destroyed
    bytes[0] = 0xf8  // nlmsg_len 248
    bytes += hex(
      """
      1000 0480            // CTA_PROTOINFO, nested
      0c00 0180            //   CTA_PROTOINFO_TCP
      0500 0100 00 000000  //     CTA_PROTOINFO_TCP_STATE
      """)
    bytes[bytes.count - 4] = state
    let entry = try #require(parse(bytes))
    #expect(entry.isClosing == isClosing)
    #expect(entry.id == 0xdead_beef)
  }

  @Test func `An IPv6 connection of ICMP, without counts or mark`() throws {
    let tuple = """
      2c00 0180                                             //   CTA_TUPLE_IP
      1400 0300 20010002 0000000a 00000000 00000002         //   CTA_IP_V6_SRC
      1400 0400 20010002 0000000b 00000000 00000002         //   CTA_IP_V6_DST
      2400 0280                                             //   CTA_TUPLE_PROTO
      0500 0100 3a 000000                                   //   ICMPv6
      0600 0700 1234 0000                                   //   CTA_PROTO_ICMPV6_ID
      0500 0800 80 000000 0500 0900 00 000000               //   type, code
      """
    let entry = try #require(
      parse(
        hex(
          """
          bc000000 0001 0200 00000000 00000000 0a000000 // IPCTNL_MSG_CT_NEW, NLM_F_MULTI, AF_INET6
          5400 0180 \(tuple)
          5400 0280 \(tuple)
          """), isListed: true))
    #expect(entry.occasion == .listed)
    #expect(entry.original.proto == .icmpv6)
    #expect(entry.original.source.bits == 0x2001_0002_0000_000a_0000_0000_0000_0002)
    #expect(entry.original.destination.bits == 0x2001_0002_0000_000b_0000_0000_0000_0002)
    #expect((entry.original.sourcePort, entry.original.destinationPort) == (0, 0))
    #expect(!entry.isCounted)
    #expect(entry.packetsUp == 0)
    #expect(entry.bytesUp == 0)
    #expect(entry.mark == 0)
    #expect(entry.id == 0)
  }

  @Test(
    arguments: [
      ("0001 0006", .created),  // NLM_F_CREATE | NLM_F_EXCL
      ("0001 0000", .updated),
      ("0201 0000", .destroyed),
    ] as [(String, ConntrackEntry.Occasion)])
  func `Type and flags tell beginnings, changes and ends apart`(
    typeAndFlags: String, occasion: ConntrackEntry.Occasion
  ) {
    var bytes = Self.destroyed
    bytes.replaceSubrange(4..<8, with: hex(typeAndFlags))
    #expect(parse(bytes)?.occasion == occasion)
  }

  @Test(arguments: ["0301 0000", "0003 0000", "0002 0000", "0300 0000"])
  func `A message of another type is no connection`(typeAndFlags: String) {
    var bytes = Self.destroyed
    bytes.replaceSubrange(4..<8, with: hex(typeAndFlags))
    #expect(parse(bytes) == nil)
  }

  @Test func `Without both tuples it is no connection`() {
    // Up to the end of CTA_TUPLE_ORIG: 16 + 4 + 52 bytes.
    #expect(parse(Array(Self.destroyed[..<72])) == nil)
    // CTA_PROTO_NUM of the reply becomes an unknown attribute.
    var bytes = Self.destroyed
    bytes[72 + 4 + 20 + 4 + 2] = 0x3f
    #expect(parse(bytes) == nil)
  }

  @Test func `A message cut anywhere, or damaged in a byte, never crashes`() {
    for count in Self.destroyed.indices { _ = parse(Array(Self.destroyed[..<count])) }
    for position in Self.destroyed.indices {
      for value: UInt8 in [0x00, 0x01, 0x03, 0x7f, 0x80, 0xff] {
        var bytes = Self.destroyed
        bytes[position] = value
        _ = parse(bytes)
      }
    }
  }

  // MARK: Requests

  static let tuple = FiveTuple(
    proto: .tcp, source: IPAddress(ipv4: 0xc612_0002), sourcePort: 40001,
    destination: IPAddress(ipv4: 0xc612_0102), destinationPort: 443)

  func encode(_ body: (inout MessageWriter) -> Void) -> [UInt8] {
    var writer = MessageWriter(capacity: 512)
    body(&writer)
    return writer.withBytes(array)
  }

  @Test func `A list of all asks for both families, without a filter`() {
    #expect(
      encode { $0.putConntrackDump(sequence: 9, mark: nil) }
        == hex(
          """
          14000000 0101 0103 09000000 00000000 // IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP
          00 00 0000                           // AF_UNSPEC
          """))
  }

  @Test func `A list by mark lets the kernel compare under the mask`() {
    #expect(
      encode { $0.putConntrackDump(sequence: 9, mark: (0x0100_0000, 0x0700_0000)) }
        == hex(
          """
          24000000 0101 0103 09000000 00000000 00000000
          0800 0800 01000000                   // CTA_MARK
          0800 1500 07000000                   // CTA_MARK_MASK
          """))
  }

  @Test func `A mark is changed under its mask, and no connection is ever made`() throws {
    let mask = try #require(MarkMask(bits: 0x0700_0000))
    #expect(
      encode { $0.putConntrackMark(Self.tuple, .denied, mask: mask, sequence: 3) }
        == hex(
          """
          58000000 0001 0500 03000000 00000000 // IPCTNL_MSG_CT_NEW, NLM_F_REQUEST | NLM_F_ACK only
          02 00 0000                           // AF_INET
          3400 0180                            // CTA_TUPLE_ORIG
          1400 0180 0800 0100 c6120002 0800 0200 c6120102
          1c00 0280 0500 0100 06 000000 0600 0200 9c41 0000 0600 0300 01bb 0000
          0800 0800 02000000                   // CTA_MARK: state 2
          0800 1500 07000000                   // CTA_MARK_MASK: these bits are replaced
          """))
  }

  @Test func `A deletion names the connection in IPv6 too`() {
    let tuple = FiveTuple(
      proto: .udp, source: IPAddress(ipv6: 0x2001_0002_0000_000a_0000_0000_0000_0002),
      sourcePort: 5000, destination: IPAddress(ipv6: 0x2001_0002_0000_000b_0000_0000_0000_0002),
      destinationPort: 53)
    #expect(
      encode { $0.putConntrackDelete(tuple, sequence: 4) }
        == hex(
          """
          60000000 0201 0500 04000000 00000000 // IPCTNL_MSG_CT_DELETE
          0a 00 0000                           // AF_INET6
          4c00 0180                            // CTA_TUPLE_ORIG
          2c00 0180                            // CTA_TUPLE_IP
          1400 0300 20010002 0000000a 00000000 00000002
          1400 0400 20010002 0000000b 00000000 00000002
          1c00 0280 0500 0100 11 000000 0600 0200 1388 0000 0600 0300 0035 0000
          """))
  }
}
