internal import Arguments
internal import System
internal import Usage

/// The days that a report is about.
struct ReportDays {
  let first: LocalDay
  /// Inclusive.
  let last: LocalDay

  /// `--day D`, or `--from D` with or without `--to D`, or yesterday.
  init(_ invocation: Invocation, now: WallTime) throws(UsageError) {
    func day(_ option: OptionName) throws(UsageError) -> LocalDay? {
      guard let text = invocation.value(option) else { return nil }
      if text == "today" { return LocalDay(containing: now) }
      if text == "yesterday" { return .yesterday(now: now) }
      if let day = LocalDay(text) { return day }
      throw invocation.error(
        "\(option.text) takes a day such as 2025-11-20, today or yesterday, not '\(text)'")
    }
    let (single, from, to) = (try day(.day), try day(.from), try day(.to))
    if let single {
      if from != nil || to != nil {
        throw invocation.error("--day is one day; leave it out, or --from and --to")
      }
      (first, last) = (single, single)
    } else if let from {
      (first, last) = (from, to ?? max(from, LocalDay(containing: now)))
      if last < first {
        throw invocation.error("--from \(from.text) lies after --to \(last.text)")
      }
    } else {
      if to != nil { throw invocation.error("--to needs --from") }
      let yesterday = LocalDay.yesterday(now: now)
      (first, last) = (yesterday, yesterday)
    }
  }

  /// From the first second of the first day to that of the day after the last.
  var seconds: Range<Int64> {
    first.start.seconds..<max(first.start.seconds, last.end.seconds)
  }
}
