import Queue
import Testing
import Wire

@testable import Netfilter

struct QueuedPacketTests {
  /// A packet message as Linux 6.18 sends it for a forwarded UDP datagram.
  static let message = hex(
    """
    74000000      // nlmsg_len 116
    0003 0000     // subsystem 3 (queue), message 0 (packet); no flags
    00000000      // nlmsg_seq
    00000000      // nlmsg_pid
    02 00 0028    // nfgenmsg: AF_INET, version 0, queue 40
    0b00 0100     // nla_len 11, NFQA_PACKET_HDR
    00000007      // packet id 7
    0800          // hw_protocol: IPv4
    02            // hook: NF_INET_FORWARD
    00            // padding
    0800 0500     // NFQA_IFINDEX_INDEV
    00000002
    0800 0600     // NFQA_IFINDEX_OUTDEV
    00000003
    0800 0300     // NFQA_MARK
    030000f0      // state 3, and f0 of somebody else
    1000 0900     // nla_len 16, NFQA_HWADDR
    0006 0000     // length 6, padding
    02005e100001 0000  // 02:00:5e:10:00:01
    0800 0e00     // NFQA_SKB_INFO
    00000005      // NFQA_SKB_CSUMNOTREADY, NFQA_SKB_CSUM_NOTVERIFIED
    2200 0a00     // nla_len 34, NFQA_PAYLOAD
    4500001e 00014000 3f110000 c6120002 c6120102 // IPv4, 30 bytes, UDP
    1388 1389 000a 0000 6869                     // ports, length 10, no checksum, "hi"
    0000          // padding
    """)

  struct Facts: Equatable {
    var id: UInt32
    var bytes: [UInt8] = []
    var (input, output, mark): (UInt32, UInt32, UInt32) = (0, 0, 0)
    var hook: UInt8 = 0
    var hardwareAddress = MACAddress.unknown
    var checksumIsFinal = true
    var isTruncated = false

    init(id: UInt32) { self.id = id }

    init(_ packet: borrowing QueuedPacket) {
      id = packet.id
      bytes = array(packet.bytes)
      (input, output, mark) = (packet.inputInterface, packet.outputInterface, packet.mark)
      hook = packet.hook
      hardwareAddress = packet.hardwareAddress
      checksumIsFinal = packet.checksumIsFinal
      isTruncated = packet.isTruncated
    }

    static func == (a: Facts, b: Facts) -> Bool {
      a.id == b.id && a.bytes == b.bytes && a.input == b.input && a.output == b.output
        && a.mark == b.mark && a.hook == b.hook && a.hardwareAddress == b.hardwareAddress
        && a.checksumIsFinal == b.checksumIsFinal && a.isTruncated == b.isTruncated
    }
  }

  func parse(_ bytes: [UInt8]) -> Facts? {
    var messages = unsafe MessageReader(bytes.span.bytes)
    guard let message = messages.next(), let packet = QueuedPacket(message) else { return nil }
    return Facts(packet)
  }

  /// A message of `attributes`, which are whole ones.
  func message(_ attributes: String) -> [UInt8] {
    let body = hex("02 00 0028" + attributes)
    var bytes = hex("00000000 0003 0000 00000000 00000000")
    bytes[0] = UInt8(bytes.count + body.count)
    return bytes + body
  }

  @Test func `Every field of a packet message is found`() throws {
    let packet = try #require(parse(Self.message))
    #expect(packet.id == 7)
    #expect(packet.hook == 2)
    #expect(packet.input == 2)
    #expect(packet.output == 3)
    #expect(packet.mark == 0x0300_00f0)
    #expect(packet.hardwareAddress == MACAddress(bits: 0x0200_5e10_0001))
    #expect(packet.checksumIsFinal == false)
    #expect(packet.isTruncated == false)
    #expect(packet.bytes.count == 30)
    #expect(packet.bytes.suffix(2) == [0x68, 0x69])
  }

