internal import Names
internal import Wire
internal import YAML

/// Puts a compiled table together, rule by rule.
struct TableBuilder {
  /// The index of the condition that holds always.
  static let everything: UInt32 = 0

  private var rules = RuleTable()
  private var hosts = HostTable()
  private var regexes: [RegexTable.Rule] = []
  private var addresses = AddressTable()
  private var builtIn = AddressTable()
  private var devices = DeviceTable()
  private var signatures = SignatureTable()
  /// Where a service's patterns begin.
  private var firstPatterns: [String: Int] = [:]
  private var conditions: [Condition] = [.everything]
  private var indices: [Condition: UInt32] = [.everything: everything]
  private var open = PortCondition()

  /// The file with the owner's lines.
  var path: String {
    get { rules.path }
    set { rules.path = newValue }
  }

  /// The index of a condition.
  mutating func intern(_ ports: PortCondition) -> UInt32 { intern(Condition(ports)) }

  private mutating func intern(_ condition: Condition) -> UInt32 {
    if let index = indices[condition] { return index }
    let index = UInt32(conditions.count)
    conditions.append(condition)
    indices[condition] = index
    return index
  }

  /// The line of a rule.
  func line(of rule: RuleID) -> Int { Int(rules.record(rule)?.line ?? 0) }

  // MARK: Features

  /// Adds what a pack says of the bytes of protocols.
  mutating func addPatterns(_ pack: ServicePack) {
    firstPatterns[pack.service] = signatures.patterns.count
    signatures.patterns += pack.patterns
    // The packs have no more of them together than there is room for.
    for version in pack.mmtlsVersions { _ = signatures.mmtlsVersions.insert(version) }
  }

  mutating func addFeature(_ feature: Feature, _ endpoints: [ServicePack.Endpoint]) {
    let id = rules.nextID
    rules.features.append(feature)
    rules.records.append(
      RuleTable.Record(
        kind: .feature, tier: feature.isOn ? .on : .off, line: UInt32(feature.line),
        index: UInt32(rules.features.count - 1), note: RuleTable.none, condition: 0))
    for endpoint in endpoints { addEndpoint(endpoint, of: feature, id) }
  }

  private mutating func addEndpoint(
    _ endpoint: ServicePack.Endpoint, of feature: Feature, _ rule: RuleID
  ) {
    let isOn = feature.isOn
    let tier = isOn ? Tier.on : .off
    var wanted = Condition(endpoint.ports)
    wanted.signatures = addSignatures(endpoint, feature, rule)
    if !wanted.signatures.isEmpty {
      wanted.companion = endpoint.companion
      wanted.rate = endpoint.rate
    }
    wanted.isRequest = !endpoint.requests.isEmpty
    let condition = intern(wanted)
    if !wanted.signatures.isEmpty {
      signatures.endpoints.append(
        SignatureTable.Endpoint(
          rule: rule, service: feature.serviceKey, condition: condition, isOn: isOn,
          hasNoServer: endpoint.hosts.isEmpty && endpoint.regexes.isEmpty
            && endpoint.addresses.isEmpty))
    }
    for request in endpoint.requests {
      signatures.requests.append(
        SignatureTable.Request(
          method: request.method, host: request.host, path: request.path, rule: rule,
          condition: condition, isOn: isOn))
      _ = hosts.insert(
        request.host, isSuffix: false, tier: tier, condition: condition, rule: rule)
    }
    for host in endpoint.hosts {
      _ = hosts.insert(
        host.name, isSuffix: host.isSuffix, tier: tier, condition: condition, rule: rule)
    }
    for (pattern, regex) in endpoint.regexes {
      regexes.append(
        RegexTable.Rule(
          regex: regex, pattern: pattern, rule: rule, tier: tier, condition: condition))
    }
    if isOn, !endpoint.namesOnlyRefused(wanted.signatures) { open.formUnion(endpoint.ports) }
    for address in endpoint.addresses where isOn {
      wanted.ports = address.ports ?? endpoint.ports
      _ = builtIn.insert(address.prefix, tier: tier, condition: intern(wanted), rule: rule)
    }
  }

  /// What an endpoint lists, without the patterns that only name what is refused: those keep the
  /// feature as their rule.
  private mutating func addSignatures(
    _ endpoint: ServicePack.Endpoint, _ feature: Feature, _ rule: RuleID
  ) -> SignatureSet {
    var set = SignatureSet(applications: endpoint.applications)
    let first = firstPatterns[feature.service] ?? 0
    for index in endpoint.patterns {
      if signatures.patterns[first + index].rule == .none {
        signatures.patterns[first + index].rule = rule
      }
      if !signatures.patterns[first + index].isRefused {
        set.patterns |= 1 << UInt64(first + index)
      }
    }
    return set
  }

