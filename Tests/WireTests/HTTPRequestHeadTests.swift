import PacketBuilder
import Testing
import Wire

private func head(_ text: String) -> [UInt8] { .ascii(text) }

private func parse(_ bytes: [UInt8]) -> Parsed<HTTPRequestHead> {
  HTTPRequestHead.parse(bytes.raw)
}

private func text(_ range: Range<Int>, of bytes: [UInt8]) -> String {
  String(decoding: bytes[range], as: UTF8.self)
}

/// WeChat's short link: the request of an mmtls handshake, its body left out.
private let shortLink = hex(
  #"""
  "POST /mmtls/0a1b2c3d HTTP/1.1\r\nAccept: */*\r\nCache-Control: no-cache\r\n"
  "Connection: close\r\nContent-Length: 264\r\nContent-Type: application/octet-stream\r\n"
  "Host: short.weixin.qq.com\r\nUpgrade: mmtls\r\nUser-Agent: MicroMessenger Client\r\n\r\n"
  """#)

/// WeChat's HTTP DNS.
private let newgetdns = hex(
  #"""
  "GET /cgi-bin/micromsg-bin/newgetdns?uin=0&clientversion=671094583&scene=0&net=1 HTTP/1.0\r\n"
  "Accept-Encoding: deflate\r\nConnection: close\r\nHost: dns.weixin.qq.com\r\n"
  "User-Agent: MicroMessenger Client\r\n\r\n"
  """#)

@Suite("An HTTP request head")
struct HTTPRequestHeadTests {
  @Test("gives host, target and how its body ends")
  func shortLinkRequest() throws {
    let stream = shortLink + hex("19 f104 00a1")
    let head = try #require(parse(stream).value)
    #expect(head.host?.text == "short.weixin.qq.com")
    #expect(head.port == nil)
    #expect(text(head.method, of: stream) == "POST")
    #expect(text(head.target, of: stream) == "/mmtls/0a1b2c3d")
    #expect(head.body == .length(264))
    #expect(head.length == shortLink.count)
    #expect(head.asksUpgrade)
    #expect(text(try #require(head.upgrade), of: stream) == "mmtls")
    #expect(!head.isConnect)
    #expect(!head.isHTTP10)
  }

  @Test("of HTTP/1.0")
  func http10() throws {
    let head = try #require(parse(newgetdns).value)
    #expect(newgetdns.count == 197)
    #expect(head.host?.text == "dns.weixin.qq.com")
    #expect(head.isHTTP10)
    #expect(head.body == .none)
    #expect(!head.asksUpgrade)
    #expect(head.length == 197)
  }

  @Test("cut anywhere needs more", arguments: [shortLink, newgetdns])
  func prefixes(_ bytes: [UInt8]) {
    for count in 0..<bytes.count {
      #expect(parse(Array(bytes[..<count])).needsMore, "first \(count) bytes")
    }
  }

  @Test("with one bit wrong is never read past its end")
  func bitFlips() {
    for bit in 0..<shortLink.count * 8 {
      if let head = parse(shortLink.flippingBit(bit)).value {
        #expect(head.length <= shortLink.count && head.target.upperBound < head.length)
      }
    }
  }

  struct Good: Sendable, CustomTestStringConvertible {
    var head: String
    var host: String?
    var port: UInt16?
    var testDescription: String { head }

    init(_ head: String, _ host: String?, _ port: UInt16? = nil) {
      self.head = head
      self.host = host
      self.port = port
    }
  }

  @Test(
    "names its host",
    arguments: [
      Good("GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n", "www.example.com"),
      Good("GET / HTTP/1.1\r\nHost:www.example.com\r\n\r\n", "www.example.com"),
      Good("GET / HTTP/1.1\r\nhOsT: \t WWW.Example.Com \t \r\n\r\n", "WWW.Example.Com"),
      Good("GET / HTTP/1.1\r\nHost: www.example.com.:8080\r\n\r\n", "www.example.com.", 8080),
      Good("GET / HTTP/1.1\r\nHost: 198.18.0.20\r\n\r\n", "198.18.0.20"),
      Good("GET / HTTP/1.1\r\nHost: [2001:2::7]:80\r\n\r\n", "[2001:2::7]", 80),
      Good("GET / HTTP/1.1\r\nHost:\r\n\r\n", nil),
      Good("GET / HTTP/1.1\r\nHost: a_b.example.com\r\n\r\n", "a_b.example.com"),
      Good("GET / HTTP/1.0\r\n\r\n", nil),
      Good(
        "GET http://www.example.com/a?b HTTP/1.1\r\nHost: WWW.example.com\r\n\r\n",
        "www.example.com"),
      Good(
        "GET HTTP://www.example.com HTTP/1.1\r\nHost: www.example.com:80\r\n\r\n", "www.example.com"
      ),
      Good(
        "GET http://www.example.com:8080/ HTTP/1.1\r\nHost: www.example.com:8080\r\n\r\n",
        "www.example.com", 8080),
      Good("GET http://www.example.com?q HTTP/1.0\r\n\r\n", "www.example.com"),
      Good("OPTIONS * HTTP/1.1\r\nHost: www.example.com\r\n\r\n", "www.example.com"),
      Good("M-SEARCH / HTTP/1.1\r\nHost: www.example.com\r\n\r\n", "www.example.com"),
      Good("GET / HTTP/1.1\r\nX-Host: a\r\nHostess: b\r\nHost: c.example\r\n\r\n", "c.example"),
      Good("GET / HTTP/1.1\r\nHost: c.example\r\nX: caf\u{e9}\t1\r\nEmpty:\r\n\r\n", "c.example"),
      // A field name of 36 bytes whose last 32 end in "host" is another name.
      Good(
        "GET / HTTP/1.1\r\nHost: c.example\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxhost: d\r\n\r\n",
        "c.example"),
    ])
  func hosts(_ good: Good) throws {
    let parsed = try #require(parse(head(good.head)).value)
    #expect(parsed.host?.text == good.host)
    #expect(parsed.port == good.port)
    #expect(parsed.length == good.head.utf8.count)
  }

  @Test(
    "knows CONNECT",
    arguments: [
      "CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n",
      "CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
      "CONNECT www.example.com:443 HTTP/1.0\r\n\r\n",
    ])
  func connect(_ request: String) throws {
    let parsed = try #require(parse(head(request)).value)
    #expect(parsed.isConnect)
    #expect(parsed.host?.text == "www.example.com")
  }

  @Test(
    "that asks to speak HTTP/2 says so",
    arguments: [
      "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", "upgrade:websocket",
    ])
  func upgrade(_ field: String) throws {
    let request = httpRequest(host: "www.example.com", fields: [field])
    #expect(try #require(parse(request).value).asksUpgrade)
  }

  @Test(
    "tells how its body ends",
    arguments: [
      ("Content-Length: 5", HTTPRequestHead.Body.length(5)),
      ("Content-Length: 0", .none),
      ("Content-Length: 007", .length(7)),
      ("content-length:999999999999999999", .length(999_999_999_999_999_999)),
      ("Transfer-Encoding: chunked", .chunked),
      ("transfer-encoding: Chunked", .chunked),
      ("X-Transfer-Encoding: chunked", .none),
    ])
  func bodies(_ field: String, _ body: HTTPRequestHead.Body) throws {
    let request = httpRequest("POST", host: "www.example.com", fields: [field])
    #expect(try #require(parse(request).value).body == body)
  }

  @Test(
    "that servers read in different ways is malformed",
    arguments: [
      // The request line.
      "\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET /\r\n",
      "GET / \r\n\r\n",
      "GET HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET /  HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET\t/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a.example\r\n\r\n",
      "GET / HTTP/0.9\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n",
      "GET / http/1.1\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1\nHost: a.example\n\n",
      "get / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "-GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET /a\u{1} HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET /\u{e9} HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET ** HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      // Absolute targets.
      "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET http://a.example:81/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\n\r\n",
      "GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET http:///x HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET http:/a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "CONNECT /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
      // The Host field.
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nhost: b.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example b.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:0\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:65536\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:8o\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:000080\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example:80:80\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: http://a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a%2eexample\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\u{0}.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: \u{e9}.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [2001:2::7\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [2001:2::7]x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [2001:2::7%eth0]\r\n\r\n",
      // Fields.
      "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n",
      "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nX: 1\r\n Host: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\n\tb.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\nX: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\rX: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\n\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\n\rX",
      "GET / HTTP/1.1\r\n: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost\r\n\r\n",
      "GET / HTTP/1.1\r\nHo st: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nX: \u{0}\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nX: \u{7f}\r\n\r\n",
      // The body.
      "GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5, 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0x5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length:\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551616\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: identity\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding:\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
  func malformed(_ request: String) {
    #expect(parse(head(request)).malformation != nil)
  }

  @Test("has field names of RFC 9110's token bytes, and no others")
  func tokens() {
    let tokens = Set(
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    // After a letter the colon ends the name.
    for byte in UInt8.min...UInt8.max where byte != 0x3a {
      let request =
        head("GET / HTTP/1.1\r\nHost: a.example\r\nx") + [byte] + head("y: 1\r\n\r\n")
      #expect((parse(request).value != nil) == tokens.contains(byte), "byte \(byte)")
    }
  }

  @Test("has values without control bytes, wherever they stand")
  func values() {
    for byte in UInt8.min...UInt8.max where byte != 0x0d {
      let isGood = byte == 0x09 || byte >= 0x20 && byte != 0x7f
      for place in 0..<12 {
        let value = [UInt8](repeating: 0x61, count: 12).overwriting(at: place, [byte])
        let request =
          head("GET / HTTP/1.1\r\nHost: a.example\r\nX: ") + value + head("\r\n\r\n")
        #expect((parse(request).value != nil) == isGood, "byte \(byte) at \(place)")
      }
    }
  }

  @Test("longer than 16 KiB is malformed, however it goes on")
  func long() {
    let line = "GET / HTTP/1.1\r\nHost: a.example\r\nX: "
    let fits = head(line + String(repeating: "a", count: 16_384 - line.utf8.count - 4) + "\r\n\r\n")
    #expect(parse(fits).value?.length == 16_384)
    let longer = head(line + String(repeating: "a", count: 16_384))
    #expect(parse(longer).malformation != nil)
    #expect(parse(Array(longer[..<16_383])).needsMore)
    #expect(parse(Array(longer[..<16_384])).malformation != nil)
  }

  @Test("with a host of 255 bytes at most")
  func longHost() {
    #expect(parse(httpRequest(host: String(repeating: "a", count: 255))).value != nil)
    #expect(parse(httpRequest(host: String(repeating: "a", count: 256))).malformation != nil)
  }
}
