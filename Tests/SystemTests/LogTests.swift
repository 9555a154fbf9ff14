import Testing

@testable import System

@Suite struct LogTests {
  private final class Lines: Sendable {
    private let lines = Locked<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  private let lines = Lines()

  private func log(_ level: LogLevel, showsLevel: Bool = false) -> Log {
    let lines = lines
    return Log(level: level, showsLevel: showsLevel) { lines.add($0) }
  }

  @Test func `lines above the level are said, with syslog's number for the journal`() {
    let log = log(.info, showsLevel: true)
    log(.error, "a")
    log(.warning, "b")
    log(.info, "c")
    log(.debug, "d")
    #expect(lines.all == ["<3>a", "<4>b", "<6>c"])
  }

  @Test func `without the journal a line is plain`() {
    log(.info)(.error, "a")
    #expect(lines.all == ["a"])
  }

  @Test func `a flood of one kind becomes one line an interval, with how many were left unsaid`() {
    let log = log(.info)
    for second in [0, 1, 2, 59, 60, 61, 300] as [UInt64] {
      let now = Instant(nanoseconds: second * 1_000_000_000)
      log(.warning, limit: "overrun", every: .seconds(60), now: now, "at \(second)")
    }
    log(.warning, limit: "other", now: Instant(nanoseconds: 0), "another kind")
    #expect(
      lines.all == [
        "at 0", "at 60 (and 3 more like it before)", "at 300 (and 1 more like it before)",
        "another kind",
      ])
  }

  @Test(arguments: LogLevel.allCases)
  func `a level's name leads back to it`(level: LogLevel) {
    #expect(LogLevel(name: level.name) == level)
  }

  @Test func `no other word is a level`() { #expect(LogLevel(name: "Info") == nil) }
}
