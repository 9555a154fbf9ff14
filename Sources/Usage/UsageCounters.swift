internal import System
public import Wire

/// What was counted since it was last written to the store.
///
/// For one thread.
///
/// Bounded by the hour: a client that asks for a new name each time (or takes a new hardware
/// address) folds its rows into one whose host is `(other)`, and no sum changes by that.
public struct UsageCounters: Sendable {
  /// How many rows an hour has before rows are folded.
  ///
  /// Past it by a quarter, rules and addresses fold too, past it by half, devices and reasons.
  public let limit: Int
  /// How many refused (and, twice as many, allowed) rows one device has in an hour before they are
  /// folded.
  public let deviceLimit: Int

  /// Events and the queue's health.
  public var gateway = GatewayEvents()
  private var rows: [UsageKey: UsageCounts] = [:]
  private var hours: [Int64: Int] = [:]
  private var devices: [DeviceHour: Int] = [:]
  private var names: [MACAddress: String] = [:]

  private struct DeviceHour: Hashable {
    let hour: Int64
    let device: MACAddress
    let verdict: UsageVerdict
  }

  /// Nothing is counted yet.
  public init(limit: Int = 6000, deviceLimit: Int = 400) {
    self.limit = limit
    self.deviceLimit = deviceLimit
  }

  /// Adds `counts` to the row of `key`.
  public mutating func add(_ key: UsageKey, _ counts: UsageCounts) {
    if let place = rows.index(forKey: key) {
      rows.values[place] += counts
    } else {
      addNew(key, counts)
    }
  }

  private mutating func addNew(_ key: UsageKey, _ counts: UsageCounts) {
    var key = key
    let used = hours[key.hour, default: 0]
    let device = DeviceHour(hour: key.hour, device: key.device, verdict: key.verdict)
    let room = key.verdict == .deny ? deviceLimit : 2 * deviceLimit
    if used >= limit || devices[device, default: 0] >= room { key.host = UsageKey.other }
    if used >= limit + limit / 4 {
      key.client = UsageKey.anyClient
      key.rule = UsageKey.other
    }
    if used >= limit + limit / 2 {
      key.device = .unknown
      key.service = ""
      key.reason = UsageKey.other
    }
    if let place = rows.index(forKey: key) {
      rows.values[place] += counts
      return
    }
    rows[key] = counts
    hours[key.hour] = used + 1
    if key.device != .unknown { devices[device, default: 0] += 1 }
  }

  /// Keeps the name of a device, to be written with the rows.
  public mutating func name(_ device: MACAddress, _ name: String) {
    if names.count < limit || names[device] != nil { names[device] = name }
  }

  /// How many rows are in memory.
  public var rowCount: Int { rows.count }

  /// What has not been written, in the order of the keys' hours; `generation` is the store's.
  public func snapshot(generation: UInt64) -> UsageSnapshot {
    var snapshot = UsageSnapshot(generation: generation)
    snapshot.rows.reserveCapacity(rows.count)
    for (key, counts) in rows where !counts.isZero { snapshot.rows.append(UsageRow(key, counts)) }
    snapshot.rows = snapshot.rows.ordered { $0.key.hour < $1.key.hour }
    snapshot.events = gateway.events
    snapshot.health = gateway.health
    for (device, name) in names { snapshot.names.append((device: device, name: name)) }
    snapshot.names = snapshot.names.ordered { $0.device < $1.device }
    return snapshot
  }

  /// Forgets what was written down.
  ///
  /// Rows of `hour`, the one that is running, stay with nothing in them, so that the hour's limits
  /// hold however often it is written.
  public mutating func markWritten(hour: Int64) {
    gateway.removeAll()
    names.removeAll()
    rows = rows.filter { $0.key.hour == hour }
    hours = hours.filter { $0.key == hour }
    devices = devices.filter { $0.key.hour == hour }
    for place in rows.values.indices { rows.values[place] = UsageCounts() }
  }
}
