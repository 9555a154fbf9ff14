import Names
import Testing
import YAML

@testable import Policy

/// Which regexes are refused, with the fix and a name that they would have admitted.
@Suite struct RegexTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let regex: String
    let message: String
    init(_ regex: String, _ message: String) {
      self.regex = regex
      self.message = message
    }
    var testDescription: String { regex }
  }

  static let wide = "the regex"
  static let start = "does not begin with ^"
  static let end = "does not end with $"
  static let dot = "has a dot without a backslash, which stands for any character"

  static let refused: [Case] = [
    // The three regexes of well-known field notes.
    Case(
      "^(wx|weixin|res.wx).qq.com",
      "\(wide) \(end), and \(dot); it would admit wxaqq.com; write "
        + "'^(wx|weixin|res\\.wx)\\.qq\\.com$'"),
    Case(
      "^short.weixin.qq.com",
      "\(wide) \(end), and \(dot); it would admit shortaweixinaqq.com; write "
        + "'^short\\.weixin\\.qq\\.com$'"),
    Case(
      "^(mmsns|mmbiz).qpic.cn",
      "\(wide) \(end), and \(dot); it would admit mmsnsaqpic.cn; write "
        + "'^(mmsns|mmbiz)\\.qpic\\.cn$'"),
    // One fault each.
    Case(
      "^wx.qq\\.com$", "\(wide) \(dot); it would admit wxaqq.com; write '^wx\\.qq\\.com$'"),
    Case(
      "^wx\\.qq.com$", "\(wide) \(dot); it would admit wx.qqacom; write '^wx\\.qq\\.com$'"),
    Case(
      "^(wx|res.wx)\\.qq\\.com$",
      "\(wide) \(dot); it would admit resawx.qq.com; write '^(wx|res\\.wx)\\.qq\\.com$'"),
    Case(
      "^wx\\.qq\\.com",
      "\(wide) \(end); it would admit wx.qq.com.evil.example; write '^wx\\.qq\\.com$'"),
    Case(
      "wx\\.qq\\.com$", "\(wide) \(start); it would admit evilwx.qq.com; write '^wx\\.qq\\.com$'"),
    Case(
      "weixin\\.",
      "\(wide) \(start), and \(end); it would admit weixin.evil.example; write '^weixin\\.$'"),
    Case(
      "^a\\.example|b\\.example$",
      "\(wide) \(start), and \(end), and has a | outside of a group; it would admit "
        + "a.example.evil.example; write '^(a\\.example|b\\.example)$'"),
    Case(
      "^a\\.example$|^b\\.example$",
      "\(wide) has a | outside of a group; write '^(a\\.example|b\\.example)$'"),
    // A wildcard with a quantifier was meant within one label.
    Case(
      "^.*\\.qq\\.com$",
      "\(wide) \(dot); it would admit any.name.qq.com; write '^[a-z0-9-]*\\.qq\\.com$'"),
    Case(
      "^wx.+qq\\.com$",
      "\(wide) \(dot); it would admit wxany.nameqq.com; write '^wx[a-z0-9-]+qq\\.com$'"),
    Case(
      "^[^x]+\\.qq\\.com$",
      "\(wide) has a [^ ] that takes the dot, too; write '^[^.x]+\\.qq\\.com$'"),
    Case(
      "^WX\\.qq\\.com$",
      "\(wide) has capital letters, while names are compared in lower case; write "
        + "'^wx\\.qq\\.com$'"),
    Case("^wx$\\.qq\\.com$", "\(wide) has a ^ or $ that is not at its end"),
    // Not a regex, or none for host names.
    Case("^wx(\\.qq$", "not a regex: missing closing parenthesis after character 9"),
    Case("^[a$", "not a regex: missing terminating ] for character class after character 4"),
    Case(
      "^a**b$",
      "not a regex: quantifier does not follow a repeatable item after character 3"),
    Case("^wx/qq$", "the regex can't be used for host names: a host name never has a \"/\""),
    Case(
      "^wx\\.qq\\.com:443$",
      "the regex can't be used for host names: a host name never has a \":\""),
    Case(
      "^(?i)wx\\.qq\\.com$",
      "the regex can't be used for host names: only plain groups, ( ) and (?: ), are allowed"),
    Case(
      "^(?=a)b\\.com$",
      "the regex can't be used for host names: only plain groups, ( ) and (?: ), are allowed"),
    Case(
      "^(a)\\1\\.com$",
      "the regex can't be used for host names: \\1 is not allowed, only \\. \\- \\d and \\w"),
    Case(
      "^\\Swx\\.com$",
      "the regex can't be used for host names: \\S is not allowed, only \\. \\- \\d and \\w"),
    Case(
      "^[+-z]\\.com$",
      "the regex can't be used for host names: the range +-z takes the dot, too"),
    Case(
      "^[_]\\.com$",
      "the regex can't be used for host names: [_] takes nothing that a host name has"),
    Case(
      "^" + String(repeating: "a", count: 512) + "$",
      "the regex can't be used for host names: it has more than 512 characters; use host lines"),
    Case(
      "^" + String(repeating: "(", count: 9) + "a" + String(repeating: ")", count: 9) + "$",
      "the regex can't be used for host names: its groups are nested more than 8 levels deep"),
  ]

  @Test(arguments: refused)
  func theRegexIsRefused(_ c: Case) {
    let errors = Fixtures.errors("allow: [{regex: '\(c.regex)'}]\n")
    #expect(errors == ["r:1:17: error: \(c.message)"])
  }

  /// The fix that a refusal shows is itself taken, and no longer admits the look-alike.
  @Test(arguments: refused.filter { $0.message.contains("; write '") })
  func theFixIsTaken(_ c: Case) throws {
    let parts = c.message.split(separator: "'")
    let fixed = try #require(parts.last)
    let policy = try Fixtures.policy("allow: [{regex: '\(fixed)'}]\n")
    // The word after "admit".
    let words = c.message.split(separator: " ").map { String($0) }
    guard let admit = words.firstIndex(of: "admit") else { return }
    let host = words[admit + 1].filter { $0 != ";" }
    #expect(policy.decide(try .tls(host)).reason == .hostNotAllowed)
  }

  @Test(
    arguments: [
      ("^(wx|res\\.wx)\\.qq\\.com$", ["wx.qq.com", "res.wx.qq.com"], ["resawx.qq.com", "qq.com"]),
      (
        "^(?:sh|sz)?short\\.weixin\\.qq\\.com$", ["short.weixin.qq.com", "szshort.weixin.qq.com"],
        ["findershort.weixin.qq.com"]
      ),
      ("^[a-z0-9-]+\\.example$", ["a-1.example"], ["a.b.example", ".example"]),
      ("^[^.]+\\.example$", ["a.example"], ["a.b.example"]),
      ("^a{2,3}\\.example$", ["aa.example", "aaa.example"], ["a.example", "aaaa.example"]),
      ("^x[.]example$", ["x.example"], ["xaexample"]),
      ("^\\w\\d\\.example$", ["a1.example"], ["ab.example"]),
    ] as [(String, [String], [String])])
  func aRegexTakesWholeNames(_ regex: String, _ taken: [String], _ refused: [String]) throws {
    let policy = try Fixtures.policy("allow: [{regex: '\(regex)'}]\n")
    for name in taken { #expect(policy.decide(try .tls(name)).isAllowed, "\(name)") }
    for name in refused where HostName(name) != nil {
      #expect(!policy.decide(try .tls(name)).isAllowed, "\(name)")
    }
  }

  /// A regex that would take for ever gives up: nothing is allowed by it, and all is denied by it.
  @Test func aMatchThatGivesUpNeverAllows() throws {
    let slow = "^(([a-z]+)+)+\\.example$"
    let name = String(repeating: "a", count: 60) + ".examplf"
    let allow = try Fixtures.policy("allow: [{regex: '\(slow)'}]\n")
    #expect(allow.verdict(try .tls(name)) == "host-not-allowed default")
    let deny = try Fixtures.policy(
      "allow: [{host: \(name)}]\ndeny: [{regex: '\(slow)'}]\n")
    #expect(deny.decide(try .tls(name)).reason == .hostDenied)
  }
}
