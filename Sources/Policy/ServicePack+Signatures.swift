internal import Names
internal import Wire
internal import YAML

// What a pack says of bytes: versions, patterns, and the keys of endpoints that list them.
extension ServicePack {
  /// Reads `[f103, f104]`.
  static func readMMTLSVersions(
    _ node: YAMLNode?, _ diagnostics: inout Diagnostics
  ) -> [UInt16] {
    var versions: [UInt16] = []
    guard let node, let list = node.list("a list of versions such as [f104]", &diagnostics) else {
      return []
    }
    for item in list {
      let digits = item.isScalar ? Array(item.text.utf8) : []
      var set = MMTLSVersions()
      guard digits.count == 4, let high = byte(digits[0], digits[1]),
        let low = byte(digits[2], digits[3]), set.insert(UInt16(high) << 8 | UInt16(low))
      else {
        item.report(
          expected: "a version of mmtls, four hexadecimal digits such as f104 and none of TLS's "
            + "(03..)", &diagnostics)
        continue
      }
      versions.append(UInt16(high) << 8 | UInt16(low))
    }
    return versions
  }

  // MARK: Patterns

  private static let patternKeys = ["transport", "ports", "length", "bytes", "refused"]

  /// Reads `{ntp: {transport: udp, length: 48, bytes: ['[1b 23]']}}`.
  static func readPatterns(
    _ node: YAMLNode?, of service: String, _ diagnostics: inout Diagnostics
  ) -> [SignatureTable.Pattern] {
    guard let node, !node.isEmpty else { return [] }
    guard node.isMapping else {
      node.report(expected: "patterns by name", &diagnostics)
      return []
    }
    var patterns: [SignatureTable.Pattern] = []
    for entry in node.entries {
      guard let name = readKey(entry.key, "a pattern's name", &diagnostics) else { continue }
      if Application(rawValue: name) != nil || Transport(rawValue: name) != nil {
        diagnostics.error(
          "the name \"\(name)\" is a protocol's already; choose another one", at: entry.key)
        continue
      }
      // One with a mistake keeps its name, or each endpoint that lists it were another mistake.
      let broken = SignatureTable.Pattern(
        service: service, name: name, bytes: BytePattern(.stream, []), transport: .tcp, ports: nil,
        isRefused: true)
      patterns.append(readPattern(entry.value, name, service, &diagnostics) ?? broken)
    }
    return patterns
  }

  private static func readPattern(
    _ node: YAMLNode, _ name: String, _ service: String, _ diagnostics: inout Diagnostics
  ) -> SignatureTable.Pattern? {
    guard node.isMapping, node.checkMapping("a pattern", keys: patternKeys, &diagnostics) else {
      if !node.isMapping {
        node.report(expected: "a pattern with \"transport:\" and \"bytes:\"", &diagnostics)
      }
      return nil
    }
    enum Carrier: String, CaseIterable { case tcp, udp }
    guard let transportNode = node["transport"], let bytes = node["bytes"] else {
      let missing = node["transport"] == nil ? "transport" : "bytes"
      diagnostics.error("missing key \"\(missing)\"", at: node)
      return nil
    }
    let carrier = transportNode.choice(Carrier.self, &diagnostics)
    var lengths = 1...65_535
    if let length = node["length"] {
      if carrier == .tcp {
        diagnostics.error(
          "\"length\" is a datagram's; a TCP stream has none", at: length)
      } else if let range = readLengths(length, &diagnostics) {
        lengths = range
      }
    }
    let ports = node["ports"].flatMap { PortSet.read($0, &diagnostics) }
    let isRefused = node["refused"]?.toggle(&diagnostics) ?? false
    guard let beginnings = readBeginnings(bytes, &diagnostics), let carrier else { return nil }
    return SignatureTable.Pattern(
      service: service, name: name,
      bytes: BytePattern(carrier == .tcp ? .stream : .datagram, beginnings, lengths: lengths),
      transport: carrier == .tcp ? .tcp : .udp, ports: ports, isRefused: isRefused)
  }

