internal import Names
internal import Wire
internal import YAML

/// Reads the owner's rules file and puts its lines and the packs' features into a table.
///
/// Goes on after an error, so that the owner sees all of them at once.
struct RulesReader {
  private let services: [ServicePack]
  private(set) var settings = Settings()
  private(set) var builder = TableBuilder()
  private(set) var diagnostics = Diagnostics()

  private static let keys = [
    "version", "mode", "binding", "media", "mediaBudget", "services", "allow", "deny", "devices",
  ]

  init(services: [ServicePack]) {
    self.services = services
    for service in services { builder.addPatterns(service) }
  }

  mutating func read(_ root: YAMLNode) {
    guard root.isMapping else {
      root.report(expected: "the keys of a rules file, such as \"services:\"", &diagnostics)
      return
    }
    builder.path = root.path
    _ = root.checkMapping("a rules file", keys: Self.keys, &diagnostics)
    ServicePack.checkVersion(root, "rules file", &diagnostics)
    readSettings(root)
    readServices(root["services"])
    readLines(root["allow"], .allow)
    readLines(root["deny"], .deny)
    readDevices(root["devices"])
    warnOfShadows(root["allow"])
  }

  private mutating func readSettings(_ root: YAMLNode) {
    if let mode = root["mode"]?.choice(Policy.Mode.self, &diagnostics) { settings.mode = mode }
    if let binding = root["binding"]?.choice(Policy.Binding.self, &diagnostics) {
      settings.binding = binding
    }
    if let media = root["media"]?.choice(Policy.Media.self, &diagnostics) { settings.media = media }
    if let budget = root["mediaBudget"]?.byteCount(&diagnostics) { settings.mediaBudget = budget }
  }

  // MARK: Services

  private mutating func readServices(_ node: YAMLNode?) {
    let names = services.map { $0.service }
    if let node, node.isMapping || node.isEmpty {
      for entry in node.entries where !names.contains(where: { entry.key.hasText($0) }) {
        entry.key.reportUnknown("service", names, &diagnostics)
      }
    } else if let node {
      node.report(expected: "services such as {wechat: on}", &diagnostics)
    }
    for service in services { readService(service, node?[service.service]) }
  }

  private mutating func readService(_ service: ServicePack, _ node: YAMLNode?) {
    var isOn = service.isOnByDefault
    var switched: [(feature: String, isOn: Bool?)] = []
    if let node, node.isMapping {
      isOn = true
      let keys = service.features.map { $0.key }
      for entry in node.entries {
        guard let feature = service.feature(entry.key.text) else {
          entry.key.reportUnknown("feature of \(service.service)", keys, &diagnostics)
          continue
        }
        let isOn = entry.value.toggle(&diagnostics)
        switched.append((feature: feature.key, isOn: isOn))
        if isOn == true, feature.endpoints.isEmpty {
          diagnostics.warning(
            "\(service.service).\(feature.key) has no effect yet: this version can't recognise it",
            at: entry.value)
        }
      }
    } else if let node {
      if node.isSequence {
        node.report(expected: "on, off or a mapping such as {messaging: on}", &diagnostics)
      } else {
        isOn = node.toggle(&diagnostics) ?? isOn
      }
    }
    for feature in service.features {
      let chosen = switched.last { $0.feature == feature.key }?.isOn
      let isOn = isOn && (chosen ?? feature.isOnByDefault)
      builder.addFeature(Feature(service, feature, isOn: isOn), feature.endpoints)
    }
  }

  // MARK: Allow and deny lines

  private static let lineKeys = ["host", "regex", "address", "ports", "protocol", "note"]

  private mutating func readLines(_ node: YAMLNode?, _ tier: Tier) {
    let name = tier == .allow ? "allow" : "deny"
    let example = "a line such as {host: example.org}"
    guard let lines = node?.list("a list of \(name) lines", &diagnostics) else { return }
    for line in lines {
      guard line.isMapping, line.checkMapping(example, keys: Self.lineKeys, &diagnostics) else {
        if !line.isMapping { line.report(expected: example, &diagnostics) }
        continue
      }
      readLine(line, tier)
    }
  }

  private mutating func readLine(_ line: YAMLNode, _ tier: Tier) {
    guard let condition = readCondition(line, tier) else { return }
    let note = line["note"].flatMap { $0.string("a note", &diagnostics) } ?? ""
    let subjects = [("host", line["host"]), ("regex", line["regex"]), ("address", line["address"])]
    let given = subjects.filter { $0.1 != nil }
    guard let (key, value) = given.first, let value else {
      diagnostics.error("expected \"host\", \"regex\" or \"address\" in this line", at: line)
      return
    }
    if given.count > 1, let second = given[1].1 {
      diagnostics.error(
        "\"\(given[1].0)\" beside \"\(key)\"; give each a line of its own", at: second)
      return
    }
    let index = builder.intern(condition)
    var same: RuleID?
    switch key {
    case "host":
      guard let host = HostPattern.read(value, &diagnostics) else { return }
      same = builder.addHost(host, tier, index, note: note, at: line)
    case "regex":
      guard let pattern = value.string("a regex", &diagnostics) else { return }
      do throws(RegexCheck.Refusal) {
        let regex = try RegexCheck.compile(pattern)
        builder.addRegex(regex, pattern: pattern, tier, index, note: note, at: line)
      } catch {
        diagnostics.error(error.message, at: value)
        return
      }
    default:
      guard let prefix = readPrefix(value) else { return }
      let length = prefix.length - (prefix.address.isIPv4 ? 96 : 0)
      if tier == .allow, length < 8 {
        diagnostics.warning(
          "\(prefix.text) is a large part of the Internet: whatever speaks to these ports passes",
          at: value)
      }
      same = builder.addAddress(prefix, tier, index, note: note, at: line)
    }
    if let same {
      diagnostics.warning("line \(builder.line(of: same)) says the same", at: line)
    }
    if tier == .allow, key != "address", let node = line["protocol"] {
      warnOfNamelessTransport(node)
    }
  }

