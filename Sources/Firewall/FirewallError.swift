/// Why the firewall could not be chosen, read or changed.
public struct FirewallError: Error, Equatable, Sendable {
  /// What kind of failure it is.
  public enum Kind: Equatable, Sendable {
    /// The kernel refuses us: neither root nor CAP_NET_ADMIN.
    case notPermitted
    /// None of the firewalls that were tried takes a queue rule here.
    case noneWorks
    /// A tool refused a command that should work.
    case toolFailed
    /// The plan can't be carried out: the text says why.
    case badPlan
  }

  /// A command that failed and its own words.
  public struct Attempt: Equatable, Sendable {
    /// What was run: `iptables-restore --noflush -w 10`.
    public let command: String
    /// What it wrote to standard error, on one line.
    public let said: String
    /// Both.
    public init(command: String, said: String) {
      self.command = command
      self.said = said
    }
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// What was run, in order; empty for `badPlan`.
  public let attempts: [Attempt]
  /// What is wrong with the plan, or what else to know; may be empty.
  public let note: String

  /// A failure of `attempts`.
  public init(_ kind: Kind, _ attempts: [Attempt], note: String = "") {
    self.kind = kind
    self.attempts = attempts
    self.note = note
  }

  init(badPlan note: String) { self.init(.badPlan, [], note: note) }

  /// Whether the only thing wrong is that a program isn't on this machine.
  var isNotInstalled: Bool {
    !attempts.isEmpty && attempts.allSatisfy { $0.said == Self.notInstalled }
  }

  static let notInstalled = "not installed"

  /// What a person reads: one sentence, and a line for each command that was tried.
  public var text: String {
    let sentence =
      switch kind {
      case .notPermitted: "the firewall needs root or CAP_NET_ADMIN"
      case .noneWorks: "no firewall on this machine takes a packet-queue rule"
      case .toolFailed: "the firewall refused a change"
      case .badPlan: "the firewall can't be planned: \(note)"
      }
    var lines = [sentence]
    for attempt in attempts { lines.append("  \(attempt.command): \(attempt.said)") }
    if kind != .badPlan && !note.isEmpty { lines.append("  \(note)") }
    return lines.joined(separator: "\n")
  }
}