  @Test func `What the flow machine sees is the LAN side and the state under the mask`() throws {
    let mask = try #require(MarkMask(bits: 0x0700_0000))
    var messages = unsafe MessageReader(Self.message.span.bytes)
    guard let message = messages.next(), let packet = QueuedPacket(message) else {
      Issue.record("no packet")
      return
    }
    let metadata = packet.metadata(lan: InterfaceSet([2]), mask: mask)
    #expect(metadata.fromLAN)
    #expect(metadata.state == .watched)
    #expect(!metadata.checksumIsFinal)
    let fromElsewhere = packet.metadata(lan: InterfaceSet([3]), mask: mask)
    #expect(!fromElsewhere.fromLAN)
  }

  @Test func `A message without an id is no packet`() {
    #expect(parse(message("")) == nil)
    #expect(parse(message("0800 0300 00000001")) == nil)
    // NFQA_PACKET_HDR of 6 bytes: the hook is missing.
    #expect(parse(message("0a00 0100 00000007 0800 0000")) == nil)
  }

  @Test func `An id alone is a packet without bytes, which can be answered`() {
    #expect(parse(message("0b00 0100 00000007 0800 00 00")) == Facts(id: 7))
  }

  @Test func `A packet that the kernel cut to the copy range is truncated`() throws {
    let packet = try #require(
      parse(
        message(
          """
          0b00 0100 00000007 0800 00 00 // id 7
          0800 0d00 00000005            // NFQA_CAP_LEN: the packet has 5 bytes
          0800 0a00 45000005            // NFQA_PAYLOAD: 4 of them
          """)))
    #expect(packet.isTruncated)
    #expect(packet.bytes.count == 4)
  }

  @Test(
    arguments: [
      ("an Infiniband address of 20 bytes", "1000 0900 0014 0000 02005e100001 0000"),
      ("an address that is cut short", "0c00 0900 0006 0000 02005e10"),
      ("no address", ""),
    ])
  func `Only a hardware address of 6 bytes is one`(what: String, attribute: String) throws {
    let packet = try #require(parse(message("0b00 0100 00000007 0800 00 00" + attribute)))
    #expect(packet.hardwareAddress == .unknown)
  }

  @Test(
    arguments: [
      ("a mark of 2 bytes", "0600 0300 0001 0000"),
      ("an empty interface", "0400 0500"),
      ("empty checksum information", "0400 0e00"),
      ("an unknown attribute", "0800 ff3f 00000001"),
      ("an attribute of length 0, behind which nothing is found", "0000 0300 00000001"),
      ("an attribute of length 3", "0300 0300 00000001"),
    ])
  func `An attribute that is nonsense counts as absent`(what: String, attribute: String) {
    #expect(parse(message("0b00 0100 00000007 0800 00 00" + attribute)) == Facts(id: 7))
  }

  @Test func `An attribute longer than its message ends there, and the packet is truncated`() throws
  {
    let packet = try #require(
      parse(message("0b00 0100 00000007 0800 00 00 ff00 0a00 45000005")))
    #expect(packet.isTruncated)
    #expect(packet.bytes == [0x45, 0, 0, 5])
  }

  @Test func `A message cut anywhere never crashes, and keeps its id once it is whole`() {
    for count in 0..<Self.message.count {
      let packet = parse(Array(Self.message[..<count]))
      // 16 header, 4 nfgenmsg, 4 attribute header, 7 id and hook.
      #expect((packet != nil) == (count >= 31))
      if let packet {
        #expect(packet.id == 7)
        #expect(packet.isTruncated)
      }
    }
  }

  @Test func `Any single damaged byte never crashes the parser`() {
    for position in Self.message.indices {
      for value: UInt8 in [0x00, 0x01, 0x03, 0x7f, 0x80, 0xff] {
        var bytes = Self.message
        bytes[position] = value
        _ = parse(bytes)
      }
    }
  }
}
