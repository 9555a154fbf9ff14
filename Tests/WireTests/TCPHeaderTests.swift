import PacketBuilder
import Testing
import Wire

private let client: Endpoint = "198.18.1.7:40001"
private let server: Endpoint = "198.18.0.7:443"

private func segment(_ options: TCPOption...) -> [UInt8] {
  TCPPacket(from: client, to: server, flags: .syn, options: options).segment
}

@Suite("A TCP header")
struct TCPHeaderTests {
  @Test("gives its fields")
  func plain() throws {
    // RFC 9293 §3.1, field by field.
    let bytes = hex(
      """
      9c41 01bb ; 40001 to 443
      000003e8 00001388 ; sequence 1000, acknowledgement 5000
      50 38 ; header of 5 words; URG, ACK, PSH
      faf0 0000 0007 ; window 64240, checksum, urgent pointer
      "data"
      """)
    let header = try #require(TCPHeader.parse(bytes.raw).value)
    #expect(header.sourcePort == 40001)
    #expect(header.destinationPort == 443)
    #expect(header.sequence == 1000)
    #expect(header.acknowledgement == 5000)
    #expect(header.flags == [.urg, .ack, .psh])
    #expect(header.window == 64240)
    #expect(header.urgentPointer == 7)
    #expect(header.headerLength == 20)
    #expect(header.timestamp == nil)
    #expect(header.maximumSegmentSize == nil)
    #expect(header.windowScale == nil)
    #expect(!header.hasFastOpen)
    #expect(!header.hasAuthenticationOption)
  }

  @Test("gives the options of a kernel's SYN")
  func options() throws {
    let bytes = segment(
      .maximumSegmentSize(1460), .sackPermitted, .timestamp(0xdead_beef, echo: 7), .noOperation,
      .windowScale(7), .fastOpen([1, 2, 3, 4, 5, 6, 7, 8]))
    let header = try #require(TCPHeader.parse(bytes.raw).value)
    #expect(header.maximumSegmentSize == 1460)
    #expect(header.windowScale == 7)
    #expect(header.timestamp == TCPTimestamp(value: 0xdead_beef, echo: 7))
    #expect(header.hasFastOpen)
    #expect(header.headerLength == bytes.count)
    for count in 0..<bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(TCPHeader.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
  }

  @Test("with an authentication option says so", arguments: [TCPOption.md5, .authentication])
  func authentication(_ option: TCPOption) throws {
    let bytes = segment(option)
    #expect(try #require(TCPHeader.parse(bytes.raw).value).hasAuthenticationOption)
  }

  @Test("knows Fast Open by both its numbers")
  func fastOpen() throws {
    let request = segment(.fastOpen([]))
    let experimental = segment(.raw(hex("fe 04 f989")))
    let other = segment(.raw(hex("fe 04 1234")))
    #expect(try #require(TCPHeader.parse(request.raw).value).hasFastOpen)
    #expect(try #require(TCPHeader.parse(experimental.raw).value).hasFastOpen)
    #expect(!(try #require(TCPHeader.parse(other.raw).value).hasFastOpen))
  }

  @Test("has no options behind their end")
  func end() throws {
    let bytes = segment(.end, .raw(hex("08 02 ff")))
    #expect(try #require(TCPHeader.parse(bytes.raw).value).timestamp == nil)
  }

  @Test("passes over options that are not known, and selective acknowledgements")
  func unknown() throws {
    let bytes = segment(.raw(hex("63 05 010203")), .raw(hex("05 0a 00*8")), .noOperation)
    #expect(TCPHeader.parse(bytes.raw).value != nil)
  }

  @Test(
    "that contradicts itself is malformed",
    arguments: [
      Fixture("header of four words", segment().overwriting(at: 12, [0x40])),
      Fixture(
        "option without a length", segment(.noOperation, .noOperation, .noOperation, .raw([8]))),
      Fixture("option of length 0", segment(.raw(hex("63 00 00 00")))),
      Fixture("option of length 1", segment(.raw(hex("63 01 00 00")))),
      Fixture("option longer than the header", segment(.raw(hex("08 0a 0000")))),
      Fixture("timestamps of 9 bytes", segment(.raw(hex("08 09 00*7")))),
      Fixture("timestamps twice", segment(.timestamp(1, echo: 0), .timestamp(2, echo: 0))),
      Fixture("segment size of 3 bytes", segment(.raw(hex("02 03 05 01")))),
      Fixture("segment size twice", segment(.maximumSegmentSize(1460), .maximumSegmentSize(536))),
      Fixture("window scale of 4 bytes", segment(.raw(hex("03 04 0707")))),
      Fixture("selective acknowledgements of odd length", segment(.raw(hex("05 0b 00*9 01")))),
    ])
  func malformed(_ fixture: Fixture) {
    #expect(TCPHeader.parse(fixture.bytes.raw).malformation != nil)
  }
}

@Suite("A UDP header")
struct UDPHeaderTests {
  @Test("gives ports and length")
  func plain() throws {
    let bytes = hex("9c41 0035 000d 0000 \"hello\"")
    let header = try #require(UDPHeader.parse(bytes.raw).value)
    #expect(header.sourcePort == 40001)
    #expect(header.destinationPort == 53)
    #expect(header.length == 13)
    for count in 0..<bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(UDPHeader.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
  }

  @Test("whose length is not the datagram's is malformed", arguments: ["0000", "0007", "000c"])
  func malformed(_ length: String) {
    let bytes = hex("9c41 0035 \(length) 0000 \"hello\"")
    #expect(UDPHeader.parse(bytes.raw).malformation != nil)
  }
}
