public import CSystem

/// An open file descriptor that closes itself.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number that the kernel knows it by.
  public let number: CInt

  /// Takes ownership of `number`.
  public init(owning number: CInt) { self.number = number }

  deinit { close(number) }

  /// Opens `path` (open(2)), close-on-exec; EINTR is retried.
  public static func open(
    _ path: String, _ flags: CInt, mode: mode_t = 0o644
  ) throws(SystemError) -> FileDescriptor {
    while true {
      let number = unsafe imgate_open(path, flags, mode)
      if number >= 0 { return FileDescriptor(owning: number) }
      if imgate_errno() != EINTR { throw SystemError("open") }
    }
  }

  /// Reads at most `limit` bytes; an empty array is the end of the file (read(2)).
  public borrowing func read(atMost limit: Int) throws(SystemError) -> [UInt8] {
    var failure: CInt = 0
    // The buffer is handed to read(2) with its own capacity.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      while true {
        let n = unsafe CSystem.read(number, buffer.baseAddress, limit)
        if n >= 0 {
          count = n
          return
        }
        if imgate_errno() != EINTR {
          failure = imgate_errno()
          return
        }
      }
    }
    guard failure == 0 else { throw SystemError("read", code: failure) }
    return bytes
  }

  /// Writes what fits of `bytes` from `start` on, in one write(2); how many bytes that were.
  ///
  /// On a non-blocking descriptor without room it throws (`isWouldBlock`).
  public borrowing func writeOnce(_ bytes: [UInt8], from start: Int) throws(SystemError) -> Int {
    precondition(start <= bytes.count)
    while true {
      // The pointer is used within the closure only, for the bytes from `start` to the end.
      let n = unsafe bytes.withUnsafeBytes { buffer in
        unsafe CSystem.write(number, buffer.baseAddress?.advanced(by: start), buffer.count - start)
      }
      if n >= 0 { return n }
      if imgate_errno() != EINTR { throw SystemError("write") }
    }
  }

  /// Writes all of `bytes` (write(2)), going on after short writes and EINTR.
  public borrowing func write(_ bytes: [UInt8]) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      // The pointer is used within the closure only, for the bytes that remain.
      let n = unsafe bytes.withUnsafeBytes { buffer in
        unsafe CSystem.write(number, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      }
      if n >= 0 {
        done += n
      } else if imgate_errno() != EINTR {
        throw SystemError("write")
      }
    }
  }
}

/// Whole-file operations.
public enum File {
  /// The bytes of the file at `path`, at most `limit` of them (`EFBIG` past it).
  public static func read(
    _ path: String, limit: Int = 16 << 20
  ) throws(SystemError) -> [UInt8] {
    let file = try FileDescriptor.open(path, O_RDONLY)
    var bytes: [UInt8] = []
    while true {
      let piece = try file.read(atMost: 64 << 10)
      if piece.isEmpty { return bytes }
      bytes += piece
      if bytes.count > limit { throw SystemError("read", code: EFBIG) }
    }
  }

  /// Replaces the file at `path` in one step: written beside it, synced, renamed over it.
  public static func replace(
    _ path: String, with bytes: [UInt8], mode: mode_t = 0o644
  ) throws(SystemError) {
    let temporary = path + ".new"
    do throws(SystemError) {
      let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
      try file.write(bytes)
      if fsync(file.number) != 0 { throw SystemError("fsync") }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
    if unsafe rename(temporary, path) != 0 { throw SystemError("rename") }
  }

  /// Writes `text` into an existing file without truncating it, as sysctl files want it.
  public static func overwrite(_ path: String, with text: String) throws(SystemError) {
    let file = try FileDescriptor.open(path, O_WRONLY)
    try file.write(Array(text.utf8))
  }
  /// Removes the file at `path`; one that isn't there is no error.
  public static func remove(_ path: String) throws(SystemError) {
    if unsafe unlink(path) != 0 && imgate_errno() != ENOENT { throw SystemError("unlink") }
  }
}
