import CSystem
import System
import Testing
import Usage

/// Sets the zone of the whole test process, once: every test that depends on one uses this.
enum Berlin {
  static let isSet: Bool = {
    // No other thread reads the environment while the first such test waits here.
    _ = unsafe setenv("TZ", "Europe/Berlin", 1)
    tzset()
    return true
  }()
}

@Suite struct LocalDayTests {
  init() { _ = Berlin.isSet }

  @Test(
    arguments: [
      // the day, its first second in UTC, its hours
      ("2025-01-02", 1_735_772_400, 24),
      ("2025-03-30", 1_743_289_200, 23),  // clocks go forward at 02:00
      ("2025-03-31", 1_743_372_000, 24),
      ("2025-10-26", 1_761_429_600, 25),  // clocks go back at 03:00
      ("2024-02-29", 1_709_161_200, 24),
    ] as [(String, Int64, Int64)])
  func aDayBeginsAtLocalMidnight(text: String, start: Int64, hours: Int64) throws {
    let day = try #require(LocalDay(text))
    #expect(day.text == text)
    #expect(day.start == WallTime(seconds: start))
    #expect(day.end.seconds - day.start.seconds == hours * 3600)
    #expect(LocalDay(containing: day.start) == day)
    #expect(LocalDay(containing: WallTime(seconds: day.end.seconds - 1)) == day)
    #expect(LocalDay(containing: day.end) == day.adding(days: 1))
  }

  @Test(arguments: [
    "2025-02-29", "2025-13-01", "2025-00-01", "2025-01-00", "2025-04-31", "2025-1-2", "2025/01/02",
    "25-01-02", "2025-01-02 ", "１２３４", "", "1969-12-31",
  ])
  func whatIsNoDateIsRefused(text: String) {
    #expect(LocalDay(text) == nil)
  }

  @Test func yesterdayIsTheDateBefore() throws {
    // 00:30 on 27 October 2025: 24 hours before is still the 26th, which has 25 hours.
    let now = WallTime(seconds: 1_761_521_400)
    #expect(LocalDay(containing: now).text == "2025-10-27")
    #expect(LocalDay.yesterday(now: now).text == "2025-10-26")
    #expect(try #require(LocalDay("2025-03-01")).adding(days: -1).text == "2025-02-28")
    #expect(try #require(LocalDay("2025-01-01")).adding(days: -1).text == "2024-12-31")
  }

  @Test func numbersAndDatesAgreeOverTheCenturies() {
    for number in stride(from: 0, to: 200_000, by: 97) {
      let day = LocalDay(number: number)
      #expect(day.number == number)
      #expect(LocalDay(day.text) == day)
    }
    #expect(LocalDay(number: 0).weekday == 3)  // a Thursday
    #expect(LocalDay("2025-01-02")?.weekday == 3)
    #expect(LocalDay("2025-03-30")?.weekday == 6)
  }

  @Test func theHourIsTheOneOnTheWall() {
    #expect(LocalClock.hourStart(of: WallTime(seconds: 1_735_772_400 + 3599)) == 1_735_772_400)
    #expect(LocalClock.hourStart(of: WallTime(seconds: 1_735_772_400 + 3600)) == 1_735_776_000)
    #expect(LocalClock(WallTime(seconds: 1_735_772_400 + 8 * 3600 + 300)).time == "08:05")
  }

  @Test func aMomentOfAnotherDayIsShownWithItsDate() {
    let noon = WallTime(seconds: 1_735_815_600)  // 2025-01-02 12:00 in Berlin
    #expect(LocalClock(WallTime(seconds: noon.seconds + 300)).text(seenAt: noon) == "12:05")
    let later = WallTime(seconds: noon.seconds + 2 * 86_400)
    #expect(LocalClock(later).text(seenAt: noon) == "2025-01-04 12:00")
  }

  /// In processes of their own, since the zone belongs to the process.
  @Test func zonesThatAreHalfAnHourOffBeginTheirDaysInTime() async {
    await #expect(processExitsWith: .success) {
      _ = unsafe setenv("TZ", "Asia/Kolkata", 1)
      let day = try #require(LocalDay("2025-01-02"))
      #expect(day.start.seconds == 1_735_756_200)  // 18:30 UTC
      #expect(LocalClock.hourStart(of: WallTime(seconds: 1_735_756_199)) == 1_735_752_600)
      #expect(LocalClock.hourStart(of: day.start) == day.start.seconds)
    }
  }

  @Test func aDayWithoutMidnightBeginsAtItsFirstSecond() async {
    await #expect(processExitsWith: .success) {
      // Cairo went from 24 April 2025, 23:59:59 to 25 April, 01:00:00.
      _ = unsafe setenv("TZ", "Africa/Cairo", 1)
      let day = try #require(LocalDay("2025-04-25"))
      #expect(day.start.seconds == 1_745_532_000)
      #expect(LocalClock(day.start).time == "01:00")
      #expect(day.end.seconds - day.start.seconds == 23 * 3600)
      #expect(LocalDay(containing: WallTime(seconds: day.start.seconds - 1)).text == "2025-04-24")
    }
  }
}