  /// Reads `48` or `[89, 91]`.
  private static func readLengths(
    _ node: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> ClosedRange<Int>? {
    var values: [Int] = []
    if let value = node.number { values = [value, value] }
    // What is no number counts as 0, which no length is.
    if node.isSequence { values = node.items.map { $0.number ?? 0 } }
    guard values.count == 2, let first = values.first, let last = values.last, first >= 1,
      first <= last,
      last <= 65_535
    else {
      node.report(
        expected: "a length such as 48, or the least and the greatest such as [89, 91]",
        &diagnostics)
      return nil
    }
    return first...last
  }

  /// Reads `['d1 0a [2e 2d] ??']`: a set stands for a beginning with each of its bytes.
  private static func readBeginnings(
    _ node: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> [BytePattern.Beginning]? {
    let expected =
      "bytes such as 'd1 0a [2e 2d] ??': two hexadecimal digits each, ?? for any, "
      + "[ ] around alternatives; 1 to \(BytePattern.maximumLength), not all of them ??"
    guard let list = node.list("a list of " + expected, &diagnostics) else { return nil }
    var beginnings: [BytePattern.Beginning] = []
    for item in list {
      guard item.isScalar, let choices = choices(Array(item.text.utf8)) else {
        item.report(expected: expected, &diagnostics)
        return nil
      }
      var sequences: [[UInt8?]] = [[]]
      for choice in choices {
        sequences = sequences.flatMap { sequence in choice.map { sequence + [$0] } }
        if sequences.count + beginnings.count > maximumBeginnings { break }
      }
      if sequences.count + beginnings.count > maximumBeginnings {
        diagnostics.error(
          "more than \(maximumBeginnings) alternatives in one pattern; make it two", at: item)
        return nil
      }
      for sequence in sequences {
        guard let beginning = BytePattern.Beginning(sequence) else {
          item.report(expected: expected, &diagnostics)
          return nil
        }
        beginnings.append(beginning)
      }
    }
    if beginnings.isEmpty {
      diagnostics.error("expected \(expected); found an empty list", at: node)
      return nil
    }
    return beginnings
  }

  /// The most beginnings of a pattern, its sets multiplied out.
  private static let maximumBeginnings = 16

  /// What may stand at each place; nil when the text is no pattern.
  private static func choices(_ text: [UInt8]) -> [[UInt8?]]? {
    var choices: [[UInt8?]] = []
    var set: [UInt8?]?
    var i = 0
    while i < text.count {
      switch text[i] {
      case UInt8(ascii: " "): i += 1
      case UInt8(ascii: "["):
        if set != nil { return nil }
        set = []
        i += 1
      case UInt8(ascii: "]"):
        guard let members = set, !members.isEmpty else { return nil }
        choices.append(members)
        set = nil
        i += 1
      default:
        guard i + 1 < text.count else { return nil }
        let isAny = text[i] == UInt8(ascii: "?") && text[i + 1] == UInt8(ascii: "?")
        let value = byte(text[i], text[i + 1])
        if value == nil, !isAny || set != nil { return nil }
        if set == nil { choices.append([value]) } else { set?.append(value) }
        i += 2
      }
      if choices.count > BytePattern.maximumLength { return nil }
    }
    return set == nil ? choices : nil
  }

  private static func byte(_ high: UInt8, _ low: UInt8) -> UInt8? {
    guard let high = digit(high), let low = digit(low) else { return nil }
    return high << 4 | low
  }

  private static func digit(_ sign: UInt8) -> UInt8? {
    switch sign {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): sign - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): sign - UInt8(ascii: "a") + 10
    default: nil
    }
  }

  // MARK: Endpoints

  /// Reads `signatures`, `companion` and `rate`.
  static func readSignatures(
    _ node: YAMLNode, _ endpoint: inout Endpoint, _ patterns: [SignatureTable.Pattern],
    _ diagnostics: inout Diagnostics
  ) {
    let words = Application.allCases.filter { $0.isSignature }.map { $0.rawValue }
    for item in node["signatures"]?.list("a list of protocols", &diagnostics) ?? node.items {
      if let application = Application(rawValue: item.text), application.isSignature {
        endpoint.applications.insert(ApplicationSet(application))
      } else if let index = patterns.firstIndex(where: { item.hasText($0.name) }) {
        endpoint.patterns.append(index)
      } else {
        item.reportUnknown("protocol", words + patterns.map { $0.name }, &diagnostics)
      }
    }
    let hasSignatures = !endpoint.applications.isEmpty || !endpoint.patterns.isEmpty
    if let companion = node["companion"] {
      let words = Application.allCases.filter { $0.mayVouch }.map { $0.rawValue }
      for item in companion.list("a list of protocols", &diagnostics) ?? node.items {
        if let application = Application(rawValue: item.text), application.mayVouch {
          endpoint.companion.insert(ApplicationSet(application))
        } else {
          item.reportUnknown("protocol that can vouch", words, &diagnostics)
        }
      }
      if node["signatures"] == nil {
        diagnostics.error(
          "\"companion\" without \"signatures\": nothing to vouch for", at: companion)
      }
    }
    if let rate = node["rate"] {
      endpoint.rate = readRate(rate, &diagnostics)
      let carriesDatagrams =
        endpoint.applications.contains(ApplicationSet(.oicq))
        || endpoint.patterns.contains { patterns[$0].transport == .udp }
      if hasSignatures, !carriesDatagrams {
        diagnostics.error("\"rate\" counts datagrams, and no signature here is of UDP", at: rate)
      } else if node["signatures"] == nil {
        diagnostics.error("\"rate\" without \"signatures\": there is nothing to count", at: rate)
      }
    }
  }

