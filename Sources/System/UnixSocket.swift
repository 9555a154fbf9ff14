internal import CSystem

/// Stream sockets with a path, between programs on the same box (unix(7)).
public enum UnixSocket {
  /// Sends `request` to whoever listens at `path` and returns all that comes back.
  ///
  /// `timeout` limits the wait for each piece (`ETIMEDOUT`), `limit` the whole answer
  /// (`EMSGSIZE`). `ENOENT` or `ECONNREFUSED`: nobody listens.
  public static func exchange(
    _ path: String, _ request: [UInt8], timeout: Instant.Span, limit: Int
  ) throws(SystemError) -> [UInt8] {
    let socket = try open(nonBlocking: false)
    var time = timeval(
      tv_sec: Int(timeout.wholeSeconds),
      tv_usec: Int(timeout.nanoseconds % 1_000_000_000 / 1000))
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      // The option's value is exactly a timeval.
      let status = unsafe setsockopt(
        socket.number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
      if status != 0 { throw SystemError("setsockopt") }
    }
    try connect(socket, path)
    do throws(SystemError) {
      try socket.write(request)
      var answer: [UInt8] = []
      while true {
        let piece = try socket.read(atMost: 64 << 10)
        if piece.isEmpty { return answer }
        answer += piece
        if answer.count > limit { throw SystemError("read", code: EMSGSIZE) }
      }
    } catch {
      throw error.isWouldBlock ? SystemError(error.call, code: ETIMEDOUT) : error
    }
  }

  fileprivate static func open(nonBlocking: Bool) throws(SystemError) -> FileDescriptor {
    var kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    if nonBlocking { kind |= CInt(SOCK_NONBLOCK.rawValue) }
    let number = socket(AF_UNIX, kind, 0)
    if number < 0 { throw SystemError("socket") }
    return FileDescriptor(owning: number)
  }

  fileprivate static func connect(
    _ socket: borrowing FileDescriptor, _ path: String
  ) throws(SystemError) {
    var address = try UnixAddress(path: path)
    // The address outlives the call and comes with its size.
    if unsafe imgate_connect_unix(socket.number, &address.address, address.size) != 0 {
      throw SystemError("connect")
    }
  }
}

/// A socket that listens at a path; the path goes when it goes.
public struct UnixListener: ~Copyable {
  private let socket: FileDescriptor
  private let path: String

  /// Listens at `path`, for its owner and group alone (mode 0660), without blocking.
  ///
  /// A socket that nobody listens at any more is removed, one that answers is left alone
  /// (`EADDRINUSE`).
  public init(path: String) throws(SystemError) {
    let socket = try UnixSocket.open(nonBlocking: true)
    var address = try UnixAddress(path: path)
    // The address outlives each call and comes with its size.
    var status = unsafe imgate_bind_unix(socket.number, &address.address, address.size)
    if status != 0, imgate_errno() == EADDRINUSE, Self.isStale(path) {
      unsafe unlink(path)
      status = unsafe imgate_bind_unix(socket.number, &address.address, address.size)
    }
    if status != 0 { throw SystemError("bind") }
    // Nobody can connect before listen(2), so the mode is right from the first moment.
    if unsafe chmod(path, 0o660) != 0 { throw SystemError("chmod") }
    if listen(socket.number, 16) != 0 { throw SystemError("listen") }
    self.socket = socket
    self.path = path
  }

  deinit { unsafe unlink(path) }

  /// For an event loop.
  public var descriptor: CInt { socket.number }

  /// The next caller, without blocking; nil when none waits.
  public borrowing func accept() throws(SystemError) -> FileDescriptor? {
    while true {
      let number = imgate_accept(socket.number)
      if number >= 0 { return FileDescriptor(owning: number) }
      let code = imgate_errno()
      if code == EAGAIN { return nil }
      // A caller that hung up while it waited is no failure of the listener.
      if code != EINTR && code != ECONNABORTED { throw SystemError("accept4", code: code) }
    }
  }

  // Connecting to what is no socket is refused too, so its kind is looked at first.
  private static func isStale(_ path: String) -> Bool {
    var status = stat()
    // The structure is written within the call.
    guard unsafe lstat(path, &status) == 0,
      status.st_mode & mode_t(S_IFMT) == mode_t(S_IFSOCK)
    else { return false }
    do throws(SystemError) {
      try UnixSocket.connect(UnixSocket.open(nonBlocking: true), path)
      return false
    } catch {
      return error.code == ECONNREFUSED
    }
  }
}
