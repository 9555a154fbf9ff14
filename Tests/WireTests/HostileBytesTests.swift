import PacketBuilder
import Testing
import Wire

/// A parser of the layers below the recognisers, or one that keeps a state, with bytes that it takes.
struct Reading: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  /// Bytes that it took, or the end of the last thing that it found; nil: none.
  let read: @Sendable ([UInt8]) -> Int?
  var testDescription: String { name }

  init(_ name: String, _ bytes: [UInt8], _ read: @escaping @Sendable ([UInt8]) -> Int?) {
    self.name = name
    self.bytes = bytes
    self.read = read
  }
}

private let tcp = TCPPacket(
  from: "198.18.1.7:40001", to: "198.18.0.7:443", flags: .syn,
  options: [.maximumSegmentSize(1460), .sackPermitted, .timestamp(1, echo: 0), .windowScale(7)])
private let udp = UDPPacket(
  from: "[2001:2::7]:40001", to: "[2001:2::8]:53", payload: hex("abcd"))
private let chunks = "5\r\nhello\r\n00e\r\n\r\nworld\r\n0\r\n\r\n\r\n0\r\n\r\n"
private let records = Array(Chat.shortLink().suffix(264))
private let question = hex(
  "1234 0100 0001 0000 0000 0001 04 \"long\" 02 \"qq\" 03 \"com\" 00 0001 0001 00 0029 04d0 00000000 0000"
)
private let answer = hex(
  """
  1234 8180 0001 0002 0000 0000 01 "a" 02 "qq" 03 "com" 00 0001 0001
  c00c 0005 0001 00000258 0004 01 "b" c00e c026 0001 0001 0000003c 0004 c6120007
  """)
private let services = hex(
  """
  1234 8180 0001 0001 0000 0000 01 "a" 02 "qq" 03 "com" 00 0041 0001
  c00c 0041 0001 00000258 000b 0001 00 0004 0004 c6120007
  """)
private let frames = hex("00 01 02 05 4001 01 00 01 02 06 00 03 aabbcc 06 4400 02 ddee")

private let readings = [
  Reading("IPv4 header", tcp.bytes) { IPHeader.parse($0.raw).value?.payload.upperBound },
  Reading("IPv6 header", udp.bytes) { IPHeader.parse($0.raw).value?.payload.upperBound },
  Reading("TCP header", tcp.segment) { TCPHeader.parse($0.raw).value?.headerLength },
  Reading("UDP header", Array(udp.bytes[40...])) {
    UDPHeader.parse($0.raw).value.map { Int($0.length) }
  },
  Reading("chunks", .ascii(chunks)) {
    var scanner = ChunkScanner()
    return scanner.consume($0.raw).value
  },
  Reading("mmtls records of a body", records) {
    var body = MMTLSRecords(length: UInt64(records.count), versions: .known)
    return body.consume($0.raw).value
  },
  Reading("DNS question", question) {
    DNSQuestion.parse($0.raw).value == nil ? nil : $0.count
  },
  Reading("DNS options", question) { EDNS.parse($0.raw).value == nil ? nil : $0.count },
  Reading("DNS answer", answer) {
    DNSMessage.forEachAddress(in: $0.raw) { _, _ in }.value == nil ? nil : $0.count
  },
  Reading("DNS answer about services", services) {
    DNSMessage.forEachAddress(in: $0.raw) { _, _ in }.value == nil ? nil : $0.count
  },
  Reading("DNS over TCP", [0, UInt8(question.count)] + question) {
    DNSStream.first(in: $0.raw).value?.message.upperBound
  },
  Reading("QUIC frames", frames) {
    var end = 0
    let outcome = QUICFrames.forEachPiece(in: $0.raw) { _, bytes in end = bytes.upperBound }
    return outcome.value == nil ? nil : end
  },
  Reading("request head", .ascii("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\n"))
  {
    HTTPRequestHead.parse($0.raw).value?.length
  },
  Reading("response head", .ascii("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")) {
    HTTPResponseHead.parse($0.raw).value?.length
  },
]

/// What an attacker can make of good bytes: every length is 0, 1 and the greatest once.
private let extremes = [
  hex("00"), hex("01"), hex("ff"), hex("0000"), hex("0001"), hex("ffff"), hex("7fff"),
  hex("00*4"), hex("00*3 01"), hex("ff*4"), hex("7f ff*3"), hex("80 00*3"), hex("ff*8"),
]

/// Whatever becomes of the bytes, a parser neither traps nor finds anything behind their end.
@Suite("A parser")
struct HostileBytesTests {
  private func check(_ reading: Reading, _ bytes: [UInt8], _ what: @autoclosure () -> String) {
    if let taken = reading.read(bytes), taken > bytes.count {
      Issue.record("\(what()): \(taken) of \(bytes.count) bytes")
    }
  }

  @Test("takes the good bytes", arguments: readings)
  func good(_ reading: Reading) { #expect(reading.read(reading.bytes) != nil) }

  @Test("survives any flipped bit, whole and cut", arguments: readings)
  func flipped(_ reading: Reading) {
    for bit in 0..<reading.bytes.count * 8 {
      let bytes = reading.bytes.flippingBit(bit)
      check(reading, bytes, "bit \(bit)")
      check(reading, Array(bytes.dropLast(bytes.count / 3)), "bit \(bit), cut")
    }
  }

  @Test("survives being cut anywhere", arguments: readings)
  func truncated(_ reading: Reading) {
    for count in 0..<reading.bytes.count {
      check(reading, Array(reading.bytes[..<count]), "first \(count) bytes")
      check(reading, Array(reading.bytes[count...]), "without the first \(count) bytes")
    }
  }

  @Test("survives lengths of 0, 1 and the greatest anywhere", arguments: readings)
  func lengths(_ reading: Reading) {
    for value in extremes where value.count <= reading.bytes.count {
      for offset in 0...reading.bytes.count - value.count {
        check(reading, reading.bytes.overwriting(at: offset, value), "\(value) at \(offset)")
      }
    }
  }

  @Test("survives any part that comes again and again", arguments: readings)
  func repeated(_ reading: Reading) {
    let bytes = reading.bytes
    for size in [1, 2, 4, 16, bytes.count] where size <= bytes.count {
      for offset in stride(from: 0, through: bytes.count - size, by: max(1, size / 4)) {
        let part = bytes[offset..<offset + size]
        let many = (0..<64).flatMap { _ in part }
        check(reading, bytes[..<offset] + many + bytes[offset...], "\(size) from \(offset)")
      }
    }
  }
}
