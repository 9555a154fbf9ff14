import Names
import Testing
import Wire

@Suite("A host name")
struct HostNameTests {
  @Test(
    "is normalised",
    arguments: [
      ("short.weixin.qq.com", "short.weixin.qq.com"),
      ("Short.WeiXin.QQ.com", "short.weixin.qq.com"),
      ("short.weixin.qq.com.", "short.weixin.qq.com"), ("a", "a"), ("xn--fiqs8s", "xn--fiqs8s"),
      ("3.example", "3.example"),
      ("1-2.example", "1-2.example"), ("a1", "a1"), ("1a", "1a"),
      ("198.18.0.7.example", "198.18.0.7.example"),
    ])
  func good(_ text: String, _ normal: String) throws {
    let name = try #require(HostName(text))
    #expect(name.text == normal)
    #expect(name.count == normal.utf8.count)
    #expect(name.wire.text == normal)
    #expect(HostName(name.wire) == name)
  }

  @Test(
    "is nothing else",
    arguments: [
      "", ".", "..", "a..b", ".a", "a..", "-a.example", "a-.example", "a.-", "a_b.example",
      "_tcp.example", "a b", "a/b", "a:80",
      "caf\u{e9}.example", "a\u{0}b", "a\n", "*.example", "198.18.0.7", "1", "a.1", "a.1.", "[::1]",
      "2001:2::7", "a.example\u{2024}",
    ])
  func bad(_ text: String) {
    #expect(HostName(text) == nil)
  }

  @Test("has labels of 63 bytes at most, and 253 in all")
  func lengths() throws {
    let label = String(repeating: "a", count: 63)
    #expect(HostName(label + ".example") != nil)
    #expect(HostName(label + "a.example") == nil)
    let longest = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
    #expect(longest.utf8.count == 253)
    let name = try #require(HostName(longest))
    #expect(name.text == longest)
    #expect(HostName(longest + ".") == name)
    #expect(HostName(longest + "b") == nil)
    #expect(HostName(String(repeating: "a.", count: 128)) == nil)
  }

  @Test("equals and hashes as its normal form does")
  func equality() throws {
    let one = try #require(HostName("WWW.example.com.")),
      same = try #require(HostName("www.example.com"))
    #expect(one == same)
    #expect(one.hashValue == same.hashValue)
    for other in ["www.example.co", "www.example.comm", "wwx.example.com", "ww.wexample.com"] {
      #expect(HostName(other) != one)
    }
    #expect(Set([one, same]).count == 1)
  }

  @Test("gives its bytes by index")
  func bytes() throws {
    let name = try #require(HostName("res.WX.qq.com"))
    #expect((0..<name.count).map { name[$0] } == Array("res.wx.qq.com".utf8))
  }
}
