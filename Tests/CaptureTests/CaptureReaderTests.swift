import PacketBuilder
import System
import Testing

@testable import Capture

/// What a capture file holds, whoever wrote it.
@Suite struct CaptureReaderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    var nanoseconds: UInt64 = 1_700_000_000_123_456_000
    var testDescription: String { name }
    var bytes: [UInt8] { hex(file) }
  }

  /// What is read of a packet: its data, time, link type and whether it was cut.
  struct Seen: Equatable {
    let data: [UInt8]
    let nanoseconds: UInt64
    let linkType: UInt32
    let isCut: Bool
  }

  /// Reads `bytes` in pieces of `size`.
  static func read(_ bytes: [UInt8], piece size: Int = 4096) throws(CaptureError) -> [Seen] {
    let (seen, error) = readAll(bytes, piece: size)
    if let error { throw error }
    return seen
  }

  /// Reads what can be read, and says why it ended.
  static func readAll(_ bytes: [UInt8], piece size: Int = 4096) -> ([Seen], CaptureError?) {
    var reader = CaptureReader()
    var pieces = bytes.pieces(of: size)[...]
    var seen: [Seen] = []
    do throws(CaptureError) {
      while true {
        switch try reader.next() {
        case .needMore: reader.append(pieces.popFirst() ?? [])
        case .end: return (seen, nil)
        case .packet(let packet):
          #expect(packet.number == UInt64(seen.count + 1))
          seen.append(
            Seen(
              data: Array(reader.buffer[packet.bytes]), nanoseconds: packet.time.nanoseconds,
              linkType: packet.linkType, isCut: packet.isCut))
        }
      }
    } catch {
      return (seen, error)
    }
  }

  // 1700000000 seconds are 6553f100, 123456 microseconds 0001e240, 123456789 nanoseconds 075bcd15;
  // all in microseconds 00060a24 18202240, in nanoseconds 17979cfe 3d85cd15.
  static let pcap: [Case] = [
    Case(
      name: "pcap, big-endian, microseconds",
      file: """
        a1b2c3d4            ; magic
        0002 0004           ; version 2.4
        00000000 00000000   ; time zone, accuracy
        00040000            ; snap length
        00000001            ; Ethernet
        6553f100 0001e240   ; time
        00000002 00000002   ; captured, original length
        abcd
        """),
    Case(
      name: "pcap, little-endian, microseconds",
      file: """
        d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
        00f15365 40e20100 02000000 02000000 abcd
        """),
    Case(
      name: "pcap, big-endian, nanoseconds",
      file: """
        a1b23c4d 0002 0004 00000000 00000000 00040000 00000001
        6553f100 075bcd15 00000002 00000002 abcd
        """, nanoseconds: 1_700_000_000_123_456_789),
    Case(
      name: "pcap, little-endian, nanoseconds",
      file: """
        4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000
        00f15365 15cd5b07 02000000 02000000 abcd
        """, nanoseconds: 1_700_000_000_123_456_789),
    Case(
      name: "pcap with the length of a checksum above the link type",
      file: """
        a1b2c3d4 0002 0004 00000000 00000000 00040000 14000001
        6553f100 0001e240 00000002 00000002 abcd
        """),
    Case(
      name: "Kuznetsov's pcap",
      file: """
        a1b2cd34 0002 0004 00000000 00000000 00040000 00000001
        6553f100 0001e240 00000002 00000002
        00000003 0800 00 00 ; interface, protocol, packet type, padding
        abcd
        """),
  ]

  static let section = "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c "
  static let interface = "00000001 00000014 0001 0000 00000000 00000014 "

  static let pcapng: [Case] = [
    Case(
      name: "pcapng, big-endian",
      file: """
        0a0d0d0a 0000001c   ; section header, length
        1a2b3c4d 0001 0000  ; byte order, version 1.0
        ffffffffffffffff    ; section length: unknown
        0000001c
        00000001 00000014   ; interface description
        0001 0000 00000000  ; Ethernet, reserved, no snap length
        00000014
        00000006 00000024   ; enhanced packet
        00000000            ; interface
        00060a24 18202240   ; time: 1700000000123456
        00000002 00000002   ; captured, original length
        abcd 0000           ; data, padding
        00000024
        """),
    Case(
      name: "pcapng, little-endian",
      file: """
        0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
        01000000 14000000 0100 0000 00000000 14000000
        06000000 24000000 00000000 240a0600 40222018 02000000 02000000 abcd 0000 24000000
        """),
    Case(
      name: "pcapng, nanoseconds, and options that don't matter",
      file: section + """
        00000001 00000030   ; interface description
        0001 0000 00000000
        0002 0004 "eth0"    ; name
        0009 0001 09 000000 ; if_tsresol: 10 to the -9th
        0001 0001 "c" 000000 ; comment
        0000 0000           ; end of options
        00000030
        00000006 00000024 00000000 17979cfe 3d85cd15
        00000002 00000002 abcd 0000 00000024
        """, nanoseconds: 1_700_000_000_123_456_789),
    Case(
      name: "pcapng, powers of two, and an offset in seconds",
      file: section + """
        00000001 0000002c 0001 0000 00000000
        0009 0001 94 000000 ; if_tsresol: 2 to the -20th
        000e 0008 0000000065530000 ; if_tsoffset
        00000000 0000002c
        00000006 00000024 00000000
        0000000f 10080000   ; 61696.5 seconds in 2^-20
        00000002 00000002 abcd 0000 00000024
        """, nanoseconds: 1_700_000_000_500_000_000),
    Case(
      name: "pcapng, a simple packet",
      file: section + interface + """
        00000003 00000014   ; simple packet
        00000002            ; original length
        abcd 0000
        00000014
        """, nanoseconds: 0),
    Case(
      name: "pcapng, an obsolete packet block",
      file: section + interface + """
        00000002 00000024
        0000 0003           ; interface, drops
        00060a24 18202240 00000002 00000002 abcd 0000
        00000024
        """),
    Case(
      name: "pcapng, blocks that are passed over",
      file: section + """
        00000005 00000010 5a5a5a5a 00000010 ; statistics

        """ + interface + """
          0000000a 00000014 00000000 00000000 00000014 ; secrets
          80000bad 0000000c 0000000c ; somebody's own
          00000006 00000024 00000000 00060a24 18202240 00000002 00000002 abcd 0000 00000024
          """),
    Case(
      name: "pcapng, a second section in the other byte order",
      file: section + "00000001 00000014 0071 0000 00000000 00000014 " + """
        0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
        01000000 14000000 0100 0000 00000000 14000000
        06000000 24000000 00000000 240a0600 40222018 02000000 02000000 abcd 0000 24000000
        """),
    Case(
      name: "pcapng, the second of two interfaces",
      file: section + "00000001 00000014 0071 0000 00000000 00000014 " + interface + """
        00000006 00000024 00000001 00060a24 18202240 00000002 00000002 abcd 0000 00000024
        """),
  ]

  @Test(arguments: pcap + pcapng)
  func `the same packet is read in every format, in pieces of any size`(_ testCase: Case) throws {
    let expected = Seen(
      data: [0xab, 0xcd], nanoseconds: testCase.nanoseconds, linkType: 1, isCut: false)
    for size in [1, 3, 4, 17, 4096] {
      #expect(try Self.read(testCase.bytes, piece: size) == [expected], "\(size)")
    }
  }

  @Test(arguments: pcap + pcapng)
  func `a file that ends anywhere else than behind a record is told so, never trusted`(
    _ testCase: Case
  ) {
    let whole = testCase.bytes
    for length in 0..<whole.count {
      let (seen, error) = Self.readAll(Array(whole[..<length]))
      #expect(seen.isEmpty, "\(length)")
      // Between records a file may end.
      if let error { #expect(error.text.contains("ends within") || length == 0, "\(length)") }
    }
  }

  @Test(arguments: pcap + pcapng)
  func `a flipped bit crashes nothing`(_ testCase: Case) {
    for bit in 0..<testCase.bytes.count * 8 {
      let (seen, _) = Self.readAll(testCase.bytes.flippingBit(bit))
      #expect(seen.count <= 1)
    }
  }

  @Test func `packets before the broken place stand, and the error has its offset`() {
    let good = Self.pcap[0].bytes
    // 24 bytes of header, 18 of the first record: the second claims 16 MB.
    let (seen, error) = Self.readAll(good + hex("6553f100 00000000 01000000 01000000"))
    #expect(seen.count == 1)
    #expect(
      error == .broken(offset: 42, "a packet of 16777216 bytes, 1048576 at most are expected"))
    #expect(error?.text == "at byte 42: a packet of 16777216 bytes, 1048576 at most are expected")
  }

  @Test func `the offset is right behind a block that was passed over in pieces`() {
    let secret = hex("0000000a 00001000 00*4084 00001000")
    let (_, error) = Self.readAll(
      hex(Self.section) + secret + hex("00000006 00000009 00000000"), piece: 100)
    #expect(
      error
        == .broken(
          offset: 28 + 4096, "a block of 9 bytes, a multiple of 4 from 12 on is expected"))
  }

  @Test(arguments: [
    ("nothing", "", "the file is empty"),
    ("another format", "504b0304", "neither pcap nor pcapng begins like this"),
    (
      "another version", "a1b2c3d4 0003 0000 00000000 00000000 00040000 00000001",
      "pcap version 3, 2 is expected"
    ),
    (
      "another version of pcapng", "0a0d0d0a 0000001c 1a2b3c4d 0002 0000 ffffffffffffffff 0000001c",
      "pcapng version 2, 1 is expected"
    ),
    (
      "no byte order", "0a0d0d0a 0000001c 1a2b3c4e 0001 0000 ffffffffffffffff 0000001c",
      "a section header without its byte-order magic"
    ),
    (
      "an interface that was not described",
      section + "00000006 00000020 00000000 00000000 00000000 00000000 00000000 00000020",
      "a packet of interface 0, which was not described"
    ),
    (
      "a simple packet before any interface", section + "00000003 00000010 00000000 00000010",
      "a packet of interface 0, which was not described"
    ),
    (
      "a packet longer than its block",
      section + interface
        + "00000006 00000020 00000000 00000000 00000000 00000001 00000001 00000020",
      "a packet that runs past its block"
    ),
    (
      "two lengths that differ", section + "00000001 00000014 0001 0000 00000000 00000018",
      "a block whose two lengths differ"
    ),
    (
      "an option longer than its block",
      section + "00000001 00000018 0001 0000 00000000 0009 0005 00000018",
      "an option that runs past its block"
    ),
    (
      "an endless packet block", section + interface + "00000006 7ffffffc 00000000",
      "a block of 2147483644 bytes, too long for what it should hold"
    ),
  ])
  func `a broken file is told what was expected`(name: String, file: String, message: String) {
    let (seen, error) = Self.readAll(hex(file))
    #expect(seen.isEmpty)
    #expect(error?.text.hasSuffix(message) == true, "\(name): \(error?.text ?? "read")")
  }

  @Test func `a packet that was cut at the snap length says so`() throws {
    let seen = try Self.read(
      hex(
        """
        a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001
        6553f100 0001e240 00000002 000005dc abcd
        """))
    #expect(seen.map(\.isCut) == [true])
    let simple = try Self.read(
      hex(
        Self.section + "00000001 00000014 0001 0000 00000002 00000014 "
          + "00000003 00000014 000005dc abcd 0000 00000014"))
    #expect(simple.map(\.isCut) == [true])
    #expect(simple.map(\.data) == [[0xab, 0xcd]])
  }

  @Test(arguments: [0x00, 0x09, 0x0a, 0x1d, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xff] as [UInt8])
  func `no resolution and no offset makes a time that overflows`(resolution: UInt8) {
    for offset in [0, Int64.min, Int64.max, -1] {
      for ticks in [0, 1, UInt64.max] {
        var interface = CaptureInterface(linkType: 1, snapLength: 0)
        interface.resolution = resolution
        interface.offset = offset
        #expect(interface.time(ticks).nanoseconds <= UInt64.max / 4)
      }
    }
  }

  @Test func `memory stays bounded, however much is passed over`() throws {
    var reader = CaptureReader()
    reader.append(hex(Self.section + "0000000a 40000000 00000000"))
    var peak = 0
    for _ in 0..<1000 {
      guard case .needMore = try reader.next() else {
        Issue.record("a gigabyte is passed over sooner than that")
        return
      }
      reader.append([UInt8](repeating: 0, count: 65536))
      peak = max(peak, reader.buffer.count)
    }
    #expect(peak == 0)
  }
}
