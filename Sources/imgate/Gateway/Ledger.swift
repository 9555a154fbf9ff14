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
    /// Its service, as `Vouchers` knows it.
    var service: UInt32 = 0
    /// The key of its usage, but for the hour.
    var key: UsageKey
    /// When it was entered.
    var entered: WallTime
    /// What has been credited of conntrack's counters.
    var credited = UsageCounts()
    /// The kernel's number of its entry; 0 until one was listed.
    ///
    /// A client that reboots soon opens another connection on the same ports.
    var id: UInt32 = 0
    /// Whether the rules have cut it: that is counted once, though it may idle for days before its
    /// next packet tells its ends.
    var isCut = false

    /// Whether its server's address was proven when it was judged.
    var isProven: Bool {
      reason != .addressUnproven && reason != .mediaCompanion && policy?.binding != .off
    }

    /// Whether the workers judge it piece by piece, and by the rules of each moment: questions to the
    /// trusted resolver, and requests by method and path.
    var isJudgedForLife: Bool { reason == .resolverAllowed || reason == .requestAllowed }

    /// Whether it is a chat connection, which media of the same device may call on.
    var vouches: Bool {
      !isCut && subject.host == nil && subject.application.mayVouch
        && (reason == .signatureAllowed || reason == .addressUnproven)
    }
  }

  private let learned: LearnedAddresses
  /// What is waiting to be written.
  private(set) var counters = UsageCounters()
  /// Allowed connections that have not ended.
  private(set) var connections: [FiveTuple: Connection] = [:]
  /// Earlier connections on the same five-tuple, whose end has not been reported yet.
  private var superseded: [FiveTuple: [Connection]] = [:]
  /// Live media, and perhaps some that has ended.
  private var media: Set<FiveTuple> = []
  /// What devices have downloaded of media since `takeMediaBytes`.
  private var mediaBytes: [MACAddress: UInt64] = [:]

  /// Empty books; what is `learned` counts when connections are judged again.
  init(learned: LearnedAddresses = LearnedAddresses()) { self.learned = learned }

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
        transport: Transport(record.tuple.proto, record.application), device: record.device),
      reason: record.reason, policy: record.policy,
      service: record.policy.serviceKey(of: record.rule), key: key, entered: time)
    if let old = connections[record.tuple] {
      if record.isContinuation {
        // Another host on the same connection: what was counted so far stays with the first.
        connection.credited = old.credited
        connection.id = old.id
      } else {
        superseded[record.tuple, default: []].append(old)
      }
    }
    connections[record.tuple] = connection
    noteMedia(record.tuple, record.reason)
  }

  // MARK: Bytes

  /// Credits a live connection with what conntrack has counted for it so far, in the entry with `id`
  /// (0: not known).
  mutating func credit(
    _ tuple: FiveTuple, _ total: UsageCounts, id: UInt32 = 0, at time: WallTime
  ) {
    guard let index = connections.index(forKey: tuple) else { return }
    if id != 0 {
      if connections.values[index].id == 0,
        !(superseded[tuple] ?? []).contains(where: { $0.id == id })
      {
        connections.values[index].id = id
      }
      // Of an earlier connection, or of a later one that is not decided yet.
      guard connections.values[index].id == id else { return }
    }
    Self.credit(&connections.values[index], total, at: time, &counters, &mediaBytes)
  }

  /// Credits a connection that has ended with what conntrack has counted for it, in the entry with
  /// `id` (0: not known).
  ///
  /// False when it was an earlier one, and another lives on the same five-tuple.
  @discardableResult
  mutating func close(
    _ tuple: FiveTuple, _ total: UsageCounts, id: UInt32 = 0, at time: WallTime
  ) -> Bool {
    let current = connections[tuple]
    let isCurrent = id != 0 && current?.id == id
    if !isCurrent, var earlier = superseded[tuple],
      let place = earlier.firstIndex(where: { id != 0 && $0.id == id })
        ?? earlier.firstIndex(where: { id == 0 || $0.id == 0 })
    {
      // Ends are reported in their order, where nothing else tells them apart.
      var connection = earlier.remove(at: place)
      superseded[tuple] = earlier.isEmpty ? nil : earlier
      Self.credit(&connection, total, at: time, &counters, &mediaBytes)
      return current == nil
    }
    guard var connection = current else { return true }
    // One that was refused, or that nobody had entered.
    guard isCurrent || id == 0 || connection.id == 0 else { return false }
    connections[tuple] = nil
    Self.credit(&connection, total, at: time, &counters, &mediaBytes)
    return true
  }

  private static func credit(
    _ connection: inout Connection, _ total: UsageCounts, at time: WallTime,
    _ counters: inout UsageCounters, _ mediaBytes: inout [MACAddress: UInt64]
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
    if connection.reason == .mediaCompanion {
      mediaBytes[connection.key.device, default: 0] &+= delta.bytesDown
    }
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

  // MARK: Media

  /// Whether media of companions lives.
  mutating func hasMedia() -> Bool {
    media = media.filter { connections[$0]?.reason == .mediaCompanion }
    return !media.isEmpty
  }

  /// What each device has downloaded of media since the last call; what it has uploaded is known to
  /// the workers, which see every packet of that.
  mutating func takeMediaBytes() -> [MACAddress: UInt64] {
    let taken = mediaBytes
    mediaBytes = [:]
    return taken
  }

  /// The live media of the devices for which `isOver` holds, to be cut: each is entered as refused.
  mutating func cutMedia(at time: WallTime, where isOver: (MACAddress) -> Bool) -> [FiveTuple] {
    var unwanted: [FiveTuple] = []
    for tuple in media {
      guard let index = connections.index(forKey: tuple) else { continue }
      let connection = connections.values[index]
      guard connection.reason == .mediaCompanion, !connection.isCut,
        isOver(connection.subject.device)
      else { continue }
      enterCut(index, .mediaBudget, at: time)
      unwanted.append(tuple)
    }
    return unwanted
  }

  private mutating func noteMedia(_ tuple: FiveTuple, _ reason: Reason) {
    if reason == .mediaCompanion { media.insert(tuple) }
  }

  private mutating func enterCut(
    _ index: Dictionary<FiveTuple, Connection>.Index, _ reason: Reason, at time: WallTime
  ) {
    connections.values[index].isCut = true
    var key = connections.values[index].key
    key.hour = LocalClock.hourStart(of: time)
    key.verdict = .deny
    key.reason = reason.name
    counters.add(key, UsageCounts(connections: 1))
  }

  // MARK: Rules

  /// Judges a live connection by `policy`; false when it is to be cut.
  ///
  /// It leaves the books when conntrack reports its end.
  mutating func judgeAgain(
    _ tuple: FiveTuple, by policy: Policy, at time: WallTime, now: Instant = .now
  ) -> Bool {
    guard let index = connections.index(forKey: tuple) else { return true }
    let connection = connections.values[index]
    // Nobody remembers its name. While the rules say the same, so does their verdict.
    if connection.reason == .beforeRestart, connection.policy?.digest == policy.digest {
      connections.values[index].policy = policy
      return true
    }
    guard let decision = decide(connection, by: policy, now: now) else {
      connections.values[index].policy = policy
      return true
    }
    guard decision.isAllowed else {
      guard !connection.isCut else { return true }
      enterCut(index, .rulesChanged, at: time)
      return false
    }
    let rule = policy.rule(decision.rule)
    connections.values[index].policy = policy
    connections.values[index].service = policy.serviceKey(of: decision.rule)
    connections.values[index].reason = decision.reason
    connections.values[index].key.service = rule.service
    connections.values[index].key.rule = rule.name
    connections.values[index].key.reason = decision.reason.name
    return true
  }

  // Nil: there is nothing to judge it by, it stays.
  private func decide(_ connection: Connection, by policy: Policy, now: Instant) -> Decision? {
    let subject = connection.subject
    if case .decided(let decision) = policy.opening(
      address: subject.address, port: subject.port, transport: subject.transport,
      device: subject.device)
    {
      // No rule has the port of questions to the trusted resolver.
      let isExempt = connection.isJudgedForLife && decision.reason == .portNotAllowed
      return isExempt ? nil : decision
    }
    if connection.isJudgedForLife { return nil }
    if subject.host != nil { return decideNamed(connection, by: policy, now: now) }
    if subject.application.isNameless { return decideNameless(connection, by: policy, now: now) }
    // One that nobody remembers the name of (from before a restart, or let through in a pause).
    return Decision(reason: .rulesChanged, rule: .none)
  }

  private func decideNamed(
    _ connection: Connection, by policy: Policy, now: Instant
  ) -> Decision {
    let subject = connection.subject
    var decision = policy.decide(subject)
    // An address that was proven once stays so for the connection.
    guard decision.needsKnownAddress, !connection.isProven, let host = subject.host,
      !learned.knows(host, at: subject.address, now: now),
      !policy.isBuiltIn(subject.address, port: subject.port, for: decision.rule)
    else { return decision }
    decision.reason = policy.binding == .observe ? .addressUnproven : .addressNotLearned
    return decision
  }

  private func decideNameless(
    _ connection: Connection, by policy: Policy, now: Instant
  ) -> Decision {
    let subject = connection.subject
    // An address that was proven once stays so, as long as the feature would still allow the protocol.
    let feature = connection.isProven ? connection.key.rule : nil
    guard subject.application == .pattern else {
      return policy.stillAllows(
        subject, pattern: nil, provenFor: feature, learned: learned, now: now)
    }
    // Which pattern it was is not remembered: any of those that would pass here.
    for name in policy.patternNames {
      guard let pattern = policy.pattern(named: name) else { continue }
      let decision = policy.stillAllows(
        subject, pattern: pattern, provenFor: feature, learned: learned, now: now)
      if decision.isAllowed { return decision }
    }
    return Decision(reason: .rulesChanged, rule: .none)
  }

  /// Takes up a connection that an earlier run of the gateway had allowed; its bytes so far stand
  /// in the store already, or were lost with that run.
  ///
  /// `policy` is nil when it is to be judged by this run's rules yet; `rule` is what had allowed it,
  /// if that is known.
  mutating func adopt(
    _ tuple: FiveTuple, _ total: UsageCounts, _ subject: Subject, _ reason: Reason,
    rule: String = "", policy: Policy?, id: UInt32 = 0, at time: WallTime
  ) {
    let host =
      subject.host?.text
      ?? UsageKey.target(
        tuple.destination, port: tuple.destinationPort, proto: tuple.proto)
    let key = UsageKey(
      hour: 0, device: subject.device, client: tuple.source, service: "", rule: rule, host: host,
      verdict: .allow, reason: reason.name)
    var connection = Connection(
      subject: subject, reason: reason, policy: policy, key: key, entered: time)
    connection.credited = total
    connection.id = id
    connections[tuple] = connection
    noteMedia(tuple, reason)
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

extension Application {
  /// Whether it carries no name, so that where it leads decides.
  var isNameless: Bool {
    switch self {
    case .unknown, .tls, .http, .quic, .gquic, .dns: false
    default: true
    }
  }
}

extension Transport {
  /// How a flow of `proto` is carried, once its protocol is recognised.
  init(_ proto: IPProtocol, _ application: Application) {
    guard proto == .udp else {
      self = .tcp
      return
    }
    self = application == .quic || application == .gquic ? .quic : .udp
  }
}
