internal import Names
internal import System
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
    /// Nameless protocols: those with a parser, and the pack's patterns by their place.
    var applications = ApplicationSet()
    var patterns: [Int] = []
    var companion = ApplicationSet()
    var requests: [Request] = []
    /// Datagrams a minute; 0: no limit.
    var rate: UInt16 = 0

    /// Whether it lists nothing but patterns of what is refused: such an endpoint opens no port.
    func namesOnlyRefused(_ allowed: SignatureSet) -> Bool {
      !patterns.isEmpty && allowed.isEmpty && hosts.isEmpty && regexes.isEmpty && addresses.isEmpty
    }
  }

  struct Request {
    let method: [UInt8]
    let host: HostName
    let path: [UInt8]
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
  let mmtlsVersions: [UInt16]
  let patterns: [SignatureTable.Pattern]
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
        let known = packs.reduce(0) { $0 + $1.patterns.count }
        if known + pack.patterns.count > SignatureSet.maximumPatterns {
          diagnostics.error(
            "more than \(SignatureSet.maximumPatterns) patterns in all packs together",
            at: root["patterns"] ?? root)
          continue
        }
        var versions = MMTLSVersions()
        for version in packs.flatMap({ $0.mmtlsVersions }) + pack.mmtlsVersions
        where !versions.insert(version) {
          diagnostics.error(
            "more than \(MMTLSVersions.maximumCount) versions of mmtls in all packs together",
            at: root["mmtls"] ?? root)
          break
        }
        packs.append(pack)
      } catch {
        diagnostics.append(error)
      }
    }
    return packs.ordered { $0.service < $1.service }
  }

  private static func read(
    _ root: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> ServicePack? {
    let keys = [
      "version", "service", "title", "default", "ports", "mmtls", "patterns", "features",
    ]
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
    let versions = readMMTLSVersions(root["mmtls"], &diagnostics)
    let patterns = readPatterns(root["patterns"], of: service, &diagnostics)
    var features: [Feature] = []
    if let node = root["features"], node.isMapping {
      for entry in node.entries {
        if let feature = readFeature(entry.key, entry.value, ports, patterns, &diagnostics) {
          features.append(feature)
        }
      }
      checkSignatures(node, patterns, features, at: root["patterns"], &diagnostics)
    } else {
      diagnostics.error(
        "expected \"features:\" with at least one feature", at: root["features"] ?? root)
    }
    return ServicePack(
      service: service, title: title, isOnByDefault: isOn, path: root.path, line: name.line,
      mmtlsVersions: versions, patterns: patterns, features: features)
  }

  private static func readFeature(
    _ key: YAMLNode, _ node: YAMLNode, _ ports: PortCondition,
    _ patterns: [SignatureTable.Pattern], _ diagnostics: inout Diagnostics
  ) -> Feature? {
    guard let name = readKey(key, "a feature key", &diagnostics),
      node.checkMapping(
        "a feature", keys: ["title", "default", "note", "endpoints"], &diagnostics)
    else { return nil }
    var endpoints: [Endpoint] = []
    if let list = node["endpoints"]?.list("a list of endpoints", &diagnostics) {
      for item in list {
        if let endpoint = readEndpoint(item, ports, patterns, &diagnostics) {
          endpoints.append(endpoint)
        }
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
    _ node: YAMLNode, _ ports: PortCondition, _ patterns: [SignatureTable.Pattern],
    _ diagnostics: inout Diagnostics
  ) -> Endpoint? {
    let keys = [
      "hosts", "regexes", "addresses", "ports", "signatures", "companion", "requests", "rate",
    ]
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
      if let address = readAddress(item, endpoint.ports, &diagnostics) {
        endpoint.addresses.append(address)
      }
    }
    readSignatures(node, &endpoint, patterns, &diagnostics)
    readRequests(node, &endpoint, &diagnostics)
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
  ///
  /// A port of its own counts for those transports to which the endpoint's `ports` open it.
  private static func readAddress(
    _ node: YAMLNode, _ ports: PortCondition, _ diagnostics: inout Diagnostics
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
        var own = PortCondition()
        for transport in Transport.allCases where ports.contains(transport, port) {
          own.set(transport, PortSet(ports: [port]))
        }
        if own == PortCondition() {
          diagnostics.warning(
            "this address has no effect: the endpoint's ports are \(ports.text)", at: node)
        }
        return Endpoint.Address(prefix: prefix, ports: own)
      }
    }
    node.report(expected: expected, &diagnostics)
    return nil
  }

  /// Reads a word of lower-case letters, digits and hyphens.
  static func readKey(
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
