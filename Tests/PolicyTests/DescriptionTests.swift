import Names
import Testing
import Wire
import YAML

@testable import Policy

/// What people read: rules, explanations, the effective table, reasons.
@Suite struct DescriptionTests {
  @Test func aFeatureIsDescribedByItsPack() throws {
    let policy = try Fixtures.policy("")
    let rule = policy.rule(policy.decide(try .tls("x.video.chat.example")).rule)
    #expect(
      rule
        == RuleDescription(
          name: "chat.video", service: "chat", feature: "video", note: "No video plays.",
          path: "chat.yaml", line: 15))
  }

  @Test func noRuleIsTheDefault() throws {
    let rule = try Fixtures.policy("").rule(.none)
    #expect(rule.name == "default" && rule.service == "none")
  }

  @Test func theEffectiveTableHasEveryRuleInTheOrderInWhichTheyWin() throws {
    let pack = """
      service: chat
      features:
        text: {endpoints: [{hosts: [.text.example]}]}
        video: {default: off, endpoints: [{hosts: [video.example], ports: {tcp: [443], udp: [8000]}}]}
      """
    let policy = try Policy.load(
      rules: SourceFile(
        path: "r",
        text: """
          allow: [{host: a.example}, {regex: '^b[0-9]\\.example$', ports: [443, 5228-5230]}]
          deny: [{address: 192.0.2.0/24}, {host: .c.example, protocol: udp}]
          devices: [{mac: '02:00:5e:10:00:01', name: Laptop, policy: unrestricted}]
          """), packs: [SourceFile(path: "p", text: pack)])
    #expect(
      policy.effectiveTable() == """
        mode enforce, binding strict, media companion
        The first line that fits decides; what none fits is refused.
        allow   device 02:00:5e:10:00:01                every port              r:3
        deny    192.0.2.0/24                            every port              r:2
        deny    .c.example                              udp every port          r:2
        allow   a.example                               tcp 80,443              r:1
        allow   ^b[0-9]\\.example$                       tcp 443,5228-5230       r:1
        allow   .text.example                           tcp 80,443              chat.text
        deny    video.example                           tcp 443 udp 8000        chat.video, off
        deny    everything else                         every port

        """)
  }

  @Test(
    arguments: [
      (
        "x.video.chat.example", 443,
        "turn the feature on under \"services\": chat: {video: on} (No video plays.)"
      ),
      ("new.example", 443, "add a line under \"allow\": - {host: new.example}"),
      ("new.example", 8443, "add a line under \"allow\": - {host: new.example, ports: [8443]}"),
      ("a.example", 81, "add port 81 to \"ports\" on line 2 (allow a.example) of rules.yaml"),
      (
        "text.chat.example", 81,
        "add a line under \"allow\": - {host: text.chat.example, ports: [81]}"
      ),
      ("bad.example", 443, "take line 3 (deny bad.example) out of rules.yaml"),
      (
        nil, 443,
        "if you trust the server: - {address: 192.0.2.1, ports: [443]} under \"allow\" lets "
          + "everything pass to it unseen"
      ),
      ("a.example", 443, nil),
    ] as [(String?, UInt16, String?)])
  func everyRefusalHasARemedy(_ host: String?, _ port: UInt16, _ remedy: String?) throws {
    let policy = try Fixtures.policy("allow: [{host: a.example}]\ndeny: [{host: bad.example}]\n")
    let explanation = policy.explain(try .tls(host, port: port))
    #expect(explanation.remedies == (remedy.map { [$0] } ?? []))
  }

  @Test func anExplanationNamesEveryRuleThatHadAPart() throws {
    let policy = try Fixtures.policy(
      """
      allow: [{host: .chat.example, ports: [8443]}, {address: 192.0.2.0/24, ports: [22]}]
      deny: [{regex: '^live\\.[a-z]+\\.chat\\.example$', ports: [25]}]
      """)
    let explanation = policy.explain(try .tls("live.cdn.chat.example"))
    #expect(explanation.rule.name == "chat.text")
    #expect(
      explanation.matches.map { "\($0.rule.name): \($0.effect), \($0.holds), \($0.ports)" } == [
        "deny ^live\\.[a-z]+\\.chat\\.example$: denies, false, tcp 25 udp 25 quic 25",
        "allow .chat.example: allows, false, tcp 8443",
        "allow 192.0.2.0/24: allows, false, tcp 22",
        "chat.text: allows, true, tcp 80,443,8080",
        "chat.video: would allow (off), false, tcp 80,443,8080",
      ])
  }

  @Test func everyReasonIsExplainedAndEveryRefusalHasSomethingToDo() {
    for reason in Reason.allCases {
      #expect(reason.explanation.hasSuffix("."), "\(reason.name)")
      if !reason.isAllow { #expect(reason.remedy.hasSuffix("."), "\(reason.name)") }
    }
  }

  // MARK: Digest

  static let base = "allow: [{host: a.example}, {host: b.example}]\ndeny: [{host: c.example}]\n"

  @Test(arguments: [
    "# a comment\n" + base,
    "allow: [{host: b.example, note: x}, {host: a.example, ports: [443, 80], protocol: tcp}]\n"
      + "deny: [{host: C.example.}]\nmode: enforce\nservices: {chat: on}\n",
    base + "devices: [{mac: '02:00:5e:10:00:01', name: Phone}]\n",
  ])
  func theDigestStaysWhenNoRuleChanges(_ rules: String) throws {
    #expect(try Fixtures.policy(rules).digest == Fixtures.policy(Self.base).digest)
  }

  @Test(arguments: [
    "allow: [{host: a.example}]\ndeny: [{host: c.example}]\n",
    "allow: [{host: a.example}, {host: .b.example}]\ndeny: [{host: c.example}]\n",
    "allow: [{host: a.example}, {host: c.example}]\ndeny: [{host: b.example}]\n",
    "allow: [{host: a.example}, {host: b.example, ports: [443]}]\ndeny: [{host: c.example}]\n",
    base + "mode: audit\n", base + "binding: off\n", base + "services: {chat: off}\n",
    base + "services: {chat: {video: on}}\n",
    base + "devices: [{mac: '02:00:5e:10:00:01', policy: unrestricted}]\n",
    "allow: [{host: a.example}, {host: b.example}]\ndeny: [{host: c.example}, {address: 192.0.2.1}]\n",
    "allow: [{host: a.example}, {host: b.example}]\ndeny: [{host: c.example}, {regex: '^d$'}]\n",
  ])
  func theDigestChangesWithARule(_ rules: String) throws {
    #expect(try Fixtures.policy(rules).digest != Fixtures.policy(Self.base).digest)
  }
}
