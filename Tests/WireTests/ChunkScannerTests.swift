import PacketBuilder
import Testing
import Wire

private let body = "5\r\nhello\r\n00e\r\n\r\nworld\r\n0\r\n\r\n\r\n0\r\n\r\n"

@Suite("A chunked body")
struct ChunkScannerTests {
  @Test("ends behind its last chunk, in pieces of any size", arguments: Array(1...45))
  func pieces(of size: Int) {
    let end = body.utf8.count
    var scanner = ChunkScanner()
    var consumed = 0
    for piece in [UInt8].ascii(body + "GET / HTTP/1.1\r\n").pieces(of: size) {
      if let count = scanner.consume(piece.raw).value {
        #expect(consumed + count == end)
        return
      }
      consumed += piece.count
    }
    Issue.record("the end was not found")
  }

  @Test("cut anywhere needs more")
  func prefixes() {
    let bytes = [UInt8].ascii(body)
    for count in 0..<bytes.count {
      var scanner = ChunkScanner()
      let prefix = Array(bytes[..<count])
      #expect(scanner.consume(prefix.raw).needsMore, "first \(count) bytes")
    }
  }

  @Test("tells how much of a chunk is to come")
  func dataLeft() {
    var scanner = ChunkScanner()
    let bytes = [UInt8].ascii("FFFFFFFFFF\r\nabc")
    _ = scanner.consume(bytes.raw)
    #expect(scanner.dataLeft == 0xff_ffff_ffff - 3)
  }

  @Test(
    "that servers read in different ways is malformed",
    arguments: [
      "\r\n", "g\r\n", " 5\r\n", "5 \r\n", "5;x=y\r\nhello\r\n", "5\nhello\r\n", "5\r\rhello",
      "-5\r\n", "+5\r\n",
      "0x5\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0",
      "0\r\nX: y\r\n\r\n", "0\r\n\n",
      "0\r\n\rX", "0000000000000005\r\n", "ffffffffffffffff\r\n",
    ])
  func malformed(_ text: String) {
    var scanner = ChunkScanner()
    let bytes = [UInt8].ascii(text)
    #expect(scanner.consume(bytes.raw).malformation != nil)
  }
}
