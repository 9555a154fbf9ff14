internal import Wire

/// Writes one snapshot within a transaction that the caller has begun.
///
/// Words are interned: a name stands once in its table, rows carry its number.
struct StoreWriter {
  private let database: Database

  init(_ database: Database) { self.database = database }

  func write(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    try writeNames(snapshot)
    try writeRows(snapshot)
    try writeEvents(snapshot)
    try writeHealth(snapshot)
  }

  private func writeRows(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    if snapshot.rows.isEmpty { return }
    var devices = try Words(database, "device", "mac")
    var clients = try Words(database, "client", "device", "address")
    var rules = try Words(database, "rule", "service", "name")
    var hosts = try Words(database, "host", "name")
    var outcomes = try Words(database, "outcome", "verdict", "reason")
    let add = try database.prepare(
      """
      INSERT INTO hour VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(hour, client, rule, host, outcome) DO UPDATE SET
        connections = connections + excluded.connections,
        packets_up = packets_up + excluded.packets_up,
        packets_down = packets_down + excluded.packets_down,
        bytes_up = bytes_up + excluded.bytes_up,
        bytes_down = bytes_down + excluded.bytes_down
      """)
    for row in snapshot.rows {
      let device = try devices.id(row.key.device.text)
      let address = row.key.client == UsageKey.anyClient ? "" : row.key.client.text
      add.bind(1, row.key.hour)
      add.bind(2, try clients.id(String(device), address))
      add.bind(3, try rules.id(row.key.service, row.key.rule))
      add.bind(4, try hosts.id(row.key.host))
      add.bind(5, try outcomes.id(row.key.verdict.rawValue, row.key.reason))
      add.bind(6, row.counts.connections)
      add.bind(7, row.counts.packetsUp)
      add.bind(8, row.counts.packetsDown)
      add.bind(9, row.counts.bytesUp)
      add.bind(10, row.counts.bytesDown)
      try add.run()
    }
  }

  private func writeNames(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    let add = try database.prepare(
      """
      INSERT INTO device(mac, name) VALUES(?, ?)
      ON CONFLICT(mac) DO UPDATE SET name = excluded.name WHERE name != excluded.name
      """)
    for (device, name) in snapshot.names {
      add.bind(1, device.text)
      add.bind(2, name)
      try add.run()
    }
  }

  private func writeEvents(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    let add = try database.prepare("INSERT INTO event VALUES(?, ?, ?, ?, ?)")
    for event in snapshot.events {
      add.bind(1, event.time)
      add.bind(2, event.until)
      add.bind(3, event.kind.rawValue)
      add.bind(4, event.count)
      add.bind(5, event.detail)
      try add.run()
    }
  }

  private func writeHealth(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    let add = try database.prepare(
      """
      INSERT INTO health VALUES(?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(hour) DO UPDATE SET
        packets_queued = packets_queued + excluded.packets_queued,
        queue_dropped = queue_dropped + excluded.queue_dropped,
        user_dropped = user_dropped + excluded.user_dropped,
        overruns = overruns + excluded.overruns,
        conntrack_overruns = conntrack_overruns + excluded.conntrack_overruns,
        failures = failures + excluded.failures,
        seconds = seconds + excluded.seconds
      """)
    for (hour, health) in snapshot.health {
      add.bind(1, hour)
      add.bind(2, health.packetsQueued)
      add.bind(3, health.queueDropped)
      add.bind(4, health.userDropped)
      add.bind(5, health.overruns)
      add.bind(6, health.conntrackOverruns)
      add.bind(7, health.failures)
      add.bind(8, health.seconds)
      try add.run()
    }
  }
}

/// One of the tables in which words stand once: a word's number, given out at its first use.
private struct Words: ~Copyable {
  private let database: Database
  private let find: Statement
  private let make: Statement
  private let hasTwo: Bool
  private var known: [Pair: Int64] = [:]

  private struct Pair: Hashable {
    let first: String
    let second: String
  }

  init(
    _ database: Database, _ table: String, _ first: String, _ second: String? = nil
  ) throws(UsageStoreError) {
    let columns = second.map { "\(first), \($0)" } ?? first
    let condition = second.map { "\(first) = ? AND \($0) = ?" } ?? "\(first) = ?"
    let values = second == nil ? "?" : "?, ?"
    // Both first, then the fields: a value that can't be copied is whole or not there.
    let find = try database.prepare("SELECT id FROM \(table) WHERE \(condition)")
    let make = try database.prepare("INSERT INTO \(table)(\(columns)) VALUES(\(values))")
    self.database = database
    self.find = find
    self.make = make
    hasTwo = second != nil
  }

  mutating func id(_ first: String, _ second: String = "") throws(UsageStoreError) -> Int64 {
    let pair = Pair(first: first, second: second)
    if let id = known[pair] { return id }
    find.bind(1, first)
    if hasTwo { find.bind(2, second) }
    defer { find.reset() }
    if try find.step() {
      let id = find.number(0)
      known[pair] = id
      return id
    }
    make.bind(1, first)
    if hasTwo { make.bind(2, second) }
    try make.run()
    let id = database.lastRow
    known[pair] = id
    return id
  }
}
