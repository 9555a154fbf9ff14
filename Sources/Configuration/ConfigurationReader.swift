internal import Wire
internal import YAML

/// Reads imgate.yaml; goes on after an error, so that all of them are seen at once.
struct ConfigurationReader {
  private(set) var configuration = Configuration(lan: [], wan: [])
  private(set) var diagnostics = Diagnostics()

  private static let keys = [
    "version", "lan", "wan", "ignore", "prefixes", "firewall", "mark", "queues", "onFailure",
    "resolver", "leases", "store", "log",
  ]

  mutating func read(_ root: YAMLNode) {
    guard root.isMapping else {
      root.report(expected: "the keys of a configuration, such as \"lan:\"", &diagnostics)
      return
    }
    _ = root.checkMapping("a configuration", keys: Self.keys, &diagnostics)
    if let version = root["version"], !version.hasText("1") {
      diagnostics.error(
        "expected version 1, found \(version.found); this imgate reads no other configuration",
        at: version)
    }
    readInterfaces(root)
    readChoices(root)
    if let node = root["mark"] { readMark(node) }
    if let node = root["queues"] { readQueues(node) }
    if let node = root["store"] { readStore(node) }
    if let node = root["log"] { readLog(node) }
  }

  // MARK: Interfaces

  private mutating func readInterfaces(_ root: YAMLNode) {
    var seen: [(name: String, key: String, node: YAMLNode)] = []
    func names(_ key: String, isRequired: Bool, _ diagnostics: inout Diagnostics) -> [String] {
      guard let node = root[key] else {
        if isRequired {
          diagnostics.error("missing key \"\(key)\", a list of interfaces such as [eth0]", at: root)
        }
        return []
      }
      guard node.isSequence, node.count > 0 || !isRequired else {
        if node.isEmpty && !isRequired { return [] }
        node.report(expected: "a list of interfaces such as [eth0]", &diagnostics)
        return []
      }
      var names: [String] = []
      for item in node.items {
        guard Self.isInterfaceName(item) else {
          item.report(
            expected: "an interface name of at most 15 characters such as eth0", &diagnostics)
          continue
        }
        if let other = seen.first(where: { $0.name == item.text }) {
          diagnostics.error(
            "the interface \"\(item.text)\" is in \"\(other.key)\" already, on line "
              + "\(other.node.line)", at: item)
          continue
        }
        seen.append((item.text, key, item))
        names.append(item.text)
      }
      return names
    }
    configuration.lan = names("lan", isRequired: true, &diagnostics)
    configuration.wan = names("wan", isRequired: true, &diagnostics)
    configuration.ignore = names("ignore", isRequired: false, &diagnostics)
  }

  // What the kernel takes (dev_valid_name), and nothing that a firewall tool could take for more
  // than a name.
  private static func isInterfaceName(_ node: YAMLNode) -> Bool {
    let text = node.text
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, bytes.count <= 15, text != ".", text != "..",
      bytes[0] != UInt8(ascii: "-")
    else { return false }
    return bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
  }

  // MARK: Single values

  private mutating func readChoices(_ root: YAMLNode) {
    if let node = root["prefixes"], !node.hasText("auto") { readPrefixes(node) }
    if let value = root["firewall"]?.choice(Configuration.Firewall.self, &diagnostics) {
      configuration.firewall = value
    }
    if let value = root["onFailure"]?.choice(Configuration.OnFailure.self, &diagnostics) {
      configuration.onFailure = value
    }
    if let node = root["resolver"], !node.hasText("router") { readResolver(node) }
    if let node = root["leases"], !node.hasText("auto") {
      if let path = readPath(node, "auto or the absolute path of a lease file") {
        configuration.leases = .path(path)
      }
    }
  }