  /// Reads `10/m`.
  private static func readRate(_ node: YAMLNode, _ diagnostics: inout Diagnostics) -> UInt16 {
    let text = node.isScalar ? node.text : ""
    if text.hasSuffix("/m"), let count = PortSet.port(text.dropLast(2)) { return count }
    node.report(
      expected: "datagrams a minute such as 10/m, from 1/m to 65535/m", &diagnostics)
    return 0
  }

  /// Reads `[{method: GET, host: probe.example, path: /generate_204}]`.
  static func readRequests(
    _ node: YAMLNode, _ endpoint: inout Endpoint, _ diagnostics: inout Diagnostics
  ) {
    guard let requests = node["requests"] else { return }
    let example = "a request such as {method: GET, host: probe.example, path: /generate_204}"
    for item in requests.list("a list of requests", &diagnostics) ?? node.items {
      guard item.isMapping,
        item.checkMapping(example, keys: ["method", "host", "path"], &diagnostics)
      else {
        if !item.isMapping { item.report(expected: example, &diagnostics) }
        continue
      }
      if let request = readRequest(item, &diagnostics) { endpoint.requests.append(request) }
    }
    for key in ["hosts", "regexes", "addresses", "signatures"] {
      guard let other = node[key] else { continue }
      diagnostics.error(
        "\"\(key)\" beside \"requests\"; give each an endpoint of its own", at: other)
    }
    if endpoint.ports.tcp.isEmpty {
      diagnostics.error(
        "\"requests\" are made over TCP, and no TCP port is open here", at: requests)
    }
  }

  private static func readRequest(
    _ node: YAMLNode, _ diagnostics: inout Diagnostics
  ) -> Request? {
    for key in ["method", "host", "path"] where node[key] == nil {
      diagnostics.error("missing key \"\(key)\"", at: node)
      return nil
    }
    enum Method: String, CaseIterable { case get = "GET", head = "HEAD" }
    guard let method = node["method"]?.choice(Method.self, &diagnostics),
      let hostNode = node["host"], let host = HostPattern.read(hostNode, &diagnostics),
      let pathNode = node["path"]
    else { return nil }
    if host.isSuffix {
      hostNode.report(expected: "the exact name of a host", &diagnostics)
      return nil
    }
    let path = pathNode.isScalar ? Array(pathNode.text.utf8) : []
    let isPath =
      path.first == UInt8(ascii: "/") && path.count <= 256
      && path.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    guard isPath else {
      pathNode.report(expected: "an exact path such as /generate_204", &diagnostics)
      return nil
    }
    return Request(method: Array(method.rawValue.utf8), host: host.name, path: path)
  }

  /// What only the whole pack shows: vouchers that nobody is, patterns that nobody lists.
  static func checkSignatures(
    _ node: YAMLNode, _ patterns: [SignatureTable.Pattern], _ features: [Feature],
    at patternsNode: YAMLNode?, _ diagnostics: inout Diagnostics
  ) {
    let endpoints = features.flatMap { $0.endpoints }
    var spoken = ApplicationSet()
    for endpoint in endpoints { spoken.formUnion(endpoint.applications) }
    for entry in node.entries where entry.value.isMapping {
      for endpoint in entry.value["endpoints"]?.items ?? node.items where endpoint.isMapping {
        for item in endpoint["companion"]?.items ?? node.items {
          guard let application = Application(rawValue: item.text), application.mayVouch,
            !spoken.contains(ApplicationSet(application))
          else { continue }
          diagnostics.error(
            "no endpoint of this pack lists \(item.found) under \"signatures\", so none can vouch",
            at: item)
        }
      }
    }
    let listed = Set(endpoints.flatMap { $0.patterns })
    for (index, pattern) in patterns.enumerated() where !listed.contains(index) {
      guard let node = patternsNode?.entries.first(where: { $0.key.hasText(pattern.name) }) else {
        continue
      }
      diagnostics.warning(
        "the pattern \"\(pattern.name)\" has no effect: no endpoint lists it", at: node.key)
    }
  }
}
