import CSystem
import System
import Testing

@testable import Firewall

/// The firewall on the real kernel, in a network namespace that Tests/Lab/firewall.sh makes.
///
/// `IMGATE_LAB=1` says that this process is in such a namespace; `IMGATE_LAB_FIREWALL` names the
/// firewall. `nftables` stands for nftables with `counter accept` where packets go to the queue, on
/// a kernel that has no queue expression.
@Suite(
  .serialized,
  .enabled(
    if: Lab.value("IMGATE_LAB") == "1",
    "skipped: needs root and a network namespace of its own; sudo Tests/Lab/firewall.sh runs it"))
struct FirewallKernelTests {
  private static let isWholeRun = Lab.value("IMGATE_LAB_STEP") == nil

  private func firewall(_ plan: FirewallPlan) throws -> Firewall {
    let name = try #require(Lab.value("IMGATE_LAB_FIREWALL"))
    if name == "nftables" {
      return Firewall(NFTablesBackend(queueStatement: "counter accept"), plan)
    }
    return try Firewall.choose(try #require(FirewallPreference(rawValue: name)), plan)
  }

  private var isNFTables: Bool { Lab.value("IMGATE_LAB_FIREWALL") == "nftables" }

  /// Runs the firewall's own program as somebody else would.
  private func byHand(_ arguments: String, _ sixth: Bool = false) throws {
    let name = try #require(Lab.value("IMGATE_LAB_FIREWALL"))
    let program = isNFTables ? "nft" : sixth ? "ip6tables" + name.dropFirst(8) : name
    try Tool(program).run(arguments.split(separator: " ").map(String.init))
  }

  @Test(.enabled(if: isWholeRun))
  func `installed, checked, removed: nothing is left`() throws {
    let firewall = try firewall(try Plans.plan(["lan0", "lan1"]))
    #expect(try !firewall.verify().isEmpty)
    try firewall.install()
    #expect(try firewall.verify().map(\.text) == [])
    #expect(try firewall.show() != "")
    try firewall.install()
    #expect(try firewall.verify().map(\.text) == [])
    #expect(try !Firewall.remove().isEmpty)
    #expect(try firewall.show() == "")
    #expect(try Firewall.remove() == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `a trial leaves nothing behind`() throws {
    if isNFTables {
      try NFTablesBackend(queueStatement: "counter accept").probe(try Plans.oneLAN())
    } else {
      _ = try firewall(try Plans.oneLAN())
    }
    #expect(Firewall.find(.auto, try Plans.oneLAN()) == nil)
  }

  @Test(.enabled(if: isWholeRun))
  func `nftables without the queue expression is refused and says so`() throws {
    guard isNFTables else { return }
    let error = #expect(throws: FirewallError.self) {
      try Firewall.choose(.nftables, try Plans.oneLAN())
    }
    #expect(error?.kind == .noneWorks)
    #expect(error?.note == "the kernel has no nftables queue expression (nft_queue)")
  }

  @Test(.enabled(if: isWholeRun))
  func `a second process finds the rules, and no mismatch`() throws {
    let plan = try Plans.plan(["lan0"], bypass: true, closing: .denyList)
    try firewall(plan).install()
    defer { Lab.removeAll() }
    #expect(try firewall(plan).verify().map(\.text) == [])
    #expect(Firewall.find(.auto, plan) != nil)
  }

