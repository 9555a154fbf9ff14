import Flow
import PacketBuilder
import Policy
import Queue
import Testing
import Wire

/// Packs like the real ones, with a host of each family of servers, and where these live.
enum ChatFixtures {
  static let wechat = """
    version: 1
    service: wechat
    title: WeChat
    default: on
    ports: {tcp: [80, 443, 8080]}
    mmtls: [f103, f104]
    patterns:
      wns: {transport: tcp, ports: [443], bytes: ['77 6e 73 00'], refused: yes}
      chirp: {transport: tcp, bytes: ['c4 [1a 2b] ?? 01', 'c5 01 02 03']}
    features:
      messaging:
        default: on
        endpoints:
          - {hosts: [szlong.weixin.qq.com], signatures: [mmtls, long-link]}
          - {hosts: [short.weixin.qq.com], signatures: [short-link]}
          - {hosts: [dns.weixin.qq.com], addresses: ['198.18.0.1:8080'], signatures: [newgetdns]}
          - {hosts: [chirp.weixin.qq.com], signatures: [chirp], ports: {tcp: [8080]}}
      pictures:
        default: on
        endpoints:
          - {hosts: [pictures.weixin.qq.com], signatures: [c2c, c2c-http], companion: [mmtls, long-link]}
      extras:
        default: off
        endpoints:
          - {hosts: [qzone.weixin.qq.com], signatures: [wns]}
    """

  static let qq = """
    version: 1
    service: qq
    title: QQ
    default: on
    ports: {tcp: [80, 443, 8080, 14000]}
    features:
      messaging:
        default: on
        endpoints:
          - {hosts: [msfwifi.3g.qq.com], signatures: [msf, pc-qq]}
      pictures:
        default: on
        endpoints:
          - {hosts: [htdata3.qq.com], signatures: [highway], companion: [msf]}
    """

  static let connectivity = """
    version: 1
    service: connectivity
    title: Probes
    default: on
    ports: {tcp: [80]}
    features:
      probes:
        default: on
        endpoints:
          - requests: [{method: GET, host: captive.apple.com, path: /hotspot-detect.html}]
    """

  /// Rules with these packs.
  static func policy(_ lines: String, _ binding: String) throws -> Policy {
    if lines.isEmpty, binding == "strict" { return try strict.get() }
    return try Path.policy(
      "version: 1\nbinding: \(binding)\n\(lines)\n", packs: [wechat, qq, connectivity])
  }

  // Read once, since hundreds of tests begin with it.
  private static let strict = Result {
    try Path.policy("version: 1\n", packs: [wechat, qq, connectivity])
  }

  /// An engine with these packs.
  static func path(
    _ lines: String = "", binding: String = "strict", limits: FlowLimits = FlowLimits()
  ) throws -> Path {
    let path = Path(policy: try policy(lines, binding), limits: limits)
    try path.learn("198.18.0.7", "szlong.weixin.qq.com")
    try path.learn("198.18.0.8", "msfwifi.3g.qq.com")
    try path.learn("198.18.0.9", "short.weixin.qq.com")
    try path.learn("198.18.0.11", "chirp.weixin.qq.com")
    return path
  }

  /// Where nobody said that anything lives.
  static let stranger = "198.18.0.66"
}

/// A protocol without a name, its beginning, and where its servers live.
struct NamelessCase: Sendable, CustomTestStringConvertible {
  let name: String
  let application: Application
  let bytes: [UInt8]
  let server: Endpoint
  /// What the server says to it.
  let answer: [UInt8]
  let rule: String
  var testDescription: String { name }

  init(
    _ name: String, _ application: Application, _ bytes: [UInt8], to server: Endpoint,
    answer: [UInt8] = .ascii("anything"), rule: String
  ) {
    self.name = name
    self.application = application
    self.bytes = bytes
    self.server = server
    self.answer = answer
    self.rule = rule
  }

  static let all = [
    NamelessCase(
      "mmtls with a ticket", .mmtls, Chat.ticketHello, to: "198.18.0.7:8080",
      answer: Chat.mmtlsAnswer, rule: "wechat.messaging"),
    NamelessCase(
      "mmtls with key shares", .mmtls, Chat.sharesHello, to: "198.18.0.7:443",
      answer: Chat.mmtlsAnswer, rule: "wechat.messaging"),
    NamelessCase(
      "mmtls of 2020", .mmtls,
      Chat.ticketHello.overwriting(at: 1, hex("f103")).overwriting(at: 10, hex("03f1")),
      to: "198.18.0.7:80",
      answer: Chat.mmtlsAnswer.overwriting(at: 1, hex("f103")).overwriting(at: 10, hex("03f1")),
      rule: "wechat.messaging"),
    NamelessCase(
      "old long link", .longLink, Chat.longLink, to: "198.18.0.7:8080", rule: "wechat.messaging"),
    NamelessCase(
      "MSF login", .msf, Chat.ntLogin, to: "198.18.0.8:14000", rule: "qq.messaging"),
    NamelessCase(
      "MSF heartbeat", .msf, Chat.heartbeat, to: "198.18.0.8:8080", rule: "qq.messaging"),
    NamelessCase(
      "MSF after the login", .msf, Chat.simple, to: "198.18.0.8:443", rule: "qq.messaging"),
    NamelessCase(
      "PC QQ", .pcQQ, Chat.oicqStream, to: "198.18.0.8:80", rule: "qq.messaging"),
    NamelessCase(
      "a pack's pattern", .pattern, hex("c4 1a 77 01 00*20"), to: "198.18.0.11:8080",
      rule: "wechat.messaging"),
  ]

  /// Those whose length is known, so that a byte more or less tells.
  static let framed = all.filter { $0.application != .pattern }
}

extension Path {
  /// What the latest decision was by, and for what.
  var rule: String? { records.last.map { $0.policy.rule($0.rule).name } }
  var application: Application? { records.last?.application }

  /// Lets the device have a live long link, as if another worker had let it through.
  func hasLongLink(_ device: MACAddress = Path.phone) throws -> TCPConversation {
    var tcp = opened(self, from: "198.18.1.10:39999", to: "198.18.0.7:8080", device: device)
    client(tcp.clientSends(Chat.ticketHello), device: device)
    server(tcp.serverSends(Chat.mmtlsAnswer))
    #expect(state(tcp.tuple) == .allowed)
    return tcp
  }

  /// Lets the device have a live MSF connection.
  func hasMSF(_ device: MACAddress = Path.phone) throws -> TCPConversation {
    var tcp = opened(self, from: "198.18.1.10:39998", to: "198.18.0.8:8080", device: device)
    client(tcp.clientSends(Chat.heartbeat), device: device)
    server(tcp.serverACK())
    #expect(state(tcp.tuple) == .allowed)
    return tcp
  }
}
