internal import CSystem
public import System

/// A calendar day where the router stands: from one local midnight to the next, so 23 or 25 hours
/// when the clocks change.
///
/// The zone is libc's: TZ, or /etc/localtime.
public struct LocalDay: Hashable, Comparable, Sendable {
  /// The year, 1970 to 9999.
  public let year: Int
  /// The month, 1 to 12.
  public let month: Int
  /// The day of the month, from 1.
  public let day: Int

  /// A day by its date; nil when the calendar has no such day.
  public init?(year: Int, month: Int, day: Int) {
    guard (1970...9999).contains(year), (1...12).contains(month), day >= 1,
      day <= Self.length(of: month, in: year)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
  }

  /// A day as a person writes it: `2025-03-30`; nil for anything else.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 10 else { return nil }
    var numbers = [0, 0, 0]
    var part = 0
    for (place, byte) in bytes.enumerated() {
      if place == 4 || place == 7 {
        guard byte == UInt8(ascii: "-") else { return nil }
        part += 1
      } else {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        numbers[part] = numbers[part] * 10 + Int(byte - UInt8(ascii: "0"))
      }
    }
    self.init(year: numbers[0], month: numbers[1], day: numbers[2])
  }

  /// The day that `time` belongs to.
  public init(containing time: WallTime) {
    self.init(LocalClock(time))
  }

  fileprivate init(_ clock: LocalClock) {
    // A clock before 1970 or past 9999 is one that was never set.
    if (1970...9999).contains(clock.year) {
      (year, month, day) = (clock.year, clock.month, clock.day)
    } else {
      (year, month, day) = (1970, 1, 1)
    }
  }

  /// The day before the one that `now` belongs to.
  public static func yesterday(now: WallTime) -> LocalDay {
    LocalDay(containing: now).adding(days: -1)
  }

  /// The day `days` later, or earlier when negative.
  public func adding(days: Int) -> LocalDay { LocalDay(number: number + days) }

  /// How many days after 1970-01-01 it is; one more for each next date.
  public var number: Int {
    // Days from a civil date, counted in years that begin in March, so that the leap day is last.
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The day by its `number`, at least 1970-01-01.
  public init(number: Int) {
    let z = min(max(0, number), 2_932_896) + 719_468
    let era = z / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// The date as one decimal number, 20250330: how the store keeps it.
  var decimal: Int64 { Int64(year * 10_000 + month * 100 + day) }

  /// The day of a decimal number as `decimal` gives it.
  init?(decimal: Int64) {
    let number = Int(decimal)
    self.init(year: number / 10_000, month: number / 100 % 100, day: number % 100)
  }

  /// The first second of the day.
  ///
  /// Not always 00:00: some zones skip midnight when their clocks change.
  public var start: WallTime {
    // Searched for, since mktime answers differently where midnight is skipped or repeated: noon
    // surely belongs to the day, 30 hours before it surely does not.
    let noon = LocalClock.seconds(year: year, month: month, day: day, hour: 12)
    var outside = noon - 30 * 3600
    var inside = noon
    while inside - outside > 1 {
      let middle = outside + (inside - outside) / 2
      if LocalClock(WallTime(seconds: middle)).date < (year, month, day) {
        outside = middle
      } else {
        inside = middle
      }
    }
    return WallTime(seconds: inside)
  }

  /// The first second after the day.
  public var end: WallTime { adding(days: 1).start }

  /// `2025-03-30`.
  public var text: String {
    "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
  }

  /// The day of the week, 0 for Monday to 6 for Sunday.
  public var weekday: Int { (number + 3) % 7 }

  /// The earlier date.
  public static func < (a: LocalDay, b: LocalDay) -> Bool {
    (a.year, a.month, a.day) < (b.year, b.month, b.day)
  }

  private static func length(of month: Int, in year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  static func padded(_ number: Int, _ digits: Int) -> String {
    var text = String(number)
    while text.utf8.count < digits { text = "0" + text }
    return text
  }
}

/// What a clock on the router's wall shows.
public struct LocalClock: Sendable {
  /// The year.
  public let year: Int
  /// The month, 1 to 12.
  public let month: Int
  /// The day of the month, from 1.
  public let day: Int
  /// 0 to 23.
  public let hour: Int
  /// 0 to 59.
  public let minute: Int
  /// 0 to 60.
  public let second: Int

  /// What it shows at `time` (localtime_r).
  public init(_ time: WallTime) {
    var seconds = time_t(time.seconds)
    var parts = unsafe tm()
    // localtime_r need not read TZ again by itself (POSIX). Both structures are local.
    tzset()
    unsafe localtime_r(&seconds, &parts)
    year = Int(unsafe parts.tm_year) + 1900
    month = Int(unsafe parts.tm_mon) + 1
    day = Int(unsafe parts.tm_mday)
    hour = Int(unsafe parts.tm_hour)
    minute = Int(unsafe parts.tm_min)
    second = Int(unsafe parts.tm_sec)
  }

  /// Year, month and day, to be compared.
  var date: (Int, Int, Int) { (year, month, day) }

  /// `14:05`.
  public var time: String { "\(LocalDay.padded(hour, 2)):\(LocalDay.padded(minute, 2))" }

  /// `14:05`; with the date before it, `2025-03-30 14:05`, unless that is the day of `now`.
  public func text(seenAt now: WallTime) -> String {
    let day = LocalDay(self)
    return day == LocalDay(containing: now) ? time : "\(day.text) \(time)"
  }

  /// The second at which such a clock shows the given hour (mktime).
  static func seconds(year: Int, month: Int, day: Int, hour: Int) -> Int64 {
    var parts = unsafe tm()
    unsafe parts.tm_year = CInt(year - 1900)
    unsafe parts.tm_mon = CInt(month - 1)
    unsafe parts.tm_mday = CInt(day)
    unsafe parts.tm_hour = CInt(hour)
    unsafe parts.tm_isdst = -1
    return Int64(unsafe mktime(&parts))
  }

  /// The second at which the local hour began that `time` belongs to.
  ///
  /// Local, so that no hour lies in two days where the zone is half an hour off.
  public static func hourStart(of time: WallTime) -> Int64 {
    let clock = LocalClock(time)
    return time.seconds - Int64(clock.minute * 60 + clock.second)
  }
}
