import Names
import Testing
import YAML

@testable import Policy

/// 100,000 host rules: each is found, and nothing beside them.
@Suite struct LargeTableTests {
  @Test func everyRuleOfAHundredThousandIsFound() throws {
    var text = "version: 1\nallow:\n"
    for i in 0..<50_000 {
      text += "- {host: h\(i).d\(i % 977).example}\n- {host: .s\(i).example.net}\n"
    }
    text += "deny:\n- {host: h31.d31.example}\n"
    let policy = try Policy.load(
      rules: SourceFile(path: "r", text: text), packs: Fixtures.packs)
    for i in stride(from: 0, to: 50_000, by: 7) {
      let exact = policy.decide(try .tls("h\(i).d\(i % 977).example"))
      if i != 31 {
        #expect(exact.reason == .hostAllowed && policy.rule(exact.rule).line == 2 * i + 3)
      }
      let suffix = policy.decide(try .tls("a.b.s\(i).example.net"))
      #expect(suffix.reason == .hostAllowed && policy.rule(suffix.rule).line == 2 * i + 4)
      #expect(!policy.decide(try .tls("h\(i).d\(i % 977 + 1).example")).isAllowed)
      #expect(!policy.decide(try .tls("a.h\(i).d\(i % 977).example")).isAllowed)
      #expect(!policy.decide(try .tls("xs\(i).example.net")).isAllowed)
    }
    #expect(policy.decide(try .tls("h31.d31.example")).reason == .hostDenied)
    #expect(policy.exactNames.count == 50_000 - 1 + 3)
  }

  @Test func namesOfEveryDepthAreFound() throws {
    let deep = (0..<120).map { _ in "a" }.joined(separator: ".") + ".example"
    let long = String(repeating: "b", count: 63) + "." + String(repeating: "c", count: 63)
    let policy = try Fixtures.policy("allow: [{host: .\(deep)}, {host: \(long)}]")
    #expect(policy.decide(try .tls(deep)).isAllowed)
    #expect(policy.decide(try .tls("x." + deep)).isAllowed)
    #expect(!policy.decide(try .tls("a." + String(deep.dropFirst(4)))).isAllowed)
    #expect(policy.decide(try .tls(long)).isAllowed)
  }

  /// One name with thousands of different port lines: slower to judge, and right.
  @Test func manyLinesForOneName() throws {
    var text = "allow:\n"
    for port in 1...5_000 { text += "- {host: a.example, ports: [\(port)]}\n" }
    let policy = try Fixtures.policy(text)
    #expect(policy.decide(try .tls("a.example", port: 4_321)).isAllowed)
    #expect(policy.decide(try .tls("a.example", port: 5_001)).reason == .portNotAllowed)
  }
}
