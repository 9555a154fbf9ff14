internal import Flow
internal import Names
internal import Policy
internal import Queue
internal import System
internal import Usage
internal import Wire

/// The books: which live connection belongs to which device, host and rule, and how many of its
/// bytes have been credited.
///
/// Bytes are never guessed: they come from conntrack's accounting, from a dump each minute and from
/// the report of each connection's end, so that connections which the kernel carries alone count,
/// and long ones are credited to the hours in which their bytes flowed.
struct Ledger {
  /// An allowed connection that the kernel knows.
  struct Connection {
    /// What was judged; it is judged again when the rules change.
    var subject: Subject
    /// Why it is allowed.
    var reason: Reason
    /// The rules by which it is allowed; nil when this run has not judged it.
    var policy: Policy?
    /// The key of its usage, but for the hour.
    var key: UsageKey
    /// When it was entered.
    var entered: WallTime
    /// What has been credited of conntrack's counters.
    var credited = UsageCounts()
    /// Whether the rules have cut it: that is counted once, though it may idle for days before its
    /// next packet tells its ends.
    var isCut = false
  }

  /// What is waiting to be written.
  private(set) var counters = UsageCounters()
  /// Allowed connections that have not ended.
  private(set) var connections: [FiveTuple: Connection] = [:]
  /// Earlier connections on the same five-tuple, whose end has not been reported yet.
  private var superseded: [FiveTuple: [Connection]] = [:]

  /// How many connections are open.
  var connectionCount: Int { connections.count }

  // MARK: Decisions

  /// Enters a decision.
  mutating func enter(_ record: FlowRecord, at time: WallTime) {
    let rule = record.policy.rule(record.rule)
    let host =
      record.host?.text
      ?? UsageKey.target(
        record.tuple.destination, port: record.tuple.destinationPort, proto: record.tuple.proto)
    let isAllowed = record.reason.isAllow
    let key = UsageKey(
      hour: LocalClock.hourStart(of: time), device: record.device,
      client: record.tuple.source, service: rule.service, rule: rule.name,
      host: host, verdict: isAllowed ? .allow : .deny, reason: record.reason.name)
    let isNew = !(isAllowed && record.isContinuation)
    counters.add(key, UsageCounts(connections: isNew ? 1 : 0))
    // In audit a flow that would have been refused goes on: its bytes count for what it asked.
    guard record.isConnection, isAllowed || record.passedAnyway else { return }
    var connection = Connection(
      subject: Subject(
        application: record.application, host: record.host, address: record.tuple.destination,
        port: record.tuple.destinationPort,
        transport: record.tuple.proto == .udp ? .udp : .tcp, device: record.device),
      reason: record.reason, policy: record.policy, key: key, entered: time)
    if let old = connections[record.tuple] {
      if record.isContinuation {
        // Another host on the same connection: what was counted so far stays with the first.
        connection.credited = old.credited
      } else {
        superseded[record.tuple, default: []].append(old)
      }
    }
    connections[record.tuple] = connection
  }

  // MARK: Bytes

  /// Credits a live connection with what conntrack has counted for it so far.
  mutating func credit(_ tuple: FiveTuple, _ total: UsageCounts, at time: WallTime) {
    guard let index = connections.index(forKey: tuple) else { return }
    Self.credit(&connections.values[index], total, at: time, &counters)
  }

  /// Credits a connection that has ended with what conntrack has counted for it.
  mutating func close(_ tuple: FiveTuple, _ total: UsageCounts, at time: WallTime) {
    if var earlier = superseded[tuple], !earlier.isEmpty {
      var connection = earlier.removeFirst()
      superseded[tuple] = earlier.isEmpty ? nil : earlier
      Self.credit(&connection, total, at: time, &counters)
      return
    }
    guard var connection = connections.removeValue(forKey: tuple) else { return }
    Self.credit(&connection, total, at: time, &counters)
  }

  private static func credit(
    _ connection: inout Connection, _ total: UsageCounts, at time: WallTime,
    _ counters: inout UsageCounters
  ) {
    let old = connection.credited
    // Counters that went back belong to another connection on the same ports.
    guard total.bytesUp >= old.bytesUp, total.bytesDown >= old.bytesDown else { return }
    let delta = UsageCounts(
      packetsUp: total.packetsUp &- old.packetsUp,
      packetsDown: total.packetsDown &- old.packetsDown, bytesUp: total.bytesUp - old.bytesUp,
      bytesDown: total.bytesDown - old.bytesDown)
    guard !delta.isZero else { return }
    connection.credited = total
    var key = connection.key
    key.hour = LocalClock.hourStart(of: time)
    counters.add(key, delta)
  }

