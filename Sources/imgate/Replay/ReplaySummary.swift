internal import System

/// What a replay counted in one capture.
struct ReplaySummary: Equatable {
  /// Packets of the capture.
  var packets: UInt64 = 0
  /// Flows, and how they were decided.
  var flows: UInt64 = 0
  var allowed: UInt64 = 0
  var denied: UInt64 = 0
  var undecided: UInt64 = 0
  /// Packets of which the capture has only the beginning.
  var truncated: UInt64 = 0
  /// Packets whose headers make no sense.
  var malformed: UInt64 = 0
  /// Fragments of IP packets that never were complete.
  var fragments: UInt64 = 0
  /// Frames without an IP packet.
  var notIP: UInt64 = 0
  /// Packets of link types that are not read.
  var unsupported: UInt64 = 0
  /// Packets that a router would not forward: neither or both of their ends are in the LAN.
  var notForwarded: UInt64 = 0

  mutating func count(_ flow: ReplayedFlow) {
    flows += 1
    switch flow.verdict {
    case .allow: allowed += 1
    case .deny: denied += 1
    case .undecided: undecided += 1
    }
  }

  /// One object on one line; `error` is why the capture was not read to its end.
  func json(capture: String, error: String?) -> String {
    var object = JSONLines()
    object.begin("summary")
    object.add("capture", capture)
    object.add("packets", packets)
    object.add("flows", flows)
    object.add("allowed", allowed)
    object.add("denied", denied)
    object.add("undecided", undecided)
    object.add("truncated", truncated)
    object.add("malformed", malformed)
    object.add("fragments", fragments)
    object.add("notIP", notIP)
    object.add("unsupported", unsupported)
    object.add("notForwarded", notForwarded)
    object.add("error", error)
    object.end()
    return object.text
  }

  /// A line for a person.
  func line(capture: String) -> String {
    var line =
      "\(capture): \(packets) packets, \(flows) flows: \(allowed) allowed, \(denied) denied, "
      + "\(undecided) undecided"
    func add(_ count: UInt64, _ what: String) {
      if count > 0 { line += ", \(count) \(what)" }
    }
    add(truncated, "packets cut short")
    add(malformed, "malformed")
    add(fragments, "fragments")
    add(notIP, "not IP")
    add(unsupported, "of unknown link types")
    add(notForwarded, "not forwarded")
    return line + "\n"
  }
}
