internal import Names

/// What a rule does, in the order in which rules win.
enum Tier: UInt8, Sendable {
  case deny, allow, on, off
}

/// The rules that a name met, one per tier: the most specific, and of those the first in the files.
struct HostMatch {
  var deny = RuleID.none
  var allow = RuleID.none
  var on = RuleID.none
  var off = RuleID.none
  /// Would allow the name, but on other ports.
  var allowElsewhere = RuleID.none
  var onElsewhere = RuleID.none
  /// Denies the name on every port.
  var denyEverywhere = RuleID.none
  /// Allows single requests to the name, and so its look-up; of a feature that is on, or off.
  var requestOn = RuleID.none
  var requestOff = RuleID.none

  /// The rule that would allow the name on other ports; an owner's line before a feature.
  var elsewhere: RuleID { allowElsewhere != .none ? allowElsewhere : onElsewhere }
}

/// The host rules: a name is looked up label by label, so the cost depends on the name alone and
/// not on how many rules there are.
///
/// An open-addressing table over the normalised bytes. What a look-up reads of a name and of its
/// first rule lies together, so that a large table costs one cache miss for the slot and one for
/// the entry. 100,000 rules take about 5 MB.
struct HostTable: Sendable {
  /// One rule about a name.
  struct Rule: Sendable {
    let rule: RuleID
    /// Condition, tier and reach in one word.
    let packed: UInt32

    init(rule: RuleID, condition: UInt32, tier: Tier, isSuffix: Bool) {
      self.rule = rule
      packed = condition << 3 | (isSuffix ? 4 : 0) | UInt32(tier.rawValue)
    }

    init(rule: RuleID, packed: UInt32) {
      self.rule = rule
      self.packed = packed
    }

    /// The index of the condition.
    var condition: UInt32 { packed >> 3 }
    /// Whether it holds for all names below, too.
    var isSuffix: Bool { packed & 4 != 0 }
    /// What it does.
    var tier: Tier {
      // All 4 values of 2 bits are tiers, so the default is never taken.
      Tier(rawValue: UInt8(packed & 3)) ?? .off
    }
  }

  /// A further rule about a name, the latest first.
  private struct FurtherRule: Sendable {
    let rule: Rule
    let next: UInt32
  }

  private static let none = UInt32.max
  private static let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Words before the name: the first rule (2), the first further rule, the name's length.
  private static let headSize = 4

  /// 0, or an entry's place in `words` (24 bits) and a tag (8 bits of the name's hash, so that a
  /// foreign name seldom costs a comparison).
  private var slots = [UInt32](repeating: 0, count: 64)
  /// All entries, each a head and the name, four bytes a word.
  private var words: [UInt32] = [0]
  private var further: [FurtherRule] = []
  private var entryCount = 0
  /// Bit n: there is a name with n + 1 labels (bit 63: with 64 or more).
  ///
  /// Other suffixes are not looked up.
  private var depths: UInt64 = 0
  /// Whether any rule denies.
  private(set) var hasDeny = false

  /// Adds a rule; returns the entry of its name, and the rule that already says the same.
  mutating func insert(
    _ name: HostName, isSuffix: Bool, tier: Tier, condition: UInt32, rule: RuleID
  ) -> (entry: UInt32, same: RuleID?) {
    let new = Rule(rule: rule, condition: condition, tier: tier, isSuffix: isSuffix)
    if tier == .deny { hasDeny = true }
    var hash = Self.hashStart
    var depth = 0
    for i in stride(from: name.count - 1, through: 0, by: -1) {
      if name[i] == UInt8(ascii: ".") { depth += 1 }
      hash = Self.add(name[i], to: hash)
    }
    depths |= 1 << UInt64(min(depth, 63))
    let entry = find(name, from: 0, hash: hash)
    if entry == Self.none { return (append(name, hash: hash, new), nil) }

    let first = self.first(of: entry)
    var same = first.packed == new.packed ? first.rule : nil
    var next = words[Int(entry) + 2]
    // Bounded, so that a file that repeats one name with every port doesn't take quadratic time.
    for _ in 0..<16 where next != Self.none && same == nil {
      let other = further[Int(next)]
      if other.rule.packed == new.packed { same = other.rule.rule }
      next = other.next
    }
    further.append(FurtherRule(rule: new, next: words[Int(entry) + 2]))
    words[Int(entry) + 2] = UInt32(further.count - 1)
    return (entry, same)
  }

  // MARK: Looking up

  /// Calls `body` with each rule that covers `name`: the least specific name first, and of one
  /// name the latest rule first.
  @inline(__always)
  func forEachRule(covering name: borrowing HostName, _ body: (Rule) -> Void) {
    var hash = Self.hashStart
    var depth = 0
    var i = name.count - 1
    while i >= 0 {
      let byte = name[i]
      if byte == UInt8(ascii: ".") {
        if depths >> UInt64(min(depth, 63)) & 1 == 1 {
          visit(find(name, from: i + 1, hash: hash), isWhole: false, body)
        }
        depth += 1
      }
      hash = Self.add(byte, to: hash)
      i -= 1
    }
    if depths >> UInt64(min(depth, 63)) & 1 == 1 {
      visit(find(name, from: 0, hash: hash), isWhole: true, body)
    }
  }

