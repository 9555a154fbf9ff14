internal import CSystem
public import System
public import Wire

/// The usage store: one SQLite file that outlives the daemon.
///
/// For one thread at a time; other processes may read it meanwhile with `UsageReader`.
///
/// A write is one transaction in the write-ahead log, synced: what `add` returned from is there
/// after a kill or a power cut, and what it did not return from is not there by half.
public final class UsageStore {
  /// Where the file is.
  public let path: String
  /// How many times the store was written to.
  public private(set) var generation: UInt64 = 0
  /// Where the damaged file went that stood in the way, if one did.
  public private(set) var setAside: String?

  private(set) var database: Database
  private let sizeLimit: Int64

  /// Files up to this size are looked through when they are opened (about a second on a slow disk);
  /// in larger ones damage is found where it is met.
  private static let checkedSize: Int64 = 64 << 20

  /// Opens the store at `path`, makes it when there is none, brings an older version up to date,
  /// and sets a damaged file aside (`path.damaged-<seconds>`, of which the three newest are kept).
  ///
  /// `sizeLimit` is the most bytes that the file may grow to, `now` names a file set aside. Errors:
  /// `.newer`, `.foreign`, `.cannotOpen`, `.readOnly`, `.full`, `.busy`, `.disk`.
  public init(
    _ path: String, now: WallTime, sizeLimit: Int64 = 512 << 20
  ) throws(UsageStoreError) {
    self.path = path
    self.sizeLimit = sizeLimit
    do throws(UsageStoreError) {
      database = try Self.open(path, sizeLimit: sizeLimit)
    } catch {
      guard error.kind == .damaged else { throw error }
      setAside = try Self.setAside(path, now: now)
      database = try Self.open(path, sizeLimit: sizeLimit)
    }
    generation = UInt64(max(0, try database.number(Self.generationQuery)))
  }

  static let generationQuery = "SELECT value FROM meta WHERE key = 'generation'"

  /// Sets the file aside that `add` or `expire` found damaged, and begins a new one; returns where
  /// the damaged file went.
  public func startOver(now: WallTime) throws(UsageStoreError) -> String {
    // The old connection is replaced by one that holds no file before the file is renamed.
    database = try Database(Self.noFile, .readWrite)
    let aside = try Self.setAside(path, now: now)
    setAside = aside
    database = try Self.open(path, sizeLimit: sizeLimit)
    generation = 0
    return aside
  }

  /// Adds rows, events, health and names to the store, all or nothing.
  ///
  /// A row whose key is there already is added to it. After an error nothing has changed.
  public func add(_ snapshot: UsageSnapshot) throws(UsageStoreError) {
    try requireFile()
    let next = generation + 1
    let database = database
    try database.transaction { () throws(UsageStoreError) in
      try StoreWriter(database).write(snapshot)
      let statement = try database.prepare("UPDATE meta SET value = ? WHERE key = 'generation'")
      statement.bind(1, next)
      try statement.run()
    }
    generation = next
    database.releaseMemory()
  }

  /// The bytes, both ways, of each device's use for `reason` in the hours from `start` on.
  public func bytes(
    of reason: String, since start: WallTime
  ) throws(UsageStoreError) -> [MACAddress: UInt64] {
    try requireFile()
    let statement = try database.prepare(
      """
      SELECT device.mac, sum(bytes_up + bytes_down) FROM hour
        JOIN client ON client.id = hour.client JOIN device ON device.id = client.device
      WHERE hour >= ? AND outcome IN (SELECT id FROM outcome WHERE reason = ?) GROUP BY device.id
      """)
    statement.bind(1, start.seconds)
    statement.bind(2, reason)
    var bytes: [MACAddress: UInt64] = [:]
    while try statement.step() {
      guard let device = MACAddress(statement.text(0)) else { continue }
      bytes[device] = statement.count(1)
    }
    return bytes
  }

