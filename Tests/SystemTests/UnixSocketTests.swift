import CSystem
import Testing

@testable import System

/// A directory of its own, which goes with the value.
struct TemporaryDirectory: ~Copyable {
  let path: String

  init() throws {
    var template = Array("/tmp/imgate-test-XXXXXX".utf8CString)
    // mkdtemp replaces the six letters in place.
    try #require(unsafe mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in (try? Directory.entries(path)) ?? [] { unsafe unlink("\(path)/\(name)") }
    unsafe rmdir(path)
  }
}

@Suite struct UnixSocketTests {
  @Test func `request and answer go round`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/socket"
    let listener = try UnixListener(path: path)
    let server = try Thread(name: "caller") {
      let answer = try? UnixSocket.exchange(
        path, Array("question\n".utf8), timeout: .seconds(10), limit: 100)
      #expect(answer == Array("answer".utf8))
    }
    try waitUntilReadable(listener.descriptor)
    if let caller = try listener.accept() {
      try waitUntilReadable(caller.number)
      #expect(try caller.read(atMost: 100) == Array("question\n".utf8))
      try caller.write(Array("answer".utf8))
    } else {
      Issue.record("nobody called")
    }
    server.join()
    if try listener.accept() != nil { Issue.record("one caller too many") }
  }

  @Test func `a socket whose listener was killed is taken over`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/socket"
    // Bound, closed and left behind, as after SIGKILL.
    do {
      let stale = FileDescriptor(owning: socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0))
      var address = try UnixAddress(path: path)
      try #require(unsafe imgate_bind_unix(stale.number, &address.address, address.size) == 0)
    }
    _ = try UnixListener(path: path)
  }

  @Test func `a socket whose listener lives is left alone`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/socket"
    let first = try UnixListener(path: path)
    expectFailure(EADDRINUSE) { () throws(SystemError) in _ = try UnixListener(path: path) }
    #expect(try Directory.entries(directory.path) == ["socket"])
    _ = consume first
    #expect(try Directory.entries(directory.path) == [])
  }

  @Test func `a file that is no socket is never removed`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/socket"
    try File.replace(path, with: [1])
    expectFailure(EADDRINUSE) { () throws(SystemError) in _ = try UnixListener(path: path) }
    #expect(try File.read(path) == [1])
  }

  @Test func `only owner and group may connect`() throws {
    let directory = try TemporaryDirectory()
    let listener = try UnixListener(path: directory.path + "/socket")
    var status = stat()
    try #require(unsafe stat(directory.path + "/socket", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o660)
    _ = consume listener
  }

  @Test func `nobody listens, the path is too long, the other end is silent or talks too much`()
    throws
  {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/socket"
    expectFailure(ENOENT) { () throws(SystemError) in
      _ = try UnixSocket.exchange(path, [], timeout: .seconds(1), limit: 1)
    }
    expectFailure(ENAMETOOLONG) { () throws(SystemError) in
      _ = try UnixListener(path: "/tmp/" + String(repeating: "x", count: 108))
    }
    let listener = try UnixListener(path: path)
    expectFailure(ETIMEDOUT) { () throws(SystemError) in
      _ = try UnixSocket.exchange(path, [1], timeout: .milliseconds(10), limit: 1)
    }
    _ = try listener.accept()
    let caller = try Thread(name: "caller") {
      expectFailure(EMSGSIZE) { () throws(SystemError) in
        _ = try UnixSocket.exchange(path, [1], timeout: .seconds(10), limit: 3)
      }
    }
    try waitUntilReadable(listener.descriptor)
    if let caller = try listener.accept() {
      // Closed before the request has come, the caller could not even send it.
      try waitUntilReadable(caller.number)
      try caller.write([1, 2, 3, 4])
    }
    caller.join()
  }

  private func waitUntilReadable(_ descriptor: CInt) throws {
    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    try #require(unsafe poll(&wanted, 1, 10_000) == 1)
  }
}

/// Expects `body` to fail with `code`.
func expectFailure(
  _ code: CInt, location: SourceLocation = #_sourceLocation,
  _ body: () throws(SystemError) -> Void
) {
  do throws(SystemError) {
    try body()
    Issue.record("no failure", sourceLocation: location)
  } catch {
    #expect(error.code == code, sourceLocation: location)
  }
}
