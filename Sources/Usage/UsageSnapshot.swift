internal import System
public import Wire

/// Rows, events, health and names together: what is written at once, and what is read for a report.
public struct UsageSnapshot: Sendable {
  /// The rows; a key may stand more than once.
  public var rows: [UsageRow] = []
  /// The gateway's events, by time.
  public var events: [GatewayEvent] = []
  /// The queue's health by hour.
  public var health: [Int64: QueueHealth] = [:]
  /// Names of devices as they were last known.
  public var names: [(device: MACAddress, name: String)] = []
  /// How many times the store had been written to when this was taken.
  ///
  /// A daemon's unwritten rows complete those read from the store only when both have the same
  /// generation; otherwise the daemon wrote in between, and both are to be asked again.
  public var generation: UInt64

  /// Nothing.
  public init(generation: UInt64 = 0) { self.generation = generation }

  /// Whether there is nothing to write.
  public var isEmpty: Bool {
    rows.isEmpty && events.isEmpty && health.isEmpty && names.isEmpty
  }

  /// Adds what `other` has, as far as it belongs to the seconds of `range`.
  public mutating func merge(_ other: UsageSnapshot, within range: Range<Int64>) {
    for row in other.rows where range.contains(row.key.hour) { rows.append(row) }
    for event in other.events where event.touches(range) { events.append(event) }
    events = events.ordered { $0.time < $1.time }
    for (hour, sample) in other.health where range.contains(hour) {
      health[hour, default: QueueHealth()] += sample
    }
    // The later word counts.
    names.removeAll { known in other.names.contains { $0.device == known.device } }
    names += other.names
  }
}

extension GatewayEvent {
  /// Whether any of it lies in the seconds of `range`.
  public func touches(_ range: Range<Int64>) -> Bool {
    time < range.upperBound && max(time, until) >= range.lowerBound
  }
}
