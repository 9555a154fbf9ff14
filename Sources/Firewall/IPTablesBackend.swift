internal import System

/// Which build of iptables: a distribution may have both, and only one may work.
enum IPTablesVariant: String, CaseIterable, Sendable {
  /// Whatever `iptables` leads to.
  case standard = ""
  /// `iptables-nft`: iptables' rules over nf_tables.
  case nft = "-nft"
  /// `iptables-legacy`: the old kernel interface.
  case legacy = "-legacy"
}

/// The gateway's rules through iptables and ip6tables.
///
/// Each table is a commit of its own, so `security` goes first for both families: whatever happens
/// between two commits, what is not marked yet is dropped. Packets that wait in a queue stay there,
/// since no hooked chain is ever deleted.
final class IPTablesBackend {
  let variant: IPTablesVariant
  private let families: [IPFamily]
  // How this iptables writes a chain that it was just given, where that isn't how we wrote it.
  private var spellings: [Spelling] = []

  private struct Spelling {
    let family: IPFamily
    let table: String
    let ours: IPTablesTable.Chain
    let listed: [String]
  }

  init(_ variant: IPTablesVariant, families: [IPFamily] = IPTablesBackend.familiesOfThisKernel()) {
    self.variant = variant
    self.families = families
  }

  /// IPv4, and IPv6 unless this kernel has none.
  static func familiesOfThisKernel() -> [IPFamily] {
    do throws(SystemError) {
      _ = try File.read("/proc/net/if_inet6")
      return [.v4, .v6]
    } catch {
      return error.isNoSuchFile ? [.v4] : [.v4, .v6]
    }
  }

  /// `iptables`, `iptables-nft` or `iptables-legacy`.
  var name: String { "iptables" + variant.rawValue }

  // MARK: - What the kernel has

  /// Whether anything of ours is in the kernel.
  func isPresent() throws(FirewallError) -> Bool {
    for family in families where try listing(family).hasOwn { return true }
    return false
  }

  /// Whether this program changes nf_tables and not the old interface.
  func isOverNFTables() throws(FirewallError) -> Bool {
    Text.contains(try Tool(name).run(["-V"]), "nf_tables")
  }

  /// What is not as the plan wants it.
  func verify(_ plan: FirewallPlan) throws(FirewallError) -> [Mismatch] {
    var found: [Mismatch] = []
    for family in families { found += mismatches(plan, family, try listing(family)) }
    return found
  }

  /// Our chains and the jumps to them, as iptables-save writes them.
  func show() throws(FirewallError) -> String {
    var text = ""
    for family in families {
      let listing = try listing(family)
      guard listing.hasOwn else { continue }
      text += "# \(program(family))\n"
      for table in listing.tables {
        let own = listing.own(in: table.name)
        if own.chains.isEmpty { continue }
        text += "*\(table.name)\n"
        for jump in own.jumps {
          text += "-A \(jump.chain) \(jump.rule)  # rule \(jump.position) of \(jump.chain)\n"
        }
        for chain in own.chains {
          for rule in chain.rules { text += "-A \(chain.name) \(rule)\n" }
        }
      }
    }
    return text
  }

  /// What other people's rules do to ours without touching them.
  func hazards() throws(FirewallError) -> [Mismatch] {
    var found: [Mismatch] = []
    for family in families {
      found += Self.hazards(in: try listing(family), program: program(family))
    }
    return found
  }

  /// The same for a listing.
  static func hazards(in listing: IPTablesListing, program: String) -> [Mismatch] {
    var found: [Mismatch] = []
    for table in listing.tables {
      for chain in table.chains {
        for rule in chain.rules where Text.contains(rule, "-j FLOWOFFLOAD") {
          found.append(
            Mismatch(
              "\(program) \(table.name) \(chain.name)",
              "'\(rule)' carries connections past the gateway before they are judged; switch it "
                + "off: uci set firewall.@defaults[0].flow_offloading=0",
              canRepair: false))
        }
        // A packet that comes back from the queue goes on at the next table, and every SYN visits
        // the queue.
        for rule in chain.rules where table.name == "mangle" && chain.name == "FORWARD" {
          if Text.contains(rule, "-j TCPMSS") {
            found.append(
              Mismatch(
                "\(program) mangle FORWARD",
                "'\(rule)' is not met by connections of the LAN, whose SYN comes back from the "
                  + "queue behind this table; move the rule to mangle POSTROUTING",
                canRepair: false))
          }
        }
      }
    }
    return found
  }

