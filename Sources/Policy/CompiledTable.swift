internal import Names
internal import Wire
internal import YAML

/// The settings at the top of a rules file.
struct Settings: Sendable {
  var mode = Policy.Mode.enforce
  var binding = Policy.Binding.strict
  var media = Policy.Media.companion
  var mediaBudget: UInt64 = 300_000_000
}

/// All rules, in the form in which a flow is judged.
struct CompiledTable: Sendable {
  let rules: RuleTable
  let hosts: HostTable
  let regexes: RegexTable
  let addresses: AddressTable
  /// The packs' addresses; they belong to features, and allow nothing by themselves.
  let builtIn: AddressTable
  /// What the packs say of protocols without names.
  let signatures: SignatureTable
  let devices: DeviceTable
  /// The different conditions that occur; rules refer to them by index.
  let conditions: ConditionTable
  /// Every port that a host rule, a regex or a feature that is on names.
  let open: PortCondition

  // MARK: Matching

  /// The rules for a server's address.
  @inline(__always)
  func match(_ address: IPAddress, _ port: UInt16, _ transport: Transport) -> HostMatch {
    var match = HostMatch()
    addresses.forEachRule(covering: address) { rule in
      let holds = conditions.contains(rule.condition, transport, port)
      switch rule.tier {
      case .deny:
        if holds, match.deny == .none { match.deny = rule.rule }
      default:
        if holds, match.allow == .none { match.allow = rule.rule }
        if !holds, match.allowElsewhere == .none { match.allowElsewhere = rule.rule }
      }
    }
    return match
  }

  /// The rules for a name.
  func match(
    _ host: HostName, _ port: UInt16, _ transport: Transport
  ) -> HostMatch {
    var match = HostMatch()
    hosts.forEachRule(covering: host) { rule in
      note(rule.rule, rule.tier, rule.condition, port, transport, &match)
    }
    if regexes.isEmpty { return match }
    // A regex of the owner that allows is only needed when no line of the owner's has decided; one
    // that denies comes before a line that allows.
    let decided = match.deny != .none
    let needsAllow = match.deny == .none && match.allow == .none
    if decided || (!needsAllow && !regexes.hasDeny) { return match }
    var found = HostMatch()
    regexes.forEachMatch(host) {
      needsAllow || $0.tier == .deny
    } _: { rule in
      note(rule.rule, rule.tier, rule.condition, port, transport, &found)
    }
    if match.deny == .none { match.deny = found.deny }
    if match.denyEverywhere == .none { match.denyEverywhere = found.denyEverywhere }
    if match.allow == .none { match.allow = found.allow }
    if match.allowElsewhere == .none { match.allowElsewhere = found.allowElsewhere }
    if match.on == .none { match.on = found.on }
    if match.onElsewhere == .none { match.onElsewhere = found.onElsewhere }
    if match.off == .none { match.off = found.off }
    return match
  }

  // Rules come with the least specific first, and later ones of one name before earlier ones: the
  // last that is noted is the one to name.
  @inline(__always)
  private func note(
    _ rule: RuleID, _ tier: Tier, _ condition: UInt32, _ port: UInt16, _ transport: Transport,
    _ match: inout HostMatch
  ) {
    let holds = conditions.contains(condition, transport, port)
    switch tier {
    case .deny:
      if holds { match.deny = rule }
      if condition == TableBuilder.everything { match.denyEverywhere = rule }
    case .allow:
      if holds { match.allow = rule } else { match.allowElsewhere = rule }
    case .on:
      if conditions.demand(of: condition).isRequest {
        match.requestOn = rule
      } else if holds {
        match.on = rule
      } else {
        match.onElsewhere = rule
      }
    case .off:
      // Whatever the port: the name is what tells the feature.
      if conditions.demand(of: condition).isRequest {
        match.requestOff = rule
      } else {
        match.off = rule
      }
    }
  }

  // MARK: Digest

  /// The sum of every rule's hash, so that their order doesn't count.
  func digest(_ settings: Settings) -> UInt64 {
    var sum = Hash()
    sum.add("\(settings.mode.rawValue) \(settings.binding.rawValue) \(settings.media.rawValue)")
    sum.add(settings.mediaBudget)
    var total = sum.value
    let patternHashes = signatures.patterns.map { pattern in
      var hash = Hash()
      hash.add(pattern.transport.rawValue)
      hash.add(pattern.ports?.text ?? "")
      hash.add(pattern.isRefused ? 1 : 0)
      pattern.bytes.addBytes { hash.add(byte: $0) }
      return hash.value
    }
    let conditionHashes = conditions.all.map { condition in
      var hash = Hash()
      hash.add(condition.ports.text)
      hash.add(UInt64(condition.signatures.applications.rawValue))
      // A sum, since the number of a pattern hangs on which packs there are.
      var patterns: UInt64 = 0
      for (i, pattern) in patternHashes.enumerated()
      where condition.signatures.patterns >> UInt64(i) & 1 == 1 {
        patterns = patterns &+ pattern
      }
      hash.add(patterns)
      hash.add(UInt64(condition.companion.rawValue))
      hash.add(UInt64(condition.rate))
      hash.add(condition.isRequest ? 1 : 0)
      return hash.value
    }
    func add(_ tier: Tier, _ condition: UInt32, _ build: (inout Hash) -> Void) {
      var hash = Hash()
      hash.add(UInt64(tier.rawValue))
      hash.add(conditionHashes[Int(condition)])
      build(&hash)
      total = total &+ hash.value
    }
    hosts.forEachRule { entry, rule in
      add(rule.tier, rule.condition) { hash in
        hash.add(rule.isSuffix ? 1 : 0)
        hosts.addName(of: entry, to: &hash)
      }
    }
    for rule in regexes.rules {
      add(rule.tier, rule.condition) { $0.add(rule.pattern) }
    }
    for record in rules.records where record.kind == .address {
      add(record.tier, record.condition) { $0.add(rules.prefixes[Int(record.index)].text) }
    }
    addSignatures(add, patternHashes)
    for device in devices.all where device.isUnrestricted {
      add(.allow, TableBuilder.everything) { $0.add(device.address.bits) }
    }
    return total
  }

  private func addSignatures(
    _ add: (Tier, UInt32, (inout Hash) -> Void) -> Void, _ patternHashes: [UInt64]
  ) {
    for endpoint in signatures.endpoints {
      add(endpoint.isOn ? .on : .off, endpoint.condition) { $0.add(UInt64(endpoint.service)) }
    }
    for request in signatures.requests {
      add(request.isOn ? .on : .off, request.condition) { $0.add(request.text) }
    }
    for (pattern, patternHash) in zip(signatures.patterns, patternHashes) where pattern.isRefused {
      add(.deny, TableBuilder.everything) { $0.add(patternHash) }
    }
    for version in signatures.mmtlsVersions.all {
      add(.on, TableBuilder.everything) { $0.add(UInt64(version)) }
    }
    for (prefix, rule) in builtIn.all {
      add(rule.tier, rule.condition) { $0.add(prefix.text) }
    }
  }

  /// FNV-1a, 64 bits.
  struct Hash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(byte: UInt8) {
      value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    mutating func add(_ number: UInt64) {
      for shift in stride(from: 0, to: 64, by: 8) {
        add(byte: UInt8(truncatingIfNeeded: number >> UInt64(shift)))
      }
    }

    mutating func add(_ text: String) {
      for byte in text.utf8 { add(byte: byte) }
    }
  }
}
