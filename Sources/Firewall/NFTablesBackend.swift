/// The gateway's rules through nftables.
///
/// Every change is one transaction, and chains that are as they should be are not in it. A hooked
/// chain is flushed and filled again, never deleted, unless its hook itself is wrong: taking a hook
/// away would drop every packet that waits in a queue.
final class NFTablesBackend {
  // For tests on a kernel without the queue expression.
  private let queueStatement: String?
  // The table as nft listed it right after we made it: rules are known by their comments alone
  // until there is one.
  private var baseline: (chains: [NFTablesRules.Chain], listed: [NFTablesListing.Chain])?

  private static let tool = Tool("nft")
  private static let place = "nftables inet \(NFTablesRules.table)"

  init(queueStatement: String? = nil) { self.queueStatement = queueStatement }

  private func chains(_ plan: FirewallPlan) -> [NFTablesRules.Chain] {
    NFTablesRules(plan: plan, queueStatement: queueStatement).chains
  }

  // MARK: - What the kernel has

  /// Whether our table is in the kernel.
  func isPresent() throws(FirewallError) -> Bool { try listing() != nil }

  /// What is not as the plan wants it.
  func verify(_ plan: FirewallPlan) throws(FirewallError) -> [Mismatch] {
    mismatches(plan, try listing())
  }

  /// Our table as nft writes it; empty when it isn't there.
  func show() throws(FirewallError) -> String { try listingText() ?? "" }

  /// What of the table is not as the plan wants it; nil is a table that isn't there.
  func mismatches(_ plan: FirewallPlan, _ listing: NFTablesListing?) -> [Mismatch] {
    guard let listing else { return [Mismatch(Self.place, "the table is missing")] }
    var found: [Mismatch] = []
    if listing.isDormant { found.append(Mismatch(Self.place, "the table is switched off")) }
    let wanted = chains(plan)
    for chain in wanted {
      let place = "\(Self.place) \(chain.name)"
      guard let current = listing.chains.first(where: { $0.name == chain.name }) else {
        found.append(Mismatch(place, "the chain is missing"))
        continue
      }
      if !Self.isSameHook(chain, current) {
        found.append(
          Mismatch(
            place,
            "its hook is '\(current.hook ?? "none")' and should be '\(chain.hook ?? "none")'"))
      }
      if let problem = problem(of: chain, current, wanted) {
        found.append(Mismatch(place, problem))
      }
    }
    for chain in listing.chains where !wanted.contains(where: { $0.name == chain.name }) {
      found.append(Mismatch("\(Self.place) \(chain.name)", "a chain left over from before"))
    }
    return found
  }

  private func problem(
    of chain: NFTablesRules.Chain, _ current: NFTablesListing.Chain, _ wanted: [NFTablesRules.Chain]
  ) -> String? {
    let marks = chain.rules.map(NFTablesRules.digest)
    if marks != current.marks {
      // A difference is told in our own words where the rule is one of ours.
      let ours = { (mark: String) in
        chain.rules.first { NFTablesRules.digest($0) == mark } ?? mark
      }
      return RuleDifference(wanted: chain.rules, current: current.marks.map(ours)) { $0 == $1 }.text
    }
    guard let baseline, baseline.chains == wanted,
      let before = baseline.listed.first(where: { $0.name == chain.name })
    else { return nil }
    if before.rules == current.rules { return nil }
    return RuleDifference(wanted: before.rules, current: current.rules) { $0 == $1 }.text
  }

  private static func isSameHook(
    _ wanted: NFTablesRules.Chain, _ current: NFTablesListing.Chain
  ) -> Bool {
    guard let hook = wanted.hook, let currentHook = current.hook else {
      return wanted.hook == nil && current.hook == nil
    }
    return Text.words(hook) == Text.words(currentHook)
  }

  // MARK: - Changes

  /// Lets the kernel check every rule of the plan, in a table of another name, without taking them.
  func probe(_ plan: FirewallPlan) throws(FirewallError) {
    let text = Self.transaction(chains(plan), table: NFTablesRules.probeTable, hooked: false)
    do throws(FirewallError) {
      try Self.tool.run(["-c", "-f", "-"], input: text)
    } catch {
      throw FirewallError(
        error.kind, error.attempts,
        note: error.attempts.contains { Text.contains($0.said, "queue num") }
          ? "the kernel has no nftables queue expression (nft_queue)" : "")
    }
  }

