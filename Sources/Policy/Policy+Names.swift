public import Names

extension Policy {
  /// The rules that let a name pass on some port: features that are on (`wechat.messaging`) and the
  /// owner's allow lines, the most specific first; none when a deny line covers the name on every
  /// port.
  public func rules(allowing name: HostName) -> [RuleDescription] {
    // Port 0 is in no condition but those for every port.
    guard table.match(name, 0, .tcp).denyEverywhere == .none else { return [] }
    var found: [RuleID] = []
    func note(_ rule: RuleID, _ tier: Tier) {
      guard tier == .allow || tier == .on, !found.contains(rule) else { return }
      found.insert(rule, at: 0)
    }
    table.regexes.forEachMatch(name) {
      $0.tier == .allow || $0.tier == .on
    } _: {
      note($0.rule, $0.tier)
    }
    table.hosts.forEachRule(covering: name) { note($0.rule, $0.tier) }
    return found.map { rule($0) }
  }
}
