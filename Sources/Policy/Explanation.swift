internal import Names
internal import System
internal import Wire

/// What the rules say of a subject, and why, for `imgate explain`.
public struct Explanation: Sendable {
  /// A rule that covers the subject's name or address.
  public struct Match: Equatable, Sendable {
    /// The rule.
    public let rule: RuleDescription
    /// What it does where it holds: `denies`, `allows`, or `would allow (off)`.
    public let effect: String
    /// Whether it holds on the subject's port; a feature that is off never holds.
    public let holds: Bool
    /// The ports on which it holds: `tcp 80,443`.
    public let ports: String
  }

  /// The decision, as `Policy.decide` gives it.
  public let decision: Decision
  /// The rule that decided.
  public let rule: RuleDescription
  /// Every rule that covers the name or the address, in the order in which rules win.
  public let matches: [Match]
  /// What the owner can do; empty when the flow is allowed.
  public let remedies: [String]
}

extension Policy {
  /// Judges a subject as `decide` does, and says which rules had a part in it and what would allow
  /// it.
  public func explain(_ subject: Subject) -> Explanation {
    let decision = decide(subject)
    let rule = rule(decision.rule)
    return Explanation(
      decision: decision, rule: rule, matches: matches(subject),
      remedies: decision.isAllowed ? [] : remedies(subject, decision, rule))
  }

  private func matches(_ subject: Subject) -> [Explanation.Match] {
    var found: [(tier: Tier, id: RuleID, match: Explanation.Match)] = []
    func add(_ id: RuleID, _ tier: Tier, _ index: UInt32) {
      let condition = table.conditions.all[Int(index)]
      if condition.isRequest { return }
      let effect =
        switch tier {
        case .deny: "denies"
        case .allow, .on: "allows"
        case .off: "would allow (off)"
        }
      found.append(
        (
          tier, id,
          Explanation.Match(
            rule: rule(id), effect: effect,
            holds: tier != .off && condition.ports.contains(subject.transport, subject.port),
            ports: condition.ports.text)
        ))
    }
    table.addresses.forEachRule(covering: subject.address) { add($0.rule, $0.tier, $0.condition) }
    if let host = subject.host {
      table.hosts.forEachRule(covering: host) { add($0.rule, $0.tier, $0.condition) }
      table.regexes.forEachMatch(host) { _ in
        true
      } _: {
        add($0.rule, $0.tier, $0.condition)
      }
    }
    return found.ordered {
      $0.tier != $1.tier ? $0.tier.rawValue < $1.tier.rawValue : $0.id.index < $1.id.index
    }.map { $0.match }
  }

  private func remedies(
    _ subject: Subject, _ decision: Decision, _ rule: RuleDescription
  ) -> [String] {
    let port = subject.port
    switch decision.reason {
    case .hostDenied, .addressDenied:
      return ["take line \(rule.line) (\(rule.name)) out of \(rule.path)"]
    case .featureOff:
      guard let key = rule.feature else { return [] }
      let note = rule.note.isEmpty ? "" : " (\(rule.note))"
      return ["turn the feature on under \"services\": \(rule.service): {\(key): on}\(note)"]
    case .hostNotAllowed:
      guard let host = subject.host else { return [] }
      return [
        "add a line under \"allow\": - {host: \(host.text)\(ports(port))\(proto(subject))}"
      ]
    case .portNotAllowed where rule.feature == nil && decision.rule != .none:
      return ["add port \(port) to \"ports\" on line \(rule.line) (\(rule.name)) of \(rule.path)"]
    case .portNotAllowed:
      let what = subject.host.map { "host: \($0.text)" } ?? "address: \(subject.address.text)"
      return ["add a line under \"allow\": - {\(what), ports: [\(port)]\(proto(subject))}"]
    case .noServerName, .unknownProtocol:
      return [
        "if you trust the server: - {address: \(subject.address.text), ports: [\(port)]"
          + "\(proto(subject))} under \"allow\" lets everything pass to it unseen"
      ]
    default:
      return [decision.reason.remedy]
    }
  }

  private func ports(_ port: UInt16) -> String {
    port == 80 || port == 443 ? "" : ", ports: [\(port)]"
  }

  private func proto(_ subject: Subject) -> String {
    subject.transport == .tcp ? "" : ", protocol: \(subject.transport.rawValue)"
  }
}
