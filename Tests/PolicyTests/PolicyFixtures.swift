import Names
import System
import Testing
import Wire
import YAML

@testable import Policy

/// The files of the repository and short ones for tests, and subjects in few words.
enum Fixtures {
  /// A pack with every kind of feature, for tests that don't want to know the real ones.
  static let chatPack = """
    version: 1
    service: chat
    title: Chat
    default: on
    ports: {tcp: [80, 443, 8080]}
    features:
      text:
        default: on
        note: No message arrives.
        endpoints:
          - hosts: [text.chat.example, .cdn.chat.example, both.chat.example]
            addresses: [203.0.113.0/28, '203.0.113.77:8080', '[2001:db8::7]:8080']
          - hosts: [old.chat.example]
            ports: {tcp: [14000], udp: [8000]}
      video:
        default: off
        note: No video plays.
        endpoints:
          - hosts: [.video.chat.example, both.chat.example, live.cdn.chat.example]
            regexes: ['^v[0-9]+\\.chat\\.example$']
      calls:
        default: off
        endpoints: []
    """

  static let packs = [SourceFile(path: "chat.yaml", text: chatPack)]

  /// A policy from a rules file and the test pack.
  static func policy(_ rules: String) throws -> Policy {
    try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: "version: 1\n" + rules), packs: packs)
  }

  /// What a rules file and the test pack are refused for; lines count from the first of `rules`.
  static func errors(_ rules: String, packs: [SourceFile] = Fixtures.packs) -> [String] {
    do {
      _ = try Policy.load(rules: SourceFile(path: "r", text: rules), packs: packs)
      return []
    } catch {
      return error.list.map { $0.text }
    }
  }

  static func warnings(_ rules: String) throws -> [String] {
    try Policy.load(rules: SourceFile(path: "r", text: rules), packs: packs).warnings.map {
      $0.text
    }
  }

  /// A file of the repository.
  static func file(_ path: String) throws -> SourceFile {
    let root = #filePath.dropLast("Tests/PolicyTests/PolicyFixtures.swift".count)
    return SourceFile(path: path, bytes: try File.read(String(root) + path))
  }

  static func realPacks() throws -> [SourceFile] {
    try ["wechat", "qq", "wecom", "push", "connectivity", "time"].map {
      try file("rules/services/\($0).yaml")
    }
  }

  /// What an installation has before its owner changes anything.
  static func realPolicy() throws -> Policy {
    try Policy.load(rules: try file("rules/rules.yaml"), packs: try realPacks())
  }
}

extension Subject {
  /// TLS to `host` on port 443 of a server that no address rule knows.
  static func tls(
    _ host: String?, port: UInt16 = 443, address: String = "192.0.2.1",
    transport: Transport = .tcp, device: UInt64 = 0x02_00_5e_10_00_99
  ) throws -> Subject {
    Subject(
      application: .tls, host: try host.map { try #require(HostName($0)) },
      address: try #require(IPAddress(address)), port: port, transport: transport,
      device: MACAddress(bits: device))
  }
}

extension Policy {
  /// The verdict in the form in which the tests' tables have it: `host-allowed chat.text`.
  func verdict(_ subject: Subject) -> String {
    let decision = decide(subject)
    return "\(decision.reason.name) \(rule(decision.rule).name)"
  }
}