  /// Makes the kernel's rules those of the plan and tells what it found wrong; changes nothing where
  /// all is right.
  func bring(to plan: FirewallPlan) throws(FirewallError) -> [Mismatch] {
    let before = try listing()
    let found = mismatches(plan, before)
    if found.isEmpty { return [] }
    let wanted = chains(plan)
    try Self.tool.run(["-f", "-"], input: change(plan, from: before))
    guard let now = try listing() else {
      throw FirewallError(
        .toolFailed, [.init(command: "nft -f -", said: "the table is gone after the change")])
    }
    baseline = (wanted, now.chains)
    if let wrong = mismatches(plan, now).first {
      baseline = nil
      throw FirewallError(
        .toolFailed, [.init(command: "nft list table", said: "after the change, \(wrong.text)")])
    }
    return found
  }

  /// Removes our table and tells so.
  func remove() throws(FirewallError) -> [String] {
    guard try isPresent() else { return [] }
    baseline = nil
    // `add` first: the transaction holds also when the table went meanwhile.
    try Self.tool.run(
      ["-f", "-"],
      input: "add table inet \(NFTablesRules.table)\ndelete table inet \(NFTablesRules.table)\n")
    return ["nftables: table inet \(NFTablesRules.table)"]
  }

  /// The transaction that makes of `listing` what the plan wants.
  func change(_ plan: FirewallPlan, from listing: NFTablesListing?) -> String {
    let wanted = chains(plan)
    var changed: [NFTablesRules.Chain] = []
    var unhook: [String] = []
    for chain in wanted {
      guard let current = listing?.chains.first(where: { $0.name == chain.name }) else {
        changed.append(chain)
        continue
      }
      let isHooked = Self.isSameHook(chain, current)
      if !isHooked { unhook.append(chain.name) }
      if !isHooked || problem(of: chain, current, wanted) != nil { changed.append(chain) }
    }
    let leftOver = (listing?.chains ?? []).map { $0.name }
      .filter { name in !wanted.contains { $0.name == name } }
    return Self.transaction(changed, table: NFTablesRules.table, unhook: unhook, leftOver: leftOver)
  }

  /// One transaction that fills `changed`.
  ///
  /// `unhook` are those of them whose hook is wrong, `leftOver` chains that don't belong there.
  static func transaction(
    _ changed: [NFTablesRules.Chain], table: String, hooked: Bool = true, unhook: [String] = [],
    leftOver: [String] = []
  ) -> String {
    // Adding a table that is there also wakes it up when it is dormant.
    var text = "add table inet \(table)\n"
    for name in unhook {
      text += "flush chain inet \(table) \(name)\ndelete chain inet \(table) \(name)\n"
    }
    for chain in changed {
      let hook = hooked ? chain.hook.map { " { \($0) }" } ?? "" : ""
      text += "add chain inet \(table) \(chain.name)\(hook)\n"
    }
    for chain in changed { text += "flush chain inet \(table) \(chain.name)\n" }
    for chain in changed {
      for rule in chain.marked { text += "add rule inet \(table) \(chain.name) \(rule)\n" }
    }
    for name in leftOver { text += "flush chain inet \(table) \(name)\n" }
    for name in leftOver { text += "delete chain inet \(table) \(name)\n" }
    return text
  }

  // MARK: - The program

  private func listing() throws(FirewallError) -> NFTablesListing? {
    guard let text = try listingText() else { return nil }
    return NFTablesListing(text)
  }

  // Without state (-s: counters) and with numbers for priorities (-y), whose names vary.
  private func listingText() throws(FirewallError) -> String? {
    do throws(FirewallError) {
      return try Self.tool.run(["-s", "-y", "list", "table", "inet", NFTablesRules.table])
    } catch {
      if error.attempts.contains(where: { Text.contains($0.said, "No such file or directory") }) {
        return nil
      }
      throw error
    }
  }
}
