internal import System
internal import Wire

/// Rules by address: one hash look-up for each prefix length that occurs, the longest first.
struct AddressTable: Sendable {
  /// One rule about a prefix.
  struct Rule: Sendable {
    let rule: RuleID
    let condition: UInt32
    let tier: Tier
    /// The next rule about the same prefix.
    let next: UInt32
  }

  private static let none = UInt32.max

  private var firstRules: [IPPrefix: UInt32] = [:]
  private var rules: [Rule] = []
  // Lengths in the family's own bits. `0.0.0.0/0` is every IPv4 address, `::/0` every IPv6 one: an
  // IPv4 address is never looked up in IPv6 prefixes, though it is kept as an IPv6 address.
  private var lengths4: [Int] = []
  private var lengths6: [Int] = []

  var isEmpty: Bool { rules.isEmpty }

  /// Adds a rule; returns the one that already says the same.
  mutating func insert(
    _ prefix: IPPrefix, tier: Tier, condition: UInt32, rule: RuleID
  ) -> RuleID? {
    var same: RuleID?
    let first = firstRules[prefix] ?? Self.none
    var next = first
    for _ in 0..<16 where next != Self.none {
      let other = rules[Int(next)]
      if other.tier == tier, other.condition == condition { same = other.rule }
      next = other.next
    }
    if prefix.address.isIPv4, prefix.length >= 96 {
      Self.add(Int(prefix.length) - 96, to: &lengths4)
    } else {
      Self.add(Int(prefix.length), to: &lengths6)
    }
    rules.append(Rule(rule: rule, condition: condition, tier: tier, next: first))
    firstRules[prefix] = UInt32(rules.count - 1)
    return same
  }

  private static func add(_ length: Int, to lengths: inout [Int]) {
    guard !lengths.contains(length) else { return }
    lengths.append(length)
    lengths = lengths.ordered(by: >)
  }

  /// Each rule and its prefix, in the order in which they came.
  var all: [(prefix: IPPrefix, rule: Rule)] {
    var prefixes = [IPPrefix?](repeating: nil, count: rules.count)
    for (prefix, first) in firstRules {
      var next = first
      while next != Self.none {
        prefixes[Int(next)] = prefix
        next = rules[Int(next)].next
      }
    }
    // Not by zip and compactMap: Swift 6.3 makes code of them that crashes on 16-byte alignment.
    var all: [(prefix: IPPrefix, rule: Rule)] = []
    for i in rules.indices {
      if let prefix = prefixes[i] { all.append((prefix, rules[i])) }
    }
    return all
  }

  /// Calls `body` with each rule whose prefix contains `address`, the most specific first.
  @inline(__always)
  func forEachRule(covering address: IPAddress, _ body: (Rule) -> Void) {
    if rules.isEmpty { return }
    let lengths = address.isIPv4 ? lengths4 : lengths6
    for i in lengths.indices {
      guard let prefix = IPPrefix(address, length: lengths[i]) else { continue }
      guard var next = firstRules[prefix] else { continue }
      while next != Self.none {
        let rule = rules[Int(next)]
        body(rule)
        next = rule.next
      }
    }
  }
}
