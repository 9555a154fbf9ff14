import Names
import PacketBuilder
import Policy
import System
import Testing
import Wire

@testable import imgate

/// The classifier of the captures, tested by itself: it needs no captures.
@Suite struct ClassifierTests {
  static let mmtls = hex(
    """
    16 f104 00a1 0000009d 01 04f1 01 00a8 ; record, section, ClientHello, one suite
    a5*32 65000000 ; random, time
    0000006f 01 0000006a 000f 01 ; one extension: tickets
    00000063 01 00093a80 0000 00000007 000c c1*12 0048 c2*72
    """)
  static let msf = hex("00000027 0000000c 02 00000004 00 00000009 \"10001\" c5*16")
  static let oicq = hex("02 3b0b 0001 0017 00002711 00*8 c4*24 03")

  @Test(arguments: [
    ("a hello of mmtls", mmtls, true),
    ("of the older version", mmtls.overwriting(at: 2, [0x03]).overwriting(at: 10, [0x03]), true),
    ("with other inner lengths", mmtls.overwriting(at: 8, [0x9c]), false),
    ("with nine suites", mmtls.overwriting(at: 12, [0x09]), false),
    ("of TLS", mmtls.overwriting(at: 1, hex("0301")), false),
    ("cut", Array(mmtls.dropLast()), false),
    ("from the middle", mmtls.overwriting(at: 0, [0x17]), false),
  ])
  func `a long link begins with a whole hello of mmtls`(
    name: String, stream: [UInt8], isOne: Bool
  ) {
    #expect(ChatBytes.isLongLink(stream) == isOne, "\(name)")
  }

  @Test(arguments: [
    ("a login", msf, true),
    ("a heartbeat without a number", hex("00000035 0000000d 00 00000101 00 00000004 00*31"), true),
    ("another kind", msf.overwriting(at: 7, [0x0e]), false),
    ("another encryption", msf.overwriting(at: 8, [0x03]), false),
    ("letters for a number", msf.overwriting(at: 20, [0x41]), false),
    ("a long number", msf.overwriting(at: 17, [0x40]), false),
    ("nothing", [], false),
  ])
  func `MSF's first frame has a kind, an encryption and a number`(
    name: String, stream: [UInt8], isOne: Bool
  ) {
    #expect(ChatBytes.isMSF(stream) == isOne, "\(name)")
  }

  @Test(arguments: [
    ("a keep-alive", oicq, true), ("without its end", oicq.overwriting(at: 43, [0x04]), false),
    ("with an unknown command", oicq.overwriting(at: 3, hex("00ff")), false),
    ("of two bytes", hex("0203"), false),
  ])
  func `OICQ has a known command between its first and its last byte`(
    name: String, frame: [UInt8], isOne: Bool
  ) {
    #expect(ChatBytes.isOICQ(frame) == isOne, "\(name)")
    let length = [0, UInt8(frame.count + 2)]
    #expect(ChatBytes.isPCQQ(length + frame) == isOne, "\(name), over TCP")
    #expect(!ChatBytes.isPCQQ([0, UInt8(frame.count)] + frame), "\(name), with another length")
  }

  @Test func `a short link's records fill its body`() throws {
    let body = mmtlsBody + hex("17 f104 0018 e3*24 15 f104 0017 e4*23")
    for (length, isOne) in [(body.count, true), (body.count - 1, false), (body.count + 1, false)] {
      let request =
        [UInt8].ascii(
          "POST /mmtls/0a1b2c3d HTTP/1.1\r\nHost: 198.18.0.20\r\nContent-Length: \(length)\r\n\r\n")
        + body
      let head = try #require(HTTPHead(request))
      #expect((ChatBytes.shortLinkEnd(request, head) == request.count) == isOne)
    }
  }
  private var mmtlsBody: [UInt8] { Self.mmtls.overwriting(at: 0, [0x19]) }

  // MARK: Names

  @Test(arguments: [
    ("short.weixin.qq.com", 80, true), ("SZshort.weixin.qq.com.", 443, true),
    ("findershort.weixin.qq.com", 80, false), ("short.weixin.qq.com.evil.example", 80, false),
    ("short.weixin.qq.com", 14000, false), ("msfwifi.3g.qq.com", 14000, true),
    ("a.ftn.qq.com", 443, true), ("ftn.qq.com", 443, true), ("xftn.qq.com", 443, false),
    ("", 443, false),
  ])
  func `a name is allowed whole, on its ports`(name: String, port: Int, isAllowed: Bool) throws {
    #expect(try Classifier().allows(name, port) == isAllowed)
  }

  /// The names of the list, with their ports.
  static func listed() throws -> [(name: String, ports: Set<Int>)] {
    try Classifier().lines.flatMap { line in line.names.map { ($0, line.ports) } }
  }

  @Test func `the packs allow every name of the list on its ports, and no other port`() throws {
    let policy = try VerdictConformanceTests.policy()
    for (name, ports) in try Self.listed() {
      let host = try #require(HostName(name.hasPrefix(".") ? "a" + name : name))
      for port in [80, 443, 8000, 8080, 14000, 5228] {
        let decision = policy.decide(
          Subject(
            application: .tls, host: host, address: address("198.18.0.7"), port: UInt16(port),
            transport: .tcp, device: .unknown))
        #expect(decision.isAllowed == ports.contains(port), "\(name) \(port)")
      }
    }
  }

  /// The hosts of features that are on by default, by a reading of the pack that knows no more of
  /// YAML than its own indentation.
  static func hosts(ofPack service: String) throws -> Set<String> {
    let path = CaptureFolder.project + "/rules/services/\(service).yaml"
    var hosts: Set<String> = []
    var endpoint: Set<String> = []
    var isOn = false
    var isHost = false
    var isUDP = false
    func end() {
      if isOn, !isUDP { hosts.formUnion(endpoint) }
      endpoint = []
      isUDP = false
    }
    for line in String(decoding: try File.read(path), as: UTF8.self).split(separator: "\n") {
      let text = line.drop { $0 == " " }
      let indent = line.count - text.count
      if text.hasPrefix("#") { continue }
      if indent <= 6 { end() }
      if text.hasPrefix("default: "), indent == 4 { isOn = text.hasSuffix("on") }
      if text.hasSuffix(":") { isHost = text.hasSuffix("hosts:") }
      if text.hasPrefix("ports: {udp") || text.hasPrefix("ports: {quic") { isUDP = true }
      if indent == 10, isHost, text.hasPrefix("- ") { endpoint.insert(String(text.dropFirst(2))) }
    }
    end()
    return hosts
  }

  @Test func `the list has every host of the packs' features that are on`() throws {
    let hosts = try ["wechat", "qq", "wecom"].map { try Self.hosts(ofPack: $0) }
    let listed = Set(try Self.listed().map(\.name))
    #expect(hosts.reduce([]) { $0.union($1) } == listed)
    #expect(hosts.allSatisfy { $0.count > 5 })
  }
}
