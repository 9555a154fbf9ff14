internal import Wire
internal import YAML

/// A service as its pack file (rules/services/*.yaml) defines it.
///
/// docs/rules.md has the format.
struct ServicePack {
  /// What a feature talks to: names and addresses that share their ports.
  struct Endpoint {
    struct Address {
      let prefix: IPPrefix
      /// Nil: the endpoint's.
      let ports: PortCondition?
    }

    var hosts: [HostPattern] = []
    var regexes: [(String, CompiledRegex)] = []
    var addresses: [Address] = []
    var ports = PortCondition()
  }

  struct Feature {
    let key: String
    let title: String
    let note: String
    let isOnByDefault: Bool
    let line: Int
    let endpoints: [Endpoint]
  }

  let service: String
  let title: String
  let isOnByDefault: Bool
  let path: String
  let line: Int
  let features: [Feature]

  func feature(_ key: String) -> Feature? { features.first { $0.key == key } }

  /// Reads all packs, sorted by the service's name so that the order of the files doesn't matter.
  static func readAll(
    _ files: [SourceFile], _ diagnostics: inout Diagnostics
  ) -> [ServicePack] {
    var packs: [ServicePack] = []
    for file in files {
      do throws(Diagnostics) {
        let root = try YAMLNode.parse(file)
        guard let pack = read(root, &diagnostics) else { continue }
        if let other = packs.first(where: { $0.service == pack.service }) {
          diagnostics.error(
            "the service \"\(pack.service)\" is defined by \(other.path), too",
            at: root["service"] ?? root)
          continue
        }
        packs.append(pack)
      } catch {
        diagnostics.append(error)
      }
    }
    return packs.sorted { $0.service < $1.service }
  }

