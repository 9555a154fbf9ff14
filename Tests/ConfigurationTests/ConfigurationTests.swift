import System
import Testing
import Wire
import YAML

@testable import Configuration

/// imgate.yaml: what it means, what it is refused for.
@Suite struct ConfigurationTests {
  static let interfaces = "lan: [wlan0]\nwan: [eth0]\n"

  @Test func withoutAnyOtherKeyEveryDefaultCounts() throws {
    let configuration = try load(Self.interfaces)
    #expect(configuration == Configuration(lan: ["wlan0"], wan: ["eth0"]))
    #expect(configuration.mark == 0x0700_0000)
    #expect(configuration.queues.first == 40 && configuration.queues.count == 2)
    #expect(configuration.queues.length == 8192)
    #expect(configuration.onFailure == .closed && configuration.firewall == .auto)
    #expect(configuration.store.path == "/var/lib/imgate/usage.db")
    #expect(configuration.store.interval == 900)
    #expect(configuration.store.hours == 35 * 86400 && configuration.store.days == 400 * 86400)
    #expect(configuration.log.level == .info && configuration.log.flows == .denied)
  }

  @Test func theInstalledFileSaysWhatTheDefaultsAre() throws {
    let root = #filePath.dropLast("Tests/ConfigurationTests/ConfigurationTests.swift".count)
    let path = String(root) + "rules/imgate.yaml"
    let installed = try Configuration.load(SourceFile(path: path, bytes: try File.read(path)))
    #expect(installed == Configuration(lan: ["wlan0"], wan: ["eth0"]))
  }

