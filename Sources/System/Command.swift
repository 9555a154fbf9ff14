internal import CSystem

/// Another program, run to its end: the gateway starts the firewall's own tools and nothing else.
public struct Command: Sendable {
  /// How a program ended and what it wrote.
  public struct Outcome: Sendable {
    /// Exit status; 128 + n when signal n ended it.
    public let status: CInt
    /// Standard output.
    public let output: [UInt8]
    /// Standard error.
    public let errors: [UInt8]
    /// Standard output as text.
    public var outputText: String { String(decoding: output, as: UTF8.self) }
    /// Standard error as text.
    public var errorText: String { String(decoding: errors, as: UTF8.self) }
  }

  private let arguments: [String]
  private let environment: [String]

  /// A program by name (looked up in PATH) or path, with its arguments; `environment` entries
  /// (`NAME=value`) come on top of PATH, and so do our own variables named in `inheriting`.
  public init(
    _ arguments: [String], environment: [String] = [], inheriting names: [String] = []
  ) {
    self.arguments = arguments
    var environment = environment
    for name in names {
      // getenv's string is copied before anything can change the environment.
      if let value = unsafe getenv(name) {
        unsafe environment.append("\(name)=\(String(cString: value))")
      }
    }
    self.environment = environment
  }

  /// Runs it with `input` as its standard input.
  ///
  /// At most `limit` bytes of each stream are kept. A program that has not ended after `patience` is
  /// killed: the error is `ETIMEDOUT` then.
  public func run(
    input: [UInt8] = [], limit: Int = 4 << 20, patience: Instant.Span = .seconds(15)
  ) throws(SystemError) -> Outcome {
    let deadline = Instant.now + patience
    var stdin = try Pipe()
    var stdout = try Pipe()
    var stderr = try Pipe()
    let child = try spawn(stdin.readEnd, stdout.writeEnd, stderr.writeEnd)
    stdin.closeReadEnd()
    stdout.closeWriteEnd()
    stderr.closeWriteEnd()
    let (output, errors) = Self.exchange(
      input, &stdin, stdout, stderr, limit: limit, until: deadline)
    let status = try Self.wait(for: child, until: deadline)
    let code = imgate_exited(status) ? imgate_exit_status(status) : 128 + imgate_term_signal(status)
    return Outcome(status: code, output: output, errors: errors)
  }

  // The status with which it ended. One that is late is killed, and its end awaited.
  private static func wait(
    for child: pid_t, until deadline: Instant
  ) throws(SystemError) -> CInt {
    var isKilled = false
    while true {
      var status: CInt = 0
      // Its streams are closed: as a rule it has ended, or is about to.
      let ended = unsafe waitpid(child, &status, isKilled ? 0 : CInt(WNOHANG))
      if ended < 0, imgate_errno() != EINTR { throw SystemError("waitpid") }
      if ended > 0 {
        if isKilled { throw SystemError("waitpid", code: ETIMEDOUT) }
        return status
      }
      guard !isKilled else { continue }
      if Instant.now >= deadline {
        kill(child, SIGKILL)
        isKilled = true
      } else {
        // Nothing to watch, a millisecond to wait.
        poll(nil, 0, 1)
      }
    }
  }

