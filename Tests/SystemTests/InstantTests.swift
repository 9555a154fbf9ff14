import System
import Testing

@Suite struct InstantTests {
  @Test(
    arguments: [
      (0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"),
      (86_399, "23 h 59 min"), (86_400, "1 d 0 h"), (8 * 86_400 + 7200 + 61, "8 d 2 h"),
    ] as [(UInt64, String)])
  func `a length of time is shown in its two largest units`(seconds: UInt64, text: String) {
    #expect(Instant.Span.seconds(seconds).text == text)
  }

  @Test func `what lies in the future began no time ago`() {
    let now = Instant(nanoseconds: 1_000)
    #expect(now.since(Instant(nanoseconds: 2_000)) == .seconds(0))
    #expect((now + .milliseconds(1)).since(now) == .milliseconds(1))
  }
}
