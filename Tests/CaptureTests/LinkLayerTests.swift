import PacketBuilder
import Testing
import Wire

@testable import Capture

/// Where the IP packet begins in a frame, and who sent it.
@Suite struct LinkLayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let linkType: UInt32
    let header: String
    var sender = LinkLayerTests.phone
    var testDescription: String { name }
  }

  static let phone = MACAddress(bits: 0x0200_5e10_0001)
  static let packet = UDPPacket(from: "198.18.1.10:4000", to: "198.18.0.7:9000").bytes

  static let cases: [Case] = [
    Case(
      name: "Ethernet", linkType: 1,
      header: """
        02005e1000fe  ; destination
        02005e100001  ; source
        0800          ; IPv4
        """),
    Case(
      name: "Ethernet, one tag", linkType: 1,
      header: """
        02005e1000fe 02005e100001
        8100 0064     ; 802.1Q, VLAN 100
        0800
        """),
    Case(
      name: "Ethernet, two tags", linkType: 1,
      header: """
        02005e1000fe 02005e100001
        88a8 0001     ; 802.1ad, service tag
        8100 0064     ; customer tag
        0800
        """),
    Case(
      name: "Ethernet, PPPoE session in a VLAN", linkType: 1,
      header: """
        02005e1000fe 02005e100001 8100 0007
        8864          ; PPPoE session
        11 00         ; version and type, session data
        0001 001e     ; session, length
        0021          ; PPP: IPv4
        """),
    Case(
      name: "Ethernet, PPPoE with a compressed protocol number", linkType: 1,
      header: "02005e1000fe 02005e100001 8864 11 00 0001 001d 21"),
    Case(
      name: "Ethernet with a length, LLC and SNAP", linkType: 1,
      header: """
        02005e1000fe 02005e100001
        0024          ; length
        aaaa03        ; LLC: SNAP, unnumbered information
        000000 0800   ; SNAP: EtherType IPv4
        """),
    Case(
      name: "Linux cooked", linkType: 113,
      header: """
        0000          ; to us
        0001          ; Ethernet
        0006 02005e100001 0000  ; address length, address, padding
        0800
        """),
    Case(
      name: "Linux cooked, a device without addresses", linkType: 113,
      header: "0004 fffe 0000 0000000000000000 0800", sender: .unknown),
    Case(
      name: "Linux cooked with a tag", linkType: 113,
      header: "0000 0001 0006 02005e100001 0000 8100 0064 0800"),
    Case(
      name: "Linux cooked, version 2", linkType: 276,
      header: """
        0800 0000     ; protocol, reserved
        00000003      ; interface
        0001 00 06    ; Ethernet, to us, address length
        02005e100001 0000
        """),
    Case(name: "raw IP", linkType: 101, header: "", sender: .unknown),
    Case(name: "raw IP of OpenBSD", linkType: 14, header: "", sender: .unknown),
    Case(name: "raw IP, an old number", linkType: 12, header: "", sender: .unknown),
    Case(name: "raw IPv4", linkType: 228, header: "", sender: .unknown),
    Case(name: "null, little-endian", linkType: 0, header: "02000000", sender: .unknown),
    Case(name: "null, big-endian", linkType: 0, header: "00000002", sender: .unknown),
    Case(name: "loopback of OpenBSD", linkType: 108, header: "00000002", sender: .unknown),
    Case(
      name: "PPP", linkType: 9,
      header: "ff03 0021  ; address and control, IPv4", sender: .unknown),
    Case(name: "PPP without address and control", linkType: 9, header: "0021", sender: .unknown),
    Case(
      name: "802.11, data to the access point", linkType: 105,
      header: """
        08 01 0000    ; data, to the distribution system, duration
        02005e1000aa  ; receiver
        02005e100001  ; sender
        02005e1000fe  ; destination
        1000          ; sequence 256, fragment 0
        aaaa03 000000 0800
        """),
    Case(
      name: "802.11, data from the access point", linkType: 105,
      header: """
        08 02 0000
        02005e1000fe 02005e1000aa
        02005e100001  ; source
        0000 aaaa03 000000 0800
        """),
    Case(
      name: "802.11, quality of service", linkType: 105,
      header: """
        88 01 0000 02005e1000aa 02005e100001 02005e1000fe 0000
        0600          ; QoS control
        aaaa03 000000 0800
        """),
    Case(
      name: "802.11, between access points", linkType: 105,
      header: """
        08 03 0000 02005e1000aa 02005e1000ab 02005e1000fe 0000
        02005e100001  ; source
        aaaa03 000000 0800
        """),
    Case(
      name: "802.11 behind radiotap", linkType: 127,
      header: """
        00 00 0900    ; version, padding, length
        02000000      ; present: flags
        10            ; flags: a checksum at the end
        08 01 0000 02005e1000aa 02005e100001 02005e1000fe 0000 aaaa03 000000 0800
        """),
  ]

  private static func content(_ bytes: [UInt8], _ linkType: UInt32) -> LinkLayer.Content {
    LinkLayer.content(of: bytes.raw, linkType: linkType)
  }

  @Test(arguments: cases)
  func `the packet begins behind the headers`(_ testCase: Case) {
    let header = hex(testCase.header)
    #expect(
      Self.content(header + Self.packet, testCase.linkType)
        == .ip(offset: header.count, sender: testCase.sender))
  }

  @Test func `radiotap: the time is aligned to 8, and a padded 802.11 header to 4`() {
    let radiotap = hex(
      """
      00 00 1900        ; version, padding, length 25
      03000080 00000000 ; present: time, flags, another word; the other word
      00000000          ; padding: the time begins at 16
      0102030405060708  ; time
      20                ; flags: padded
      """)
    let frame = hex(
      """
      88 01 0000 02005e1000aa 02005e100001 02005e1000fe 0000
      0600 0000         ; QoS control, padding
      aaaa03 000000 0800
      """)
    #expect(
      Self.content(radiotap + frame + Self.packet, 127)
        == .ip(offset: radiotap.count + frame.count, sender: Self.phone))
  }

  @Test(arguments: [
    ("ARP", 1 as UInt32, "02005e1000fe 02005e100001 0806 0001"),
    ("spanning tree", 1, "0180c2000000 02005e100001 0026 424203 0000 00 00 00"),
    ("PPPoE discovery", 1, "02005e1000fe 02005e100001 8863 11 09 0000 0004"),
    ("PPP link control", 1, "02005e1000fe 02005e100001 8864 11 00 0001 0004 c021 01"),
    ("IPv4 by its type, but not by its version", 1, "02005e1000fe 02005e100001 0800 00"),
    ("an unknown address family", 0, "00000007 45"),
    ("802.11 beacon", 105, "80 00 0000 ffffffffffff 02005e1000aa 02005e1000aa 0000"),
    ("802.11 without data", 105, "48 01 0000 02005e1000aa 02005e100001 02005e1000fe 0000"),
    ("802.11 protected", 105, "08 41 0000 02005e1000aa 02005e100001 02005e1000fe 0000 aaaa"),
    ("802.11 fragment", 105, "08 05 0000 02005e1000aa 02005e100001 02005e1000fe 0000 aaaa"),
    ("802.11 last fragment", 105, "08 01 0000 02005e1000aa 02005e100001 02005e1000fe 0100 aaaa"),
    (
      "802.11 several packets in one", 105,
      "88 01 0000 02005e1000aa 02005e100001 02005e1000fe 0000 8000 aaaa"
    ),
    ("802.11 damaged on the air", 127, "00 00 0900 02000000 50 08 01 0000"),
    ("radiotap of another version", 127, "01 00 0900 02000000 10 08 01 0000"),
  ])
  func `what is no IP packet is told apart`(name: String, linkType: UInt32, frame: String) {
    #expect(Self.content(hex(frame), linkType) == .other, "\(name)")
  }

  @Test func `IPv6 is found by every family number of the BSDs and Linux`() {
    for family in ["0a000000", "18000000", "1c000000", "1e000000", "0000001e"] {
      #expect(
        Self.content(hex(family + "60"), 0) == .ip(offset: 4, sender: .unknown), "\(family)")
    }
  }

  @Test(arguments: cases)
  func `a frame that ends within its headers is cut, wherever it ends`(_ testCase: Case) {
    let header = hex(testCase.header)
    for length in 0...header.count {
      #expect(Self.content(Array(header[..<length]), testCase.linkType) == .cut, "\(length)")
    }
  }

  @Test(arguments: cases)
  func `no frame with a bit wrong, or a length of 0 or the greatest, makes a packet past its end`(
    _ testCase: Case
  ) {
    let frame = hex(testCase.header) + Self.packet
    var hostile = (0..<frame.count * 8).map { frame.flippingBit($0) }
    for value in [hex("00"), hex("01"), hex("ff"), hex("0000"), hex("ffff"), hex("ff*4")] {
      hostile += (0...frame.count - value.count).map { frame.overwriting(at: $0, value) }
    }
    // Tags within tags within tags.
    hostile += (0...hex(testCase.header).count).flatMap { offset in
      [hex("8100 0064"), Array(frame[..<offset])].map { part in
        frame[..<offset] + (0..<64).flatMap { _ in part } + frame[offset...]
      }
    }
    for bytes in hostile {
      guard case .ip(let offset, _) = Self.content(bytes, testCase.linkType) else { continue }
      #expect(offset < bytes.count)
    }
  }

  @Test func `an unknown link type is told apart from a frame without IP`() {
    #expect(Self.content(Self.packet, 147) == .unsupported)
  }
}
