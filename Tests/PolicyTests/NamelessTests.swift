import Names
import PacketBuilder
import System
import Testing
import Wire
import YAML

@testable import Policy

/// Protocols that carry no name, single requests, and questions for names.
///
/// Addresses: 198.18.0.0/15 is nobody's until a test teaches it; 203.0.113.0/24 is the pack's.
@Suite struct NamelessTests {
  /// A pack with a family of servers for each protocol, media, a pattern and a request.
  static let pack = """
    service: chat
    ports: {tcp: [80, 443, 8080]}
    mmtls: [f104]
    patterns:
      call: {transport: udp, length: [4, 9], bytes: ['d1 0a [2e 2d] 0a']}
      game: {transport: tcp, bytes: ['33 66'], refused: yes}
      clock: {transport: udp, ports: [123], length: 48, bytes: [1b]}
    features:
      text:
        endpoints:
          - hosts: [long.chat.example]
            signatures: [mmtls, long-link]
          - hosts: [short.chat.example, .short.chat.example]
            regexes: ['^[a-z]+-short\\.chat\\.example$']
            signatures: [short-link]
          - hosts: [dns.chat.example]
            addresses: ['203.0.113.240:8080']
            signatures: [newgetdns]
          - addresses: [203.0.113.4]
            signatures: [mmtls, short-link]
          - hosts: [classic.chat.example]
            signatures: [oicq]
            ports: {udp: [8000]}
      pictures:
        endpoints:
          - hosts: [pictures.chat.example]
            signatures: [c2c]
            companion: [mmtls, long-link]
      files:
        endpoints:
          - hosts: [files.chat.example]
            signatures: [c2c]
            companion: [mmtls, long-link]
      articles:
        default: off
        endpoints: [{hosts: [articles.chat.example]}]
      other-link:
        default: off
        endpoints: [{hosts: [old.chat.example], signatures: [msf], ports: {tcp: [8080]}}]
      calls:
        default: off
        endpoints: [{signatures: [call], companion: [mmtls], ports: {udp: [8000]}}]
      clock:
        endpoints: [{hosts: [time.chat.example], signatures: [clock], rate: 10/m, ports: {udp: [123]}}]
      games:
        default: off
        endpoints: [{signatures: [game]}]
      probes:
        endpoints:
          - requests:
              - {method: GET, host: probe.example, path: /generate_204}
              - {method: HEAD, host: probe.example, path: /}
            ports: {tcp: [80]}
    """

  static let nobody = "198.18.0.1"