  /// Forgets connections that a complete dump of conntrack, begun at `time`, did not have: the
  /// report of their end was lost.
  ///
  /// One that was entered shortly before may have been on its way into the kernel's table yet.
  mutating func keepOnly(_ live: Set<FiveTuple>, at time: WallTime) {
    connections = connections.filter { tuple, connection in
      live.contains(tuple) || connection.entered.seconds > time.seconds - 60
    }
    superseded = superseded.filter { live.contains($0.key) }
  }

  // MARK: Rules

  /// Judges a live connection by `policy`; false when it is to be cut.
  ///
  /// It leaves the books when conntrack reports its end.
  mutating func judgeAgain(_ tuple: FiveTuple, by policy: Policy, at time: WallTime) -> Bool {
    guard let index = connections.index(forKey: tuple) else { return true }
    let connection = connections.values[index]
    // Nobody remembers its name. While the rules say the same, so does their verdict.
    if connection.reason == .beforeRestart, connection.policy?.digest == policy.digest {
      connections.values[index].policy = policy
      return true
    }
    guard let decision = Self.decide(connection, by: policy) else { return true }
    guard decision.isAllowed else {
      guard !connection.isCut else { return true }
      connections.values[index].isCut = true
      var key = connection.key
      key.hour = LocalClock.hourStart(of: time)
      key.verdict = .deny
      key.reason = Reason.rulesChanged.name
      counters.add(key, UsageCounts(connections: 1))
      return false
    }
    let rule = policy.rule(decision.rule)
    connections.values[index].policy = policy
    connections.values[index].reason = decision.reason
    connections.values[index].key.service = rule.service
    connections.values[index].key.rule = rule.name
    connections.values[index].key.reason = decision.reason.name
    return true
  }

  private static func decide(_ connection: Connection, by policy: Policy) -> Decision? {
    let subject = connection.subject
    if case .decided(let decision) = policy.opening(
      address: subject.address, port: subject.port, transport: subject.transport,
      device: subject.device)
    {
      return decision
    }
    // One that nobody remembers the name of (from before a restart, or let through in a pause).
    guard subject.host != nil else { return Decision(reason: .rulesChanged, rule: .none) }
    return policy.decide(subject)
  }

  /// Takes up a connection that an earlier run of the gateway had allowed; its bytes so far stand
  /// in the store already, or were lost with that run.
  ///
  /// `policy` is nil when it is to be judged by this run's rules yet.
  mutating func adopt(
    _ tuple: FiveTuple, _ total: UsageCounts, _ subject: Subject, _ reason: Reason,
    policy: Policy?, at time: WallTime
  ) {
    let host =
      subject.host?.text
      ?? UsageKey.target(
        tuple.destination, port: tuple.destinationPort, proto: tuple.proto)
    let key = UsageKey(
      hour: 0, device: subject.device, client: tuple.source, service: "", rule: "", host: host,
      verdict: .allow, reason: reason.name)
    var connection = Connection(
      subject: subject, reason: reason, policy: policy, key: key, entered: time)
    connection.credited = total
    connections[tuple] = connection
  }

  // MARK: The rest of the books

  /// Enters an event of the gateway itself.
  mutating func enter(_ event: GatewayEvent) { counters.gateway.record(event) }

  /// Adds a sample of the queues' health.
  mutating func enter(_ health: QueueHealth, at time: WallTime) {
    counters.gateway.add(health, hour: LocalClock.hourStart(of: time))
  }

  /// Takes up figures that an earlier run could not write.
  mutating func takeUp(_ snapshot: UsageSnapshot) {
    for row in snapshot.rows { counters.add(row.key, row.counts) }
    for event in snapshot.events { counters.gateway.record(event) }
    for (hour, sample) in snapshot.health { counters.gateway.add(sample, hour: hour) }
    for (device, name) in snapshot.names { counters.name(device, name) }
  }

  /// Names a device.
  mutating func name(_ device: MACAddress, _ name: String) { counters.name(device, name) }

  /// Forgets what has been written.
  mutating func markWritten(at time: WallTime) {
    counters.markWritten(hour: LocalClock.hourStart(of: time))
  }
}
