internal import CSQLite

/// Why the store could not do what it was asked.
public struct UsageStoreError: Error, Equatable, Sendable {
  /// What sort of failure it is: what the caller can do about it depends on that.
  public enum Kind: Equatable, Sendable {
    /// The disk (or the store's own limit) is full: keep the rows and try again later.
    case full
    /// The file or its directory can't be written: keep the rows and try again later.
    case readOnly
    /// Somebody else has held the store for too long: keep the rows and try again.
    case busy
    /// The file is damaged: `UsageStore.startOver` sets it aside.
    case damaged
    /// A newer imgate made the file; it is left alone.
    case newer
    /// The file is a database, but not imgate's; it is left alone.
    case foreign
    /// There is no such file (for readers), or it can't be opened.
    case cannotOpen
    /// Reading or writing failed on the disk.
    case disk
    /// Anything else.
    case other
  }

  /// What sort of failure.
  public let kind: Kind
  /// One sentence for a person, with the path.
  public let text: String

  init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  /// A failure that SQLite reported with `code` and its own words, of the file at `path`.
  @inline(never)
  init(code: CInt, words: String, path: String) {
    switch code & 0xff {
    case SQLITE_FULL:
      self.init(.full, "no room is left for the usage store \(path)")
    case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
      self.init(.readOnly, "the usage store \(path) can't be written: \(words)")
    case SQLITE_BUSY, SQLITE_LOCKED:
      self.init(.busy, "another process keeps the usage store \(path) locked")
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      self.init(.damaged, "the usage store \(path) is damaged: \(words)")
    case SQLITE_CANTOPEN:
      self.init(.cannotOpen, "the usage store \(path) can't be opened: \(words)")
    case SQLITE_IOERR:
      self.init(.disk, "the disk under the usage store \(path) fails: \(words)")
    default:
      self.init(.other, "the usage store \(path): \(words)")
    }
  }
}