  private func spawn(
    _ input: CInt, _ output: CInt, _ errors: CInt
  ) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    // The actions, attributes and signal set are local, initialised and destroyed here.
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)
    // The daemon blocks signals that it reads from a signalfd; the child gets a clean mask.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    // An ignored signal stays ignored over exec, and a shell script relies on SIGPIPE.
    var defaults = sigset_t()
    unsafe sigemptyset(&defaults)
    unsafe sigaddset(&defaults, SIGPIPE)
    unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    if let inherited = unsafe getenv("PATH") { path = unsafe "PATH=\(String(cString: inherited))" }
    var child = pid_t()
    // The C strings live until both arrays are freed below, after the call.
    var argumentPointers = unsafe Self.cStrings(arguments)
    var environmentPointers = unsafe Self.cStrings([path, "LC_ALL=C"] + environment)
    defer {
      // An index loop: the formatter of 6.3 breaks `for unsafe`.
      for i in unsafe argumentPointers.indices { unsafe free(argumentPointers[i]) }
      for i in unsafe environmentPointers.indices { unsafe free(environmentPointers[i]) }
    }
    guard let program = arguments.first else { throw SystemError("posix_spawnp", code: EINVAL) }
    let status = unsafe posix_spawnp(
      &child, program, &actions, &attributes, &argumentPointers, &environmentPointers)
    if status != 0 { throw SystemError("posix_spawnp", code: status) }
    return child
  }

  private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe []
    for text in texts { unsafe pointers.append(strdup(text)) }
    unsafe pointers.append(nil)
    return unsafe pointers
  }

  // Feeds and drains all three pipes with poll, so that a child that writes much while it reads
  // much can't dead-lock with us.
  private static func exchange(
    _ input: [UInt8], _ stdin: inout Pipe, _ stdout: borrowing Pipe, _ stderr: borrowing Pipe,
    limit: Int, until deadline: Instant
  ) -> ([UInt8], [UInt8]) {
    var sent = 0
    var kept: ([UInt8], [UInt8]) = ([], [])
    var open = (true, true)
    if input.isEmpty { stdin.closeWriteEnd() } else { stdin.makeWriteEndNonBlocking() }
    while open.0 || open.1 {
      var polls = [
        pollfd(fd: stdin.writeEnd, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: open.0 ? stdout.readEnd : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: open.1 ? stderr.readEnd : -1, events: Int16(POLLIN), revents: 0),
      ]
      // The array outlives the call and has three entries.
      let left = deadline.since(.now).wholeMilliseconds
      guard left > 0 else { break }
      if unsafe poll(&polls, 3, CInt(clamping: left)) <= 0 { continue }
      if polls[0].revents != 0 {
        // The pointer is used within the closure only.
        let n = unsafe input.withUnsafeBytes { buffer in
          unsafe write(
            stdin.writeEnd, buffer.baseAddress?.advanced(by: sent), buffer.count - sent)
        }
        if n > 0 { sent += n }
        // A child that closed its input wants no more of it.
        if n < 0 && imgate_errno() != EAGAIN && imgate_errno() != EINTR { sent = input.count }
        if sent == input.count { stdin.closeWriteEnd() }
      }
      if polls[1].revents != 0 { open.0 = stdout.drain(into: &kept.0, limit: limit) }
      if polls[2].revents != 0 { open.1 = stderr.drain(into: &kept.1, limit: limit) }
    }
    return kept
  }
}

/// A pipe; each end is closed once, by hand or at the end of its life.
///
/// A closed end is -1.
private struct Pipe: ~Copyable {
  private(set) var readEnd: CInt
  private(set) var writeEnd: CInt

  init() throws(SystemError) {
    var ends: [CInt] = [-1, -1]
    // pipe2 writes two ints, which is what the array holds.
    if unsafe pipe2(&ends, O_CLOEXEC) != 0 { throw SystemError("pipe2") }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    if readEnd >= 0 { close(readEnd) }
    if writeEnd >= 0 { close(writeEnd) }
  }

  mutating func closeReadEnd() {
    if readEnd >= 0 { close(readEnd) }
    readEnd = -1
  }

  mutating func closeWriteEnd() {
    if writeEnd >= 0 { close(writeEnd) }
    writeEnd = -1
  }

  func makeWriteEndNonBlocking() { _ = imgate_fcntl(writeEnd, F_SETFL, O_NONBLOCK) }

  /// Reads what is there; false at the end of the stream.
  func drain(into bytes: inout [UInt8], limit: Int) -> Bool {
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    // read(2) gets the array's own length.
    let n = unsafe read(readEnd, &piece, piece.count)
    if n < 0 { return imgate_errno() == EINTR }
    if bytes.count < limit { bytes += piece[..<n] }
    return n > 0
  }
}
