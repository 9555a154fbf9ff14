import Names
import Testing
import Wire
import YAML

@testable import Policy

/// Who wins, and by which reason.
@Suite struct DecisionTests {
  static let rules = """
    services: {chat: on}
    allow:
      - {host: shop.example}
      - {host: .staff.example, note: the staff's pages}
      - {host: sub.staff.example, ports: [8443, 9000-9010]}
      - {host: text.chat.example, ports: [443]}
      - {host: quic.example, protocol: quic, ports: [443]}
      - {regex: '^mirror[0-9]\\.example\\.net$', ports: [443]}
      - {regex: '^shop\\.example$', ports: [444]}
      - {address: 198.51.100.0/28, ports: [9100]}
      - {address: 198.51.100.7, ports: [22]}
      - {address: '2001:db8:5::/48', ports: [123], protocol: udp}
    deny:
      - {host: secret.staff.example}
      - {host: .bad.cdn.chat.example}
      - {host: half.staff.example, ports: [80]}
      - {regex: '^tracker[0-9]+\\.staff\\.example$'}
      - {address: 198.51.100.8/29}
      - {address: 203.0.113.200, ports: [443]}
    devices:
      - {mac: '02:00:5e:10:00:01', name: Owner laptop, policy: unrestricted}
      - {mac: '02:00:5e:10:00:02', name: Front desk}
    """

  struct Case: CustomTestStringConvertible, Sendable {
    let host: String?
    var port: UInt16 = 443
    var address = "192.0.2.1"
    var transport = Transport.tcp
    var device: UInt64 = 0x02_00_5e_10_00_99
    let verdict: String
    var testDescription: String { "\(host ?? address):\(port) \(transport.rawValue) -> \(verdict)" }
  }