  /// Throws `.damaged` while a `startOver` that failed has left the store without its file.
  func requireFile() throws(UsageStoreError) {
    if database.path == Self.noFile {
      throw UsageStoreError(.damaged, "the damaged usage store \(path) was not yet set aside")
    }
  }

  private static let noFile = ":memory:"

  private static func open(
    _ path: String, sizeLimit: Int64
  ) throws(UsageStoreError) -> Database {
    // Made here and not by SQLite, so that only the owner and the group may read who used what.
    let made = unsafe imgate_open(path, O_RDWR | O_CREAT, 0o640)
    if made < 0 {
      let error = SystemError("open")
      if error.code == ENOSPC {
        throw UsageStoreError(.full, "no room is left for the usage store \(path)")
      }
      let isReadOnly = error.code == EROFS || error.isNotPermitted
      throw UsageStoreError(
        isReadOnly ? .readOnly : .cannotOpen,
        "the usage store \(path) can't be written: \(error.description)")
    }
    let size = lseek(made, 0, SEEK_END)
    close(made)
    let database = try Database(path, .readWrite)
    // Only a new file takes these two; an old one has them.
    if size == 0 { try database.run("PRAGMA auto_vacuum = INCREMENTAL") }
    try useWriteAheadLog(database)
    try database.run("PRAGMA synchronous = FULL; PRAGMA cache_size = -1024")
    try migrate(database)
    if size <= checkedSize { try check(database) }
    let page = max(512, try database.number("PRAGMA page_size"))
    try database.run("PRAGMA max_page_count = \(max(16, sizeLimit / page))")
    return database
  }

  private static func useWriteAheadLog(_ database: Database) throws(UsageStoreError) {
    do throws(UsageStoreError) {
      _ = try database.text("PRAGMA journal_mode = WAL")
    } catch {
      // Some flash file systems (jffs2) can't map shared memory: the old journal serves there.
      guard error.kind == .disk || error.kind == .cannotOpen else { throw error }
      _ = try database.text("PRAGMA journal_mode = DELETE")
    }
  }

  private static func migrate(_ database: Database) throws(UsageStoreError) {
    let version = try database.number("PRAGMA user_version")
    let application = try database.number("PRAGMA application_id")
    let isNew = try database.number("SELECT count(*) FROM sqlite_master") == 0 && version == 0
    guard isNew || application == StoreSchema.applicationID else {
      throw UsageStoreError(
        .foreign, "\(database.path) is a database, but not imgate's usage store")
    }
    if version > StoreSchema.version {
      throw UsageStoreError(
        .newer,
        "the usage store \(database.path) was made by a newer imgate (its version is \(version), "
          + "this program knows up to \(StoreSchema.version)); it is left as it is")
    }
    var step = max(0, version)
    while step < StoreSchema.version {
      let sql = StoreSchema.migrations[Int(step)]
      try database.transaction { () throws(UsageStoreError) in
        try database.run(sql)
        try database.run("PRAGMA application_id = \(StoreSchema.applicationID)")
        try database.run("PRAGMA user_version = \(step + 1)")
      }
      step += 1
    }
  }

  /// Looks the file through; `quick_check` says `ok`, or what is wrong.
  private static func check(_ database: Database) throws(UsageStoreError) {
    let answer = try database.text("PRAGMA quick_check(1)")
    if answer != "ok" {
      throw UsageStoreError(.damaged, "the usage store \(database.path) is damaged: \(answer)")
    }
  }

  private static func setAside(_ path: String, now: WallTime) throws(UsageStoreError) -> String {
    let aside = "\(path).damaged-\(now.seconds)"
    // The log belongs to the damaged file and goes with it; SQLite makes the index anew.
    if unsafe rename(path, aside) != 0 {
      let words = SystemError("rename").description
      throw UsageStoreError(
        .readOnly, "the damaged usage store \(path) can't be set aside: \(words)")
    }
    unsafe rename(path + "-wal", aside + "-wal")
    unsafe unlink(path + "-shm")
    DamagedFiles.prune(beside: path, keep: 3)
    return aside
  }
}