  private mutating func warnOfNamelessTransport(_ node: YAMLNode) {
    if node.hasText("udp") {
      diagnostics.warning(
        "this line has no effect: a UDP datagram carries no host name; use \"address\"", at: node)
    }
  }

  private mutating func readCondition(_ line: YAMLNode, _ tier: Tier) -> PortCondition? {
    var ports: PortSet?
    if let node = line["ports"] {
      ports = PortSet.read(node, &diagnostics)
      if ports == nil { return nil }
    }
    var transports = tier == .allow ? [Transport.tcp] : Transport.allCases
    if let node = line["protocol"] {
      guard let transport = node.choice(Transport.self, &diagnostics) else { return nil }
      transports = [transport]
    }
    var condition = PortCondition()
    let set = ports ?? (tier == .allow ? PortSet(ports: [80, 443]) : .all)
    for transport in transports { condition.set(transport, set) }
    return condition
  }

  private mutating func readPrefix(_ node: YAMLNode) -> IPPrefix? {
    let expected = "an address or a prefix such as 198.51.100.0/28"
    guard let text = node.string(expected, &diagnostics) else { return nil }
    guard let prefix = HostPattern.readPrefix(text) else {
      let isName = HostName(text).map { !$0.endsInNumber } ?? false
      let hint = isName ? "; a name is written 'host: \(text)'" : ""
      diagnostics.error("expected \(expected), found \(node.found)\(hint)", at: node)
      return nil
    }
    let base = text.split(separator: "/").first.flatMap { IPAddress(String($0)) }
    if let base, base != prefix.address {
      diagnostics.error(
        "\(text) has bits beyond its length; write '\(prefix.text)' for the whole prefix or "
          + "'\(base.text)' for the one address", at: node)
      return nil
    }
    return prefix
  }

  /// Allow lines that a deny line undoes.
  private mutating func warnOfShadows(_ node: YAMLNode?) {
    guard !diagnostics.hasErrors, builder.deniesHosts, let node else { return }
    for line in node.items {
      guard let value = line["host"] else { continue }
      var ignored = Diagnostics()
      guard let host = HostPattern.read(value, &ignored), let rule = builder.denial(of: host) else {
        continue
      }
      diagnostics.warning(
        "this line has no effect: line \(builder.line(of: rule)) denies \(host.text) on every "
          + "port", at: line)
    }
  }

  // MARK: Devices

  /// What a device's `policy` may be.
  private enum Treatment: String, CaseIterable {
    case unrestricted, restricted
  }

  private mutating func readDevices(_ node: YAMLNode?) {
    let example = "a device such as {mac: '02:00:5e:10:00:01', name: Owner laptop}"
    guard let lines = node?.list("a list of devices", &diagnostics) else { return }
    var linesOfNames: [String: Int] = [:]
    for line in lines {
      guard line.isMapping,
        line.checkMapping(example, keys: ["mac", "name", "policy"], &diagnostics)
      else {
        if !line.isMapping { line.report(expected: example, &diagnostics) }
        continue
      }
      readDevice(line)
      guard let name = line["name"], name.isScalar else { continue }
      if let other = linesOfNames[name.text] {
        diagnostics.warning(
          "the device on line \(other) has this name too; commands take it to mean that one",
          at: name)
      } else {
        linesOfNames[name.text] = line.line
      }
    }
  }

  private mutating func readDevice(_ line: YAMLNode) {
    guard let node = line["mac"] else {
      diagnostics.error("missing key \"mac\"", at: line)
      return
    }
    let expected = "a hardware address such as '02:00:5e:10:00:01'"
    guard let address = MACAddress(node.text), address != .unknown, address.bits >> 40 & 1 == 0
    else {
      let isGroup = MACAddress(node.text).map { $0.bits >> 40 & 1 == 1 } ?? false
      diagnostics.error(
        "expected \(expected), found \(node.found)\(isGroup ? ", a multicast address" : "")",
        at: node)
      return
    }
    let name = line["name"].flatMap { $0.string("a name", &diagnostics) }
    let treatment = line["policy"].flatMap { $0.choice(Treatment.self, &diagnostics) }
    if line["name"] == nil, line["policy"] == nil {
      diagnostics.error("expected a \"name\", a \"policy\" or both for this device", at: line)
      return
    }
    let same = builder.addDevice(
      address, name: name, isUnrestricted: treatment == .unrestricted, at: line)
    if let same {
      diagnostics.error(
        "the device \(address.text) is on line \(builder.line(of: same)) already", at: node)
    }
  }
}
