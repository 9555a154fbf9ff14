import CSystem
import Testing

@testable import System

/// Both ends of a pipe.
private struct PipePair: ~Copyable {
  let reading: FileDescriptor
  let writing: FileDescriptor

  init() throws {
    var ends: [CInt] = [-1, -1]
    // pipe2 writes two ints, which is what the array holds.
    try #require(unsafe pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0)
    reading = FileDescriptor(owning: ends[0])
    writing = FileDescriptor(owning: ends[1])
  }
}

private final class Journal {
  var entries: [String] = []
  func note(_ entry: String) { entries.append(entry) }
}

@Suite struct EventLoopTests {
  @Test func `a readable descriptor calls its handler until the watch ends`() throws {
    let loop = try EventLoop()
    let pipe = try PipePair()
    let journal = Journal()
    let watch = try loop.watch(pipe.reading.number, .reading) { readiness in
      journal.note(readiness.contains(.reading) ? "reading" : "other")
    }
    try loop.turn(limit: .milliseconds(0))
    #expect(journal.entries == [])
    try pipe.writing.write([1])
    try loop.turn()
    try loop.turn()  // Level-triggered: what was not read is told again.
    #expect(journal.entries == ["reading", "reading"])
    loop.end(watch)
    try loop.turn(limit: .milliseconds(0))
    #expect(journal.entries.count == 2)
  }

  @Test func `a watch that another handler ended in the same round is not called`() throws {
    let loop = try EventLoop()
    let a = try PipePair()
    let b = try PipePair()
    let journal = Journal()
    var watches: [EventLoop.Watch] = []
    for number in [a.reading.number, b.reading.number] {
      watches.append(
        try loop.watch(number, .reading) { _ in
          journal.note("called")
          for watch in watches { loop.end(watch) }
          // Takes a slot that was just freed: its handler must not get the other pipe's event.
          _ = try? loop.watch(number, .writing) { _ in journal.note("wrong") }
        })
    }
    try a.writing.write([1])
    try b.writing.write([1])
    try loop.turn()
    #expect(journal.entries == ["called"])
  }

  @Test func `a hang-up counts as readable and writable`() throws {
    let loop = try EventLoop()
    let journal = Journal()
    let pipe = try PipePair()
    let copy = FileDescriptor(owning: dup(pipe.reading.number))
    try loop.watch(copy.number, .reading) { readiness in
      journal.note("\(readiness.rawValue)")
      loop.stop()
    }
    _ = consume pipe
    try loop.run()
    #expect(journal.entries == ["3"])
  }

  @Test func `timers fire in the order of their instants, and equals in the order they were set`()
    throws
  {
    let loop = try EventLoop()
    let journal = Journal()
    // So late that a busy machine doesn't set the others behind it.
    loop.after(.milliseconds(500)) {
      journal.note("last")
      loop.stop()
    }
    loop.after(.milliseconds(0)) { journal.note("first") }
    loop.after(.milliseconds(1)) { journal.note("second") }
    let cancelled = loop.after(.milliseconds(0)) { journal.note("never") }
    loop.cancel(cancelled)
    try loop.run()
    #expect(journal.entries == ["first", "second", "last"])
  }

  @Test func `a periodic timer goes on until it is cancelled, also from its own handler`() throws {
    let loop = try EventLoop()
    let journal = Journal()
    var timer: EventLoop.Timer?
    timer = loop.every(.milliseconds(1)) {
      journal.note("tick")
      guard journal.entries.count == 3, let timer else { return }
      loop.cancel(timer)
      // It would come before this, had it not been cancelled.
      loop.after(.milliseconds(5)) { loop.stop() }
    }
    try loop.run()
    #expect(journal.entries == ["tick", "tick", "tick"])
  }

  @Test func `another thread wakes the loop`() throws {
    let loop = try EventLoop()
    let journal = Journal()
    loop.onWake {
      journal.note("woken")
      loop.stop()
    }
    let waker = loop.waker
    let thread = try Thread(name: "waker") { waker.wake() }
    try loop.run()
    thread.join()
    #expect(journal.entries == ["woken"])
  }

  @Test func `stop before run runs nothing`() throws {
    let loop = try EventLoop()
    loop.stop()
    try loop.run()
  }
}