  // MARK: - Changes

  /// Tries every rule of the plan in throw-away chains that no packet reaches.
  func probe(_ plan: FirewallPlan) throws(FirewallError) {
    for family in families {
      let rules = IPTablesRules(
        plan: plan, family: family, prefix: IPTablesRules.probePrefix)
      var make = ""
      var unmake = ""
      for var table in rules.tables {
        table.jumps = []
        let none = IPTablesTable(name: table.name, jumps: [], chains: [])
        make += IPTablesChange(from: none, to: table).text
        unmake += IPTablesChange(from: table, to: none).text
      }
      do throws(FirewallError) {
        try restore(family, make + unmake)
      } catch {
        // Some tables may have taken their chains before another one refused.
        _ = removeIgnoringErrors()
        throw error
      }
    }
  }

  /// Makes the kernel's rules those of the plan and tells what it found wrong; changes nothing where
  /// all is right.
  ///
  /// On an error nothing is left when nothing was there before; otherwise what was put in place
  /// stays, since it closes.
  func bring(to plan: FirewallPlan) throws(FirewallError) -> [Mismatch] {
    var mayRetry = true
    while true {
      var listings: [IPTablesListing] = []
      for family in families { listings.append(try listing(family)) }
      var found: [Mismatch] = []
      for (family, listing) in zip(families, listings) {
        found += mismatches(plan, family, listing)
      }
      if found.isEmpty { return [] }
      let isFresh = !listings.contains { $0.hasOwn }
      do throws(FirewallError) {
        try apply(plan, listings)
        try learnSpelling(plan)
        return found
      } catch {
        let left = isFresh ? removeIgnoringErrors() : ""
        // Somebody else may have changed the tables between our look and our change: look again.
        if mayRetry && error.kind == .toolFailed && left.isEmpty {
          mayRetry = false
          continue
        }
        throw FirewallError(error.kind, error.attempts, note: error.note + left)
      }
    }
  }

  /// Removes what is ours and tells what it was.
  ///
  /// The closing chain goes last, so that nothing passes on the way.
  func remove() throws(FirewallError) -> [String] {
    var removed: [String] = []
    for family in families {
      let listing = try listing(family)
      var text = ""
      for table in ["mangle", "filter", "security"] {
        let own = listing.own(in: table)
        let none = IPTablesTable(name: table, jumps: [], chains: [])
        text += IPTablesChange(from: own, to: none).text
        if !own.chains.isEmpty || !own.jumps.isEmpty {
          removed.append(
            "\(program(family)) \(table): \(own.chains.count) chains, \(own.jumps.count) jumps")
        }
      }
      if !text.isEmpty { try restore(family, text) }
    }
    spellings = []
    return removed
  }

  // What is still there after a failure is told in the error.
  private func removeIgnoringErrors() -> String {
    do throws(FirewallError) {
      _ = try remove()
      return ""
    } catch {
      return "and what was already there could not be removed: \(error.text)"
    }
  }

  private func apply(
    _ plan: FirewallPlan, _ listings: [IPTablesListing]
  ) throws(FirewallError) {
    for phase in [["security"], ["filter", "mangle"]] {
      for (family, listing) in zip(families, listings) {
        var text = ""
        for table in IPTablesRules(plan: plan, family: family).tables
        where phase.contains(table.name) {
          text += change(family, listing, to: table).text
        }
        if !text.isEmpty { try restore(family, text) }
      }
    }
  }

  private func change(
    _ family: IPFamily, _ listing: IPTablesListing, to table: IPTablesTable
  ) -> IPTablesChange {
    let own = listing.own(in: table.name)
    let right = table.chains.filter { wanted in
      own.chains.contains { current in
        current.name == wanted.name && isSame(family, table.name, wanted, current.rules)
      }
    }
    return IPTablesChange(from: own, to: table, keeping: right.map { $0.name })
  }

