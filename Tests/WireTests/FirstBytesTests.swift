import PacketBuilder
import Testing
import Wire

@Suite("The first bytes of a stream")
struct FirstBytesTests {
  @Test("of a TLS record are 16 03")
  func tls() {
    let whole = hex("16 03"), cut = hex("16"), mmtls = hex("16 f1 04")
    #expect(FirstBytes.classify(whole.raw).value == .tls)
    #expect(FirstBytes.classify(cut.raw).needsMore)
    #expect(FirstBytes.classify(mmtls.raw).value == .unknown)
  }

  @Test(
    "of HTTP are a method and a space",
    arguments: [
      "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "PRI",
    ])
  func methods(_ method: String) {
    let bytes = [UInt8].ascii(method + " / HTTP/1.1")
    let length = method.utf8.count + 1
    for count in 0..<length {
      let prefix = Array(bytes[..<count])
      #expect(FirstBytes.classify(prefix.raw).needsMore, "first \(count) bytes")
    }
    for count in length...bytes.count {
      let prefix = Array(bytes[..<count])
      #expect(FirstBytes.classify(prefix.raw).value == .http)
    }
  }

  @Test(
    "that belong to nothing known are unknown",
    arguments: [
      "get / HTTP/1.1", "GETS / ", "GET\t/", "\r\nGET / ", " GET", "POSTED", "X", "SSH-2.0-", "\0",
      "GETT", "CONNECTS ", "OPTIONSX", "PROPFIND / ",
    ])
  func unknown(_ text: String) {
    let bytes = [UInt8].ascii(text)
    #expect(FirstBytes.classify(bytes.raw).value == .unknown)
  }

  @Test("are needed")
  func empty() {
    let none: [UInt8] = []
    #expect(FirstBytes.classify(none.raw).needsMore)
  }
}
