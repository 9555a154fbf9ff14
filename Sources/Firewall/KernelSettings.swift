public import System

/// The kernel settings (sysctls) that the gateway relies on: set at start, restored at removal.
///
/// Apply them after the rules are installed: the connection tracking settings exist only once
/// something uses it.
public struct KernelSettings: Sendable {
  /// One setting that was changed.
  public struct Change: Equatable, Sendable {
    /// The setting as sysctl(8) names it.
    public let name: String
    /// Its value before us.
    public let old: String
    /// Its value now.
    public let new: String
  }

  /// What became of `apply`.
  public struct Outcome: Equatable, Sendable {
    /// The settings that were changed.
    public var changes: [Change] = []
    /// The settings that could not be made what they must be.
    public var problems: [Mismatch] = []
  }

  private struct Setting {
    enum Wish {
      case exactly(Int)
      case atLeast(Int)
    }

    let name: String
    let wish: Wish
    /// What goes wrong without it.
    let reason: String

    init(_ name: String, _ wish: Wish, _ reason: String) {
      self.name = name
      self.wish = wish
      self.reason = reason
    }

    var target: Int {
      switch wish {
      case .exactly(let value), .atLeast(let value): value
      }
    }

    func isMet(by value: Int) -> Bool {
      switch wish {
      case .exactly(let wanted): value == wanted
      case .atLeast(let least): value >= least
      }
    }

    var wishText: String {
      switch wish {
      case .exactly(let value): "\(value)"
      case .atLeast(let value): "at least \(value)"
      }
    }
  }

  private static let connectionTracking = "net.netfilter.nf_conntrack_"
  private static let settings = [
    Setting(
      connectionTracking + "acct", .exactly(1), "bytes of the connections aren't counted"),
    // 2, the default of Linux 5.19 and later, tells no end of a connection that is older than the
    // listener: after a restart those would never be closed in the books.
    Setting(
      connectionTracking + "events", .exactly(1), "ends of connections aren't reported"),
    Setting(
      connectionTracking + "checksum", .exactly(1),
      "segments that a server throws away are believed"),
    Setting(
      connectionTracking + "tcp_be_liberal", .exactly(0),
      "segments outside the window are believed"),
    Setting(
      connectionTracking + "tcp_timeout_established", .atLeast(7200),
      "idle chat connections are forgotten"),
    Setting(
      connectionTracking + "udp_timeout_stream", .atLeast(360),
      "idle UDP connections are forgotten"),
    Setting("net.ipv4.icmp_ratelimit", .exactly(0), "refusals are throttled and time out"),
    Setting(
      "net.ipv4.icmp_msgs_per_sec", .atLeast(10000), "refusals are throttled and time out"),
    // The bucket behind the rate, of both families: at its 50 the 100th refusal of a moment is lost.
    Setting("net.ipv4.icmp_msgs_burst", .atLeast(1000), "refusals are throttled and time out"),
    Setting("net.ipv6.icmp.ratelimit", .exactly(0), "refusals are throttled and time out"),
  ]

  private static let forwarding = "net.ipv4.ip_forward"
  private let root: String

  /// The settings below `root`; anything but `/proc/sys` is for tests.
  public init(root: String = "/proc/sys") { self.root = root }

  /// What is not as it must be; a setting that this kernel lacks is told too, and so is that the
  /// machine forwards nothing (which is never changed here).
  public func verify() -> [Mismatch] {
    var found: [Mismatch] = []
    for setting in Self.settings {
      if let problem = problem(of: setting) { found.append(problem) }
    }
    return found + forwardingProblems()
  }