  @Test func everyKeyIsKept() throws {
    let configuration = try load(
      """
      version: 1
      lan: [br-lan, wlan0.10]
      wan: [eth0, wwan0]
      ignore: [docker0]
      prefixes: [192.168.1.0/24, 'fd00:1::/64']
      firewall: iptables
      mark: 0x70
      queues: {first: 100, count: 4, length: 1024}
      onFailure: open
      resolver: [192.0.2.53, '2001:db8::53']
      leases: /tmp/dhcp.leases
      store: {path: /srv/usage.db, interval: 30s, hours: 2d, days: 10d}
      log: {level: debug, flows: all}
      """)
    var expected = Configuration(lan: ["br-lan", "wlan0.10"], wan: ["eth0", "wwan0"])
    expected.ignore = ["docker0"]
    expected.prefixes = .list(
      try ["192.168.1.0/24", "fd00:1::/64"].map { try #require(IPPrefix($0)) })
    expected.firewall = .iptables
    expected.mark = 0x70
    expected.queues = .init(first: 100, count: 4, length: 1024)
    expected.onFailure = .open
    expected.resolver = .list(
      try ["192.0.2.53", "2001:db8::53"].map { try #require(IPAddress($0)) })
    expected.leases = .path("/tmp/dhcp.leases")
    expected.store = .init(path: "/srv/usage.db", interval: 30, hours: 2 * 86400, days: 10 * 86400)
    expected.log = .init(level: .debug, flows: .all)
    #expect(configuration == expected)
  }

  @Test func wordsForTheDefaultsAreTaken() throws {
    let configuration = try load(
      Self.interfaces
        + "prefixes: auto\nresolver: router\nleases: auto\nfirewall: auto\nignore: []\n")
    #expect(configuration == Configuration(lan: ["wlan0"], wan: ["eth0"]))
  }

  @Test func aFileWithALANIsAConfiguration() throws {
    for (text, expected) in [("lan: [a]", true), ("allow: []", false), ("[lan]", false)] {
      let root = try YAMLNode.parse(SourceFile(path: "f", text: text))
      #expect(Configuration.isConfiguration(root) == expected)
    }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let text: String
    let errors: [String]
    init(_ text: String, _ errors: String...) {
      self.text = text
      self.errors = errors
    }
    var testDescription: String { text }
  }

  /// Each after the two lines of interfaces, so that the first line counts as the third.
  static let refused: [Case] = [
    Case(
      "marc: 1\n", "c:3:1: error: unknown key \"marc\"; did you mean \"mark\"?"),
    Case(
      "version: 3\n",
      "c:3:10: error: expected version 1, found \"3\"; this imgate reads no other configuration"),
    Case(
      "mark: 5\n", "c:3:7: error: expected 3 adjacent bits such as 0x07000000, found \"5\""),
    Case(
      "mark: 0x1e\n", "c:3:7: error: expected 3 adjacent bits such as 0x07000000, found \"0x1e\""),
    Case(
      "mark: 0x380000000\n",
      "c:3:7: error: expected 3 adjacent bits such as 0x07000000, found \"0x380000000\""),
    Case("mark: 0\n", "c:3:7: error: expected 3 adjacent bits such as 0x07000000, found \"0\""),
    Case(
      "onFailure: opne\n",
      "c:3:12: error: expected closed or open, found \"opne\"; did you mean \"open\"?"),
    Case(
      "firewall: ufw\n", "c:3:11: error: expected auto, nftables or iptables, found \"ufw\""),
    Case(
      "queues: {first: 70000}\n",
      "c:3:17: error: expected a queue number from 0 to 65534, found \"70000\""),
    Case(
      "queues: {first: 65500, count: 36}\n",
      "c:3:17: error: 36 queues from 65500 on and one for DNS go beyond queue 65535"),
    Case(
      "queues: {cuont: 1}\n", "c:3:10: error: unknown key \"cuont\"; did you mean \"count\"?"),
    Case(
      "queues: {count: 0}\n",
      "c:3:17: error: expected a number of queues from 1 to 64, found \"0\""),
    Case(
      "queues: 40\n",
      "c:3:9: error: expected queues such as {first: 40, count: 2, length: 8192}, found \"40\""),
    Case(
      "resolver: 192.0.2.53\n",
      "c:3:11: error: expected router or a list of addresses such as [192.0.2.53], found "
        + "\"192.0.2.53\""),
    Case(
      "resolver: [dns.example]\n",
      "c:3:12: error: expected an address such as 192.0.2.53, found \"dns.example\""),
    Case(
      "prefixes: [192.168.1.0]\n",
      "c:3:12: error: expected a prefix such as 192.168.1.0/24, found \"192.168.1.0\""),
    Case(
      "prefixes: [192.168.1.1/24]\n",
      "c:3:12: error: 192.168.1.1/24 has bits beyond its length; write '192.168.1.0/24'"),
    Case(
      "leases: dnsmasq.leases\n",
      "c:3:9: error: expected auto or the absolute path of a lease file, found \"dnsmasq.leases\""),
    Case(
      "store: {path: usage.db}\n",
      "c:3:15: error: expected the absolute path of the database, found \"usage.db\""),
    Case(
      "store: {interval: 15}\n",
      "c:3:19: error: expected a length of time such as 30s, 15m, 6h or 35d, found \"15\""),
    Case(
      "store: {hours: 1h}\n",
      "c:3:16: error: expected a length of time from 1d to 3650d, found \"1h\""),
    Case(
      "log: {level: verbose}\n",
      "c:3:14: error: expected error, warning, info or debug, found \"verbose\""),
    Case(
      "log: {flows: deny}\n",
      "c:3:14: error: expected none, denied or all, found \"deny\""),
    Case(
      "ignore: [docker0, eth0]\n",
      "c:3:19: error: the interface \"eth0\" is in \"wan\" already, on line 2"),
    Case(
      "ignore: ['a b', '-j', averyveryverylong0]\n",
      "c:3:10: error: expected an interface name of at most 15 characters such as eth0, found "
        + "\"a b\"",
      "c:3:17: error: expected an interface name of at most 15 characters such as eth0, found "
        + "\"-j\"",
      "c:3:23: error: expected an interface name of at most 15 characters such as eth0, found "
        + "\"averyveryverylong0\""),
    // All at once, in the order of the lines.
    Case(
      "log: {flows: some}\nmark: 1\n",
      "c:3:14: error: expected none, denied or all, found \"some\"",
      "c:4:7: error: expected 3 adjacent bits such as 0x07000000, found \"1\""),
  ]

  @Test(arguments: refused)
  func theFileIsRefused(_ c: Case) {
    #expect(errors(Self.interfaces + c.text) == c.errors)
  }

  @Test(arguments: [
    Case(
      "wan: [eth0]\n",
      "c:1:1: error: missing key \"lan\", a list of interfaces such as [eth0]"),
    Case(
      "lan: [wlan0]\n",
      "c:1:1: error: missing key \"wan\", a list of interfaces such as [eth0]"),
    Case(
      "lan: wlan0\nwan: []\n",
      "c:1:6: error: expected a list of interfaces such as [eth0], found \"wlan0\"",
      "c:2:6: error: expected a list of interfaces such as [eth0], found a list"),
    Case(
      "lan: [wlan0]\nwan: [wlan0]\n",
      "c:2:7: error: the interface \"wlan0\" is in \"lan\" already, on line 1"),
    Case(
      "- a\n", "c:1:1: error: expected the keys of a configuration, such as \"lan:\", found a list"),
    Case("", "c:1:1: error: the file is empty"),
  ])
  func interfacesMustBeNamed(_ c: Case) {
    #expect(errors(c.text) == c.errors)
  }

  private func load(_ text: String) throws -> Configuration {
    try Configuration.load(SourceFile(path: "c", text: text))
  }

  private func errors(_ text: String) -> [String] {
    do {
      _ = try Configuration.load(SourceFile(path: "c", text: text))
      return []
    } catch {
      return error.list.map { $0.text }
    }
  }
}
