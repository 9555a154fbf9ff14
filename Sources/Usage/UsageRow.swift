public import Wire

/// What became of a connection.
public enum UsageVerdict: String, CaseIterable, Sendable {
  /// It passed.
  case allow
  /// It was refused.
  case deny
}

/// What a row of usage counts for: one device, one host, one rule, one outcome, in one hour.
public struct UsageKey: Hashable, Sendable {
  /// The hour: its first second (`LocalClock.hourStart`).
  ///
  /// In rows of days that were rolled up, the first second of the day.
  public var hour: Int64
  /// The device's hardware address, `.unknown` when there is none.
  public var device: MACAddress
  /// The device's network address, `UsageKey.anyClient` when it was folded away.
  public var client: IPAddress
  /// The service that the rule belongs to (`wechat`, `own rules`), empty when no rule named it.
  public var service: String
  /// The feature or rule that decided (`wechat.messaging`, `allow .example.org`), empty for none.
  public var rule: String
  /// The host's name, or what `UsageKey.target` makes of an address, or `UsageKey.other`.
  public var host: String
  /// What became of the connections.
  public var verdict: UsageVerdict
  /// Why: the name of a `Reason`.
  public var reason: String

  /// All of it.
  public init(
    hour: Int64, device: MACAddress, client: IPAddress, service: String, rule: String,
    host: String, verdict: UsageVerdict, reason: String
  ) {
    self.hour = hour
    self.device = device
    self.client = client
    self.service = service
    self.rule = rule
    self.host = host
    self.verdict = verdict
    self.reason = reason
  }

  /// Stands for the hosts, rules or reasons of rows that were folded into one to save space.
  public static let other = "(other)"

  /// Stands for any address of a device.
  public static let anyClient = IPAddress(ipv6: 0)

  /// The host text of a connection that named no host: `198.51.100.9:443`, `[2001:2::9]:443`, for
  /// UDP `198.51.100.9:53/udp`, for protocols without ports `198.51.100.9/icmp` or
  /// `198.51.100.9/47`.
  public static func target(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> String {
    let text = address.text
    switch proto {
    case .tcp: return address.isIPv4 ? "\(text):\(port)" : "[\(text)]:\(port)"
    case .udp: return (address.isIPv4 ? "\(text):\(port)" : "[\(text)]:\(port)") + "/udp"
    case .icmp, .icmpv6: return "\(text)/icmp"
    default: return "\(text)/\(proto.number)"
    }
  }
}

/// How much a row of usage counts.
public struct UsageCounts: Equatable, Sendable {
  /// Connections, or attempts when they were refused; each is counted once, in the hour of its
  /// verdict.
  public var connections: UInt64
  /// IP packets from the device.
  public var packetsUp: UInt64
  /// IP packets to the device.
  public var packetsDown: UInt64
  /// Bytes of IP packets, headers included, from the device.
  public var bytesUp: UInt64
  /// Bytes of IP packets, headers included, to the device.
  public var bytesDown: UInt64

  /// All of it.
  public init(
    connections: UInt64 = 0, packetsUp: UInt64 = 0, packetsDown: UInt64 = 0, bytesUp: UInt64 = 0,
    bytesDown: UInt64 = 0
  ) {
    self.connections = connections
    self.packetsUp = packetsUp
    self.packetsDown = packetsDown
    self.bytesUp = bytesUp
    self.bytesDown = bytesDown
  }

  /// Bytes of both directions.
  public var bytes: UInt64 { bytesUp &+ bytesDown }

  /// Whether nothing was counted.
  public var isZero: Bool {
    connections | packetsUp | packetsDown | bytesUp | bytesDown == 0
  }

  /// Adds what `b` counts. (Wrapping: a wrong number is better than a daemon that stops.)
  public static func += (a: inout UsageCounts, b: UsageCounts) {
    a.connections &+= b.connections
    a.packetsUp &+= b.packetsUp
    a.packetsDown &+= b.packetsDown
    a.bytesUp &+= b.bytesUp
    a.bytesDown &+= b.bytesDown
  }
}

/// A key with what was counted for it.
public struct UsageRow: Equatable, Sendable {
  /// What it counts for.
  public var key: UsageKey
  /// How much.
  public var counts: UsageCounts

  /// Both.
  public init(_ key: UsageKey, _ counts: UsageCounts) {
    self.key = key
    self.counts = counts
  }
}
