/// How much a log line matters, as syslog counts (RFC 5424, table 2).
public enum LogLevel: UInt8, Comparable, CaseIterable, Sendable {
  case error = 3
  case warning = 4
  case notice = 5
  case info = 6
  case debug = 7

  /// As a configuration says it.
  public var name: String {
    switch self {
    case .error: "error"
    case .warning: "warning"
    case .notice: "notice"
    case .info: "info"
    case .debug: "debug"
    }
  }

  /// The level with `name`; nil for any other word.
  public init?(name: String) {
    for level in Self.allCases where level.name == name {
      self = level
      return
    }
    return nil
  }

  /// Less important: `.debug` is the greatest.
  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Lines on standard error, for a person or for the journal.
///
/// Under systemd (JOURNAL_STREAM is set) each begins with its level, `<6>`, which the journal takes
/// off again (sd-daemon(3)).
public final class Log: Sendable {
  private struct Limited {
    let key: StaticStringName
    var silentUntil: Instant
    var unsaid: UInt64
  }

  private let level: LogLevel
  private let showsLevel: Bool
  private let sink: @Sendable (String) -> Void
  private let limited = Locked<[Limited]>([])

  /// A log to standard error that says everything up to `level`.
  public convenience init(level: LogLevel) {
    self.init(level: level, showsLevel: Environment["JOURNAL_STREAM"] != nil) { Console.error($0) }
  }

  /// A log to anywhere.
  init(level: LogLevel, showsLevel: Bool, sink: @escaping @Sendable (String) -> Void) {
    self.level = level
    self.showsLevel = showsLevel
    self.sink = sink
  }

  /// Whether lines of `level` are said at all.
  public func says(_ level: LogLevel) -> Bool { level <= self.level }

  /// One line; `text` is not even made when nobody would see it.
  public func callAsFunction(_ level: LogLevel, _ text: @autoclosure () -> String) {
    if says(level) { write(level, text()) }
  }

  /// One line of a kind that could come in a flood: the first is said, then at most one every
  /// `interval`, with how many were left unsaid.
  public func callAsFunction(
    _ level: LogLevel, limit key: StaticStringName, every interval: Instant.Span = .seconds(60),
    now: Instant = .now, _ text: @autoclosure () -> String
  ) {
    guard says(level) else { return }
    let unsaid = limited.withLock { list -> UInt64? in
      guard let index = list.firstIndex(where: { $0.key == key }) else {
        list.append(Limited(key: key, silentUntil: now + interval, unsaid: 0))
        return 0
      }
      if now < list[index].silentUntil {
        list[index].unsaid += 1
        return nil
      }
      defer { list[index] = Limited(key: key, silentUntil: now + interval, unsaid: 0) }
      return list[index].unsaid
    }
    guard let unsaid else { return }
    write(level, unsaid == 0 ? text() : "\(text()) (and \(unsaid) more like it before)")
  }

  private func write(_ level: LogLevel, _ text: String) {
    sink(showsLevel ? "<\(level.rawValue)>\(text)" : text)
  }
}
