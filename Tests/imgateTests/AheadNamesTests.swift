import Names
import System
import Testing

@testable import imgate

/// When the names of the rules are looked up that nobody has asked for yet.
@Suite struct AheadNamesTests {
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  private func names(_ count: Int) -> [HostName] {
    (0..<count).compactMap { HostName("n\($0).example.org") }
  }

  private func of(_ count: Int) -> AheadNames {
    var ahead = AheadNames()
    ahead.follow(names(count), now: start)
    return ahead
  }

  /// Lets time pass in tenths of a second, two names each; how many were asked for.
  private func run(
    _ ahead: inout AheadNames, from: Instant, seconds: Int,
    _ answer: (inout AheadNames, HostName, Instant) -> Void
  ) -> Int {
    var asked = 0
    for tenth in 0..<UInt64(seconds * 10) {
      let now = from + .milliseconds(tenth * 100)
      for name in ahead.next(2, now: now) {
        asked += 1
        answer(&ahead, name, now)
      }
    }
    return asked
  }

  @Test func `all are asked for at once, at the pace, and then once in their time`() {
    var ahead = of(100)
    #expect(run(&ahead, from: start, seconds: 2) { $0.answered($1, timeToLive: 60, now: $2) } == 40)
    #expect(!ahead.isOnceThrough)
    let rest = run(&ahead, from: start + .seconds(2), seconds: 500) {
      $0.answered($1, timeToLive: 60, now: $2)
    }
    #expect(rest == 60)
    #expect(ahead.isOnceThrough)
    #expect(ahead.knownCount == 100)
    // Sixty seconds are believed to be ten minutes, less a tenth for the stagger.
    let again = run(&ahead, from: start + .seconds(502), seconds: 110) {
      $0.answered($1, timeToLive: 86_400, now: $2)
    }
    #expect(again == 100)
  }

  @Test func `a resolver that is down is asked ever less often`() {
    var ahead = of(100)
    let first = run(&ahead, from: start, seconds: 60) { $0.failed($1, isSilent: true, now: $2) }
    #expect(first <= 16 * 6, "sixteen names, then ten seconds of rest")
    let hour = run(&ahead, from: start + .seconds(60), seconds: 3600) {
      $0.failed($1, isSilent: true, now: $2)
    }
    #expect(hour < 100 * 20)
    #expect(ahead.knownCount == 0)
  }

  @Test func `one that answers is not taken for dead, whatever it says`() {
    var ahead = of(100)
    let asked = run(&ahead, from: start, seconds: 8) { $0.failed($1, isSilent: false, now: $2) }
    #expect(asked == 100)
  }

  @Test func `no more than eight wait for an answer at a time`() {
    var ahead = of(100)
    #expect(run(&ahead, from: start, seconds: 60) { _, _, _ in } == 8)
  }

  @Test func `a name that has no address is asked for again within the hour`() {
    var ahead = of(1)
    let asked = run(&ahead, from: start, seconds: 3601) {
      $0.answered($1, timeToLive: nil, now: $2)
    }
    #expect(asked == 2)
    #expect(ahead.knownCount == 0)
  }

  @Test func `after a reload new names are due, and known ones are not`() {
    var ahead = of(10)
    _ = run(&ahead, from: start, seconds: 2) { $0.answered($1, timeToLive: 600, now: $2) }
    ahead.follow(names(12), now: start + .seconds(2))
    #expect(ahead.knownCount == 10)
    let asked = run(&ahead, from: start + .seconds(2), seconds: 2) {
      $0.answered($1, timeToLive: 600, now: $2)
    }
    #expect(asked == 2)
    ahead.follow([], now: start + .seconds(4))
    #expect(ahead.count == 0)
  }

  @Test func `rules of any size leave the memory bounded`() {
    #expect(of(5000).count == AheadNames.limit)
  }
}
