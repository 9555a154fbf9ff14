import Names
import Testing

@testable import Policy

/// Which rules a name belongs to, for the list of learned addresses.
@Suite struct RulesOfNamesTests {
  static let rules = """
    services:
      chat: {text: on, video: off}
    allow:
      - {host: .example.org}
      - {host: deep.example.org, ports: [8443]}
      - {regex: '^cam[0-9]\\.example\\.net$'}
    deny:
      - {host: bad.example.org}
      - {host: half.example.org, ports: [80]}
    """

  @Test(arguments: [
    ("text.chat.example", ["chat.text"]),
    // Two features have it, one of them is off.
    ("both.chat.example", ["chat.text"]),
    ("a.cdn.chat.example", ["chat.text"]),
    // On one port is enough, and TCP or not.
    ("old.chat.example", ["chat.text"]),
    ("deep.example.org", ["allow deep.example.org", "allow .example.org"]),
    ("cam7.example.net", ["allow ^cam[0-9]\\.example\\.net$"]),
    // Off, denied, unknown.
    ("a.video.chat.example", []),
    ("bad.example.org", []),
    ("half.example.org", ["allow .example.org"]),
    ("www.example.com", []),
  ])
  func aNameHasTheRulesThatLetItPass(name: String, rules: [String]) throws {
    let policy = try Fixtures.policy(Self.rules)
    let host = try #require(HostName(name))
    #expect(policy.rules(allowing: host).map(\.name) == rules)
  }
}
