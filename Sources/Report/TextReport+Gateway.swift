internal import System
internal import Usage

/// The part of the report that is about the gateway itself.
extension TextReport {
  mutating func addGateway() {
    heading("Gateway")
    let health = data.health
    if health.seconds > 0 {
      let span = UInt64(max(0, min(data.end, max(data.start, data.now)) - data.start))
      let ran = Figures.duration(min(health.seconds, max(span, 1)))
      field("Running", "\(ran) of \(Figures.duration(span))")
    }
    if !health.isZero {
      let queued = Figures.count(health.packetsQueued, "packet", "packets")
      field("Queue", "\(queued) looked at" + (health.hasLoss ? "" : ", none lost"))
    }
    addLosses(health)
    if data.events.isEmpty {
      if health.isZero { line("  no record that it ran") }
      return
    }
    var wasRunning = false
    for event in data.events.suffix(Self.eventLimit) {
      add(event, wasRunning: wasRunning)
      if event.kind == .start { wasRunning = true }
      if event.kind == .stop { wasRunning = false }
    }
    if data.events.count > Self.eventLimit {
      line("  and \(data.events.count - Self.eventLimit) events before these")
    }
  }

  private static var eventLimit: Int { 40 }

  private mutating func addLosses(_ health: QueueHealth) {
    if health.queueDropped > 0 {
      loss("\(Figures.count(health.queueDropped, "packet", "packets")) dropped: the queue was full")
    }
    if health.userDropped > 0 {
      loss(
        "\(Figures.count(health.userDropped, "packet", "packets")) dropped on the way to the gateway"
      )
    }
    if health.overruns > 0 {
      loss("the socket buffer overran \(Figures.count(health.overruns, "time", "times"))")
    }
    if health.conntrackOverruns > 0 {
      loss(
        "messages of ended connections overran "
          + "\(Figures.count(health.conntrackOverruns, "time", "times")): bytes may be missing")
    }
    if health.failures > 0 {
      loss(
        "\(Figures.count(health.failures, "packet", "packets")) had no verdict: please report this")
    }
  }

  private mutating func field(_ name: String, _ value: String) {
    line("  " + Columns.left(name, 13) + "  " + value)
  }

  private mutating func loss(_ words: String) {
    line("  " + Columns.blanks(15) + style.warning(words))
  }

  private mutating func add(_ event: GatewayEvent, wasRunning: Bool) {
    let lasted = Figures.duration(UInt64(max(0, event.until - event.time)))
    var words: String
    var isWarning = false
    switch event.kind {
    case .start:
      words =
        wasRunning ? "started, after it ended without a word (killed, or no power)" : "started"
      isWarning = wasRunning
    case .stop: words = "stopped"
    case .firewallGap:
      words = "firewall rules were missing for \(lasted), put back"
      isWarning = true
    case .rulesChanged:
      words = "new rules"
      if event.count > 0 {
        words += ", \(Figures.count(event.count, "live connection", "live connections")) cut"
      }
    case .rulesRefused:
      words = "faulty rules refused, the old ones stayed"
      isWarning = true
    case .paused: words = "paused for \(lasted): everything passed"
    case .dataLost:
      words = "\(Figures.count(event.count, "figure", "figures")) lost"
      isWarning = true
    case .storeDamaged:
      words = "the usage store was damaged, a new one begun"
      isWarning = true
    }
    let detail = PlainText.clean(event.detail, limit: 300)
    if !detail.isEmpty { words += " (\(detail))" }
    for (place, part) in Columns.wrap(words, 63).enumerated() {
      let left = Columns.left(place == 0 ? time(event.time) : "", 13)
      line("  \(left)  " + (isWarning ? style.warning(part) : part))
    }
  }

  /// `14:05`, with the date when the report is on several days or the event began before.
  private func time(_ seconds: Int64) -> String {
    let clock = LocalClock(WallTime(seconds: seconds))
    if data.first == data.last, seconds >= data.start { return clock.time }
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    return "\(clock.day) \(months[clock.month - 1]) \(clock.time)"
  }
}
