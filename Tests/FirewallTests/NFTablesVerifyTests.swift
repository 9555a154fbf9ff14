import Testing

@testable import Firewall

/// What verify says of the output of `nft list table inet imgate`.
@Suite struct NFTablesVerifyTests {
  let plan: FirewallPlan
  let backend = NFTablesBackend()

  init() throws { plan = try Plans.oneLAN() }

  // nft lists the chains with hooks as it was given them, in an indented form; rules come in other
  // words than they were given, so the words here are made up and only the comments are ours.
  private func listed() -> [String] {
    var lines = ["table inet imgate {"]
    for chain in NFTablesRules(plan: plan).chains {
      lines.append("\tchain \(chain.name) {")
      if let hook = chain.hook { lines.append("\t\t\(hook)") }
      for (index, rule) in chain.rules.enumerated() {
        lines.append("\t\trule \(index) comment \"\(NFTablesRules.digest(rule))\"")
      }
      lines.append("\t}")
      lines.append("")
    }
    return lines + ["}"]
  }

  private func mismatches(_ lines: [String]) -> [String] {
    backend.mismatches(plan, NFTablesListing(lines.joined(separator: "\n"))).map(\.text)
  }

  private func index(_ lines: [String], chain: String, rule: Int) -> Int {
    let start = lines.firstIndex(of: "\tchain \(chain) {") ?? 0
    let hook = lines[start + 1].contains("type filter") ? 1 : 0
    return start + hook + rule
  }

  @Test func `all well`() { #expect(mismatches(listed()) == []) }

  @Test func `the table is missing`() {
    #expect(
      backend.mismatches(plan, nil).map(\.text) == [
        "nftables inet imgate: the table is missing"
      ])
  }

  @Test func `the table is switched off`() {
    var lines = listed()
    lines.insert("\tflags dormant", at: 1)
    #expect(mismatches(lines) == ["nftables inet imgate: the table is switched off"])
  }

  @Test func `a rule is missing, told in our own words`() {
    var lines = listed()
    lines.remove(at: index(lines, chain: "refuse", rule: 1))
    #expect(
      mismatches(lines) == [
        "nftables inet imgate refuse: rule 1 is missing: "
          + "'meta l4proto tcp reject with tcp reset'"
      ])
  }

  @Test func `a foreign rule inside our chain`() {
    var lines = listed()
    lines.insert("\t\tip saddr 198.18.1.2 accept", at: index(lines, chain: "closing", rule: 1))
    #expect(
      mismatches(lines) == [
        "nftables inet imgate closing: rule 1 does not belong there: 'ip saddr 198.18.1.2 accept'"
      ])
  }

  @Test func `the rules of another plan are not ours`() throws {
    let other = NFTablesBackend()
    let listing = NFTablesListing(listed().joined(separator: "\n"))
    let found = other.mismatches(try Plans.oneLAN(closing: .denyList), listing)
    #expect(found.map(\.place) == ["nftables inet imgate last", "nftables inet imgate door_last"])
  }

  @Test func `a hook at another priority`() {
    let lines = listed().map {
      $0 == "\t\ttype filter hook forward priority 50; policy accept;"
        ? "\t\ttype filter hook forward priority 0; policy accept;" : $0
    }
    #expect(
      mismatches(lines) == [
        "nftables inet imgate closing: its hook is 'type filter hook forward priority 0; policy "
          + "accept;' and should be 'type filter hook forward priority 50; policy accept;'"
      ])
  }

  @Test func `repair flushes and fills the damaged chain only, and unhooks nothing`() {
    var lines = listed()
    lines.remove(at: index(lines, chain: "closing", rule: 1))
    let listing = NFTablesListing(lines.joined(separator: "\n"))
    let up = "iifname \"wlan0\" goto last"
    let down = "oifname \"wlan0\" goto last"
    #expect(
      backend.change(plan, from: listing) == """
        add table inet imgate
        add chain inet imgate closing { type filter hook forward priority 50; policy accept; }
        flush chain inet imgate closing
        add rule inet imgate closing \(up) comment "\(NFTablesRules.digest(up))"
        add rule inet imgate closing \(down) comment "\(NFTablesRules.digest(down))"

        """)
  }

  @Test func `flow offload is found and nobody repairs it for the owner`() {
    let found = FlowOffload.mismatches(
      """
      table inet fw4 {
      \tflowtable ft {
      \t\thook ingress priority filter
      \t\tdevices = { "eth0", "wlan0" }
      \t}
      }
      """)
    #expect(found.map(\.place) == ["nftables inet fw4"])
    #expect(found.allSatisfy { !$0.canRepair })
    #expect(FlowOffload.mismatches("") == [])
  }
}
