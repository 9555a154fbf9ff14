internal import Usage

/// Numbers as a person reads them.
enum Figures {
  /// `0 B`, `999 B`, `12.3 MB`: steps of a thousand, one decimal, rounded.
  static func bytes(_ count: UInt64) -> String {
    if count < 1000 { return "\(count) B" }
    var tenth: UInt64 = 100
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
      let rounded = count / tenth + (count % tenth >= (tenth + 1) / 2 ? 1 : 0)
      // 999.95 kB is 1.0 MB.
      if rounded < 10_000 { return "\(rounded / 10).\(rounded % 10) \(unit)" }
      tenth *= 1000
    }
    return "\(count / 1_000_000_000_000_000_000) EB"
  }

  /// `1,204`.
  static func count(_ number: UInt64) -> String {
    let digits = Array(String(number).utf8)
    var bytes: [UInt8] = []
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { bytes.append(UInt8(ascii: ",")) }
      bytes.append(digit)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `1 device`, `3 devices`.
  static func count(_ number: UInt64, _ one: String, _ many: String) -> String {
    number == 1 ? "1 \(one)" : "\(count(number)) \(many)"
  }

  /// `45 s`, `12 min`, `23 h 58 min`.
  static func duration(_ seconds: UInt64) -> String {
    if seconds < 60 { return "\(seconds) s" }
    let minutes = seconds / 60
    if minutes < 60 { return "\(minutes) min" }
    return minutes % 60 == 0
      ? "\(count(minutes / 60)) h" : "\(count(minutes / 60)) h \(minutes % 60) min"
  }

  /// `Sunday, 30 March 2025`.
  static func date(_ day: LocalDay) -> String {
    "\(weekdays[day.weekday]), \(shortDate(day))"
  }

  /// `30 March 2025`.
  static func shortDate(_ day: LocalDay) -> String {
    "\(day.day) \(months[day.month - 1]) \(day.year)"
  }

  private static let weekdays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
}