  static let cases: [Case] = [
    // Default deny.
    Case(host: "example.com", verdict: "host-not-allowed default"),
    Case(host: "example", verdict: "host-not-allowed default"),
    Case(host: nil, verdict: "no-server-name default"),
    // An exact name is that name, not what is above, below or beside it.
    Case(host: "shop.example", verdict: "host-allowed allow shop.example"),
    Case(host: "SHOP.Example.", verdict: "host-allowed allow shop.example"),
    Case(host: "a.shop.example", verdict: "host-not-allowed default"),
    Case(host: "xshop.example", verdict: "host-not-allowed default"),
    Case(host: "shop.example.evil.example", verdict: "host-not-allowed default"),
    // A suffix is the name and all below it, by whole labels.
    Case(host: "staff.example", verdict: "host-allowed allow .staff.example"),
    Case(host: "a.b.c.staff.example", verdict: "host-allowed allow .staff.example"),
    Case(host: "xstaff.example", verdict: "host-not-allowed default"),
    Case(host: "staff.example.org", verdict: "host-not-allowed default"),
    // The owner's deny beats the owner's allow, a feature that is on, and a more exact allow.
    Case(host: "secret.staff.example", verdict: "host-denied deny secret.staff.example"),
    Case(host: "a.secret.staff.example", verdict: "host-allowed allow .staff.example"),
    Case(host: "x.bad.cdn.chat.example", verdict: "host-denied deny .bad.cdn.chat.example"),
    Case(
      host: "tracker12.staff.example", verdict: "host-denied deny ^tracker[0-9]+\\.staff\\.example$"
    ),
    Case(host: "tracker.staff.example", verdict: "host-allowed allow .staff.example"),
    // A deny line with ports holds on those ports only.
    Case(host: "half.staff.example", port: 80, verdict: "host-denied deny half.staff.example"),
    Case(host: "half.staff.example", verdict: "host-allowed allow .staff.example"),
    // The owner's allow is named before a feature, where it holds.
    Case(host: "text.chat.example", verdict: "host-allowed allow text.chat.example"),
    Case(host: "text.chat.example", port: 8080, verdict: "host-allowed chat.text"),
    // Features: on beats off, off is named, the most exact off is no exception to on.
    Case(host: "cdn.chat.example", port: 80, verdict: "host-allowed chat.text"),
    Case(host: "a.cdn.chat.example", verdict: "host-allowed chat.text"),
    Case(host: "live.cdn.chat.example", verdict: "host-allowed chat.text"),
    Case(host: "both.chat.example", verdict: "host-allowed chat.text"),
    Case(host: "x.video.chat.example", verdict: "feature-off chat.video"),
    Case(host: "video.chat.example", port: 5000, verdict: "feature-off chat.video"),
    Case(host: "v12.chat.example", verdict: "feature-off chat.video"),
    Case(host: "v.chat.example", verdict: "host-not-allowed default"),
    // Ports: 80 and 443 where a line says nothing; what the line says; what the pack says.
    Case(host: "shop.example", port: 80, verdict: "host-allowed allow shop.example"),
    Case(host: "shop.example", port: 8080, verdict: "port-not-allowed allow shop.example"),
    Case(host: "shop.example", port: 444, verdict: "host-allowed allow ^shop\\.example$"),
    Case(host: "sub.staff.example", port: 9005, verdict: "host-allowed allow sub.staff.example"),
    Case(host: "sub.staff.example", port: 443, verdict: "host-allowed allow .staff.example"),
    Case(
      host: "sub.staff.example", port: 9011, verdict: "port-not-allowed allow sub.staff.example"),
    Case(host: "text.chat.example", port: 25, verdict: "port-not-allowed allow text.chat.example"),
    Case(host: "cdn.chat.example", port: 14000, verdict: "port-not-allowed chat.text"),
    Case(host: "old.chat.example", port: 14000, verdict: "host-allowed chat.text"),
    Case(host: "old.chat.example", verdict: "port-not-allowed chat.text"),
    // Transports: tcp where a line says nothing; udp is not quic, and quic is not udp.
    Case(
      host: "shop.example", transport: .quic, verdict: "port-not-allowed allow shop.example"),
    Case(host: "quic.example", transport: .quic, verdict: "host-allowed allow quic.example"),
    Case(host: "quic.example", transport: .udp, verdict: "port-not-allowed allow quic.example"),
    Case(host: "quic.example", verdict: "port-not-allowed allow quic.example"),
    Case(
      host: "secret.staff.example", transport: .quic,
      verdict: "host-denied deny secret.staff.example"),
    Case(host: "old.chat.example", port: 8000, transport: .udp, verdict: "host-allowed chat.text"),
    // Regexes take whole names.
    Case(
      host: "mirror1.example.net",
      verdict: "host-allowed allow ^mirror[0-9]\\.example\\.net$"),
    Case(
      host: "mirror1.example.net", port: 80,
      verdict: "port-not-allowed allow ^mirror[0-9]\\.example\\.net$"),
    Case(host: "mirror1.example.net.evil.example", verdict: "host-not-allowed default"),
    Case(host: "amirror1.example.net", verdict: "host-not-allowed default"),
    Case(host: "mirror1xexample.net", verdict: "host-not-allowed default"),
    // Addresses: with and without a name, the longest prefix first, deny before allow.
    Case(
      host: nil, port: 9100, address: "198.51.100.3",
      verdict: "address-allowed allow 198.51.100.0/28"),
    Case(
      host: "anything.example", port: 9100, address: "198.51.100.3",
      verdict: "address-allowed allow 198.51.100.0/28"),
    Case(
      host: nil, port: 22, address: "198.51.100.7", verdict: "address-allowed allow 198.51.100.7"),
    Case(
      host: nil, port: 9100, address: "198.51.100.7",
      verdict: "address-allowed allow 198.51.100.0/28"),
    Case(
      host: nil, port: 9100, address: "198.51.100.9",
      verdict: "address-denied deny 198.51.100.8/29"),
    Case(
      host: "shop.example", address: "198.51.100.9",
      verdict: "address-denied deny 198.51.100.8/29"),
    Case(
      host: nil, port: 9100, address: "::ffff:c633:6403",
      verdict: "address-allowed allow 198.51.100.0/28"),
    Case(
      host: nil, port: 23, address: "198.51.100.3",
      verdict: "port-not-allowed allow 198.51.100.0/28"),
    Case(host: nil, port: 9100, address: "198.51.100.16", verdict: "no-server-name default"),
    Case(
      host: nil, port: 123, address: "2001:db8:5::1", transport: .udp,
      verdict: "address-allowed allow 2001:db8:5::/48"),
    Case(
      host: nil, port: 123, address: "2001:db8:5::1",
      verdict: "port-not-allowed allow 2001:db8:5::/48"),
    Case(
      host: "shop.example", address: "203.0.113.200", verdict: "address-denied deny 203.0.113.200"),
    Case(
      host: "shop.example", port: 80, address: "203.0.113.200",
      verdict: "host-allowed allow shop.example"),
    // A deny line for a host holds at an allowed address, too, once the name is known.
    Case(
      host: "secret.staff.example", port: 9100, address: "198.51.100.3",
      verdict: "host-denied deny secret.staff.example"),
    // Devices.
    Case(
      host: "secret.staff.example", port: 1, device: 0x02_00_5e_10_00_01,
      verdict: "device-unrestricted devices Owner laptop"),
    Case(host: "example.com", device: 0x02_00_5e_10_00_02, verdict: "host-not-allowed default"),
    Case(host: "example.com", device: 0, verdict: "host-not-allowed default"),
  ]