  // A version of iptables that spells a rule in a way we don't know would look wrong for ever: what
  // it lists right after it was given our rules is taken as its spelling of them.
  private func learnSpelling(_ plan: FirewallPlan) throws(FirewallError) {
    for family in families {
      let listing = try listing(family)
      for table in IPTablesRules(plan: plan, family: family).tables {
        let own = listing.own(in: table.name)
        for chain in table.chains {
          guard let current = own.chains.first(where: { $0.name == chain.name }),
            current.rules.count == chain.rules.count,
            current.rules.map(IPTablesRule.init) != chain.rules.map(IPTablesRule.init)
          else { continue }
          spellings.removeAll {
            $0.family == family && $0.table == table.name && $0.ours.name == chain.name
          }
          spellings.append(
            Spelling(family: family, table: table.name, ours: chain, listed: current.rules))
        }
      }
      if let wrong = mismatches(plan, family, listing).first {
        throw FirewallError(
          .toolFailed,
          [.init(command: "\(program(family))-save", said: "after the change, \(wrong.text)")])
      }
    }
  }

  // MARK: - Comparison

  /// What of one family is not as the plan wants it.
  func mismatches(
    _ plan: FirewallPlan, _ family: IPFamily, _ listing: IPTablesListing
  ) -> [Mismatch] {
    var found: [Mismatch] = []
    for table in IPTablesRules(plan: plan, family: family).tables {
      let place = "\(program(family)) \(table.name)"
      let own = listing.own(in: table.name)
      for jump in table.jumps {
        if let problem = Self.problem(of: jump, among: own.jumps, in: listing, table.name) {
          found.append(Mismatch("\(place) \(jump.chain)", problem))
        }
      }
      for jump in own.jumps
      where !table.jumps.contains(where: { $0.chain == jump.chain && $0.rule == jump.rule }) {
        found.append(
          Mismatch("\(place) \(jump.chain)", "'\(jump.rule)' leads to a chain of the gateway"))
      }
      for chain in table.chains {
        guard let current = own.chains.first(where: { $0.name == chain.name }) else {
          found.append(Mismatch("\(place) \(chain.name)", "the chain is missing"))
          continue
        }
        if !isSame(family, table.name, chain, current.rules) {
          found.append(
            Mismatch(
              "\(place) \(chain.name)",
              RuleDifference(wanted: chain.rules, current: current.rules) {
                IPTablesRule($0) == IPTablesRule($1)
              }.text))
        }
      }
      for chain in own.chains where !table.chains.contains(where: { $0.name == chain.name }) {
        found.append(Mismatch("\(place) \(chain.name)", "a chain left over from before"))
      }
    }
    return found
  }

  private static func problem(
    of jump: IPTablesTable.Jump, among jumps: [IPTablesTable.Jump], in listing: IPTablesListing,
    _ table: String
  ) -> String? {
    let same = jumps.filter { $0.chain == jump.chain && $0.rule == jump.rule }
    guard let first = same.first else { return "the jump '\(jump.rule)' is missing" }
    if first.position != jump.position {
      let before =
        listing.chains(of: table).first { $0.name == jump.chain }?.rules.first ?? ""
      return "the jump '\(jump.rule)' is rule \(first.position), behind '\(before)'; "
        + "it must be rule \(jump.position)"
    }
    return same.count == 1 ? nil : "the jump '\(jump.rule)' stands there \(same.count) times"
  }

  private func isSame(
    _ family: IPFamily, _ table: String, _ wanted: IPTablesTable.Chain, _ current: [String]
  ) -> Bool {
    if wanted.rules == current { return true }
    let isKnown = spellings.contains {
      $0.family == family && $0.table == table && $0.ours == wanted && $0.listed == current
    }
    return isKnown || wanted.rules.map(IPTablesRule.init) == current.map(IPTablesRule.init)
  }

  // MARK: - The programs

  private func program(_ family: IPFamily) -> String { family.program + variant.rawValue }

  private func listing(_ family: IPFamily) throws(FirewallError) -> IPTablesListing {
    IPTablesListing(try Tool(program(family) + "-save").run([]))
  }

  // -w: another program that changes iptables has the lock for at most 10 s.
  private func restore(_ family: IPFamily, _ text: String) throws(FirewallError) {
    try Tool(program(family) + "-restore").run(["--noflush", "-w", "10"], input: text)
  }
}