  /// Makes the settings what they must be, as far as this kernel lets us.
  ///
  /// The old values are written to the file `record` before anything changes; values that stand
  /// there already (from a start that was never undone) are kept. Throws when the record can't be
  /// read or written: then nothing is changed.
  public func apply(record: String) throws(SystemError) -> Outcome {
    var outcome = Outcome()
    for setting in Self.settings {
      guard let problem = problem(of: setting) else { continue }
      guard problem.canRepair, let old = text(of: setting.name) else {
        outcome.problems.append(problem)
        continue
      }
      outcome.changes.append(Change(name: setting.name, old: old, new: "\(setting.target)"))
    }
    outcome.problems += forwardingProblems()
    if outcome.changes.isEmpty { return outcome }
    try remember(outcome.changes, in: record)
    var done: [Change] = []
    for change in outcome.changes {
      do throws(SystemError) {
        try File.overwrite(path(change.name), with: change.new)
        done.append(change)
      } catch {
        outcome.problems.append(
          Mismatch(
            change.name,
            "is \(change.old), must be \(change.new), and can't be set: "
              + error.description, canRepair: false))
      }
    }
    outcome.changes = done
    return outcome
  }

  /// Gives back every value of the file `record`, then removes the file; tells what was given back
  /// and what could not be.
  ///
  /// A setting that somebody changed after us keeps that value. A record that isn't there is no
  /// error.
  public func restore(record: String) throws(SystemError) -> Outcome {
    var outcome = Outcome()
    for change in try recorded(in: record) {
      guard let current = text(of: change.name), Int(current) == Int(change.new) else {
        continue
      }
      do throws(SystemError) {
        try File.overwrite(path(change.name), with: change.old)
        outcome.changes.append(Change(name: change.name, old: current, new: change.old))
      } catch {
        outcome.problems.append(
          Mismatch(
            change.name, "was \(change.old) before and can't be set back: \(error.description)",
            canRepair: false))
      }
    }
    try File.remove(record)
    return outcome
  }

  // MARK: - One setting

  private func problem(of setting: Setting) -> Mismatch? {
    guard let text = text(of: setting.name) else {
      // A kernel without IPv6 lacks its settings and needs none.
      if Text.starts(setting.name, with: "net.ipv6."), isAbsent("net.ipv6.conf.all.forwarding") {
        return nil
      }
      return Mismatch(
        setting.name, "can't be read here (\(setting.reason) unless it is \(setting.wishText))",
        canRepair: false)
    }
    guard let value = Int(text), setting.isMet(by: value) else {
      return Mismatch(
        setting.name, "is \(text) and must be \(setting.wishText): else \(setting.reason)")
    }
    return nil
  }

  private func forwardingProblems() -> [Mismatch] {
    guard let value = text(of: Self.forwarding), value != "1" else { return [] }
    return [
      Mismatch(
        Self.forwarding,
        "is \(value): this machine forwards nothing (sysctl -w "
          + "net.ipv4.ip_forward=1)", canRepair: false)
    ]
  }

  private func path(_ name: String) -> String {
    root + "/"
      + name.utf8.split(separator: UInt8(ascii: "."))
      .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
  }

  private func text(of name: String) -> String? {
    do throws(SystemError) {
      return Text.trimmed(String(decoding: try File.read(path(name)), as: UTF8.self))
    } catch {
      return nil
    }
  }

  private func isAbsent(_ name: String) -> Bool {
    do throws(SystemError) {
      _ = try File.read(path(name))
      return false
    } catch {
      return error.isNoSuchFile
    }
  }

  // MARK: - The record: a line `<name> <old> <new>` per setting

  private func remember(_ changes: [Change], in record: String) throws(SystemError) {
    var kept = try recorded(in: record)
    for change in changes {
      if let index = kept.firstIndex(where: { $0.name == change.name }) {
        kept[index] = Change(name: change.name, old: kept[index].old, new: change.new)
      } else {
        kept.append(change)
      }
    }
    let text = kept.map { "\($0.name) \($0.old) \($0.new)\n" }.joined()
    try File.replace(record, with: Array(text.utf8))
  }

  private func recorded(in record: String) throws(SystemError) -> [Change] {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try File.read(record)
    } catch {
      if error.isNoSuchFile { return [] }
      throw error
    }
    var changes: [Change] = []
    for line in Text.lines(String(decoding: bytes, as: UTF8.self)) {
      let words = Text.words(line)
      // Only our own settings: the record can't make us write anything else.
      guard words.count == 3, Self.settings.contains(where: { $0.name == words[0] }) else {
        continue
      }
      changes.append(Change(name: words[0], old: words[1], new: words[2]))
    }
    return changes
  }
}
