import Names
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

  // MARK: The format

  struct Case: CustomTestStringConvertible, Sendable {
    let pack: String
    let errors: [String]
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
    Case(
      "service: x\nports: [80]\nfeatures: {a: {endpoints: []}}\n",
      "p:2:8: error: expected ports by transport such as {tcp: [443]}, found a list"),
  ]

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
