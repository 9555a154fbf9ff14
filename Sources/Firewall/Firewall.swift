/// The gateway's own rules in the kernel: installed, checked, put back and removed.
///
/// No rule of anybody else is touched. Not thread-safe: one thread uses it. Every method runs the
/// firewall's own programs (`nft`, or `iptables-save`, `iptables-restore` and their IPv6 twins), a
/// few milliseconds each.
public final class Firewall {
  private enum Backend {
    case nftables(NFTablesBackend)
    case iptables(IPTablesBackend)

    static var all: [Backend] {
      [
        .nftables(NFTablesBackend()), .iptables(IPTablesBackend(.standard)),
        .iptables(IPTablesBackend(.nft)), .iptables(IPTablesBackend(.legacy)),
      ]
    }

    static func candidates(_ preference: FirewallPreference) -> [Backend] {
      switch preference {
      case .auto: all
      case .nftables: [all[0]]
      case .iptables: Array(all[1...])
      case .iptablesNFT: [all[2]]
      case .iptablesLegacy: [all[3]]
      }
    }
  }

  /// What the rules say now.
  public private(set) var plan: FirewallPlan
  private let backend: Backend

  private init(_ backend: Backend, _ plan: FirewallPlan) {
    self.backend = backend
    self.plan = plan
  }

  /// A firewall through a given backend, for tests of that backend.
  convenience init(_ backend: NFTablesBackend, _ plan: FirewallPlan) {
    self.init(.nftables(backend), plan)
  }

  /// Which of the kernel's firewalls it is: `nftables`, `iptables`, `iptables-nft` or
  /// `iptables-legacy`.
  public var name: String { Self.name(backend) }

  // MARK: - Choosing

  /// The first firewall of `preference` that works on this machine.
  ///
  /// One that already has rules of ours works. Any other is tried: it gets every rule of the plan,
  /// queue rules too, in a throw-away table or in chains that no packet reaches. Throws `noneWorks`
  /// with what each tool said, or `notPermitted`. Changes nothing.
  public static func choose(
    _ preference: FirewallPreference, _ plan: FirewallPlan
  ) throws(FirewallError) -> Firewall {
    if let present = find(preference, plan) { return present }
    var attempts: [FirewallError.Attempt] = []
    var notes: [String] = []
    for backend in Backend.candidates(preference) {
      do throws(FirewallError) {
        switch backend {
        case .nftables(let backend): try backend.probe(plan)
        case .iptables(let backend): try backend.probe(plan)
        }
        return Firewall(backend, plan)
      } catch {
        if error.kind == .notPermitted { throw error }
        attempts += error.attempts
        if !error.note.isEmpty { notes.append(error.note) }
      }
    }
    throw FirewallError(.noneWorks, attempts, note: notes.joined(separator: "; "))
  }

  /// The firewall in which rules of ours stand now; nil when there are none, or none can be read.
  public static func find(
    _ preference: FirewallPreference, _ plan: FirewallPlan
  ) -> Firewall? {
    for backend in Backend.candidates(preference) {
      do throws(FirewallError) {
        let isPresent =
          switch backend {
          case .nftables(let backend): try backend.isPresent()
          case .iptables(let backend): try backend.isPresent()
          }
        if isPresent { return Firewall(backend, plan) }
      } catch {
        // A tool that isn't there, or can't read, holds none of our rules that we could see.
        continue
      }
    }
    return nil
  }

  // MARK: - Living with it

  /// Puts the plan's rules into the kernel, and removes rules of ours from every other firewall.
  ///
  /// Where they are already there nothing changes, so a second call opens no moment, and other
  /// firewalls aren't looked at: they were the first time. On an error
  /// nothing is left behind, or, when rules of ours were there before, what closes stays.
  public func install() throws(FirewallError) {
    if try bring().isEmpty { return }
    for other in Backend.all where try !isSame(other) {
      // A firewall that can't be read here holds nothing of ours.
      _ = try Self.removeIfInstalled(other)
    }
  }

  /// What in the kernel is not as the plan says: each jump's presence and position, each chain's
  /// rules, and flow offload beside them; empty when all is right.
  ///
  /// Two or three processes: cheap enough for every 15 seconds.
  public func verify() throws(FirewallError) -> [Mismatch] {
    let found =
      switch backend {
      case .nftables(let backend): try backend.verify(plan)
      case .iptables(let backend): try backend.verify(plan)
      }
    return found + FlowOffload.find()
  }

  /// Puts back what is not as the plan says, and nothing else; tells what was wrong.
  public func repair() throws(FirewallError) -> [Mismatch] { try bring() }

  /// Switches what the last chain lets through, on live traffic; the plan is as before on an error.
  public func update(closing: FirewallPlan.Closing) throws(FirewallError) {
    let before = plan.closing
    plan.closing = closing
    do throws(FirewallError) {
      _ = try bring()
    } catch {
      plan.closing = before
      throw error
    }
  }

  /// The rules that are ours as the kernel has them now, in the backend's own words; empty when
  /// there are none.
  public func show() throws(FirewallError) -> String {
    switch backend {
    case .nftables(let backend): try backend.show()
    case .iptables(let backend): try backend.show()
    }
  }

  /// Other people's rules that don't touch ours and still work against the gateway.
  public func hazards() throws(FirewallError) -> [Mismatch] {
    switch backend {
    case .nftables: []
    case .iptables(let backend): try backend.hazards()
    }
  }

  /// Removes everything of ours from every firewall of this machine, whoever installed it; tells
  /// what was removed.
  ///
  /// Nothing to remove is no error. Throws when something of ours is there and can't be removed, or
  /// `notPermitted`.
  public static func remove() throws(FirewallError) -> [String] {
    var removed: [String] = []
    for backend in Backend.all { removed += try removeIfInstalled(backend) }
    return removed
  }

  // MARK: - Backends

  private func bring() throws(FirewallError) -> [Mismatch] {
    switch backend {
    case .nftables(let backend): try backend.bring(to: plan)
    case .iptables(let backend): try backend.bring(to: plan)
    }
  }

  private static func name(_ backend: Backend) -> String {
    switch backend {
    case .nftables: "nftables"
    case .iptables(let backend): backend.name
    }
  }

  // Whether both change the same tables of the kernel: `iptables` is one of the other two.
  private func isSame(_ other: Backend) throws(FirewallError) -> Bool {
    switch (backend, other) {
    case (.nftables, .nftables): return true
    case (.iptables(let a), .iptables(let b)):
      if a.variant == b.variant { return true }
      do throws(FirewallError) {
        return try a.isOverNFTables() == b.isOverNFTables()
      } catch {
        // One of them isn't installed.
        return true
      }
    default: return false
    }
  }

  private static func removeIfInstalled(_ backend: Backend) throws(FirewallError) -> [String] {
    do throws(FirewallError) {
      switch backend {
      case .nftables(let backend): return try backend.remove()
      case .iptables(let backend): return try backend.remove()
      }
    } catch {
      if error.isNotInstalled { return [] }
      throw error
    }
  }
}
