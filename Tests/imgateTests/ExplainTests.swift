import Names
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// What `imgate explain` says of the installed rules.
@Suite struct ExplainTests {
  private static func policy(_ rules: String = "version: 1\n") throws -> Policy {
    let root = String(#filePath.dropLast("Tests/imgateTests/ExplainTests.swift".count))
    let packs = try ["wechat", "qq", "wecom", "push", "connectivity", "time"].map {
      let path = "rules/services/\($0).yaml"
      return SourceFile(path: path, bytes: try File.read(root + path))
    }
    return try Policy.load(rules: SourceFile(path: "rules.yaml", text: rules), packs: packs)
  }

  /// `known` are the names that the running gateway knows at the address; nil: it doesn't run.
  private func explain(
    _ target: String, _ word: String, at address: String? = nil, port: UInt16? = nil,
    known: [String]? = nil, rules: String = "version: 1\n"
  ) throws -> imgate.Explanation {
    let literal = IPAddress(target)
    let question = Question(
      target: target, host: literal == nil ? HostName(target) : nil,
      address: try literal ?? address.map { try #require(IPAddress($0)) }, typedPort: port,
      speech: Question.Speech(word), device: nil)
    return ExplainCommand.explain(
      question, device: .unknown, by: try Self.policy(rules), rules: "rules.yaml",
      known: try known.map { try $0.map { try #require(HostName($0)) } })
  }

  @Test(arguments: [
    ("short.weixin.qq.com", "tls", "host-allowed wechat.messaging"),
    ("long.weixin.qq.com", "mmtls", "signature-allowed wechat.messaging"),
    ("short.weixin.qq.com", "short-link", "host-allowed wechat.messaging"),
    ("43.130.30.240", "newgetdns", "signature-allowed wechat.messaging"),
    ("43.130.30.240", "mmtls", "address-not-learned wechat.messaging"),
    ("14.215.138.110", "msf", "signature-allowed qq.messaging"),
    ("sz.tencent.com", "oicq", "signature-allowed qq.messaging"),
    ("198.18.0.1", "c2c", "media-companion wechat.pictures"),
    ("198.18.0.1", "highway", "media-companion qq.pictures"),
    ("findershort.weixin.qq.com", "mmtls", "address-not-learned wechat.messaging"),
    ("198.18.0.1", "wns", "unwanted-protocol qq.extras"),
    ("time.apple.com", "ntp", "feature-off time.ntp"),
    ("time.apple.com", "dns", "feature-off time.ntp"),
    ("long.weixin.qq.com", "dns", "host-allowed wechat.messaging"),
    ("www.example.com", "dns", "host-not-allowed default"),
    ("shquic.weixin.qq.com", "gquic", "feature-off wechat.quic"),
    ("short.weixin.qq.com", "quic", "quic wechat.messaging"),
    ("198.18.0.1", "quic", "quic default"),
    ("www.example.com", "quic", "quic default"),
    ("captive.apple.com", "http", "request-allowed connectivity.probes"),
    ("captive.apple.com", "tls", "host-not-allowed default"),
    ("198.18.0.1", "tcp", "unknown-protocol default"),
  ])
  func `an answer names the feature`(_ target: String, _ word: String, _ expected: String) throws {
    let explanation = try explain(target, word)
    #expect("\(explanation.decision.reason.name) \(explanation.rule.name)" == expected)
  }

  @Test func `only the very request passes, and the answer says so`() throws {
    #expect(
      try explain("captive.apple.com", "http").text.contains(
        "only     GET http://captive.apple.com/hotspot-detect.html; every other request is refused")
    )
  }

  @Test func `what the running gateway knows of an address counts`() throws {
    let address = "198.18.0.1"
    func reason(_ target: String, _ known: [String]?) throws -> Reason {
      try explain(target, "mmtls", at: IPAddress(target) == nil ? address : nil, known: known)
        .decision.reason
    }
    #expect(try reason("long.weixin.qq.com", nil) == .signatureAllowed)
    #expect(try reason("long.weixin.qq.com", []) == .addressNotLearned)
    #expect(try reason("long.weixin.qq.com", ["long.weixin.qq.com"]) == .signatureAllowed)
    #expect(try reason("long.weixin.qq.com", ["mp.weixin.qq.com"]) == .addressNotLearned)
    #expect(try reason(address, nil) == .addressNotLearned)
    #expect(try reason(address, ["szlong.weixin.qq.com"]) == .signatureAllowed)
  }

  @Test func `each protocol has its usual port`() throws {
    for (word, port) in [
      ("tls", 443), ("http", 80), ("mmtls", 8080), ("oicq", 8000), ("ntp", 123), ("dns", 53),
    ] as [(String, UInt16)] {
      #expect(try explain("long.weixin.qq.com", word).port == port)
    }
    #expect(
      try explain("long.weixin.qq.com", "mmtls", port: 14000).decision.reason == .portNotAllowed)
  }

  @Test func `a server that speaks something else has no remedy`() throws {
    let explanation = try explain("support.weixin.qq.com", "mmtls")
    #expect(explanation.decision.reason == .addressNotLearned)
    #expect(!explanation.text.contains("remedy"))
  }

  @Test func `a remedy for QUIC is a switch, or a line that allows it`() throws {
    #expect(try explain("szquic.weixin.qq.com", "gquic").text.contains("wechat: {quic: on}"))
    let switched = "services:\n  wechat: {quic: on}\n"
    #expect(
      try explain("szquic.weixin.qq.com", "gquic", rules: switched).decision.reason == .hostAllowed)
    let line = "- {host: www.example.com, protocol: quic}"
    #expect(try explain("www.example.com", "quic").text.contains(line))
    let rules = "allow:\n  \(line.dropLast()), ports: [443]}\n"
    #expect(try explain("www.example.com", "quic", rules: rules).decision.reason == .hostAllowed)
  }
}