  private mutating func readPrefixes(_ node: YAMLNode) {
    guard node.isSequence, node.count > 0 else {
      node.report(expected: "auto or a list of prefixes such as [192.168.1.0/24]", &diagnostics)
      return
    }
    var prefixes: [IPPrefix] = []
    for item in node.items {
      let text = item.text
      guard text.utf8.contains(UInt8(ascii: "/")), let prefix = IPPrefix(text) else {
        item.report(expected: "a prefix such as 192.168.1.0/24", &diagnostics)
        continue
      }
      let base = text.split(separator: "/").first.flatMap { IPAddress(String($0)) }
      guard base == prefix.address else {
        diagnostics.error(
          "\(text) has bits beyond its length; write '\(prefix.text)'", at: item)
        continue
      }
      prefixes.append(prefix)
    }
    configuration.prefixes = .list(prefixes)
  }

  private mutating func readResolver(_ node: YAMLNode) {
    guard node.isSequence, node.count > 0 else {
      node.report(expected: "router or a list of addresses such as [192.0.2.53]", &diagnostics)
      return
    }
    var addresses: [IPAddress] = []
    for item in node.items {
      if let address = IPAddress(item.text) {
        addresses.append(address)
      } else {
        item.report(expected: "an address such as 192.0.2.53", &diagnostics)
      }
    }
    configuration.resolver = .list(addresses)
  }

  private mutating func readMark(_ node: YAMLNode) {
    let bits = node.isScalar ? node.number.flatMap { UInt32(exactly: $0) } : nil
    guard let bits, bits != 0, bits >> UInt32(bits.trailingZeroBitCount) == 0b111 else {
      node.report(expected: "3 adjacent bits such as 0x07000000", &diagnostics)
      return
    }
    configuration.mark = bits
  }

  private mutating func readPath(_ node: YAMLNode, _ expected: String) -> String? {
    guard let path = node.string(expected, &diagnostics) else { return nil }
    guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count < 4096 else {
      node.report(expected: expected, &diagnostics)
      return nil
    }
    return path
  }

  // MARK: Groups

  private mutating func readQueues(_ node: YAMLNode) {
    let expected = "queues such as {first: 40, count: 2, length: 8192}"
    guard node.checkMapping(expected, keys: ["first", "count", "length"], &diagnostics) else {
      return
    }
    var queues = Configuration.Queues()
    if let value = node["first"]?.integer("a queue number", in: 0...65534, &diagnostics) {
      queues.first = UInt16(value)
    }
    if let value = node["count"]?.integer("a number of queues", in: 1...64, &diagnostics) {
      queues.count = UInt16(value)
    }
    if let value = node["length"]?.integer(
      "a number of packets", in: 64...1_048_576, &diagnostics)
    {
      queues.length = UInt32(value)
    }
    // The queue after the last is the one for DNS.
    if Int(queues.first) + Int(queues.count) > 65535 {
      diagnostics.error(
        "\(queues.count) queues from \(queues.first) on and one for DNS go beyond queue 65535",
        at: node["first"] ?? node)
      return
    }
    configuration.queues = queues
  }

  private mutating func readStore(_ node: YAMLNode) {
    let expected = "a store such as {path: /var/lib/imgate/usage.db, interval: 15m}"
    let keys = ["path", "interval", "hours", "days"]
    guard node.checkMapping(expected, keys: keys, &diagnostics) else { return }
    let day: UInt64 = 86400
    if let path = node["path"].flatMap({ readPath($0, "the absolute path of the database") }) {
      configuration.store.path = path
    }
    if let value = node["interval"]?.seconds(in: 1...day, &diagnostics) {
      configuration.store.interval = value
    }
    if let value = node["hours"]?.seconds(in: day...3650 * day, &diagnostics) {
      configuration.store.hours = value
    }
    if let value = node["days"]?.seconds(in: day...3650 * day, &diagnostics) {
      configuration.store.days = value
    }
  }

  private mutating func readLog(_ node: YAMLNode) {
    let expected = "log settings such as {level: info, flows: denied}"
    guard node.checkMapping(expected, keys: ["level", "flows"], &diagnostics) else { return }
    if let value = node["level"]?.choice(Configuration.Log.Level.self, &diagnostics) {
      configuration.log.level = value
    }
    if let value = node["flows"]?.choice(Configuration.Log.Flows.self, &diagnostics) {
      configuration.log.flows = value
    }
  }
}