  @Test func theTable() throws {
    let policy = try Fixtures.policy(Self.rules)
    for c in Self.cases {
      let subject = try Subject.tls(
        c.host, port: c.port, address: c.address, transport: c.transport, device: c.device)
      #expect(policy.verdict(subject) == c.verdict, "\(c.testDescription)")
    }
  }

  @Test func anUnknownProtocolWithoutANameSaysSo() throws {
    var subject = try Subject.tls(nil)
    subject.application = .unknown
    #expect(try Fixtures.policy("").verdict(subject) == "unknown-protocol default")
  }

  @Test(arguments: [("strict", true), ("observe", true), ("off", false)])
  func aNameMustProveItsAddressUnlessBindingIsOff(_ binding: String, _ needed: Bool) throws {
    let policy = try Fixtures.policy(
      "binding: \(binding)\nallow: [{address: 198.51.100.7, ports: [443]}]")
    #expect(policy.decide(try .tls("text.chat.example")).needsKnownAddress == needed)
    #expect(
      !policy.decide(try .tls("text.chat.example", address: "198.51.100.7")).needsKnownAddress)
    #expect(!policy.decide(try .tls("nobody.example")).needsKnownAddress)
  }

  // MARK: Opening

  @Test(
    arguments: [
      (80, Transport.tcp, "192.0.2.1", "undecided"),
      (8443, .tcp, "192.0.2.1", "undecided"),
      (9010, .tcp, "192.0.2.1", "undecided"),
      (14000, .tcp, "192.0.2.1", "undecided"),
      (25, .tcp, "192.0.2.1", "port-not-allowed default"),
      // A port that only an address line or a deny line names is not open elsewhere.
      (9100, .tcp, "192.0.2.1", "port-not-allowed default"),
      (22, .tcp, "192.0.2.1", "port-not-allowed default"),
      (8000, .udp, "192.0.2.1", "undecided"),
      // QUIC comes as UDP.
      (443, .udp, "192.0.2.1", "undecided"),
      (8080, .udp, "192.0.2.1", "port-not-allowed default"),
      (9100, .tcp, "198.51.100.3", "address-allowed allow 198.51.100.0/28"),
      (443, .tcp, "198.51.100.3", "undecided"),
      (23, .tcp, "198.51.100.3", "port-not-allowed allow 198.51.100.0/28"),
      (9100, .tcp, "198.51.100.9", "address-denied deny 198.51.100.8/29"),
      (443, .udp, "198.51.100.9", "address-denied deny 198.51.100.8/29"),
    ] as [(UInt16, Transport, String, String)])
  func theFirstPacket(
    _ port: UInt16, _ transport: Transport, _ address: String, _ expected: String
  ) throws {
    let policy = try Fixtures.policy(Self.rules)
    let opening = policy.opening(
      address: try #require(IPAddress(address)), port: port, transport: transport,
      device: MACAddress(bits: 0x02_00_5e_10_00_02))
    switch opening {
    case .undecided: #expect(expected == "undecided")
    case .decided(let decision):
      #expect("\(decision.reason.name) \(policy.rule(decision.rule).name)" == expected)
    }
  }

  @Test func anUnrestrictedDeviceIsDecidedAtItsFirstPacket() throws {
    let policy = try Fixtures.policy(Self.rules)
    let opening = policy.opening(
      address: try #require(IPAddress("198.51.100.9")), port: 25, transport: .tcp,
      device: MACAddress(bits: 0x02_00_5e_10_00_01))
    guard case .decided(let decision) = opening else {
      Issue.record("not decided")
      return
    }
    #expect(decision.reason == .deviceUnrestricted)
  }

  @Test func portsOfFeaturesThatAreOffStayShut() throws {
    let policy = try Fixtures.policy("services: {chat: off}")
    let opening = policy.opening(
      address: try #require(IPAddress("192.0.2.1")), port: 443, transport: .tcp, device: .unknown)
    #expect(opening == .decided(Decision(reason: .portNotAllowed, rule: .none)))
  }

  // MARK: Teaching

  @Test(arguments: [
    ("shop.example", true), ("a.staff.example", true), ("cdn.chat.example", true),
    // On other ports than the web's, and over UDP, too.
    ("sub.staff.example", true), ("old.chat.example", true), ("quic.example", true),
    ("mirror3.example.net", true),
    // Denied on one port is not denied.
    ("half.staff.example", true),
    ("secret.staff.example", false), ("x.bad.cdn.chat.example", false),
    ("tracker1.staff.example", false), ("x.video.chat.example", false), ("example.com", false),
  ])
  func onlyAllowedNamesTeachAddresses(_ name: String, _ expected: Bool) throws {
    #expect(try Fixtures.policy(Self.rules).mayTeach(try #require(HostName(name))) == expected)
  }

  @Test func exactNamesAreThoseThatAreAllowed() throws {
    let policy = try Fixtures.policy(
      """
      allow: [{host: shop.example}, {host: .staff.example}, {host: lost.example}]
      deny: [{host: .lost.example}, {host: denied.example}]
      """)
    #expect(
      policy.exactNames.map { $0.text } == [
        "text.chat.example", "both.chat.example", "old.chat.example", "shop.example",
      ])
  }

  @Test(
    arguments: [
      ("203.0.113.5", 443, true), ("203.0.113.5", 14000, false), ("203.0.113.16", 443, false),
      ("203.0.113.77", 8080, true), ("203.0.113.77", 443, false), ("2001:db8::7", 8080, true),
    ] as [(String, UInt16, Bool)])
  func packsKnowTheirServers(_ address: String, _ port: UInt16, _ expected: Bool) throws {
    let policy = try Fixtures.policy("")
    let rule = policy.decide(try .tls("text.chat.example")).rule
    let server = try #require(IPAddress(address))
    #expect(policy.isBuiltIn(server, port: port, for: rule) == expected)
    #expect(!policy.isBuiltIn(server, port: port, for: .none))
    // It opens nothing by itself.
    #expect(!policy.decide(try .tls(nil, port: port, address: address)).isAllowed)
  }

  @Test func anAllIPv6PrefixHoldsNoIPv4Address() throws {
    let policy = try Fixtures.policy("deny: [{address: '::/0'}]")
    #expect(policy.decide(try .tls("text.chat.example", address: "192.0.2.1")).isAllowed)
    #expect(!policy.decide(try .tls("text.chat.example", address: "2001:db8::1")).isAllowed)
    let other = try Fixtures.policy("deny: [{address: 0.0.0.0/0}]")
    #expect(!other.decide(try .tls("text.chat.example", address: "192.0.2.1")).isAllowed)
    #expect(other.decide(try .tls("text.chat.example", address: "2001:db8::1")).isAllowed)
  }
}
