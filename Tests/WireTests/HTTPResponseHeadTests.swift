import PacketBuilder
import Testing
import Wire

private func parse(_ text: String) -> Parsed<HTTPResponseHead> {
  let bytes = [UInt8].ascii(text)
  return HTTPResponseHead.parse(bytes.raw)
}

/// The head of a newgetdns reply.
private let reply =
  "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: deflate\r\n"
  + "Content-Length: 219\r\n\r\n"

@Suite("An HTTP response head")
struct HTTPResponseHeadTests {
  @Test("gives status, coding and how its body ends")
  func newDNS() throws {
    let head = try #require(parse(reply + "and the body").value)
    #expect(head.status == 200)
    #expect(head.isHTTP10)
    #expect(head.body == .length(219))
    #expect(head.coding == .deflate)
    #expect(head.length == reply.utf8.count)
  }

  @Test(
    "ends its body",
    arguments: [
      ("HTTP/1.1 200 OK\r\n\r\n", HTTPResponseHead.Body.untilClose),
      ("HTTP/1.0 200 OK\r\n\r\n", .untilClose),
      ("HTTP/1.1 200\r\nContent-Length: 7\r\n\r\n", .length(7)),
      ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", .none),
      ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", .chunked),
      ("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", .none),
      ("HTTP/1.1 304 Not Modified\r\n\r\n", .none),
      ("HTTP/1.1 100 Continue\r\n\r\n", .none),
      ("HTTP/1.1 503 Zu viel\u{e9}\tlos\r\nContent-Length: 3\r\n\r\n", .length(3)),
    ])
  func bodies(_ text: String, _ body: HTTPResponseHead.Body) throws {
    #expect(try #require(parse(text).value).body == body)
  }

  @Test(
    "names what was done to the body",
    arguments: [
      ("", HTTPResponseHead.Coding.identity), ("Content-Encoding: identity\r\n", .identity),
      ("content-encoding:DEFLATE \r\n", .deflate), ("Content-Encoding: gzip\r\n", .other),
      ("Content-Encoding: deflate, gzip\r\n", .other), ("Content-Encoding: \r\n", .other),
      ("Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n", .other),
    ])
  func codings(_ field: String, _ coding: HTTPResponseHead.Coding) throws {
    #expect(try #require(parse("HTTP/1.1 200 OK\r\n\(field)\r\n").value).coding == coding)
  }

  @Test(
    "that clients read in different ways is malformed",
    arguments: [
      "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
      "HTTP/1.1 200 OK\n\r\n", "HTTP/1.1 200 O\0K\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\nA\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "SSH-2.0-x\r\n",
    ])
  func malformed(_ text: String) { #expect(parse(text).malformation != nil) }

  @Test("cut anywhere needs more, and one of 16 KiB does not")
  func prefixes() {
    let bytes = [UInt8].ascii(reply)
    for count in 0..<bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(HTTPResponseHead.parse(prefix.raw).needsMore, "first \(count) bytes")
    }
    let long = "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 3_000)
    #expect(parse(long).malformation == "head longer than 16 KiB")
    #expect(parse("HTTP/1.1 200 " + String(repeating: "x", count: 16_384)).malformation != nil)
  }

  @Test("with one bit wrong never crashes the parser")
  func bitFlips() {
    let bytes = [UInt8].ascii(reply)
    for bit in 0..<bytes.count * 8 {
      let bad = bytes.flippingBit(bit)
      _ = HTTPResponseHead.parse(bad.raw)
    }
  }
}
