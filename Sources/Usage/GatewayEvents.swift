/// Something that happened to the gateway itself and that the day's reader should know.
public struct GatewayEvent: Hashable, Sendable {
  /// What happened.
  public enum Kind: String, CaseIterable, Sendable {
    /// The gateway began to judge.
    case start
    /// It ended in order. A `start` without a `stop` before it: it was killed, or lost power.
    case stop
    /// The firewall's rules were missing or in the wrong place from `time` to `until`, and were put
    /// back.
    case firewallGap = "firewall-gap"
    /// New rules were put in force; `count` live connections were cut.
    case rulesChanged = "rules-changed"
    /// A reload found the rules file faulty; the old rules stayed in force.
    case rulesRefused = "rules-refused"
    /// Everything was let through from `time` to `until`.
    case paused
    /// Figures were lost: `count` rows or kernel messages.
    case dataLost = "data-lost"
    /// The store was damaged and a new one begun; `detail` names the damaged file.
    case storeDamaged = "store-damaged"
  }

  /// When, in seconds since 1970 (UTC).
  public var time: Int64
  /// For what lasts, when it ended; else the same as `time`.
  public var until: Int64
  /// What happened.
  public var kind: Kind
  /// How many, where the kind says of what.
  public var count: UInt64
  /// A few words, empty for none.
  public var detail: String

  /// All of it; `until` is `time` when left out.
  public init(
    _ kind: Kind, at time: Int64, until: Int64? = nil, count: UInt64 = 0, detail: String = ""
  ) {
    self.time = time
    self.until = until ?? time
    self.kind = kind
    self.count = count
    self.detail = detail
  }
}

/// How the kernel's queue and the gateway's ears did in one hour: increments, not totals.
public struct QueueHealth: Hashable, Sendable {
  /// Packets that visited the daemon.
  public var packetsQueued: UInt64
  /// Packets that the kernel dropped since a queue was full (`queue_dropped` of
  /// /proc/net/netfilter/nfnetlink_queue).
  public var queueDropped: UInt64
  /// Packets that the kernel dropped since they could not be sent to the daemon
  /// (`queue_user_dropped`).
  public var userDropped: UInt64
  /// How often reading a queue reported ENOBUFS.
  public var overruns: UInt64
  /// How often conntrack's messages overran: ends of connections may have been missed.
  public var conntrackOverruns: UInt64
  /// Packets that came to their end in the daemon without a verdict: 0 unless there is a bug.
  public var failures: UInt64
  /// Seconds in which the gateway judged.
  public var seconds: UInt64

  /// All of it.
  public init(
    packetsQueued: UInt64 = 0, queueDropped: UInt64 = 0, userDropped: UInt64 = 0,
    overruns: UInt64 = 0, conntrackOverruns: UInt64 = 0, failures: UInt64 = 0, seconds: UInt64 = 0
  ) {
    self.packetsQueued = packetsQueued
    self.queueDropped = queueDropped
    self.userDropped = userDropped
    self.overruns = overruns
    self.conntrackOverruns = conntrackOverruns
    self.failures = failures
    self.seconds = seconds
  }

  /// Whether any packet or message was lost.
  public var hasLoss: Bool {
    queueDropped | userDropped | overruns | conntrackOverruns | failures != 0
  }

  /// Whether there is nothing in it.
  public var isZero: Bool { !hasLoss && packetsQueued | seconds == 0 }

  /// Adds the increments of `b`.
  public static func += (a: inout QueueHealth, b: QueueHealth) {
    a.packetsQueued &+= b.packetsQueued
    a.queueDropped &+= b.queueDropped
    a.userDropped &+= b.userDropped
    a.overruns &+= b.overruns
    a.conntrackOverruns &+= b.conntrackOverruns
    a.failures &+= b.failures
    a.seconds &+= b.seconds
  }
}

/// What happened to the gateway since it was last written down: events, and the queue's health by
/// hour.
public struct GatewayEvents: Sendable {
  /// How many events are kept; past it, they are counted as lost.
  public static let limit = 2000

  /// The events in the order in which they were recorded.
  public private(set) var events: [GatewayEvent] = []
  /// The queue's health by hour (`LocalClock.hourStart`).
  public private(set) var health: [Int64: QueueHealth] = [:]
  private var lost: UInt64 = 0

  /// Nothing has happened.
  public init() {}

  /// Takes an event down.
  public mutating func record(_ event: GatewayEvent) {
    guard events.count >= Self.limit else { return events.append(event) }
    // The last place tells how many did not fit.
    lost += 1
    events[Self.limit - 1] = GatewayEvent(
      .dataLost, at: event.time, count: lost, detail: "more events than there is room for")
  }

  /// Adds the increments of one sample to `hour`.
  public mutating func add(_ sample: QueueHealth, hour: Int64) {
    health[hour, default: QueueHealth()] += sample
  }

  /// Forgets what was written down.
  public mutating func removeAll() {
    events.removeAll()
    health.removeAll()
    lost = 0
  }
}
