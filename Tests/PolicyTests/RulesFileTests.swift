import Testing
import YAML

@testable import Policy

/// What a rules file is refused for, each with its place and its words.
@Suite struct RulesFileTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let rules: String
    let errors: [String]
    init(_ rules: String, _ errors: String...) {
      self.rules = rules
      self.errors = errors
    }
    var testDescription: String { rules }
  }

  static let host = "a host name such as short.weixin.qq.com, or .example.org"

  static let refused: [Case] = [
    // The top.
    Case("", "r:1:1: error: the file is empty"),
    Case(
      "- a\n",
      "r:1:1: error: expected the keys of a rules file, such as \"services:\", found a list"),
    Case("alow: []\n", "r:1:1: error: unknown key \"alow\"; did you mean \"allow\"?"),
    Case(
      "lan: [eth0]\n",
      "r:1:1: error: unknown key \"lan\"; expected version, mode, binding, media, mediaBudget, "
        + "services, allow, deny or devices"),
    Case(
      "version: 2\n",
      "r:1:10: error: expected version 1, found \"2\"; this imgate reads no other rules file"),
    Case(
      "mode: enforced\n",
      "r:1:7: error: expected enforce or audit, found \"enforced\"; did you mean \"enforce\"?"),
    Case("binding: loose\n", "r:1:10: error: expected strict, observe or off, found \"loose\""),
    Case(
      "mediaBudget: 300\n", "r:1:14: error: expected a size such as 300MB, found \"300\""),
    Case(
      "mode: audit\nmode: enforce\n",
      "r:2:1: error: duplicate key \"mode\"; the first is on line 1, column 1"),
    // Services.
    Case(
      "services: {caht: on}\n", "r:1:12: error: unknown service \"caht\"; did you mean \"chat\"?"),
    Case(
      "services: {telephone: on}\n", "r:1:12: error: unknown service \"telephone\"; expected chat"),
    Case(
      "services: {chat: {vido: on}}\n",
      "r:1:19: error: unknown feature of chat \"vido\"; did you mean \"video\"?"),
    Case(
      "services: {chat: {video: maybe}}\n", "r:1:26: error: expected on or off, found \"maybe\""),
    Case(
      "services: {chat: [text]}\n",
      "r:1:18: error: expected on, off or a mapping such as {messaging: on}, found a list"),
    Case(
      "services: [chat]\n", "r:1:11: error: expected services such as {wechat: on}, found a list"),
    // Lines.
    Case("allow: x.example\n", "r:1:8: error: expected a list of allow lines, found \"x.example\""),
    Case(
      "allow:\n  - x.example\n",
      "r:2:5: error: expected a line such as {host: example.org}, found \"x.example\""),
    Case(
      "deny:\n  - {note: x}\n",
      "r:2:5: error: expected \"host\", \"regex\" or \"address\" in this line"),
    Case(
      "allow:\n  - {host: a.example, address: 192.0.2.1}\n",
      "r:2:32: error: \"address\" beside \"host\"; give each a line of its own"),
    Case(
      "allow:\n  - {host: a.example, prots: [1]}\n",
      "r:2:23: error: unknown key \"prots\"; did you mean \"ports\"?"),
    Case(
      "allow:\n  - {host: a.example, protocol: tpc}\n",
      "r:2:33: error: expected tcp, udp or quic, found \"tpc\"; did you mean \"tcp\"?"),
    // Ports.
    Case(
      "allow:\n  - {host: a.example, ports: 443}\n",
      "r:2:30: error: expected a list of ports such as [443], found \"443\""),
    Case(
      "allow:\n  - {host: a.example, ports: [0, 70000, 80-79, +5, 443]}\n",
      "r:2:31: error: expected a port from 1 to 65535 or a range such as 5228-5230, found \"0\"",
      "r:2:34: error: expected a port from 1 to 65535 or a range such as 5228-5230, found \"70000\"",
      "r:2:41: error: expected a port from 1 to 65535 or a range such as 5228-5230, found \"80-79\"",
      "r:2:48: error: expected a port from 1 to 65535 or a range such as 5228-5230, found \"+5\""),
    Case(
      "allow:\n  - {host: a.example, ports: []}\n",
      "r:2:30: error: expected at least one port, found an empty list"),
    // Hosts, with the fix.
    Case(
      "allow: [{host: '*.a.example'}]\n",
      "r:1:16: error: expected \(host), found \"*.a.example\"; write '.a.example'"),
    Case(
      "allow: [{host: 'https://a.example:8443/x'}]\n",
      "r:1:16: error: expected \(host), found \"https://a.example:8443/x\"; write only the name, "
        + "'a.example'"),
    Case(
      "allow: [{host: 'a.example:443'}]\n",
      "r:1:16: error: expected \(host), found \"a.example:443\"; ports are written 'ports: [443]'"),
    Case(
      "allow: [{host: a.example/x}]\n",
      "r:1:16: error: expected \(host), found \"a.example/x\"; leave out the path"),
    Case(
      "allow: [{host: 192.0.2.1}]\n",
      "r:1:16: error: expected \(host), found \"192.0.2.1\"; write 'address: 192.0.2.1'"),
    Case(
      "allow: [{host: '2001:db8::1'}]\n",
      "r:1:16: error: expected \(host), found \"2001:db8::1\"; write 'address: 2001:db8::1'"),
    Case(
      "allow: [{host: '^a$'}]\n",
      "r:1:16: error: expected \(host), found \"^a$\"; a pattern is written 'regex:'"),
    Case(
      "allow: [{host: 微信.example}]\n",
      "r:1:16: error: expected \(host), found \"微信.example\"; write an international name in its "
        + "ASCII form, xn--…"),
    Case("allow: [{host: .}]\n", "r:1:16: error: expected \(host), found \".\""),
    Case("allow: [{host: a..example}]\n", "r:1:16: error: expected \(host), found \"a..example\""),
    Case("allow: [{host: }]\n", "r:1:16: error: expected \(host), found nothing"),
    Case("allow: [{host: [a.example]}]\n", "r:1:16: error: expected \(host), found a list"),
    // Addresses.
    Case(
      "deny: [{address: 192.0.2.300}]\n",
      "r:1:18: error: expected an address or a prefix such as 198.51.100.0/28, found "
        + "\"192.0.2.300\""),
    Case(
      "deny: [{address: a.example}]\n",
      "r:1:18: error: expected an address or a prefix such as 198.51.100.0/28, found "
        + "\"a.example\"; a name is written 'host: a.example'"),
    Case(
      "deny: [{address: 192.0.2.9/28}]\n",
      "r:1:18: error: 192.0.2.9/28 has bits beyond its length; write '192.0.2.0/28' for the whole "
        + "prefix or '192.0.2.9' for the one address"),
    // Devices.
    Case("devices: [{name: x}]\n", "r:1:11: error: missing key \"mac\""),
    Case(
      "devices: [{mac: 02:00, name: x}]\n",
      "r:1:17: error: expected a hardware address such as '02:00:5e:10:00:01', found \"02:00\""),
    Case(
      "devices: [{mac: '01:00:5e:10:00:01', name: x}]\n",
      "r:1:17: error: expected a hardware address such as '02:00:5e:10:00:01', found "
        + "\"01:00:5e:10:00:01\", a multicast address"),
    Case(
      "devices: [{mac: '02:00:5e:10:00:01', name: x, policy: free}]\n",
      "r:1:55: error: expected unrestricted or restricted, found \"free\""),
    Case(
      "devices: [{mac: '02:00:5e:10:00:01'}]\n",
      "r:1:11: error: expected a \"name\", a \"policy\" or both for this device"),
    Case(
      "devices: [{mac: '02:00:5e:10:00:01', policy: free}]\n",
      "r:1:46: error: expected unrestricted or restricted, found \"free\""),
    Case(
      "devices:\n  - {mac: '02:00:5e:10:00:01', name: x}\n  - {mac: '02:00:5E:10:00:01', name: y}\n",
      "r:3:11: error: the device 02:00:5e:10:00:01 is on line 2 already"),
    // All errors of a file are reported at once, in the order of its lines.
    Case(
      "deny: [{host: '/'}]\nallow: [{host: ':'}]\nmode: x\n",
      "r:1:15: error: expected \(host), found \"/\"; leave out the path",
      "r:2:16: error: expected \(host), found \":\"; ports are written 'ports: [443]'",
      "r:3:7: error: expected enforce or audit, found \"x\""),
  ]

  @Test(arguments: refused)
  func theFileIsRefused(_ c: Case) {
    #expect(Fixtures.errors(c.rules) == c.errors)
  }

  static let doubtful: [Case] = [
    Case("mode: audit\nbinding: off\nmedia: companion\nmediaBudget: 300MB\n"),
    Case("allow:\ndeny:\ndevices:\nservices:\n"),
    Case(
      "media: off\nmediaBudget: 1GB\n"),
    Case(
      "services: {chat: {calls: on}}\n",
      "r:1:26: warning: chat.calls has no effect yet: this version can't recognise it"),
    Case("services: {chat: {calls: off}}\n"),
    Case(
      "allow: [{host: .example}]\n",
      "r:1:16: warning: .example covers every name that ends in .example"),
    Case(
      "allow:\n  - {host: a.example}\n  - {host: A.example.}\n",
      "r:3:5: warning: line 2 says the same"),
    Case(
      "allow:\n  - {address: 0.0.0.0/0}\n  - {address: 10.0.0.0/8}\n",
      "r:2:15: warning: 0.0.0.0/0 is a large part of the Internet: whatever speaks to these ports "
        + "passes"),
    Case(
      "devices:\n  - {mac: '02:00:5e:10:00:01', name: A}\n  - {mac: '02:00:5e:10:00:02', name: A}\n",
      "r:3:38: warning: the device on line 2 has this name too; commands take it to mean that one"),
    Case("allow:\n  - {host: a.example}\n  - {host: a.example, ports: [8443]}\n"),
    Case(
      "deny:\n  - {address: 192.0.2.0/24}\n  - {address: 192.0.2.0/24}\n",
      "r:3:5: warning: line 2 says the same"),
    Case(
      "allow: [{host: a.b.example}]\ndeny:\n  - {host: .b.example}\n",
      "r:1:9: warning: this line has no effect: line 3 denies a.b.example on every port"),
    Case("allow: [{host: .b.example}]\ndeny: [{host: b.example}]\n"),
    Case("allow: [{host: b.example}]\ndeny: [{host: b.example, ports: [80]}]\n"),
    Case(
      "allow: [{host: a.example, protocol: udp}]\n",
      "r:1:37: warning: this line has no effect: a UDP datagram carries no host name; use "
        + "\"address\""),
    Case("allow: [{host: a.example, protocol: quic}]\n"),
    Case("allow: [{address: 192.0.2.1, protocol: quic}]\n"),
    Case("deny: [{address: 192.0.2.1, protocol: quic}]\n"),
  ]

  @Test(arguments: doubtful)
  func theFileIsTakenWithWarnings(_ c: Case) throws {
    #expect(try Fixtures.warnings(c.rules) == c.errors)
  }

  @Test func aServicePackIsToldFromRulesAndCheckedByItself() throws {
    let pack = SourceFile(path: "chat.yaml", text: Fixtures.chatPack)
    #expect(Policy.isServicePack(try YAMLNode.parse(pack)))
    #expect(
      !Policy.isServicePack(try YAMLNode.parse(SourceFile(path: "r", text: "services: {}\n"))))
    #expect(try Policy.check(pack: pack).isEmpty)
    let bad = SourceFile(path: "bad.yaml", text: Fixtures.chatPack + "colour: blue\n")
    #expect(throws: Diagnostics.self) { try Policy.check(pack: bad) }
  }

  @Test func settingsAreKept() throws {
    let policy = try Fixtures.policy(
      "mode: audit\nbinding: observe\nmedia: bound\nmediaBudget: 1MiB")
    #expect(policy.mode == .audit && policy.binding == .observe)
    #expect(policy.media == .bound && policy.mediaBudget == 1 << 20)
    let defaults = try Fixtures.policy("")
    #expect(defaults.mode == .enforce && defaults.binding == .strict)
    #expect(defaults.media == .companion && defaults.mediaBudget == 300_000_000)
  }

  @Test(arguments: [
    ("", "host-allowed chat.text", "feature-off chat.video"),
    ("services: {chat: on}", "host-allowed chat.text", "feature-off chat.video"),
    ("services: {chat: off}", "feature-off chat.text", "feature-off chat.video"),
    ("services: {chat: {video: on}}", "host-allowed chat.text", "host-allowed chat.video"),
    ("services: {chat: {text: off}}", "feature-off chat.text", "feature-off chat.video"),
    ("services: {chat: }", "host-allowed chat.text", "feature-off chat.video"),
  ])
  func servicesAreSwitchedWholeOrByFeature(
    _ rules: String, _ text: String, _ video: String
  ) throws {
    if rules.hasSuffix(": }") {
      #expect(Fixtures.errors(rules) == ["r:1:18: error: expected on or off, found nothing"])
      return
    }
    let policy = try Fixtures.policy(rules)
    #expect(policy.verdict(try .tls("text.chat.example")) == text)
    #expect(policy.verdict(try .tls("video.chat.example")) == video)
  }

  @Test func aServiceThatIsOffByDefaultIsTurnedOnByItsName() throws {
    let pack = Fixtures.chatPack.split(separator: "\n").map {
      $0 == "default: on" ? "default: off" : $0
    }.joined(separator: "\n")
    let packs = [SourceFile(path: "chat.yaml", text: pack)]
    for (rules, expected) in [
      ("mode: enforce", "feature-off chat.text"),
      ("services: {chat: on}", "host-allowed chat.text"),
      ("services: {chat: {video: off}}", "host-allowed chat.text"),
    ] {
      let policy = try Policy.load(rules: SourceFile(path: "r", text: rules), packs: packs)
      #expect(policy.verdict(try .tls("text.chat.example")) == expected)
    }
  }

  @Test func garbageNeverCrashes() throws {
    let seed = try Fixtures.file("rules/rules.yaml").bytes
    var state: UInt64 = 77
    func next(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    let signs = Array("{}[],:-&'\"#\n \\^$.*(|)9zA".utf8)
    for _ in 0..<400 {
      var bytes = seed
      for _ in 0..<1 + next(6) {
        let at = next(bytes.count)
        switch next(3) {
        case 0: bytes[at] = signs[next(signs.count)]
        case 1: bytes.insert(signs[next(signs.count)], at: at)
        default: bytes.removeSubrange(at..<min(bytes.count, at + next(40)))
        }
      }
      _ = try? Policy.load(rules: SourceFile(path: "r", bytes: bytes), packs: Fixtures.packs)
    }
  }
}