  @Test(.enabled(if: isWholeRun))
  func `a pause is one chain, and back`() throws {
    let firewall = try firewall(try Plans.plan(["lan0"]))
    try firewall.install()
    defer { Lab.removeAll() }
    try firewall.update(closing: .denyList)
    #expect(try firewall.verify().map(\.text) == [])
    #expect(firewall.plan.closing == .denyList)
    try firewall.update(closing: .allowList)
    #expect(try firewall.verify().map(\.text) == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `another plan replaces the one before`() throws {
    try firewall(try Plans.plan(["lan0"])).install()
    defer { Lab.removeAll() }
    let other = try firewall(try Plans.plan(["lan1", "lan2"], mask: 0x70, first: 7, count: 1))
    #expect(try !other.verify().isEmpty)
    try other.install()
    #expect(try other.verify().map(\.text) == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `flushed by somebody else: told, and put back`() throws {
    let firewall = try firewall(try Plans.plan(["lan0"]))
    try firewall.install()
    defer { Lab.removeAll() }
    if isNFTables {
      try byHand("flush chain inet imgate refuse")
      #expect(
        try firewall.verify().map(\.text) == [
          "nftables inet imgate refuse: the chain is empty; it should have 3 rules"
        ])
      try byHand("flush table inet imgate")
      #expect(try firewall.verify().count == 30)
      #expect(try firewall.repair().count == 30)
      try byHand("flush ruleset")
      #expect(try firewall.verify().map(\.text) == ["nftables inet imgate: the table is missing"])
    } else {
      try byHand("-F FORWARD")
      #expect(
        try firewall.verify().map(\.text) == [
          "\(firewall.name) filter FORWARD: the jump '-j IMGATE-ENFORCE' is missing"
        ])
      _ = try firewall.repair()
      try byHand("-t mangle -F", true)
      #expect(
        try firewall.verify().map(\.place).contains(
          "ip6tables\(firewall.name.dropFirst(8)) mangle FORWARD"))
    }
    #expect(try !firewall.repair().isEmpty)
    #expect(try firewall.verify().map(\.text) == [])
    #expect(try firewall.repair() == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `a foreign rule in front: its position is told, and ours goes first again`() throws {
    let firewall = try firewall(try Plans.plan(["lan0"]))
    try firewall.install()
    defer { Lab.removeAll() }
    if isNFTables {
      try byHand("insert rule inet imgate closing accept")
      #expect(
        try firewall.verify().map(\.text) == [
          "nftables inet imgate closing: rule 1 does not belong there: 'accept'"
        ])
    } else {
      try byHand("-I FORWARD -j ACCEPT")
      #expect(
        try firewall.verify().map(\.text) == [
          "\(firewall.name) filter FORWARD: the jump '-j IMGATE-ENFORCE' is rule 2, "
            + "behind '-j ACCEPT'; it must be rule 1"
        ])
    }
    #expect(try firewall.repair().count == 1)
    #expect(try firewall.verify().map(\.text) == [])
    if !isNFTables {
      // The foreign rule is still there: it is not ours to remove.
      try byHand("-D FORWARD -j ACCEPT")
    }
  }

  @Test(.enabled(if: isWholeRun))
  func `a rule changed in place is told although its mark is still right`() throws {
    guard isNFTables else { return }
    let firewall = try firewall(try Plans.plan(["lan0"]))
    try firewall.install()
    defer { Lab.removeAll() }
    try byHand("flush chain inet imgate cut")
    for rule in NFTablesRules(plan: firewall.plan, queueStatement: "counter accept").chains
      .first(where: { $0.name == "cut" })?.rules ?? []
    {
      try byHand(
        "add rule inet imgate cut counter comment \"\(NFTablesRules.digest(rule))\"")
    }
    #expect(try firewall.verify().map(\.place) == ["nftables inet imgate cut"])
    _ = try firewall.repair()
    #expect(try firewall.verify().map(\.text) == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `a table switched off, and a chain with another hook, are mended`() throws {
    guard isNFTables else { return }
    let firewall = try firewall(try Plans.plan(["lan0"]))
    try firewall.install()
    defer { Lab.removeAll() }
    try byHand("add table inet imgate { flags dormant ; }")
    #expect(
      try firewall.verify().map(\.text) == ["nftables inet imgate: the table is switched off"])
    _ = try firewall.repair()
    #expect(try firewall.verify().map(\.text) == [])
    try byHand("delete chain inet imgate closing")
    try byHand(
      "add chain inet imgate closing { type filter hook forward priority -300 ; policy accept ; }")
    #expect(try firewall.verify().count == 2)
    _ = try firewall.repair()
    #expect(try firewall.verify().map(\.text) == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `the rules of another firewall go when this one is installed`() throws {
    guard !isNFTables else { return }
    let plan = try Plans.plan(["lan0"])
    try Firewall(NFTablesBackend(queueStatement: "counter accept"), plan).install()
    defer { Lab.removeAll() }
    let name = try #require(Lab.value("IMGATE_LAB_FIREWALL"))
    let firewall = try Firewall.choose(try #require(FirewallPreference(rawValue: name)), plan)
    try firewall.install()
    #expect(Firewall.find(.nftables, plan) == nil)
    #expect(try firewall.verify().map(\.text) == [])
  }

  @Test(.enabled(if: isWholeRun))
  func `the kernel settings are made right and given back`() throws {
    let settings = KernelSettings()
    let record = try #require(Lab.value("IMGATE_LAB_RECORD"))
    let before = settings.verify().map(\.text)
    let outcome = try settings.apply(record: record)
    #expect(outcome.problems.map(\.text) == [])
    #expect(settings.verify().map(\.text) == [])
    #expect(try settings.restore(record: record).problems.map(\.text) == [])
    #expect(settings.verify().map(\.text) == before)
  }

  /// One step for the script: `install`, `remove` or `settings`.
  ///
  /// The plan's words come in `IMGATE_LAB_PLAN`: `bypass`, `deny-list`.
  @Test(.enabled(if: !isWholeRun)) func step() throws {
    let words = Text.words(Lab.value("IMGATE_LAB_PLAN") ?? "")
    let plan = try Plans.plan(
      ["lan0", "lan1"], bypass: words.contains("bypass"),
      closing: words.contains("deny-list") ? .denyList : .allowList)
    switch Lab.value("IMGATE_LAB_STEP") {
    case "install":
      let firewall = try firewall(plan)
      try firewall.install()
      #expect(try firewall.verify().map(\.text) == [])
    case "remove":
      #expect(try !Firewall.remove().isEmpty)
    case "settings":
      let record = try #require(Lab.value("IMGATE_LAB_RECORD"))
      #expect(try KernelSettings().apply(record: record).problems.map(\.text) == [])
    default:
      Issue.record("unknown step")
    }
  }
}

/// What the lab script tells its tests.
enum Lab {
  static func value(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }

  static func removeAll() {
    do { _ = try Firewall.remove() } catch { Issue.record("remove: \(error.text)") }
  }
}
