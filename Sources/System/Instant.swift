internal import CSystem

/// A point on CLOCK_BOOTTIME: it never jumps, and it goes on while the box sleeps.
public struct Instant: Comparable, Hashable, Sendable {
  /// Nanoseconds since boot.
  public let nanoseconds: UInt64

  /// The point `nanoseconds` after boot.
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Reads the clock.
  public static var now: Instant {
    var time = timespec()
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  /// Earlier on the same clock.
  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Later by `span`.
  public static func + (a: Instant, span: Span) -> Instant {
    Instant(nanoseconds: a.nanoseconds &+ span.nanoseconds)
  }

  /// How long after `earlier` this is; zero when it is not after it.
  public func since(_ earlier: Instant) -> Span {
    self > earlier ? Span(nanoseconds: nanoseconds - earlier.nanoseconds) : Span(nanoseconds: 0)
  }

  /// A length of time. (Swift's own Duration brings 128-bit division into the Embedded build.)
  public struct Span: Comparable, Hashable, Sendable {
    /// The length in nanoseconds.
    public let nanoseconds: UInt64
    /// A length of `nanoseconds`.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    /// A length of whole seconds.
    public static func seconds(_ n: UInt64) -> Span { Span(nanoseconds: n &* 1_000_000_000) }
    /// A length of whole milliseconds.
    public static func milliseconds(_ n: UInt64) -> Span { Span(nanoseconds: n &* 1_000_000) }
    /// Whole seconds, rounded down.
    public var wholeSeconds: UInt64 { nanoseconds / 1_000_000_000 }
    /// Whole milliseconds, rounded down.
    public var wholeMilliseconds: UInt64 { nanoseconds / 1_000_000 }
    /// For a person, in its two largest units: `2 d 3 h`, `5 h 0 min`, `1 min 30 s`, `9 s`.
    public var text: String {
      let days = wholeSeconds / 86_400
      let hours = wholeSeconds / 3600 % 24
      let minutes = wholeSeconds / 60 % 60
      if days > 0 { return "\(days) d \(hours) h" }
      if hours > 0 { return "\(hours) h \(minutes) min" }
      return minutes > 0 ? "\(minutes) min \(wholeSeconds % 60) s" : "\(wholeSeconds) s"
    }
    /// Shorter.
    public static func < (a: Span, b: Span) -> Bool { a.nanoseconds < b.nanoseconds }
  }
}

/// A point on the calendar clock, in whole seconds since 1970 (UTC).
public struct WallTime: Comparable, Hashable, Sendable {
  /// Seconds since 1970-01-01T00:00:00Z.
  public let seconds: Int64

  /// The point `seconds` after 1970.
  public init(seconds: Int64) { self.seconds = seconds }

  /// Reads the clock.
  public static var now: WallTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(seconds: Int64(time.tv_sec))
  }

  /// Earlier.
  public static func < (a: WallTime, b: WallTime) -> Bool { a.seconds < b.seconds }
}
