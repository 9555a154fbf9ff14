import Names
import PacketBuilder
import System
import Testing
import Wire
import YAML

@testable import Policy

/// The packs and the rules file that are installed.
@Suite struct PackTests {
  @Test func theInstalledFilesLoadWithoutAWarning() throws {
    #expect(try Fixtures.realPolicy().warnings.isEmpty)
  }

  /// Every feature of every pack stands in the installed rules file, with the pack's own default.
  @Test func theInstalledRulesChangeNoDefault() throws {
    let installed = try Fixtures.realPolicy()
    let bare = try Policy.load(
      rules: SourceFile(path: "r", text: "version: 1\n"), packs: try Fixtures.realPacks())
    #expect(installed.digest == bare.digest)
    let rules = try YAMLNode.parse(try Fixtures.file("rules/rules.yaml"))
    for service in ["wechat", "qq"] {
      let switched = try #require(rules["services"]?[service]).entries.map { $0.key.text }
      let features = installed.table.rules.features.filter { $0.service == service }
      #expect(switched == features.map { $0.key })
    }
  }

  @Test func featureKeysAreTheOnesThatOutputsAndOwnersKnow() throws {
    let features = try Fixtures.realPolicy().table.rules.features
    let keys = Dictionary(grouping: features) { $0.service }.mapValues {
      $0.map { $0.key + ($0.isOn ? " on" : " off") }
    }
    #expect(
      keys["wechat"] == [
        "messaging on", "pictures on", "files on", "payments on", "quic off", "account-pages off",
        "moments off", "articles off", "mini-programs off", "mini-games off", "channels off",
        "web off", "location off", "updates off", "calls off",
      ])
    #expect(
      keys["qq"] == [
        "messaging on", "pictures on", "oauth off", "extras off", "trackers off", "calls off",
      ])
    #expect(keys["wecom"] == ["messaging on", "files on", "pages off"])
    #expect(keys["push"] == ["apple on", "google on"])
    #expect(keys["connectivity"] == ["probes on"])
    // As part of a service that is off.
    #expect(keys["time"] == ["ntp off"])
    for feature in features { #expect(!feature.note.isEmpty, "\(feature.name)") }
  }

  @Test(
    arguments: [
      // WeChat.
      ("short.weixin.qq.com", 443, "host-allowed wechat.messaging"),
      ("short.weixin.qq.com", 80, "host-allowed wechat.messaging"),
      ("dns.weixin.qq.com", 8080, "host-allowed wechat.messaging"),
      ("short.weixin.qq.com", 14000, "port-not-allowed wechat.messaging"),
      ("sglong.wechat.com", 8080, "host-allowed wechat.messaging"),
      ("dns.weixin.qq.com.cn", 80, "host-allowed wechat.messaging"),
      ("emoji.qpic.cn", 443, "host-allowed wechat.pictures"),
      ("vweixinf.tc.qq.com", 443, "host-allowed wechat.files"),
      ("sz2tjshort.pay.weixin.qq.com", 443, "host-allowed wechat.payments"),
      ("mlshort.snspay.wechatpay.cn", 443, "host-allowed wechat.payments"),
      ("shquic.weixin.qq.com", 443, "feature-off wechat.quic"),
      ("open.weixin.qq.com", 443, "feature-off wechat.account-pages"),
      ("mmsns.qpic.cn", 443, "feature-off wechat.moments"),
      ("szxzwxsns.video.qq.com", 443, "feature-off wechat.moments"),
      ("mp.weixin.qq.com", 443, "feature-off wechat.articles"),
      ("res.wx.qq.com", 443, "feature-off wechat.articles"),
      ("x.y.servicewechat.com", 443, "feature-off wechat.mini-programs"),
      ("long.wxagame.weixin.qq.com", 443, "feature-off wechat.mini-games"),
      ("findershort.weixin.qq.com", 443, "feature-off wechat.channels"),
      ("szfindershort.weixin.qq.com", 443, "feature-off wechat.channels"),
      ("anything.video.qq.com", 443, "feature-off wechat.channels"),
      ("wx2.qq.com", 443, "feature-off wechat.web"),
      ("map.qq.com", 443, "feature-off wechat.location"),
      ("x.teg.tencent-cloud.net", 443, "feature-off wechat.updates"),
      // Names that a wider pattern would have let in.
      ("xxshort.weixin.qq.com", 443, "host-not-allowed default"),
      ("short-weixin.qq.com", 443, "host-not-allowed default"),
      ("short.weixin.qq.com.evil.example", 443, "host-not-allowed default"),
      ("a.short.weixin.qq.com", 443, "host-not-allowed default"),
      ("hklong.wechat.com", 443, "host-not-allowed default"),
      ("news.qq.com", 443, "host-not-allowed default"),
      ("wxaqq.com", 443, "host-not-allowed default"),
      ("kiss.3g.qq.com", 443, "host-not-allowed default"),
      // QQ.
      ("msfwifi.3g.qq.com", 14000, "host-allowed qq.messaging"),
      ("msfwifi.3g.qq.com", 8080, "host-allowed qq.messaging"),
      ("msfwifi.3g.qq.com", 8000, "port-not-allowed qq.messaging"),
      ("configsvr.msf.3g.qq.com", 443, "host-allowed qq.messaging"),
      ("configsvr.msf.3g.qq.com", 80, "port-not-allowed qq.messaging"),
      ("tcpconn6.tencent.com", 8000, "host-allowed qq.messaging"),
      ("tcpconn6.tencent.com", 8080, "port-not-allowed qq.messaging"),
      ("tcpconn7.tencent.com", 443, "host-not-allowed default"),
      ("sz9.tencent.com", 443, "port-not-allowed qq.messaging"),
      ("x.ftn.qq.com", 443, "host-allowed qq.pictures"),
      ("graph.qq.com", 443, "feature-off qq.oauth"),
      ("user.qzone.qq.com", 443, "feature-off qq.extras"),
      ("pingma.qq.com", 443, "feature-off qq.trackers"),
      // WeCom and push.
      ("i.work.weixin.qq.com", 443, "host-allowed wecom.messaging"),
      ("i.work.weixin.qq.com", 8080, "port-not-allowed wecom.messaging"),
      ("qyapi.weixin.qq.com", 443, "feature-off wecom.pages"),
      ("7-courier.push.apple.com", 5223, "host-allowed push.apple"),
      ("mtalk.google.com", 5229, "host-allowed push.google"),
      ("mtalk.google.com", 5231, "port-not-allowed push.google"),
      ("www.google.com", 443, "host-not-allowed default"),
    ] as [(String, UInt16, String)])
  func theInstalledPacks(_ host: String, _ port: UInt16, _ verdict: String) throws {
    #expect(try Fixtures.realPolicy().verdict(try .tls(host, port: port)) == verdict)
  }

  @Test func prefixesOfDataCentresAreSpelledOut() throws {
    let policy = try Fixtures.realPolicy()
    let names = policy.exactNames.map { $0.text }
    for prefix in ["", "sh", "sz", "hk", "ml", "ca", "tj", "sh2tj", "sz2tj"] {
      for host in [
        "long", "minorlong", "short", "extshort", "minorshort", "axshort", "disas", "support",
        "short.pay",
      ] {
        #expect(names.contains("\(prefix)\(host).weixin.qq.com"))
      }
      #expect(!names.contains("\(prefix)findershort.weixin.qq.com"))
      #expect(policy.decide(try .tls("\(prefix)findershort.weixin.qq.com")).reason == .featureOff)
    }
    #expect(names.allSatisfy { !$0.hasPrefix(".") })
  }

  @Test func theExampleOfTheDesignLoads() throws {
    let rules = """
      version: 1
      mode: enforce            # or audit: let everything pass, record what would have been refused
      binding: strict
      media: companion
      mediaBudget: 300MB       # per device and day
      services:
        wechat: {messaging: on, pictures: on, files: on, payments: on, moments: off, channels: off, calls: off}
        qq: {messaging: on, pictures: on}
        wecom: off
      allow:
        - {host: timesheet.example.com, ports: [443], note: staff timesheets}
        - {host: .example.org}                                   # the name and all below it
        - {regex: '^(wx|res\\.wx)\\.qq\\.com$', ports: [443]}
        - {address: 198.51.100.0/28, ports: [9100], protocol: tcp, note: printers}
      deny:
        - {host: .video.qq.com}
      devices:
        - {mac: '02:00:5e:10:00:01', name: Owner laptop, policy: unrestricted}     # not judged
      """
    let policy = try Policy.load(
      rules: SourceFile(path: "r", text: rules), packs: try Fixtures.realPacks())
    #expect(policy.warnings.isEmpty)
    // The owner's regex beats the features that are off; the owner's deny beats all of them.
    let expected = [
      ("res.wx.qq.com", "host-allowed allow ^(wx|res\\.wx)\\.qq\\.com$"),
      ("resawx.qq.com", "host-not-allowed default"),
      ("finder.video.qq.com", "host-denied deny .video.qq.com"),
      ("i.work.weixin.qq.com", "feature-off wecom.messaging"),
      ("a.example.org", "host-allowed allow .example.org"),
      ("short.weixin.qq.com", "host-allowed wechat.messaging"),
    ]
    for (host, verdict) in expected { #expect(policy.verdict(try .tls(host)) == verdict) }
    let rule = policy.rule(policy.decide(try .tls("timesheet.example.com")).rule)
    #expect(rule.note == "staff timesheets" && rule.line == 11 && rule.service == "own rules")
    #expect(policy.label(of: MACAddress(bits: 0x02_00_5e_10_00_01)) == "Owner laptop")
    #expect(policy.label(of: MACAddress(bits: 0x02_00_5e_10_00_02)) == nil)
  }

  // MARK: Protocols without a name

  private func learned(_ name: String, _ address: String) throws -> LearnedAddresses {
    let learned = LearnedAddresses()
    learned.learn(
      try #require(IPAddress(address)), for: try #require(HostName(name)), timeToLive: 600,
      from: .dns, now: Instant(nanoseconds: 0))
    return learned
  }

  private func verdict(
    _ application: Application, _ port: UInt16, at address: String, learned: LearnedAddresses,
    pattern: String? = nil
  ) throws -> String {
    let policy = try Fixtures.realPolicy()
    let id = try pattern.map { try #require(policy.pattern(named: $0)) }
    let subject = Subject(
      application: application, host: nil, address: try #require(IPAddress(address)), port: port,
      transport: id.map { policy.transport(of: $0) } ?? application.transport, device: .unknown)
    let decision = policy.decide(
      nameless: subject, pattern: id, learned: learned, now: Instant(nanoseconds: 0))
    return "\(decision.reason.name) \(policy.rule(decision.rule).name)"
  }

  @Test(
    arguments: [
      // The address was learned for this name.
      (.mmtls, 8080, "szlong.weixin.qq.com", "signature-allowed wechat.messaging"),
      (.mmtls, 80, "sglong.wechat.com", "signature-allowed wechat.messaging"),
      (.longLink, 443, "long.weixin.qq.com", "signature-allowed wechat.messaging"),
      (.mmtls, 80, "short.weixin.qq.com", "signature-allowed wechat.messaging"),
      (.shortLink, 80, "hkextshort.weixin.qq.com", "signature-allowed wechat.messaging"),
      (.shortLink, 80, "short.pay.weixin.qq.com", "signature-allowed wechat.payments"),
      (.newgetdns, 80, "dns.weixin.qq.com.cn", "signature-allowed wechat.messaging"),
      (.c2c, 443, "emoji.qpic.cn", "signature-allowed wechat.pictures"),
      (.c2cHTTP, 8080, "weixinc2c.tc.qq.com", "signature-allowed wechat.files"),
      (.msf, 14000, "msfwifi.3g.qq.com", "signature-allowed qq.messaging"),
      (.oicq, 8000, "sz9.tencent.com", "signature-allowed qq.messaging"),
      (.pcQQ, 8000, "tcpconn6.tencent.com", "signature-allowed qq.messaging"),
      (.highway, 8080, "htdata3.qq.com", "signature-allowed qq.pictures"),
      // It was, for another family, or for what is off.
      (.mmtls, 8080, "findershort.weixin.qq.com", "address-not-learned wechat.messaging"),
      (.shortLink, 80, "findershort.weixin.qq.com", "address-not-learned wechat.messaging"),
      (.mmtls, 8080, "mp.weixin.qq.com", "address-not-learned wechat.messaging"),
      (.mmtls, 8080, "wx.qlogo.cn", "address-not-learned wechat.messaging"),
      (.newgetdns, 8080, "short.weixin.qq.com", "address-not-learned wechat.messaging"),
      (.longLink, 8080, "short.weixin.qq.com", "address-not-learned wechat.messaging"),
      (.msf, 8080, "short.weixin.qq.com", "address-not-learned qq.messaging"),
      (.msf, 8080, "txz.qq.com", "address-not-learned qq.messaging"),
      (.pcQQ, 443, "msfwifi.3g.qq.com", "address-not-learned qq.messaging"),
      (.oicq, 8000, "tcpconn.tencent.com", "address-not-learned qq.messaging"),
      // Media to where nobody lives.
      (.c2c, 443, "stranger.example", "media-companion wechat.pictures"),
      (.highway, 80, "stranger.example", "media-companion qq.pictures"),
      // Ports.
      (.mmtls, 14000, "long.weixin.qq.com", "port-not-allowed wechat.messaging"),
      (.msf, 8000, "msfwifi.3g.qq.com", "port-not-allowed qq.messaging"),
      (.oicq, 443, "sz.tencent.com", "port-not-allowed qq.messaging"),
      (.pcQQ, 8080, "tcpconn.tencent.com", "port-not-allowed qq.messaging"),
    ] as [(Application, UInt16, String, String)])
  func aFamilyOfServersSpeaksItsOwnProtocols(
    _ application: Application, _ port: UInt16, _ name: String, _ expected: String
  ) throws {
    let learned = try learned(name, "198.18.0.7")
    #expect(
      try verdict(application, port, at: "198.18.0.7", learned: learned) == expected)
  }

  @Test(
    arguments: [
      (.newgetdns, 8080, "43.130.30.240", "signature-allowed wechat.messaging"),
      (.newgetdns, 80, "43.130.30.240", "address-not-learned wechat.messaging"),
      (.mmtls, 8080, "43.130.30.240", "address-not-learned wechat.messaging"),
      (.shortLink, 8080, "43.130.30.240", "address-not-learned wechat.messaging"),
      (.mmtls, 8080, "101.32.104.4", "signature-allowed wechat.messaging"),
      (.shortLink, 80, "129.226.3.47", "signature-allowed wechat.messaging"),
      (.newgetdns, 8080, "101.32.104.4", "address-not-learned wechat.messaging"),
      (.msf, 8080, "101.32.104.4", "address-not-learned qq.messaging"),
      (.msf, 8080, "14.215.138.110", "signature-allowed qq.messaging"),
      (.msf, 443, "14.215.138.110", "address-not-learned qq.messaging"),
      (.msf, 14000, "240e:ff:f101:10::109", "signature-allowed qq.messaging"),
      (.msf, 80, "36.155.240.38", "signature-allowed qq.messaging"),
      (.mmtls, 8080, "14.215.138.110", "address-not-learned wechat.messaging"),
    ] as [(Application, UInt16, String, String)])
  func builtInAddressesBelongToTheirFamily(
    _ application: Application, _ port: UInt16, _ address: String, _ expected: String
  ) throws {
    #expect(
      try verdict(application, port, at: address, learned: LearnedAddresses()) == expected)
  }

  @Test(
    arguments: [
      // Calls of old programs: off.
      ("d10a2e0a", .udp, 8000, "wechat-call-heartbeat", "feature-off wechat.calls"),
      ("a3*95", .udp, 8000, "wechat-call-media-95", "feature-off wechat.calls"),
      ("d6*200", .udp, 8000, "wechat-call-media-200", "feature-off wechat.calls"),
      ("d5*89", .udp, 8000, "wechat-call-media-90", "feature-off wechat.calls"),
      ("d5*104", .udp, 8000, "wechat-call-media-104", "feature-off wechat.calls"),
      ("a108 00*90", .udp, 8000, "wechat-call-media-92", "feature-off wechat.calls"),
      ("a108 00*73", .udp, 8000, "wechat-call-media-75", "feature-off wechat.calls"),
      ("28000000 00*35", .udp, 8000, "qq-call-video", "feature-off qq.calls"),
      // No chat.
      ("776e7300", .tcp, 443, "wns", "unwanted-protocol qq.extras"),
      ("00020001", .udp, 8000, "qq-pc-manager", "unwanted-protocol qq.extras"),
      ("33660009", .tcp, 80, "tencent-game", "unwanted-protocol qq.extras"),
      ("33660008", .tcp, 80, "tencent-game", "unwanted-protocol qq.extras"),
      ("d85c0040", .tcp, 80, "tencent-mmo", "unwanted-protocol qq.extras"),
      ("550e0300", .tcp, 80, "wegame", "unwanted-protocol qq.extras"),
      ("4455230a", .tcp, 80, "wegame", "unwanted-protocol qq.extras"),
      ("75720010", .udp, 80, "wegame-udp", "unwanted-protocol qq.extras"),
      ("94030bb9", .udp, 80, "wegame-udp", "unwanted-protocol qq.extras"),
      // A request for the time: off.
      ("1b 00*47", .udp, 123, "ntp", "feature-off time.ntp"),
      ("e3 00*47", .udp, 123, "ntp", "feature-off time.ntp"),
      // Near misses.
      ("d10a2b0a", .udp, 8000, nil, nil), ("a3*97", .udp, 8000, nil, nil),
      ("d5*92", .udp, 8000, nil, nil), ("28000000 00*34", .udp, 8000, nil, nil),
      ("33660007", .tcp, 80, nil, nil), ("75720010", .tcp, 80, nil, nil),
      ("776e7300", .tcp, 80, nil, nil), ("1c 00*47", .udp, 123, nil, nil),
      ("1b 00*46", .udp, 123, nil, nil), ("1b 00*47", .udp, 124, nil, nil),
    ] as [(String, Transport, UInt16, String?, String?)])
  func thePatternsOfTheInstalledPacks(
    _ bytes: String, _ transport: Transport, _ port: UInt16, _ name: String?, _ expected: String?
  ) throws {
    let policy = try Fixtures.realPolicy()
    let bytes = hex(bytes)
    var found: String?
    if case .done(let id) = policy.pattern(in: bytes.raw, transport: transport, port: port) {
      found = policy.name(of: id)
    }
    #expect(found == name)
    guard let name else { return }
    #expect(
      try verdict(.pattern, port, at: "198.18.0.7", learned: LearnedAddresses(), pattern: name)
        == expected)
  }

  @Test func theProbesOfPhonesPassAndNothingElseOfTheirHosts() throws {
    let policy = try Fixtures.realPolicy()
    let get = Array("GET".utf8)
    for (host, path) in [
      ("captive.apple.com", "/hotspot-detect.html"), ("www.google.com", "/generate_204"),
      ("connect.rom.miui.com", "/generate_204"), ("www.msftconnecttest.com", "/connecttest.txt"),
    ] {
      let subject = try Subject.tls(host, port: 80)
      let decision = policy.decide(subject, method: get.raw, path: Array(path.utf8).raw)
      #expect(decision?.reason == .requestAllowed)
      #expect(policy.decide(subject, method: get.raw, path: Array("/".utf8).raw) == nil)
      #expect(policy.verdict(subject) == "host-not-allowed default")
      #expect(policy.verdict(try .tls(host)) == "host-not-allowed default")
      #expect(policy.mayTeach(try #require(HostName(host))))
    }
  }

  @Test func switchingPicturesOffRefusesExactlyThose() throws {
    let off = try Policy.load(
      rules: SourceFile(path: "r", text: "services: {wechat: {pictures: off}}\n"),
      packs: try Fixtures.realPacks())
    let on = try Policy.load(
      rules: SourceFile(path: "r", text: "version: 1\n"), packs: try Fixtures.realPacks())
    for host in on.exactNames {
      let subject = try Subject.tls(host.text, port: 443)
      let before = on.decide(subject), after = off.decide(subject)
      if on.rule(before.rule).name == "wechat.pictures" {
        #expect(after.reason == .featureOff && off.rule(after.rule).name == "wechat.pictures")
      } else {
        #expect(after.reason == before.reason && off.rule(after.rule) == on.rule(before.rule))
      }
    }
  }

  // MARK: What has no effect

  @Test(
    "A line of a pack that does nothing is warned of",
    arguments: [
      (
        "features: {a: {endpoints: [{hosts: [a.example], addresses: ['192.0.2.1:81']}]}}\n",
        "p:3:61: warning: this address has no effect: the endpoint's ports are tcp 80,443"
      ),
      (
        "patterns: {b: {transport: udp, bytes: [ab]}}\nfeatures: {a: {endpoints: []}}\n",
        "p:3:12: warning: the pattern \"b\" has no effect: no endpoint lists it"
      ),
    ])
  func warnings(_ text: String, _ warning: String) throws {
    let pack = "service: x\nports: {tcp: [80, 443]}\n" + text
    let policy = try Policy.load(
      rules: SourceFile(path: "r", text: "version: 1\n"),
      packs: [SourceFile(path: "p", text: pack)])
    #expect(policy.warnings.map { $0.text } == [warning])
  }

  @Test("A built-in server's port counts for the transports that have it")
  func portsOfAddresses() throws {
    #expect(
      try Fixtures.realPolicy().effectiveTable().contains(
        "known   43.130.30.240                           tcp 8080                wechat.messaging"))
  }

  // MARK: The format

  struct Case: CustomTestStringConvertible, Sendable {
    let pack: String
    var errors: [String]
    init(_ pack: String, _ errors: String...) {
      self.pack = pack
      self.errors = errors
    }
    var testDescription: String { pack }
  }

  static let refused: [Case] = [
    Case("[]", "p:1:1: error: expected a service pack, found a list"),
    Case("title: x\n", "p:1:1: error: missing key \"service\""),
    Case(
      "service: Chat\nfeatures: {a: {endpoints: []}}\n",
      "p:1:10: error: expected a service name of lower-case letters, digits and hyphens, found "
        + "\"Chat\""),
    Case("service: x\n", "p:1:1: error: expected \"features:\" with at least one feature"),
    Case(
      "version: 2\nservice: x\nfeatures: {a: {endpoints: []}}\n",
      "p:1:10: error: expected version 1, found \"2\"; this imgate reads no other service pack"),
    Case(
      "service: x\nfeatures: {a: {default: on}}\n",
      "p:2:12: error: the feature \"a\" needs a list of \"endpoints\""),
    Case(
      "service: x\nfeatures: {a: {endpoints: [{host: [y.example]}]}}\n",
      "p:2:29: error: unknown key \"host\"; did you mean \"hosts\"?"),
    Case(
      "service: x\nfeatures: {a: {endpoints: [{hosts: ['*.y.example']}]}}\n",
      "p:2:37: error: expected \(RulesFileTests.host), found \"*.y.example\"; write '.y.example'"),
    Case(
      "service: x\nfeatures: {a: {endpoints: [{regexes: ['^a.b$']}]}}\n",
      "p:2:39: error: the regex has a dot without a backslash, which stands for any character; it "
        + "would admit aab; write '^a\\.b$'"),
    Case(
      "service: x\nfeatures: {a: {endpoints: [{addresses: [192.0.2.1:0]}]}}\n",
      "p:2:41: error: expected an address such as 198.51.100.7, 198.51.100.7:8080 or "
        + "[2001:2::7]:8080, found \"192.0.2.1:0\""),
    Case(
      "service: x\nports: {tpc: [80]}\nfeatures: {a: {endpoints: []}}\n",
      "p:2:9: error: unknown key \"tpc\"; did you mean \"tcp\"?"),
    // Versions and patterns.
    Case(
      "service: x\nmmtls: [f104, 0303, f1, [f103]]\nfeatures: {a: {endpoints: []}}\n",
      "p:2:15: error: expected \(version), found \"0303\"",
      "p:2:21: error: expected \(version), found \"f1\"",
      "p:2:25: error: expected \(version), found a list"),
    Case(
      "service: x\nmmtls: [a1, a2]\nfeatures: {a: {endpoints: []}}\n",
      "p:2:9: error: expected \(version), found \"a1\"",
      "p:2:13: error: expected \(version), found \"a2\""),
    Case(
      "service: x\nmmtls: [f101, f102, f103, f104, f105, f106, f107, f108, f109]\n"
        + "features: {a: {endpoints: []}}\n",
      "p:2:8: error: more than 8 versions of mmtls in all packs together"),
    pattern(
      "{transport: upd, bytes: [ab]}",
      "43: error: expected tcp or udp, found \"upd\"; did you "
        + "mean \"udp\"?"),
    pattern("{bytes: [ab]}", "31: error: missing key \"transport\""),
    pattern("{transport: udp}", "31: error: missing key \"bytes\""),
    pattern(
      "{transport: udp, byte: [ab]}", "31: error: missing key \"bytes\"",
      "48: error: unknown key \"byte\"; did you mean \"bytes\"?"),
    pattern(
      "{transport: tcp, length: 4, bytes: [ab]}",
      "56: error: \"length\" is a datagram's; a TCP stream has none"),
    pattern(
      "{transport: udp, length: [9, 8], bytes: [ab]}", "56: error: expected \(length), found a list"
    ),
    pattern(
      "{transport: udp, length: 0, bytes: [ab]}", "56: error: expected \(length), found \"0\""),
    pattern(
      "{transport: udp, length: 70000, bytes: [ab]}",
      "56: error: expected \(length), found "
        + "\"70000\""),
    pattern("{transport: udp, bytes: []}", "55: error: expected \(bytes); found an empty list"),
    pattern("{transport: udp, bytes: [a]}", "56: error: expected \(bytes), found \"a\""),
    pattern("{transport: udp, bytes: [AB]}", "56: error: expected \(bytes), found \"AB\""),
    pattern("{transport: udp, bytes: ['?? ??']}", "56: error: expected \(bytes), found \"?? ??\""),
    pattern("{transport: udp, bytes: ['[ab']}", "56: error: expected \(bytes), found \"[ab\""),
    pattern("{transport: udp, bytes: ['ab []']}", "56: error: expected \(bytes), found \"ab []\""),
    pattern(
      "{transport: udp, bytes: ['[01 02 03 04] [01 02 03 04] [01 02]']}",
      "56: error: more than 16 alternatives in one pattern; make it two"),
    Case(
      "service: x\npatterns: {mmtls: {transport: udp, bytes: [ab]}}\n"
        + "features: {a: {endpoints: [{signatures: [mmtls]}]}}\n",
      "p:2:12: error: the name \"mmtls\" is a protocol's already; choose another one"),
    // What endpoints say of protocols.
    endpoint(
      "{signatures: [mtls]}", "42: error: unknown protocol \"mtls\"; did you mean \"mmtls\"?"),
    endpoint(
      "{signatures: [tls]}",
      "42: error: unknown protocol \"tls\"; expected short-link, newgetdns, c2c-http, mmtls, "
        + "long-link, c2c, msf, pc-qq, highway or oicq"),
    endpoint("{signatures: mmtls}", "41: error: expected a list of protocols, found \"mmtls\""),
    endpoint(
      "{signatures: [c2c], companion: [mmtls]}",
      "60: error: no endpoint of this pack lists \"mmtls\" under \"signatures\", so none can vouch"),
    endpoint(
      "{signatures: [c2c], companion: [c2c]}",
      "60: error: unknown protocol that can vouch \"c2c\"; expected mmtls, long-link, msf or pc-qq"),
    endpoint(
      "{hosts: [a.example], companion: []}",
      "60: error: \"companion\" without \"signatures\": nothing to vouch for"),
    endpoint(
      "{signatures: [oicq], rate: 10}",
      "55: error: expected datagrams a minute such as 10/m, from 1/m to 65535/m, found \"10\""),
    endpoint(
      "{signatures: [mmtls], rate: 10/m}",
      "56: error: \"rate\" counts datagrams, and no signature here is of UDP"),
    endpoint(
      "{hosts: [a.example], rate: 10/m}",
      "55: error: \"rate\" without \"signatures\": there is nothing to count"),
    endpoint("{requests: [{method: GET, host: a.example}]}", "40: error: missing key \"path\""),
    endpoint(
      "{requests: [{method: POST, host: a.example, path: /}]}",
      "49: error: expected GET or HEAD, found \"POST\""),
    endpoint(
      "{requests: [{method: GET, host: .a.example, path: /}]}",
      "60: error: expected the exact name of a host, found \".a.example\""),
    endpoint(
      "{requests: [{method: GET, host: a.example, path: generate_204}]}",
      "77: error: expected an exact path such as /generate_204, found \"generate_204\""),
    endpoint(
      "{requests: [{method: GET, host: a.example, path: /}], hosts: [b.example]}",
      "89: error: \"hosts\" beside \"requests\"; give each an endpoint of its own"),
    endpoint(
      "{requests: [{method: GET, host: a.example, path: /}], ports: {udp: [80]}}",
      "39: error: \"requests\" are made over TCP, and no TCP port is open here"),
    Case(
      "service: x\nports: [80]\nfeatures: {a: {endpoints: []}}\n",
      "p:2:8: error: expected ports by transport such as {tcp: [443]}, found a list"),
  ]

  private static let version =
    "a version of mmtls, four hexadecimal digits such as f104 and none of TLS's (03..)"
  private static let length =
    "a length such as 48, or the least and the greatest such as [89, 91]"
  private static let bytes =
    "bytes such as 'd1 0a [2e 2d] ??': two hexadecimal digits each, ?? for any, [ ] around "
    + "alternatives; 1 to 16, not all of them ??"

  /// A pack with a pattern; errors begin with their column in line 2.
  private static func pattern(_ pattern: String, _ errors: String...) -> Case {
    var made = Case(
      "service: x\npatterns: {a-pattern-of-ours: \(pattern)}\n"
        + "features: {a: {endpoints: [{signatures: [a-pattern-of-ours]}]}}\n")
    made.errors = errors.map { "p:2:\($0)" }
    return made
  }

  /// A pack with one endpoint; errors begin with their column in line 2.
  private static func endpoint(_ endpoint: String, _ errors: String...) -> Case {
    var made = Case("service: x\nfeatures: {a: {endpoints: [\(endpoint)]}}\n")
    made.errors = errors.map { "p:2:\($0)" }
    return made
  }

  @Test(arguments: refused)
  func thePackIsRefused(_ c: Case) {
    #expect(
      Fixtures.errors("mode: enforce", packs: [SourceFile(path: "p", text: c.pack)]) == c.errors)
  }

  @Test func twoPacksOfOneServiceAreRefused() {
    let text = "service: x\nfeatures: {a: {endpoints: []}}\n"
    let packs = ["p", "q"].map { SourceFile(path: $0, text: text) }
    #expect(
      Fixtures.errors("mode: enforce", packs: packs)
        == ["q:1:10: error: the service \"x\" is defined by p, too"])
  }

  @Test func errorsOfPacksAndRulesAreReportedTogether() {
    let pack = SourceFile(path: "p", text: "servce: x\n")
    let errors = Fixtures.errors("alow: []\n", packs: [pack])
    #expect(
      errors == [
        "p:1:1: error: unknown key \"servce\"; did you mean \"service\"?",
        "p:1:1: error: missing key \"service\"",
        "r:1:1: error: unknown key \"alow\"; did you mean \"allow\"?",
      ])
  }
}
