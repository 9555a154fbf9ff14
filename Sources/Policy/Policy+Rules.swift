public import Names
internal import System
public import Wire

/// What people ask about the rules.
extension Policy {
  /// What a rule is; for `RuleID.none` the name is `default` and the service `none`.
  public func rule(_ id: RuleID) -> RuleDescription {
    guard let record = table.rules.record(id) else { return .none }
    if record.kind == .feature {
      let feature = table.rules.features[Int(record.index)]
      return RuleDescription(
        name: feature.name, service: feature.service, feature: feature.key, note: feature.note,
        path: feature.path, line: feature.line)
    }
    let verb = record.tier == .deny ? "deny" : "allow"
    let name: String
    switch record.kind {
    case .host: name = "\(verb) \(table.hosts.name(of: record.index))"
    case .suffix: name = "\(verb) .\(table.hosts.name(of: record.index))"
    case .regex: name = "\(verb) \(table.regexes.rules[Int(record.index)].pattern)"
    case .address:
      // As the owner wrote it: one address without a length.
      let prefix = table.rules.prefixes[Int(record.index)]
      name = "\(verb) \(prefix.length == 128 ? prefix.address.text : prefix.text)"
    case .feature, .device:
      let device = table.devices.all.first { $0.rule == id }
      name = "devices \(device?.name ?? device?.address.text ?? "")"
    }
    let note = record.note == RuleTable.none ? "" : table.rules.notes[Int(record.note)]
    return RuleDescription(
      name: name, service: "own rules", feature: nil, note: note, path: table.rules.path,
      line: Int(record.line))
  }

  /// The owner's name for a device.
  public func label(of device: MACAddress) -> String? {
    table.devices.label(of: device)
  }

  /// All devices that the owner named.
  public var labels: [(device: MACAddress, name: String)] {
    table.devices.all.compactMap { device in device.name.map { (device.address, $0) } }
  }

  /// The exact names that are allowed, of features that are on and then of allow lines: names that
  /// can be looked up ahead, since suffixes and regexes name no one host.
  public var exactNames: [HostName] { exactNames(atMost: .max) }

  /// The first `limit` of them.
  public func exactNames(atMost limit: Int) -> [HostName] {
    var entries: [UInt32] = []
    var last: UInt32?
    table.hosts.forEachRule { entry, rule in
      guard !rule.isSuffix, rule.tier == .on || rule.tier == .allow, last != entry else { return }
      last = entry
      entries.append(entry)
    }
    return entries.prefix(limit).compactMap { entry in
      HostName(table.hosts.name(of: entry)).flatMap { mayTeach($0) ? $0 : nil }
    }
  }

  /// The compiled table for `imgate check --effective`: one line a rule, in the order in which
  /// rules win.
  public func effectiveTable() -> String {
    var text =
      "mode \(mode.rawValue), binding \(binding.rawValue), media \(media.rawValue)\n"
    let versions = mmtlsVersions.all.map { String($0, radix: 16) }.ordered()
    if !versions.isEmpty { text += "mmtls \(versions.joined(separator: ", "))\n" }
    text += "The first line that fits decides; what none fits is refused.\n"
    var lines: [[String]] = [[], [], [], []]
    func add(_ tier: Tier, _ verdict: String, _ what: String, _ condition: UInt32, _ id: RuleID) {
      let condition = table.conditions.all[Int(condition)]
      lines[Int(tier.rawValue)].append(
        Self.pad(verdict, 8) + Self.pad(what, 40) + Self.pad(condition.ports.text, 24) + source(id)
          + demands(condition) + "\n")
    }
    func add(_ endpoint: SignatureTable.Endpoint) {
      // Those with names or addresses stand beside them.
      let tier = endpoint.isOn ? Tier.on : .off
      let condition = table.conditions.all[Int(endpoint.condition)]
      guard endpoint.hasNoServer else { return }
      add(
        tier, Self.verdict(tier), table.signatures.text(of: condition.signatures),
        endpoint.condition, endpoint.rule)
    }
    for device in table.devices.all where device.isUnrestricted {
      text +=
        Self.pad("allow", 8) + Self.pad("device \(device.address.text)", 40)
        + Self.pad("every port", 24) + source(device.rule) + "\n"
    }
    for (index, record) in table.rules.records.enumerated() where record.kind == .address {
      let id = RuleID(UInt32(index))
      let verdict = record.tier == .deny ? "deny" : "allow"
      let prefix = table.rules.prefixes[Int(record.index)].text
      add(record.tier, verdict, prefix, record.condition, id)
    }
    table.hosts.forEachRule { entry, rule in
      if table.conditions.demand(of: rule.condition).isRequest { return }
      let name = (rule.isSuffix ? "." : "") + table.hosts.name(of: entry)
      add(rule.tier, Self.verdict(rule.tier), name, rule.condition, rule.rule)
    }
    for rule in table.regexes.rules {
      add(rule.tier, Self.verdict(rule.tier), rule.pattern, rule.condition, rule.rule)
    }
    for request in table.signatures.requests {
      let tier = request.isOn ? Tier.on : .off
      add(tier, Self.verdict(tier), request.text, request.condition, request.rule)
    }
    for (prefix, rule) in table.builtIn.all {
      let what = prefix.length == 128 ? prefix.address.text : prefix.text
      add(rule.tier, "known", what, rule.condition, rule.rule)
    }
    for endpoint in table.signatures.endpoints { add(endpoint) }
    for pattern in table.signatures.patterns where pattern.isRefused {
      let ports = pattern.ports.map { "\(pattern.transport.rawValue) \($0.text)" }
      // After the owner's lines.
      lines[Int(Tier.allow.rawValue)].append(
        Self.pad("deny", 8) + Self.pad(pattern.name, 40)
          + Self.pad(ports ?? "\(pattern.transport.rawValue) every port", 24)
          + rule(pattern.rule).name + "\n")
    }
    for tier in lines { text += tier.joined() }
    return text + Self.pad("deny", 8) + Self.pad("everything else", 40) + "every port\n"
  }

  /// What a condition asks besides ports: `; mmtls, long-link`.
  private func demands(_ condition: Condition) -> String {
    var text = ""
    if !condition.signatures.isEmpty {
      text += "; signatures \(table.signatures.text(of: condition.signatures))"
    }
    if !condition.companion.isEmpty {
      text += "; companion \(condition.companion.names.joined(separator: ", "))"
    }
    if condition.rate > 0 { text += "; rate \(condition.rate)/m" }
    return text
  }

  private static func verdict(_ tier: Tier) -> String {
    switch tier {
    case .deny: "deny"
    case .allow, .on: "allow"
    case .off: "deny"
    }
  }

  /// `wechat.messaging`, or `rules.yaml:20`.
  private func source(_ id: RuleID) -> String {
    let rule = rule(id)
    guard rule.feature == nil else {
      return table.rules.record(id)?.tier == .off ? "\(rule.name), off" : rule.name
    }
    return "\(rule.path):\(rule.line)"
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    let missing = width - text.utf8.count
    return text + String(repeating: " ", count: max(1, missing))
  }
}
