/// What must become of a flow: said from the table of the capture and the client's bytes, without
/// the program.
enum Expectation: Equatable {
  case mustAllow(String)
  case mustDeny(String)
  case notScored(String)
}

/// Says for each flow of the tables what a gateway with WeChat, QQ and WeCom at their defaults, all
/// else closed and binding off must do.
struct Classifier {
  /// Names that are allowed on some TCP ports.
  struct Line {
    let ports: Set<Int>
    /// A leading dot: the name and all below it.
    let names: Set<String>
  }
  let lines: [Line]

  /// With the names of Tests/Conformance/allowed.tsv.
  init() throws {
    let prefixes = ["", "sh", "sz", "hk", "ml", "ca", "tj", "sh2tj", "sz2tj"]
    lines = try Table(CaptureFolder.project + "/Tests/Conformance/allowed.tsv").rows.map { row in
      var names: Set<String> = []
      for name in (row["names"] ?? "").split(separator: " ") {
        if name.hasPrefix("{P}") {
          names.formUnion(prefixes.map { $0 + name.dropFirst(3) })
        } else {
          names.insert(String(name))
        }
      }
      return Line(
        ports: Set((row["ports"] ?? "").split(separator: " ").compactMap { Int($0) }), names: names)
    }
  }

  /// Whether a feature that is on has `name` on `port`.
  func allows(_ name: String, _ port: Int) -> Bool {
    var name = name.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    return lines.contains { line in
      guard line.ports.contains(port) else { return false }
      if line.names.contains(name) { return true }
      return line.names.contains { suffix in
        suffix.hasPrefix(".") && (name.hasSuffix(suffix) || name == suffix.dropFirst())
      }
    }
  }

  /// What must become of a flow.
  func expectation(_ row: [String: String], _ flow: ClientBytes.Flow) -> Expectation {
    let proto = row["proto"] ?? ""
    if proto == "ICMP" || proto == "ICMPV6" { return .notScored("ICMP") }
    if flow.client.isMulticast || flow.server.isMulticast { return .notScored("multicast") }
    guard proto == "TCP" || proto == "UDP" else { return .mustDeny("another IP protocol") }
    if flow.client.port == 53 || flow.server.port == 53 { return .notScored("DNS") }
    if proto == "TCP", row["start"] != "syn" { return .notScored("begun before the capture") }
    if row["c2s_bytes"] == "0" { return .notScored("no payload of the client's") }
    return proto == "TCP" ? expectation(ofTCP: row, flow) : expectation(ofUDP: flow)
  }

  private func expectation(
    ofTCP row: [String: String], _ flow: ClientBytes.Flow
  ) -> Expectation {
    let stream = flow.stream
    let port = Int(flow.server.port)
    if stream.starts(with: [0x16, 0x03]) {
      let name = row["sni"] ?? ""
      return allows(name, port) ? .mustAllow("name in TLS") : .mustDeny("TLS")
    }
    if HTTPHead.begins(stream) { return expectation(ofHTTP: row, flow, stream) }
    let wechat: Set = [80, 443, 8080]
    if wechat.contains(port), ChatBytes.isLongLink(stream) { return .mustAllow("mmtls") }
    let qq: Set = [80, 443, 8080, 14000]
    if qq.contains(port), ChatBytes.isMSF(stream) { return .mustAllow("MSF") }
    let classic: Set = [80, 443, 8000]
    if classic.contains(port), ChatBytes.isPCQQ(stream) { return .mustAllow("PC QQ") }
    return .mustDeny("TCP without a name")
  }

  /// Every request must be for a name that is allowed; or a short link whose Host is the server's
  /// bare address.
  private func expectation(
    ofHTTP row: [String: String], _ flow: ClientBytes.Flow, _ stream: [UInt8]
  ) -> Expectation {
    let port = Int(flow.server.port)
    if row["first_kind"] == "http-CONNECT" { return .mustDeny("HTTP") }
    var hosts = (row["http_host"] ?? "").split(separator: ",").map { String($0) }
    var rest = stream
    while let head = HTTPHead(rest), let host = head.host, isServer(host, flow),
      let end = ChatBytes.shortLinkEnd(rest, head), [80, 443, 8080].contains(port)
    {
      hosts.removeAll { $0.lowercased() == host }
      rest = Array(rest.dropFirst(end))
      if rest.isEmpty, hosts.isEmpty { return .mustAllow("short link to a bare address") }
    }
    guard !hosts.isEmpty else { return .mustDeny("HTTP") }
    let isAllowed = hosts.allSatisfy { host in
      let parts = host.split(separator: ":")
      return parts.count <= 2 && parts.first.map { allows(String($0), port) } == true
    }
    return isAllowed ? .mustAllow("name in HTTP") : .mustDeny("HTTP")
  }

  /// Whether a Host is the server's own address: IPv4, or IPv6 with or without its brackets.
  private func isServer(_ host: String, _ flow: ClientBytes.Flow) -> Bool {
    var text = host
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      text = String(text[text.index(after: text.startIndex)..<end])
    } else if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") {
      text = String(text[..<colon])
    }
    return End(text, "0")?.address == flow.server.address
  }

  private func expectation(ofUDP flow: ClientBytes.Flow) -> Expectation {
    if flow.server.port == 8000, !flow.datagrams.isEmpty,
      flow.datagrams.allSatisfy({ ChatBytes.isOICQ($0) })
    {
      return .mustAllow("OICQ")
    }
    return .mustDeny("UDP")
  }
}
