import Testing

@testable import Firewall

/// The rules that each plan gives, as whole files under Golden/.
@Suite struct RulesTests {
  @Test func `one LAN interface, closed`() throws {
    try expectGolden("one-lan", try Plans.oneLAN())
  }

  @Test func `one LAN interface while the rules are paused`() throws {
    try expectGolden("one-lan-deny-list", try Plans.oneLAN(closing: .denyList))
  }

  @Test func `two LAN interfaces, one queue, onFailure open, another mask`() throws {
    try expectGolden("two-lans-open", try Plans.twoLANsOpen())
  }

  private func expectGolden(_ name: String, _ plan: FirewallPlan) throws {
    for family in IPFamily.allCases {
      var text = ""
      for table in IPTablesRules(plan: plan, family: family).tables {
        let none = IPTablesTable(name: table.name, jumps: [], chains: [])
        text += IPTablesChange(from: none, to: table).text
      }
      try GoldenFile(name: "\(family.program)-\(name).txt").expect(text)
    }
    try GoldenFile(name: "nftables-\(name).nft").expect(
      NFTablesBackend().change(plan, from: nil))
  }

  @Test func `every table closes before it inspects`() throws {
    let tables = IPTablesRules(plan: try Plans.oneLAN(), family: .v4).tables
    #expect(tables.map(\.name) == ["security", "filter", "mangle"])
  }

  @Test func `pausing changes the last chains and no other`() throws {
    let closed = IPTablesRules(plan: try Plans.oneLAN(), family: .v6).tables
    let paused = IPTablesRules(plan: try Plans.oneLAN(closing: .denyList), family: .v6).tables
    for (a, b) in zip(closed, paused) {
      for (chain, other) in zip(a.chains, b.chains) {
        #expect((chain == other) == (!chain.name.hasSuffix("-LAST")))
      }
    }
  }

  @Test func `chain names fit the kernel, also those of a trial`() throws {
    let rules = IPTablesRules(
      plan: try Plans.oneLAN(), family: .v4, prefix: IPTablesRules.probePrefix)
    for chain in rules.tables.flatMap(\.chains) { #expect(chain.name.utf8.count <= 28) }
  }

  @Test(arguments: [
    [], ["wlan0", "wlan0"], [""], ["eth+"], ["-i"], ["a b"], ["br\"lan"], ["sixteen-bytes-xx"],
    ["wlan0\n-A"], ["wl/an"],
  ])
  func `a name that is no interface makes no plan`(lan: [String]) {
    let error = #expect(throws: FirewallError.self) { try Plans.plan(lan) }
    #expect(error?.kind == .badPlan)
  }

  @Test(arguments: [(65535, 1), (40, 0), (65000, 600)] as [(UInt16, UInt16)])
  func `queue numbers that don't fit make no plan`(first: UInt16, count: UInt16) {
    let error = #expect(throws: FirewallError.self) {
      try Plans.plan(["wlan0"], first: first, count: count)
    }
    #expect(error?.kind == .badPlan)
  }
}
