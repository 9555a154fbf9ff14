import Testing
import YAML

@testable import Policy

/// The examples of docs/rules.md are taken as they stand there.
@Suite struct DocumentationTests {
  @Test func theRulesExampleLoads() throws {
    let policy = try Policy.load(
      rules: SourceFile(path: "docs", text: try example(0)), packs: try Fixtures.realPacks())
    #expect(policy.warnings.isEmpty)
    #expect(policy.verdict(try .tls("res.wx.qq.com")).hasPrefix("host-allowed allow ^(wx"))
    #expect(
      policy.verdict(try .tls("mail.example.net", port: 993))
        == "host-allowed allow mail.example.net")
  }

  @Test func thePackExampleLoads() throws {
    let policy = try Policy.load(
      rules: SourceFile(path: "r", text: "services: {chat: on}"),
      packs: [SourceFile(path: "docs", text: try example(2))])
    #expect(policy.warnings.isEmpty)
    #expect(policy.verdict(try .tls("a.cdn.chat.example")) == "host-allowed chat.messaging")
  }

  /// The file shows every key of a configuration; ConfigurationTests knows what they mean.
  @Test func theConfigurationExampleIsTheInstalledOne() throws {
    let documented = try YAMLNode.parse(SourceFile(path: "docs", text: try example(1)))
    let installed = try YAMLNode.parse(try Fixtures.file("rules/imgate.yaml"))
    #expect(documented.entries.map { $0.key.text } == installed.entries.map { $0.key.text })
  }

  /// The `index`th block of YAML.
  private func example(_ index: Int) throws -> String {
    let file = try Fixtures.file("docs/rules.md")
    var blocks: [[Substring]] = []
    var isInside = false
    for line in String(decoding: file.bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      if line.hasPrefix("```") {
        isInside = line == "```yaml"
        if isInside { blocks.append([]) }
      } else if isInside {
        blocks[blocks.count - 1].append(line)
      }
    }
    try #require(blocks.count == 3)
    return blocks[index].joined(separator: "\n")
  }
}