  @inline(__always)
  private func visit(_ entry: UInt32, isWhole: Bool, _ body: (Rule) -> Void) {
    guard entry != Self.none else { return }
    var next = words[Int(entry) + 2]
    while next != Self.none {
      let other = further[Int(next)]
      if isWhole || other.rule.isSuffix { body(other.rule) }
      next = other.next
    }
    let first = first(of: entry)
    if isWhole || first.isSuffix { body(first) }
  }

  @inline(__always)
  private func first(of entry: UInt32) -> Rule {
    Rule(rule: RuleID(words[Int(entry)]), packed: words[Int(entry) + 1])
  }

  /// The name of an entry.
  func name(of entry: UInt32) -> String {
    let count = Int(words[Int(entry) + 3])
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for i in 0..<count { bytes.append(byte(i, of: entry)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Adds the name of an entry to a hash.
  func addName(of entry: UInt32, to hash: inout CompiledTable.Hash) {
    for i in 0..<Int(words[Int(entry) + 3]) { hash.add(byte: byte(i, of: entry)) }
  }

  private func byte(_ index: Int, of entry: UInt32) -> UInt8 {
    let word = words[Int(entry) + Self.headSize + index / 4]
    return UInt8(truncatingIfNeeded: word >> UInt32(index % 4 * 8))
  }

  /// Calls `body` with each rule and its name's entry, in the order in which the names came.
  func forEachRule(_ body: (_ entry: UInt32, Rule) -> Void) {
    forEachEntry { entry in
      visit(entry, isWhole: true) { body(entry, $0) }
    }
  }

  private func forEachEntry(_ body: (UInt32) -> Void) {
    var entry = 1
    while entry < words.count {
      body(UInt32(entry))
      entry += Self.headSize + (Int(words[entry + 3]) + 3) / 4
    }
  }

  // MARK: The table

  // FNV-1a, fed from the end of the name: the hash of each suffix falls out on the way.
  @inline(__always)
  private static func add(_ byte: UInt8, to hash: UInt64) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x100_0000_01b3
  }

  // FNV's low bits are weak; this spreads the high ones over them.
  @inline(__always)
  private static func mix(_ hash: UInt64) -> UInt64 {
    let folded = (hash ^ hash >> 32) &* 0x9e37_79b9_7f4a_7c15
    return folded ^ folded >> 29
  }

  @inline(__always)
  private func find(_ name: borrowing HostName, from start: Int, hash: UInt64) -> UInt32 {
    let mixed = Self.mix(hash)
    let mask = slots.count - 1
    let tag = UInt32(truncatingIfNeeded: mixed >> 56)
    var index = Int(truncatingIfNeeded: mixed) & mask
    while true {
      let slot = slots[index]
      if slot == 0 { return Self.none }
      if slot & 0xff == tag, isEqual(slot >> 8, name, from: start) { return slot >> 8 }
      index = (index + 1) & mask
    }
  }

  private func isEqual(_ entry: UInt32, _ name: borrowing HostName, from start: Int) -> Bool {
    let count = Int(words[Int(entry) + 3])
    guard count == name.count - start else { return false }
    var word = Int(entry) + Self.headSize
    var i = 0
    while i < count {
      var expected = words[word]
      let end = min(i + 4, count)
      while i < end {
        if UInt8(truncatingIfNeeded: expected) != name[start + i] { return false }
        expected >>= 8
        i += 1
      }
      word += 1
    }
    return true
  }

  private mutating func append(_ name: HostName, hash: UInt64, _ rule: Rule) -> UInt32 {
    // At most half full: the probes stay short.
    if (entryCount + 1) * 2 > slots.count { grow() }
    entryCount += 1
    let entry = UInt32(words.count)
    // A file's 16 MiB hold fewer names than fit.
    precondition(entry < 1 << 24)
    words += [rule.rule.index, rule.packed, Self.none, UInt32(name.count)]
    var word: UInt32 = 0
    for i in 0..<name.count {
      word |= UInt32(name[i]) << UInt32(i % 4 * 8)
      if i % 4 == 3 || i == name.count - 1 {
        words.append(word)
        word = 0
      }
    }
    place(entry, hash: hash)
    return entry
  }

  private mutating func place(_ entry: UInt32, hash: UInt64) {
    let mixed = Self.mix(hash)
    let mask = slots.count - 1
    var index = Int(truncatingIfNeeded: mixed) & mask
    while slots[index] != 0 { index = (index + 1) & mask }
    slots[index] = entry << 8 | UInt32(truncatingIfNeeded: mixed >> 56)
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    var entry = 1
    while entry < words.count {
      let count = Int(words[entry + 3])
      var hash = Self.hashStart
      for i in stride(from: count - 1, through: 0, by: -1) {
        hash = Self.add(byte(i, of: UInt32(entry)), to: hash)
      }
      place(UInt32(entry), hash: hash)
      entry += Self.headSize + (count + 3) / 4
    }
  }

  /// Gives back what the arrays reserved for growing.
  mutating func shrink() {
    words = words.withExactCapacity
    further = further.withExactCapacity
  }
}

extension Array {
  /// The same elements in an array without spare room.
  var withExactCapacity: [Element] {
    var copy: [Element] = []
    copy.reserveCapacity(count)
    copy.append(contentsOf: self)
    return copy
  }
}
