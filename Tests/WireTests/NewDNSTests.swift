import PacketBuilder
import Testing
import Wire

@Suite("newgetdns")
struct NewDNSTests {
  /// The entries of a reply as `name address timeout`, and its outcome.
  private func read(_ text: String) -> (entries: [String], outcome: Parsed<NewDNSReply>) {
    var entries: [String] = []
    let bytes = [UInt8].ascii(text)
    let outcome = NewDNSReply.parse(bytes.raw) {
      entries.append("\($0.name?.text ?? "-") \($0.address.text) \($0.timeout)")
    }
    return (entries, outcome)
  }

  private func domains(_ inside: String) -> String {
    "<dns><domainlist>\(inside)</domainlist></dns>"
  }

  @Test("gives the request's host")
  func request() throws {
    let newDNS = Chat.newDNS
    let value = try #require(NewDNSRequest.recognise(newDNS.raw).value)
    #expect(value.host.text == "dns.weixin.qq.com")
    #expect(value.length == 197)
  }

  @Test(
    "is another request when the line differs",
    arguments: [
      "POST /cgi-bin/micromsg-bin/newgetdns?uin=0 HTTP/1.0\r\n\r\n",
      "GET /cgi-bin/micromsg-bin/newgetdnsx?uin=0 HTTP/1.0\r\n\r\n",
      "GET /cgi-bin/micromsg-bin/newgetdns HTTP/1.0\r\n\r\n",
      "GET /cgi-bin/micromsg-bin/NEWGETDNS?uin=0 HTTP/1.0\r\n\r\n",
      "GET http://dns.weixin.qq.com/cgi-bin/micromsg-bin/newgetdns?uin=0 HTTP/1.0\r\n\r\n",
    ])
  func otherRequests(_ text: String) {
    let bytes = [UInt8].ascii(text)
    #expect(NewDNSRequest.recognise(bytes.raw).isOther)
  }

  @Test("without a host, or with a body in a GET, is malformed")
  func badRequests() {
    let line = "GET /cgi-bin/micromsg-bin/newgetdns?uin=0 HTTP/1.0\r\n"
    for rest in [
      "\r\n", "Host: a\r\nContent-Length: 4\r\n\r\nabcd", "Host: a\r\nUpgrade: x\r\n\r\n",
    ] {
      let bytes = [UInt8].ascii(line + rest)
      #expect(NewDNSRequest.recognise(bytes.raw).malformation != nil)
    }
  }

  @Test("gives names and addresses, a mapped address once, and its own next servers")
  func reply() {
    let (entries, outcome) = read(Chat.newDNSReply)
    #expect(
      entries == [
        "szlong.weixin.qq.com 198.18.0.7 1860", "localhost 127.0.0.1 1860",
        "mp.weixin.qq.com 198.18.0.9 1860", "- 198.18.0.1 0",
      ])
    #expect(outcome.value?.names == 3)
    #expect(outcome.value?.entries == 4)
  }

  @Test("passes over what it does not know")
  func tolerant() {
    let text = """
      <!-- a > b --><?x ?><functionlist><domainlist><domain name="a.example"><ip>198.18.0.2</ip>
      </domain></domainlist></functionlist><dns retcode='0'><x><ip>198.18.0.3</ip></x><br/>
      <domainlist><domain timeout = 'soon' name = "b.example" ><ip> 198.18.0.4 </ip><ip/><ip>no</ip>
      <ipv6 property="minor">2001:2::4</ipv6><y><ip>198.18.0.5</ip></y></domain>
      <domain name="c.example"/></domainlist></dns >
      """
    let (entries, outcome) = read(text)
    #expect(entries == ["b.example 198.18.0.4 0", "b.example 2001:2::4 0"])
    #expect(outcome.value?.names == 2)
  }

  @Test(
    "refuses a reply that is not well-formed, and tells nothing of it",
    arguments: [
      "</dns>", "<dns></x></dns>", "<>", "<dns", "<dns>", "hello", "<html></html>",
      "<!DOCTYPE dns [<!ENTITY a \"b\">]><dns></dns>", "<dns x></dns>", "<dns x=1></dns>",
      "<dns x=\"<\"></dns>", "<dns></dns x>", "<dns/x>", "<a><b><c><d><e><f><g><h><i>",
      "<dns></dns><!-- ", "<dns></dns><? ",
      "<dns><domainlist><domain><ip>198.18.0.2</ip></domain></domainlist></dns>",
      "<dns><domainlist><domain name=\"\"></domain></domainlist></dns>",
      "<dns><domainlist><domain name=\"a\" name=\"b\"></domain></domainlist></dns>",
      "<dns><domainlist><domain name=\"a b\"></domain></domainlist></dns>",
      "<dns><domainlist><domain name=\"a\"><ip>198.18.0.2</ip></domain></domainlist>",
    ])
  func malformed(_ text: String) {
    let (entries, outcome) = read(text)
    #expect(entries == [])
    #expect(outcome.value == nil)
  }

  @Test("takes 512 names and 64 addresses a name, and not one more")
  func limits() {
    func named(_ count: Int) -> String {
      domains((0..<count).map { "<domain name=\"n\($0)\"><ip>198.18.0.2</ip></domain>" }.joined())
    }
    #expect(read(named(512)).entries.count == 512)
    #expect(read(named(513)).outcome.malformation == "more than 512 names")
    func addresses(_ count: Int) -> String {
      let list = (1...count).map { "<ip>198.18.1.\($0)</ip>" }.joined()
      return domains("<domain name=\"a\">\(list)</domain>")
    }
    #expect(read(addresses(64)).entries.count == 64)
    #expect(read(addresses(65)).outcome.malformation == "more than 64 addresses of a name")
    let long = domains("") + String(repeating: " ", count: 262_144 - domains("").utf8.count)
    #expect(read(long).outcome.value != nil)
    #expect(read(long + " ").outcome.malformation == "reply longer than 256 KiB")
    let name = String(repeating: "a", count: 255)
    #expect(read(domains("<domain name=\"\(name)\"></domain>")).outcome.value?.names == 1)
    #expect(read(domains("<domain name=\"\(name)a\"></domain>")).outcome.malformation != nil)
  }
}