  private static func read(
    _ root: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> ServicePack? {
    let keys = ["version", "service", "title", "default", "ports", "features"]
    guard root.checkMapping("a service pack", keys: keys, &diagnostics) else { return nil }
    checkVersion(root, "service pack", &diagnostics)
    guard let name = root["service"] else {
      diagnostics.error("missing key \"service\"", at: root)
      return nil
    }
    guard let service = readKey(name, "a service name", &diagnostics) else { return nil }
    let title = root["title"]?.string("a title", &diagnostics) ?? service
    let isOn = root["default"]?.toggle(&diagnostics) ?? true
    let ports = root["ports"].flatMap { readPorts($0, &diagnostics) } ?? PortCondition.web
    var features: [Feature] = []
    if let node = root["features"], node.isMapping {
      for entry in node.entries {
        if let feature = readFeature(entry.key, entry.value, ports, &diagnostics) {
          features.append(feature)
        }
      }
    } else {
      diagnostics.error(
        "expected \"features:\" with at least one feature", at: root["features"] ?? root)
    }
    return ServicePack(
      service: service, title: title, isOnByDefault: isOn, path: root.path, line: name.line,
      features: features)
  }

  private static func readFeature(
    _ key: YAMLNode, _ node: YAMLNode, _ ports: PortCondition, _ diagnostics: inout Diagnostics
  ) -> Feature? {
    guard let name = readKey(key, "a feature key", &diagnostics),
      node.checkMapping(
        "a feature", keys: ["title", "default", "note", "endpoints"], &diagnostics)
    else { return nil }
    var endpoints: [Endpoint] = []
    if let list = node["endpoints"]?.list("a list of endpoints", &diagnostics) {
      for item in list {
        if let endpoint = readEndpoint(item, ports, &diagnostics) { endpoints.append(endpoint) }
      }
    }
    // `endpoints: []` is a feature that has a name and a switch, and that nobody can recognise yet.
    if node["endpoints"]?.isSequence != true {
      diagnostics.error("the feature \"\(name)\" needs a list of \"endpoints\"", at: key)
    }
    return Feature(
      key: name, title: node["title"]?.string("a title", &diagnostics) ?? name,
      note: node["note"]?.string("a note", &diagnostics) ?? "",
      isOnByDefault: node["default"]?.toggle(&diagnostics) ?? true, line: key.line,
      endpoints: endpoints)
  }

  private static func readEndpoint(
    _ node: YAMLNode, _ ports: PortCondition, _ diagnostics: inout Diagnostics
  ) -> Endpoint? {
    let keys = ["hosts", "regexes", "addresses", "ports"]
    guard node.isMapping, node.checkMapping("an endpoint", keys: keys, &diagnostics) else {
      if !node.isMapping { node.report(expected: "an endpoint with \"hosts:\"", &diagnostics) }
      return nil
    }
    var endpoint = Endpoint()
    endpoint.ports = node["ports"].flatMap { readPorts($0, &diagnostics) } ?? ports
    for item in node["hosts"]?.list("a list of hosts", &diagnostics) ?? node.items {
      if let host = HostPattern.read(item, &diagnostics) { endpoint.hosts.append(host) }
    }
    for item in node["regexes"]?.list("a list of regexes", &diagnostics) ?? node.items {
      guard let pattern = item.string("a regex", &diagnostics) else { continue }
      do throws(RegexCheck.Refusal) {
        endpoint.regexes.append((pattern, try RegexCheck.compile(pattern)))
      } catch {
        diagnostics.error(error.message, at: item)
      }
    }
    for item in node["addresses"]?.list("a list of addresses", &diagnostics) ?? node.items {
      if let address = readAddress(item, &diagnostics) { endpoint.addresses.append(address) }
    }
    return endpoint
  }

  /// Reads `{tcp: [80, 443], udp: [8000]}`.
  private static func readPorts(
    _ node: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> PortCondition? {
    let transports = Transport.allCases.map { $0.rawValue }
    guard node.isMapping,
      node.checkMapping("ports by transport", keys: transports, &diagnostics)
    else {
      if !node.isMapping {
        node.report(expected: "ports by transport such as {tcp: [443]}", &diagnostics)
      }
      return nil
    }
    var condition = PortCondition()
    for transport in Transport.allCases {
      guard let list = node[transport.rawValue], let set = PortSet.read(list, &diagnostics) else {
        continue
      }
      condition.set(transport, set)
    }
    return condition
  }

  /// Reads `198.51.100.7`, `198.51.100.0/24`, `198.51.100.7:8080` or `[2001:2::7]:8080`.
  private static func readAddress(
    _ node: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> Endpoint.Address? {
    let expected = "an address such as 198.51.100.7, 198.51.100.7:8080 or [2001:2::7]:8080"
    guard let text = node.string(expected, &diagnostics) else { return nil }
    if let prefix = HostPattern.readPrefix(text) {
      return Endpoint.Address(prefix: prefix, ports: nil)
    }
    if let colon = text.lastIndex(of: ":"),
      let port = PortSet.port(text[text.index(after: colon)...])
    {
      var host = text[..<colon]
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      if let address = IPAddress(String(host)),
        let prefix = IPPrefix(address, length: address.isIPv4 ? 32 : 128)
      {
        let set = PortSet(ports: [port])
        return Endpoint.Address(prefix: prefix, ports: PortCondition(tcp: set, udp: set))
      }
    }
    node.report(expected: expected, &diagnostics)
    return nil
  }

  /// Reads a word of lower-case letters, digits and hyphens.
  private static func readKey(
    _ node: YAMLNode, _ what: String, _ diagnostics: inout Diagnostics
  ) -> String? {
    let text = node.text
    let isKey = text.utf8.allSatisfy {
      ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z")) || $0 == UInt8(ascii: "-")
        || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
    }
    guard isKey, !text.isEmpty else {
      node.report(expected: "\(what) of lower-case letters, digits and hyphens", &diagnostics)
      return nil
    }
    return text
  }

  /// Checks `version: 1`, which may be left out.
  static func checkVersion(
    _ root: YAMLNode, _ what: String, _ diagnostics: inout Diagnostics
  ) {
    guard let version = root["version"], !version.hasText("1") else { return }
    diagnostics.error(
      "expected version 1, found \(version.found); this imgate reads no other \(what)",
      at: version)
  }
}

extension PortCondition {
  mutating func set(_ transport: Transport, _ ports: PortSet) {
    switch transport {
    case .tcp: tcp = ports
    case .udp: udp = ports
    case .quic: quic = ports
    }
  }
}