  // MARK: The owner's lines

  private mutating func append(
    _ kind: RuleTable.Kind, _ tier: Tier, _ node: YAMLNode, index: UInt32, note: String,
    condition: UInt32
  ) -> RuleID {
    let id = rules.nextID
    var noteIndex = RuleTable.none
    if !note.isEmpty, note == rules.notes.last {
      // Many lines with one note: kept once.
      noteIndex = UInt32(rules.notes.count - 1)
    } else if !note.isEmpty {
      noteIndex = UInt32(rules.notes.count)
      rules.notes.append(note)
    }
    rules.records.append(
      RuleTable.Record(
        kind: kind, tier: tier, line: UInt32(node.line), index: index, note: noteIndex,
        condition: condition))
    return id
  }

  /// Adds a line about a host; the earlier line that already says the same, if there is one.
  mutating func addHost(
    _ host: HostPattern, _ tier: Tier, _ condition: UInt32, note: String, at node: YAMLNode
  ) -> RuleID? {
    let (entry, same) = hosts.insert(
      host.name, isSuffix: host.isSuffix, tier: tier, condition: condition, rule: rules.nextID)
    _ = append(
      host.isSuffix ? .suffix : .host, tier, node, index: entry, note: note, condition: condition)
    if tier == .allow { opened(condition) }
    return same
  }

  mutating func addRegex(
    _ regex: CompiledRegex, pattern: String, _ tier: Tier, _ condition: UInt32, note: String,
    at node: YAMLNode
  ) {
    let id = append(
      .regex, tier, node, index: UInt32(regexes.count), note: note, condition: condition)
    regexes.append(
      RegexTable.Rule(regex: regex, pattern: pattern, rule: id, tier: tier, condition: condition))
    if tier == .allow { opened(condition) }
  }

  /// Adds a line about addresses; the earlier line that already says the same, if there is one.
  mutating func addAddress(
    _ prefix: IPPrefix, _ tier: Tier, _ condition: UInt32, note: String, at node: YAMLNode
  ) -> RuleID? {
    let id = append(
      .address, tier, node, index: UInt32(rules.prefixes.count), note: note, condition: condition)
    rules.prefixes.append(prefix)
    // Whether a datagram is QUIC shows only when it may come.
    if tier == .allow { open.quic = open.quic.union(conditions[Int(condition)].ports.quic) }
    return addresses.insert(prefix, tier: tier, condition: condition, rule: id)
  }

  /// Adds a device; the earlier line with the same address, if there is one.
  mutating func addDevice(
    _ address: MACAddress, name: String?, isUnrestricted: Bool, at node: YAMLNode
  ) -> RuleID? {
    let id = append(
      .device, .allow, node, index: UInt32(truncatingIfNeeded: rules.records.count), note: "",
      condition: Self.everything)
    return devices.insert(
      DeviceTable.Device(address: address, name: name, isUnrestricted: isUnrestricted, rule: id))
  }

  // The commonest condition comes 100,000 times: a union each time would cost more than the rest.
  private var lastOpened: UInt32?

  private mutating func opened(_ condition: UInt32) {
    if lastOpened == condition { return }
    lastOpened = condition
    open.formUnion(conditions[Int(condition)].ports)
  }

  /// Whether any line denies a host.
  var deniesHosts: Bool { hosts.hasDeny }

  /// The line that denies on every port what an allow line allows.
  func denial(of host: HostPattern) -> RuleID? {
    var rule: RuleID?
    hosts.forEachRule(covering: host.name) { candidate in
      // `.example.org` is not denied as a whole by a line for the name `example.org` alone.
      if candidate.tier == .deny, candidate.condition == Self.everything,
        candidate.isSuffix || !host.isSuffix
      {
        rule = candidate.rule
      }
    }
    return rule
  }

  /// The finished table.
  consuming func finish() -> CompiledTable {
    hosts.shrink()
    rules.records = rules.records.withExactCapacity
    return CompiledTable(
      rules: rules, hosts: hosts, regexes: RegexTable(regexes), addresses: addresses,
      builtIn: builtIn, signatures: signatures, devices: devices,
      conditions: ConditionTable(conditions), open: open)
  }
}