  func policy(_ rules: String = "", _ pack: String = pack) throws -> Policy {
    try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: "version: 1\n" + rules),
      packs: [SourceFile(path: "chat.yaml", text: pack)])
  }

  func now(_ seconds: UInt64 = 0) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  /// Addresses that the resolver gave: `["198.18.0.1": ["long.chat.example"]]`.
  func learned(_ names: [String: [String]]) throws -> LearnedAddresses {
    let learned = LearnedAddresses()
    for (address, names) in names {
      for name in names {
        learned.learn(
          try #require(IPAddress(address)), for: try #require(HostName(name)), timeToLive: 600,
          from: .dns, now: now())
      }
    }
    return learned
  }

  func subject(
    _ application: Application, at address: String = nobody, port: UInt16 = 8080,
    transport: Transport? = nil, host: String? = nil
  ) throws -> Subject {
    Subject(
      application: application, host: try host.map { try #require(HostName($0)) },
      address: try #require(IPAddress(address)), port: port,
      transport: transport ?? application.transport, device: MACAddress(bits: 0x02_00_5e_10_00_99))
  }

  /// `signature-allowed chat.text`.
  func verdict(
    _ policy: Policy, _ subject: Subject, _ learned: LearnedAddresses, pattern: String? = nil
  ) throws -> String {
    let id = try pattern.map { try #require(policy.pattern(named: $0)) }
    let decision = policy.decide(nameless: subject, pattern: id, learned: learned, now: now(1))
    return "\(decision.reason.name) \(policy.rule(decision.rule).name)"
  }

  // MARK: Families

  @Test(
    "A nameless protocol needs an address that is learned for that very family",
    arguments: [
      (.mmtls, "long.chat.example", "signature-allowed chat.text"),
      (.longLink, "long.chat.example", "signature-allowed chat.text"),
      (.shortLink, "short.chat.example", "signature-allowed chat.text"),
      (.shortLink, "a.b.short.chat.example", "signature-allowed chat.text"),
      (.shortLink, "sz-short.chat.example", "signature-allowed chat.text"),
      (.newgetdns, "dns.chat.example", "signature-allowed chat.text"),
      (.c2c, "pictures.chat.example", "signature-allowed chat.pictures"),
      (.c2c, "files.chat.example", "signature-allowed chat.files"),
      // Another family of the same feature.
      (.mmtls, "short.chat.example", "address-not-learned chat.text"),
      (.shortLink, "long.chat.example", "address-not-learned chat.text"),
      (.newgetdns, "short.chat.example", "address-not-learned chat.text"),
      (.mmtls, "dns.chat.example", "address-not-learned chat.text"),
      // A name of a feature without the protocol, and of one that is off.
      (.mmtls, "pictures.chat.example", "address-not-learned chat.text"),
      (.mmtls, "articles.chat.example", "address-not-learned chat.text"),
      (.mmtls, "stranger.example", "address-not-learned chat.text"),
    ] as [(Application, String, String)])
  func families(_ application: Application, _ name: String, _ expected: String) throws {
    let learned = try learned([Self.nobody: [name], "198.18.0.2": ["long.chat.example"]])
    #expect(try verdict(policy(), subject(application), learned) == expected)
  }

  @Test("One address may serve many names: each speaks for its own family")
  func sharedAddress() throws {
    let learned = try learned([
      Self.nobody: ["articles.chat.example", "short.chat.example", "long.chat.example"]
    ])
    for application in [Application.mmtls, .longLink, .shortLink] {
      #expect(
        try verdict(policy(), subject(application), learned) == "signature-allowed chat.text")
    }
    #expect(
      try verdict(policy(), subject(.newgetdns), learned) == "address-not-learned chat.text")
  }

  @Test(
    "A pack's addresses speak for the endpoint that lists them, on their own ports",
    arguments: [
      (.newgetdns, "203.0.113.240", 8080, "signature-allowed chat.text"),
      (.newgetdns, "203.0.113.240", 80, "address-not-learned chat.text"),
      (.mmtls, "203.0.113.240", 8080, "address-not-learned chat.text"),
      (.shortLink, "203.0.113.240", 8080, "address-not-learned chat.text"),
      (.mmtls, "203.0.113.4", 443, "signature-allowed chat.text"),
      (.shortLink, "203.0.113.4", 80, "signature-allowed chat.text"),
      (.longLink, "203.0.113.4", 80, "address-not-learned chat.text"),
      (.newgetdns, "203.0.113.4", 80, "address-not-learned chat.text"),
    ] as [(Application, String, UInt16, String)])
  func builtIn(
    _ application: Application, _ address: String, _ port: UInt16, _ expected: String
  ) throws {
    let subject = try subject(application, at: address, port: port)
    #expect(try verdict(policy(), subject, learned([:])) == expected)
  }

  @Test(
    "Ports and switches have reasons of their own",
    arguments: [
      (.mmtls, 14000, "port-not-allowed chat.text"), (.oicq, 8001, "port-not-allowed chat.text"),
      (.msf, 8080, "feature-off chat.other-link"), (.highway, 8080, "unknown-protocol default"),
      (.unknown, 8080, "unknown-protocol default"),
    ] as [(Application, UInt16, String)])
  func reasons(_ application: Application, _ port: UInt16, _ expected: String) throws {
    let learned = try learned([
      Self.nobody: ["long.chat.example", "classic.chat.example", "old.chat.example"]
    ])
    #expect(try verdict(policy(), subject(application, port: port), learned) == expected)
  }

  @Test("An address that has expired proves nothing")
  func expiry() throws {
    let learned = try learned([Self.nobody: ["long.chat.example"]])
    let late = try policy().decide(
      nameless: subject(.mmtls), pattern: nil, learned: learned, now: now(4_200))
    #expect(late.reason == .addressNotLearned)
  }

  @Test("Using an address keeps it")
  func use() throws {
    let learned = try learned([Self.nobody: ["long.chat.example"]])
    for hour in 1...5 as ClosedRange<UInt64> {
      let decision = try policy().decide(
        nameless: subject(.mmtls), pattern: nil, learned: learned, now: now(hour * 3_600))
      #expect(decision.reason == .signatureAllowed)
    }
  }

  @Test(
    "The binding says what an unknown address means",
    arguments: [
      ("strict", "address-not-learned chat.text"), ("observe", "address-unproven chat.text"),
      ("off", "signature-allowed chat.text"),
    ])
  func binding(_ binding: String, _ expected: String) throws {
    let policy = try policy("binding: \(binding)")
    #expect(try verdict(policy, subject(.mmtls), learned([:])) == expected)
    let known = try learned([Self.nobody: ["long.chat.example"]])
    #expect(try verdict(policy, subject(.mmtls), known) == "signature-allowed chat.text")
    // Whatever the binding, the port and the switch count.
    #expect(try verdict(policy, subject(.mmtls, port: 22), known) == "port-not-allowed chat.text")
    #expect(try verdict(policy, subject(.msf), known) == "feature-off chat.other-link")
  }

  // MARK: The owner's lines

  @Test("The owner's address lines come first")
  func addressLines() throws {
    let learned = try learned([Self.nobody: ["long.chat.example"]])
    #expect(
      try verdict(policy("deny: [{address: 198.18.0.0/24}]"), subject(.mmtls), learned)
        == "address-denied deny 198.18.0.0/24")
    let allow = "allow: [{address: 198.18.0.2, ports: [8080]}]"
    let subject = try subject(.mmtls, at: "198.18.0.2")
    #expect(try verdict(policy(allow), subject, learned) == "address-allowed allow 198.18.0.2")
  }

  @Test("A name that the owner denies proves nothing")
  func deniedName() throws {
    let policy = try policy("deny: [{host: long.chat.example}]")
    let only = try learned([Self.nobody: ["long.chat.example"]])
    #expect(
      try verdict(policy, subject(.mmtls), only) == "host-denied deny long.chat.example")
    #expect(
      try verdict(policy, subject(.shortLink), learned([Self.nobody: ["short.chat.example"]]))
        == "signature-allowed chat.text")
    // On other ports only, it does.
    let elsewhere = try self.policy("deny: [{host: long.chat.example, ports: [80]}]")
    #expect(try verdict(elsewhere, subject(.mmtls), only) == "signature-allowed chat.text")
    #expect(
      try verdict(elsewhere, subject(.mmtls, port: 80), only)
        == "host-denied deny long.chat.example")
    let regex = try self.policy("deny: [{regex: '^[a-z]+\\.chat\\.example$'}]")
    #expect(
      try verdict(regex, subject(.mmtls), only)
        == "host-denied deny ^[a-z]+\\.chat\\.example$")
  }

  @Test("A device without rules may do anything")
  func unrestricted() throws {
    let policy = try policy("devices: [{mac: '02:00:5e:10:00:99', policy: unrestricted}]")
    let decision = policy.decide(
      nameless: try subject(.msf), pattern: nil, learned: try learned([:]), now: now())
    #expect(decision.reason == .deviceUnrestricted)
  }

  // MARK: Media

  @Test("Media passes to any address if a chat of the same service vouches for it")
  func companion() throws {
    let policy = try policy()
    let decision = policy.decide(
      nameless: try subject(.c2c), pattern: nil, learned: try learned([:]), now: now())
    #expect(
      decision.reason == .mediaCompanion && policy.rule(decision.rule).name == "chat.pictures")
    #expect(decision.vouchers.applications == [ApplicationSet(.mmtls), ApplicationSet(.longLink)])
    #expect(decision.vouchers.service == policy.serviceKey(of: decision.rule))
    // The voucher's side of it.
    let chat = policy.decide(
      nameless: try subject(.mmtls, at: "203.0.113.4"), pattern: nil, learned: try learned([:]),
      now: now())
    #expect(policy.serviceKey(of: chat.rule) == decision.vouchers.service)
    #expect(chat.vouchers == .none && policy.serviceKey(of: .none) == 0)
  }

  @Test("Media needs no voucher where a name of its own lives")
  func knownMedia() throws {
    let decision = try policy().decide(
      nameless: subject(.c2c), pattern: nil,
      learned: learned([Self.nobody: ["pictures.chat.example"]]), now: now(1))
    #expect(decision.reason == .signatureAllowed && decision.vouchers == .none)
  }

  @Test(
    "The key \"media\" chooses between vouchers, known addresses and none",
    arguments: [
      ("companion", "strict", "media-companion chat.pictures", "signature-allowed chat.files"),
      ("companion", "off", "media-companion chat.pictures", "signature-allowed chat.files"),
      ("bound", "strict", "address-not-learned chat.pictures", "signature-allowed chat.files"),
      ("bound", "observe", "address-unproven chat.pictures", "signature-allowed chat.files"),
      ("bound", "off", "signature-allowed chat.pictures", "signature-allowed chat.files"),
      ("off", "strict", "media-off chat.pictures", "media-off chat.pictures"),
      ("off", "off", "media-off chat.pictures", "media-off chat.pictures"),
    ])
  func media(_ media: String, _ binding: String, _ unknown: String, _ known: String) throws {
    let policy = try policy("media: \(media)\nbinding: \(binding)")
    #expect(try verdict(policy, subject(.c2c), learned([:])) == unknown)
    let learned = try learned([Self.nobody: ["files.chat.example"]])
    #expect(try verdict(policy, subject(.c2c), learned) == known)
    #expect(
      try verdict(policy, subject(.mmtls, at: "203.0.113.4"), learned)
        == "signature-allowed chat.text")
  }

  @Test("What pictures and files can't be told apart by passes only if both are on")
  func switches() throws {
    let learned = try learned([
      "198.18.0.2": ["pictures.chat.example"], "198.18.0.3": ["files.chat.example"],
    ])
    let cases = [
      (
        "pictures: off", "feature-off chat.pictures", "feature-off chat.pictures",
        "signature-allowed chat.files"
      ),
      (
        "files: off", "feature-off chat.files", "signature-allowed chat.pictures",
        "feature-off chat.files"
      ),
      (
        "pictures: off, files: off", "feature-off chat.pictures", "feature-off chat.pictures",
        "feature-off chat.pictures"
      ),
    ]
    for (rules, nobody, pictures, files) in cases {
      let policy = try policy("services: {chat: {\(rules)}}")
      #expect(try verdict(policy, subject(.c2c), learned) == nobody)
      #expect(try verdict(policy, subject(.c2c, at: "198.18.0.2"), learned) == pictures)
      #expect(try verdict(policy, subject(.c2c, at: "198.18.0.3"), learned) == files)
      // And nothing else.
      #expect(
        try verdict(policy, subject(.mmtls, at: "203.0.113.4"), learned)
          == "signature-allowed chat.text")
    }
  }

  // MARK: Patterns

  private func found(_ bytes: String, _ transport: Transport, _ port: UInt16) throws -> String {
    let bytes = hex(bytes), policy = try policy()
    return switch policy.pattern(in: bytes.raw, transport: transport, port: port) {
    case .done(let id): policy.name(of: id)
    case .needMore: "more"
    case .malformed: "malformed"
    case .other: "other"
    }
  }

  @Test(
    "A pattern has a transport, ports and a length",
    arguments: [
      ("d10a2e0a", .udp, 8000, "call"), ("d10a2d0a ff*5", .udp, 1, "call"),
      ("d10a2e0a ff*6", .udp, 8000, "other"), ("d10a2c0a", .udp, 8000, "other"),
      ("d10a2e0a", .tcp, 8000, "other"), ("d10a2e", .udp, 8000, "other"),
      ("1b ff*47", .udp, 123, "clock"), ("1b ff*47", .udp, 124, "other"),
      ("33", .tcp, 80, "more"), ("3366", .tcp, 80, "game"), ("3367", .tcp, 80, "other"),
      ("", .tcp, 80, "more"),
    ] as [(String, Transport, UInt16, String)])
  func patterns(
    _ bytes: String, _ transport: Transport, _ port: UInt16, _ expected: String
  ) throws {
    #expect(try found(bytes, transport, port) == expected)
  }

  @Test("A pattern of what is refused names its feature, whatever the switch and the address")
  func refusedPattern() throws {
    for rules in ["", "services: {chat: {games: on}}", "binding: off"] {
      let policy = try policy(rules)
      let learned = try learned([Self.nobody: ["long.chat.example"]])
      #expect(
        try verdict(policy, subject(.pattern, transport: .tcp), learned, pattern: "game")
          == "unwanted-protocol chat.games")
    }
    let trusted = try policy("allow: [{address: 198.18.0.1, ports: [8080]}]")
    #expect(
      try verdict(trusted, subject(.pattern, transport: .tcp), learned([:]), pattern: "game")
        == "address-allowed allow 198.18.0.1")
  }

  @Test("A pattern that is allowed is judged as a protocol is, and has a rate")
  func ratedPattern() throws {
    let policy = try policy()
    let clock = try #require(policy.pattern(named: "clock"))
    let subject = try subject(.pattern, port: 123, transport: .udp)
    let known = try learned([Self.nobody: ["time.chat.example"]])
    let decision = policy.decide(nameless: subject, pattern: clock, learned: known, now: now(1))
    #expect(decision.reason == .signatureAllowed && decision.rate == 10)
    #expect(
      try verdict(policy, subject, learned([:]), pattern: "clock")
        == "address-not-learned chat.clock")
    // A call of a feature that is off.
    let call = try self.subject(.pattern, port: 8000, transport: .udp)
    #expect(try verdict(policy, call, known, pattern: "call") == "feature-off chat.calls")
    let on = try self.policy("services: {chat: {calls: on}}")
    #expect(try verdict(on, call, known, pattern: "call") == "media-companion chat.calls")
  }

  @Test("Patterns, versions and requests open ports only for features that are on")
  func openPorts() throws {
    func opening(_ port: UInt16, _ transport: Transport, _ rules: String) throws -> Bool {
      try policy(rules).opening(
        address: try #require(IPAddress(Self.nobody)), port: port, transport: transport,
        device: .unknown) == .undecided
    }
    #expect(try opening(123, .udp, "") && opening(80, .tcp, ""))
    #expect(try !opening(123, .udp, "services: {chat: {clock: off}}"))
    #expect(try !opening(80, .tcp, "services: {chat: off}"))
    #expect(try opening(80, .tcp, "services: {chat: off}\nallow: [{host: a.example}]"))
    // Patterns of what is refused open nothing.
    let games = "services: {chat: {text: off, pictures: off, files: off, games: on}}"
    #expect(try !opening(443, .tcp, games))
    #expect(try opening(443, .udp, "allow: [{address: 192.0.2.1, protocol: quic}]"))
  }

  // MARK: Live flows

  @Test("A flow that was proven lives on when its address expires, while its feature is on")
  func stillAllowed() throws {
    let nothing = try learned([:])
    func again(_ rules: String, _ application: Application, _ feature: String?) throws -> String {
      let policy = try policy(rules)
      let decision = policy.stillAllows(
        try subject(application), pattern: nil, provenFor: feature, learned: nothing, now: now())
      return "\(decision.reason.name) \(policy.rule(decision.rule).name)"
    }
    #expect(try again("", .mmtls, "chat.text") == "signature-allowed chat.text")
    #expect(try again("", .mmtls, nil) == "address-not-learned chat.text")
    #expect(try again("", .c2c, "chat.pictures") == "signature-allowed chat.pictures")
    // Another feature is not the one that had proof.
    let off = "services: {chat: {pictures: off}}"
    #expect(try again(off, .c2c, "chat.pictures") == "feature-off chat.pictures")
    #expect(try again(off, .mmtls, "chat.text") == "signature-allowed chat.text")
    #expect(
      try again("services: {chat: {text: off}}", .mmtls, "chat.text") == "feature-off chat.text")
    #expect(
      try again("deny: [{address: 198.18.0.0/15}]", .mmtls, "chat.text")
        == "address-denied deny 198.18.0.0/15")
    // A media flow that others vouch for keeps asking for them.
    #expect(try again("", .c2c, nil) == "media-companion chat.pictures")
  }

  @Test("A flow that was proven ends when the owner denies the name that lives there")
  func deniedLater() throws {
    let policy = try policy("deny: [{host: long.chat.example}]")
    let decision = policy.stillAllows(
      try subject(.mmtls), pattern: nil, provenFor: "chat.text",
      learned: try learned([Self.nobody: ["long.chat.example"]]), now: now(1))
    #expect(decision.reason == .hostDenied)
  }

  // MARK: Requests

  private func request(
    _ policy: Policy, _ method: String, _ path: String, host: String = "probe.example",
    port: UInt16 = 80
  ) throws -> String? {
    let method = Array(method.utf8), path = Array(path.utf8)
    let decision = policy.decide(
      try subject(.http, port: port, host: host), method: method.raw, path: path.raw)
    return decision.map { "\($0.reason.name) \(policy.rule($0.rule).name)" }
  }

  @Test("A request passes by method, host and exact path, and nothing else of its host does")
  func requests() throws {
    let policy = try policy()
    #expect(try request(policy, "GET", "/generate_204") == "request-allowed chat.probes")
    #expect(try request(policy, "HEAD", "/") == "request-allowed chat.probes")
    for (method, path) in [
      ("HEAD", "/generate_204"), ("GET", "/"), ("GET", "/generate_204?x"), ("GET", "/generate_20"),
      ("GET", "/GENERATE_204"), ("get", "/generate_204"), ("GET", ""),
    ] {
      #expect(try request(policy, method, path) == nil)
    }
    #expect(try request(policy, "GET", "/generate_204", host: "a.probe.example") == nil)
    #expect(try request(policy, "GET", "/generate_204", port: 443) == nil)
    #expect(policy.verdict(try .tls("probe.example")) == "host-not-allowed default")
    #expect(
      policy.verdict(try subject(.http, port: 80, host: "probe.example"))
        == "host-not-allowed default")
    let needs = policy.decide(
      try subject(.http, port: 80, host: "probe.example"),
      method: Array("HEAD".utf8).raw, path: Array("/".utf8).raw)
    #expect(needs?.needsKnownAddress == true)
  }

  @Test("The owner's lines for the host say enough")
  func requestsAndLines() throws {
    for rules in ["allow: [{host: probe.example}]", "deny: [{host: probe.example}]"] {
      #expect(try request(policy(rules), "GET", "/generate_204") == nil)
    }
    let off = try policy("services: {chat: {probes: off}}")
    #expect(try request(off, "GET", "/generate_204") == "feature-off chat.probes")
    #expect(try request(off, "GET", "/") == nil)
  }

  // MARK: Names

  @Test(
    "A question for a name is answered if some rule lets something of it pass",
    arguments: [
      ("long.chat.example", "host-allowed chat.text"),
      ("a.short.chat.example", "host-allowed chat.text"),
      ("classic.chat.example", "host-allowed chat.text"),
      ("time.chat.example", "host-allowed chat.clock"),
      ("probe.example", "host-allowed chat.probes"),
      ("own.example", "host-allowed allow own.example"),
      ("bad.example", "host-denied deny bad.example"),
      ("half.example", "host-allowed allow half.example"),
      ("articles.chat.example", "feature-off chat.articles"),
      ("stranger.example", "host-not-allowed default"),
    ])
  func questions(_ name: String, _ expected: String) throws {
    let policy = try policy(
      """
      allow: [{host: own.example, ports: [8443]}, {host: bad.example}, {host: half.example}]
      deny: [{host: bad.example}, {host: half.example, ports: [80]}]
      """)
    let host = try #require(HostName(name))
    let decision = policy.decide(query: host, device: .unknown)
    #expect("\(decision.reason.name) \(policy.rule(decision.rule).name)" == expected)
    #expect(policy.mayTeach(host) == decision.isAllowed)
  }

  @Test("The exact names of all that is on can be looked up ahead")
  func exactNames() throws {
    let names = try policy().exactNames.map { $0.text }
    #expect(
      Set(names) == [
        "long.chat.example", "short.chat.example", "dns.chat.example", "classic.chat.example",
        "pictures.chat.example", "files.chat.example", "time.chat.example", "probe.example",
      ])
    #expect(names.count == 8)
  }

  @Test("A server is asked by a name or an address of its family")
  func servers() throws {
    let policy = try policy("deny: [{host: x.short.chat.example}]")
    func serves(_ name: String?, _ address: String, _ port: UInt16 = 8080) throws -> Bool {
      policy.serves(
        .newgetdns, try name.map { try #require(HostName($0)) },
        address: try #require(IPAddress(address)), port: port)
    }
    #expect(try serves("dns.chat.example", Self.nobody) && serves(nil, "203.0.113.240"))
    #expect(try !serves(nil, Self.nobody) && !serves("long.chat.example", Self.nobody))
    #expect(try !serves(nil, "203.0.113.240", 80) && !serves("dns.chat.example", Self.nobody, 22))
    func isProven(_ address: String, _ learned: LearnedAddresses) throws -> Bool {
      try self.policy("binding: off").isProven(
        try #require(IPAddress(address)), port: 8080, for: .newgetdns, learned: learned,
        now: now(1))
    }
    #expect(try isProven("203.0.113.240", learned([:])))
    #expect(try !isProven(Self.nobody, learned([:])))
    #expect(try isProven(Self.nobody, learned([Self.nobody: ["dns.chat.example"]])))
    #expect(try !isProven(Self.nobody, learned([Self.nobody: ["long.chat.example"]])))
  }

  // MARK: The whole

  @Test("The digest changes with everything that a pack says of bytes and requests")
  func digest() throws {
    let before = try policy().digest
    for (old, new) in [
      ("mmtls: [f104]", "mmtls: [f105]"), ("[2e 2d]", "[2e 2c]"), ("length: 48", "length: 47"),
      ("signatures: [mmtls, long-link]", "signatures: [mmtls, long-link, pc-qq]"),
      ("203.0.113.240:8080", "203.0.113.240:80"), ("203.0.113.4]", "203.0.113.5]"),
      ("companion: [mmtls, long-link]", "companion: [mmtls]"), ("10/m", "11/m"),
      ("path: /generate_204", "path: /generate_205"), ("method: HEAD", "method: GET"),
      ("bytes: ['33 66'], refused: yes", "bytes: ['33 67'], refused: yes"),
      ("ports: [123], length", "ports: [124], length"),
    ] {
      let pack = Self.pack.replacing(old, with: new)
      #expect(pack != Self.pack, "\(old)")
      #expect(try policy("", pack).digest != before, "\(old)")
    }
    let reordered = Self.pack.replacing("[mmtls, long-link]", with: "[long-link, mmtls]")
    #expect(try policy("", reordered).digest == before)
  }

  @Test("Versions of mmtls are those of all packs, and no others")
  func versions() throws {
    #expect(try policy().mmtlsVersions.contains(0xf104))
    #expect(try !policy().mmtlsVersions.contains(0xf103))
    let other = SourceFile(
      path: "o", text: "service: o\nmmtls: [f105, f104]\nfeatures: {a: {endpoints: []}}\n")
    let both = try Policy.load(
      rules: SourceFile(path: "r", text: "version: 1\n"),
      packs: [SourceFile(path: "p", text: Self.pack), other])
    #expect(both.mmtlsVersions.contains(0xf104) && both.mmtlsVersions.contains(0xf105))
  }

  @Test("A decision finds a server's name among 63 of strangers and 1,000 host rules")
  func largeTables() throws {
    let learned = try learned([
      Self.nobody: (0..<63).map { "n\($0).stranger.example" } + ["long.chat.example"],
      "203.0.113.99": (0..<64).map { "n\($0).stranger.example" },
    ])
    var rules = "allow:\n"
    for i in 0..<1_000 { rules += "- {host: h\(i).d\(i % 977).example}\n" }
    let policy = try policy(rules)
    func reason(at address: String) throws -> Reason {
      policy.decide(
        nameless: try subject(.mmtls, at: address), pattern: nil, learned: learned, now: now(1)
      ).reason
    }
    #expect(try reason(at: Self.nobody) == .signatureAllowed)
    #expect(try reason(at: "203.0.113.99") == .addressNotLearned)
  }
}

/// Without Foundation.
extension String {
  func replacing(_ old: String, with new: String) -> String {
    split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
  }
}
