internal import CSQLite

/// A connection to a SQLite file.
///
/// For one thread at a time.
@safe final class Database {
  /// Where the file is.
  let path: String
  private let handle: OpaquePointer

  enum Access {
    case readWrite
    /// Reads beside a writer.
    case readOnly
    /// Reads a file that nobody writes, in a directory where nothing may be made.
    case immutable
  }

  /// Opens the file; with `.readWrite` it is made when there is none.
  init(_ path: String, _ access: Access) throws(UsageStoreError) {
    self.path = path
    var flags = SQLITE_OPEN_URI
    flags |=
      access == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
    var name = Self.uri(path)
    if access == .immutable { name += "?immutable=1" }
    var opened: OpaquePointer?
    let status = unsafe sqlite3_open_v2(name, &opened, flags, nil)
    guard let opened = unsafe opened else {
      throw UsageStoreError(code: status, words: "out of memory", path: path)
    }
    guard status == SQLITE_OK else {
      // The message lives in the handle, so it is copied before the handle goes.
      let words = unsafe String(cString: sqlite3_errmsg(opened))
      unsafe sqlite3_close_v2(opened)
      throw UsageStoreError(code: status, words: words, path: path)
    }
    unsafe handle = opened
    unsafe sqlite3_extended_result_codes(handle, 1)
    // A reader's snapshot or a checkpoint may hold the file for a moment.
    unsafe sqlite3_busy_timeout(handle, 2000)
  }

  deinit {
    unsafe sqlite3_close_v2(handle)
  }

  /// The path as a URI in which `?`, `#` and `%` mean themselves.
  private static func uri(_ path: String) -> String {
    var bytes = Array("file:".utf8)
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "?"): bytes += Array("%3f".utf8)
      case UInt8(ascii: "#"): bytes += Array("%23".utf8)
      case UInt8(ascii: "%"): bytes += Array("%25".utf8)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Runs statements that give no rows.
  func run(_ sql: String) throws(UsageStoreError) {
    let status = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
    if status != SQLITE_OK { throw failure(status) }
  }

  /// Prepares a statement.
  func prepare(_ sql: String) throws(UsageStoreError) -> Statement {
    var statement: OpaquePointer?
    let status = unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
    guard status == SQLITE_OK, let statement = unsafe statement else { throw failure(status) }
    return unsafe Statement(statement, self)
  }

  /// The first column of the first row as a number; 0 without a row.
  func number(_ sql: String) throws(UsageStoreError) -> Int64 {
    let statement = try prepare(sql)
    return try statement.step() ? statement.number(0) : 0
  }

  /// The first column of the first row as text; empty without a row.
  func text(_ sql: String) throws(UsageStoreError) -> String {
    let statement = try prepare(sql)
    return try statement.step() ? statement.text(0) : ""
  }

  /// The number of the row that was last inserted.
  var lastRow: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

  /// Runs `body` in one transaction: all of it is written, or nothing.
  func transaction(_ body: () throws(UsageStoreError) -> Void) throws(UsageStoreError) {
    // Immediate: the lock is taken first, so that no half-done work meets a busy file.
    try run("BEGIN IMMEDIATE")
    do throws(UsageStoreError) {
      try body()
      try run("COMMIT")
    } catch {
      // After some failures SQLite has rolled back by itself; then this one fails, harmlessly.
      _ = unsafe sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
      throw error
    }
  }

  /// Gives back what memory can be spared.
  func releaseMemory() {
    unsafe sqlite3_db_release_memory(handle)
  }

  /// The failure that SQLite just reported.
  func failure(_ status: CInt) -> UsageStoreError {
    // The text is copied before any other call can change it.
    UsageStoreError(code: status, words: unsafe String(cString: sqlite3_errmsg(handle)), path: path)
  }
}

/// A prepared statement: bound, stepped through, bound again.
@safe struct Statement: ~Copyable {
  private let statement: OpaquePointer
  // Kept alive: a statement must not outlive its connection.
  private let database: Database

  init(_ statement: OpaquePointer, _ database: Database) {
    unsafe self.statement = statement
    self.database = database
  }

  deinit {
    unsafe sqlite3_finalize(statement)
  }

  /// Gives the parameter at `place` (from 1) a number.
  borrowing func bind(_ place: CInt, _ number: Int64) {
    unsafe sqlite3_bind_int64(statement, place, number)
  }

  /// Gives the parameter at `place` a count; what is past the largest number becomes that.
  borrowing func bind(_ place: CInt, _ count: UInt64) {
    bind(place, Int64(clamping: count))
  }

  /// Gives the parameter at `place` a text.
  borrowing func bind(_ place: CInt, _ text: String) {
    // SQLite copies the text during the call.
    unsafe imgate_sqlite_bind_text(statement, place, text, CInt(clamping: text.utf8.count))
  }

  /// Goes to the next row; false when there is none.
  borrowing func step() throws(UsageStoreError) -> Bool {
    let status = unsafe sqlite3_step(statement)
    switch status {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw database.failure(status)
    }
  }

  /// Runs a statement without rows and makes it ready to be bound again.
  borrowing func run() throws(UsageStoreError) {
    _ = try step()
    reset()
  }

  /// Makes the statement ready to be bound again.
  borrowing func reset() {
    unsafe sqlite3_reset(statement)
  }

  /// The number in the column at `place` (from 0) of the row at hand.
  borrowing func number(_ place: CInt) -> Int64 { unsafe sqlite3_column_int64(statement, place) }

  /// The count in a column; a negative number, which only damage can bring, is 0.
  borrowing func count(_ place: CInt) -> UInt64 { UInt64(max(0, number(place))) }

  /// The text in a column, empty for null.
  borrowing func text(_ place: CInt) -> String {
    // The text is copied while the row is still at hand; bytes that are not UTF-8 are repaired.
    guard let text = unsafe sqlite3_column_text(statement, place) else { return "" }
    let count = Int(unsafe sqlite3_column_bytes(statement, place))
    let bytes = unsafe UnsafeBufferPointer(start: text, count: count)
    return unsafe String(decoding: bytes, as: UTF8.self)
  }
}
