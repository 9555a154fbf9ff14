internal import CSQLite
internal import CSystem
internal import System
internal import Wire

/// Reads a usage store, also while a daemon in another process writes to it.
///
/// For one thread.
public final class UsageReader {
  private let database: Database

  /// Opens the store at `path` for reading.
  ///
  /// Errors: `.cannotOpen` (there is no store yet), `.damaged`, `.newer`, `.foreign`.
  public init(_ path: String) throws(UsageStoreError) {
    if unsafe access(path, F_OK) != 0 {
      throw UsageStoreError(.cannotOpen, "there is no usage store at \(path) yet")
    }
    if unsafe access(path, R_OK) != 0 {
      throw UsageStoreError(
        .cannotOpen, "the usage store \(path) can't be read: \(SystemError("open").description)")
    }
    database = try Self.open(path)
    let version = try database.number("PRAGMA user_version")
    guard try database.number("PRAGMA application_id") == StoreSchema.applicationID else {
      throw UsageStoreError(.foreign, "\(path) is not imgate's usage store")
    }
    if version != StoreSchema.version {
      throw UsageStoreError(
        version > StoreSchema.version ? .newer : .other,
        "the usage store \(path) has version \(version), this program reads version "
          + "\(StoreSchema.version): the program and the running daemon are not the same imgate")
    }
  }

  private static func open(_ path: String) throws(UsageStoreError) -> Database {
    do throws(UsageStoreError) {
      let database = try Database(path, .readOnly)
      // Opening reads nothing; the first question does.
      _ = try database.number("PRAGMA user_version")
      return database
    } catch {
      // A store with a write-ahead log wants its index beside it. Where that can't be made, and
      // no log is there, nobody writes: the file alone is the whole store.
      guard error.kind == .cannotOpen || error.kind == .readOnly else { throw error }
      if unsafe access(path + "-wal", F_OK) == 0 { throw error }
      return try Database(path, .immutable)
    }
  }

  /// Everything of the days `first` to `last`, both included, as of one moment.
  ///
  /// Rows are as the store has them: by hour, or by day where they were summed up. For long ranges
  /// `forEachRow` needs less memory.
  public func read(
    from first: LocalDay, through last: LocalDay
  ) throws(UsageStoreError) -> UsageSnapshot {
    var rows: [UsageRow] = []
    var snapshot = try read(from: first, through: last) { rows.append($0) }
    snapshot.rows = rows
    return snapshot
  }

  /// The same with each row handed to `body` and none in the result.
  public func read(
    from first: LocalDay, through last: LocalDay, forEachRow body: (UsageRow) -> Void
  ) throws(UsageStoreError) -> UsageSnapshot {
    // One read transaction: a writer's commit in between is not seen by half.
    try database.run("BEGIN")
    do throws(UsageStoreError) {
      let snapshot = try readAll(from: first, through: last, body)
      try database.run("COMMIT")
      return snapshot
    } catch {
      try? database.run("ROLLBACK")
      throw error
    }
  }

  private func readAll(
    from first: LocalDay, through last: LocalDay, _ body: (UsageRow) -> Void
  ) throws(UsageStoreError) -> UsageSnapshot {
    let range = first.start.seconds..<max(first.start.seconds, last.end.seconds)
    var snapshot = UsageSnapshot(
      generation: UInt64(max(0, try database.number(UsageStore.generationQuery))))
    let words = try StoreWords(database)
    snapshot.names = words.names
    try readHours(range, words, body)
    try readDays(first, last, words, body)
    try readGateway(range, into: &snapshot)
    return snapshot
  }

  private func readHours(
    _ range: Range<Int64>, _ words: StoreWords, _ body: (UsageRow) -> Void
  ) throws(UsageStoreError) {
    let statement = try database.prepare(
      """
      SELECT hour, rule, host, outcome, connections, packets_up, packets_down, bytes_up,
        bytes_down, client
      FROM hour WHERE hour >= ? AND hour < ? ORDER BY hour
      """)
    statement.bind(1, range.lowerBound)
    statement.bind(2, range.upperBound)
    while try statement.step() {
      let client = words.client(statement.number(9))
      body(words.row(statement, hour: statement.number(0), client.device, client.address))
    }
  }

  private func readDays(
    _ first: LocalDay, _ last: LocalDay, _ words: StoreWords, _ body: (UsageRow) -> Void
  ) throws(UsageStoreError) {
    let statement = try database.prepare(
      """
      SELECT day, rule, host, outcome, connections, packets_up, packets_down, bytes_up,
        bytes_down, device
      FROM day WHERE day >= ? AND day <= ? ORDER BY day
      """)
    statement.bind(1, first.decimal)
    statement.bind(2, last.decimal)
    var start: (day: Int64, seconds: Int64) = (0, 0)
    while try statement.step() {
      let day = statement.number(0)
      if day != start.day {
        guard let date = LocalDay(decimal: day) else { continue }
        start = (day, date.start.seconds)
      }
      let device = words.device(statement.number(9))
      body(words.row(statement, hour: start.seconds, device, UsageKey.anyClient))
    }
  }

  private func readGateway(
    _ range: Range<Int64>, into snapshot: inout UsageSnapshot
  ) throws(UsageStoreError) {
    let events = try database.prepare(
      """
      SELECT time, until, kind, count, detail FROM event WHERE time < ? AND until >= ?
      ORDER BY time, rowid
      """)
    events.bind(1, range.upperBound)
    events.bind(2, range.lowerBound)
    while try events.step() {
      // A kind that this version doesn't know is left out.
      guard let kind = GatewayEvent.Kind(rawValue: events.text(2)) else { continue }
      snapshot.events.append(
        GatewayEvent(
          kind, at: events.number(0), until: events.number(1), count: events.count(3),
          detail: events.text(4)))
    }
    let health = try database.prepare("SELECT * FROM health WHERE hour >= ? AND hour < ?")
    health.bind(1, range.lowerBound)
    health.bind(2, range.upperBound)
    while try health.step() {
      snapshot.health[health.number(0)] = QueueHealth(
        packetsQueued: health.count(1), queueDropped: health.count(2),
        userDropped: health.count(3), overruns: health.count(4),
        conntrackOverruns: health.count(5), failures: health.count(6), seconds: health.count(7))
    }
  }
}
