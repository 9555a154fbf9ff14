internal import System

/// A set of ports, as sorted ranges that don't touch.
struct PortSet: Hashable, Sendable {
  struct Range: Hashable, Sendable {
    let first: UInt16
    let last: UInt16
  }

  private(set) var ranges: [Range] = []

  static let none = PortSet()
  static let all = PortSet([Range(first: 0, last: .max)])

  init() {}

  init(_ unordered: [Range]) {
    for range in unordered.ordered(by: { $0.first < $1.first }) {
      if let last = ranges.last, Int(range.first) <= Int(last.last) + 1 {
        ranges[ranges.count - 1] = Range(first: last.first, last: max(last.last, range.last))
      } else {
        ranges.append(range)
      }
    }
  }

  init(ports: [UInt16]) { self.init(ports.map { Range(first: $0, last: $0) }) }

  var isEmpty: Bool { ranges.isEmpty }
  var isAll: Bool { self == .all }

  func contains(_ port: UInt16) -> Bool {
    // A rule names a handful of ports: a scan is faster than a search.
    for i in ranges.indices where port >= ranges[i].first && port <= ranges[i].last { return true }
    return false
  }

  func union(_ other: PortSet) -> PortSet { PortSet(ranges + other.ranges) }

  /// `80,443,5228-5230`, or `every port`.
  var text: String {
    if isAll { return "every port" }
    return ranges.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }
      .joined(separator: ",")
  }
}

/// On which transports and ports a rule holds.
struct PortCondition: Hashable, Sendable {
  var tcp = PortSet.none
  var udp = PortSet.none
  var quic = PortSet.none

  /// What a deny line without `ports` and `protocol` means.
  static let everything = PortCondition(tcp: .all, udp: .all, quic: .all)
  /// What an allow line without `ports` and `protocol` means.
  static let web = PortCondition(tcp: PortSet(ports: [80, 443]))

  func contains(_ transport: Transport, _ port: UInt16) -> Bool {
    switch transport {
    case .tcp: tcp.contains(port)
    case .udp: udp.contains(port)
    case .quic: quic.contains(port)
    }
  }

  mutating func formUnion(_ other: PortCondition) {
    tcp = tcp.union(other.tcp)
    udp = udp.union(other.udp)
    quic = quic.union(other.quic)
  }

  /// `tcp 80,443 udp 8000`, or `every port`.
  var text: String {
    if self == .everything { return "every port" }
    var parts: [String] = []
    for (name, set) in [("tcp", tcp), ("udp", udp), ("quic", quic)] where !set.isEmpty {
      parts.append("\(name) \(set.text)")
    }
    return parts.isEmpty ? "no port" : parts.joined(separator: " ")
  }
}
