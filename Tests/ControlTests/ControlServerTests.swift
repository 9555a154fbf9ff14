import System
import Testing

@testable import Control

@Suite struct ControlServerTests {
  /// Runs `ask` in a thread of its own while a server answers by `handler`.
  private func serve(
    limits: ControlServer.Limits = .init(), _ handler: @escaping (ControlRequest) -> ControlReply,
    ask: @escaping @Sendable (_ socket: String) -> Void
  ) throws {
    let loop = try EventLoop()
    let path = "/tmp/imgate-control-\(UInt64.random(in: 0...UInt64.max))"
    let server = try ControlServer(path: path, loop: loop, limits: limits, handler)
    loop.onWake { loop.stop() }
    let waker = loop.waker
    let asker = try Thread(name: "asker") {
      ask(path)
      waker.wake()
    }
    try loop.run()
    asker.join()
    _ = server
  }

  private static func send(_ text: String, _ path: String) -> String? {
    let answer = try? UnixSocket.exchange(
      path, Array(text.utf8), timeout: .seconds(10), limit: 64 << 20)
    return answer.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func `a request reaches the handler and its reply the caller`() throws {
    var seen: [ControlRequest] = []
    try serve {
      seen.append($0)
      return $0 == .resume ? .failure(3, "no") : .ok("fine\n")
    } ask: { path in
      do throws(ControlError) {
        #expect(try ControlClient.ask(.status(json: true), socket: path) == .ok("fine\n"))
        #expect(try ControlClient.ask(.resume, socket: path) == .failure(3, "no"))
      } catch {
        Issue.record("no answer")
      }
    }
    #expect(seen == [.status(json: true), .resume])
  }

  @Test func `a reply larger than any socket buffer arrives whole`() throws {
    let body = [UInt8](repeating: 65, count: 8 << 20)
    try serve { _ in
      .ok(body)
    } ask: { path in
      let reply = try? ControlClient.ask(.rows(from: 0, to: 1), socket: path)
      #expect(reply?.body.count == 8 << 20)
    }
  }

  @Test func `an unknown or endless request is answered with an error`() throws {
    try serve { _ in
      .ok("never")
    } ask: { path in
      #expect(
        Self.send("dance\n", path) == "error 1 the request 'dance' is not known to this version\n")
      let endless = String(repeating: "x", count: 4097)
      #expect(Self.send(endless, path) == "error 1 the request is too long\n")
    }
  }

  @Test func `a silent caller is let go when its time is up, and holds up nobody meanwhile`() throws
  {
    var limits = ControlServer.Limits()
    limits.time = .milliseconds(50)
    try serve(limits: limits) { _ in
      .ok("fine\n")
    } ask: { path in
      let silent = try? Thread(name: "silent") {
        // No line feed: the request never ends, and the answer is empty.
        #expect(Self.send("stat", path) == "")
      }
      #expect(Self.send("status\n", path) == "ok\nfine\n")
      silent?.join()
    }
  }

  @Test func `one caller too many is told so`() throws {
    var limits = ControlServer.Limits()
    limits.connections = 0
    try serve(limits: limits) { _ in
      .ok("never")
    } ask: { path in
      // The server doesn't wait for the request: writing it may already fail.
      let answer = Self.send("", path)
      #expect(answer == "error 3 too many callers at a time; try again\n")
    }
  }

  @Test func `nobody listening is told apart from every other failure`() {
    do throws(ControlError) {
      _ = try ControlClient.ask(.reload, socket: "/nonexistent/socket")
      Issue.record("somebody answered")
    } catch {
      #expect(error == .notRunning)
      #expect(
        error.text(socket: "/s") == "the gateway is not running (nobody listens at /s)")
    }
  }
}
