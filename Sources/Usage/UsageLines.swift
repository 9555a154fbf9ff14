internal import System
internal import Wire

/// A snapshot as lines of text, for the control socket: tab between fields, and `\t`, `\n`, `\\`,
/// `\xhh` for the bytes that would break a line.
///
/// | line | fields |
/// |---|---|
/// | `use` | hour, device, client, service, rule, host, verdict, reason, connections, packetsUp, packetsDown, bytesUp, bytesDown |
/// | `event` | time, until, kind, count, detail |
/// | `health` | hour, packetsQueued, queueDropped, userDropped, overruns, conntrackOverruns, failures, seconds |
/// | `name` | device, name |
/// | `end` | generation; the last line, so that a text that was cut short is known as such |
public enum UsageLines {
  /// `snapshot` as lines.
  public static func encode(_ snapshot: UsageSnapshot) -> [UInt8] {
    var out = Line()
    for row in snapshot.rows {
      out.begin("use")
      out.add(row.key.hour)
      out.add(row.key.device.text)
      out.add(row.key.client.text)
      out.add(row.key.service)
      out.add(row.key.rule)
      out.add(row.key.host)
      out.add(row.key.verdict.rawValue)
      out.add(row.key.reason)
      out.add(row.counts.connections)
      out.add(row.counts.packetsUp)
      out.add(row.counts.packetsDown)
      out.add(row.counts.bytesUp)
      out.add(row.counts.bytesDown)
      out.end()
    }
    for event in snapshot.events {
      out.begin("event")
      out.add(event.time)
      out.add(event.until)
      out.add(event.kind.rawValue)
      out.add(event.count)
      out.add(event.detail)
      out.end()
    }
    for hour in snapshot.health.keys.ordered() {
      let health = snapshot.health[hour, default: QueueHealth()]
      out.begin("health")
      out.add(hour)
      out.add(health.packetsQueued)
      out.add(health.queueDropped)
      out.add(health.userDropped)
      out.add(health.overruns)
      out.add(health.conntrackOverruns)
      out.add(health.failures)
      out.add(health.seconds)
      out.end()
    }
    for (device, name) in snapshot.names {
      out.begin("name")
      out.add(device.text)
      out.add(name)
      out.end()
    }
    out.begin("end")
    out.add(snapshot.generation)
    out.end()
    return out.bytes
  }

  /// The snapshot of some lines; nil when they are cut short or not such lines.
  public static func decode(_ bytes: [UInt8]) -> UsageSnapshot? {
    var snapshot = UsageSnapshot()
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // The last line ends in a line feed, so an empty piece follows it.
    guard lines.count >= 2, let rest = lines.last, rest.isEmpty else { return nil }
    for line in lines.dropLast(2) {
      var fields = Fields(line)
      guard let kind = fields.next(), read(kind, &fields, into: &snapshot) else { return nil }
    }
    var last = Fields(lines[lines.count - 2])
    guard last.next() == "end", let generation = last.unsigned(), last.isAtEnd else { return nil }
    snapshot.generation = generation
    return snapshot
  }

  private static func read(
    _ kind: String, _ fields: inout Fields, into snapshot: inout UsageSnapshot
  ) -> Bool {
    switch kind {
    case "use":
      guard let hour = fields.signed(), let device = fields.next().flatMap({ MACAddress($0) }),
        let client = fields.next().flatMap({ IPAddress($0) }), let service = fields.next(),
        let rule = fields.next(), let host = fields.next(),
        let verdict = fields.next().flatMap({ UsageVerdict(rawValue: $0) }),
        let reason = fields.next(), let connections = fields.unsigned(),
        let packetsUp = fields.unsigned(), let packetsDown = fields.unsigned(),
        let bytesUp = fields.unsigned(), let bytesDown = fields.unsigned(), fields.isAtEnd
      else { return false }
      let key = UsageKey(
        hour: hour, device: device, client: client, service: service, rule: rule, host: host,
        verdict: verdict, reason: reason)
      let counts = UsageCounts(
        connections: connections, packetsUp: packetsUp, packetsDown: packetsDown,
        bytesUp: bytesUp, bytesDown: bytesDown)
      snapshot.rows.append(UsageRow(key, counts))
    case "event":
      guard let time = fields.signed(), let until = fields.signed(), let kind = fields.next(),
        let count = fields.unsigned(), let detail = fields.next(), fields.isAtEnd
      else { return false }
      // A kind that this version doesn't know is left out.
      guard let kind = GatewayEvent.Kind(rawValue: kind) else { return true }
      snapshot.events.append(
        GatewayEvent(kind, at: time, until: until, count: count, detail: detail))
    case "health":
      guard let hour = fields.signed(), let queued = fields.unsigned(),
        let queueDropped = fields.unsigned(), let userDropped = fields.unsigned(),
        let overruns = fields.unsigned(), let conntrackOverruns = fields.unsigned(),
        let failures = fields.unsigned(), let seconds = fields.unsigned(), fields.isAtEnd
      else { return false }
      snapshot.health[hour] = QueueHealth(
        packetsQueued: queued, queueDropped: queueDropped, userDropped: userDropped,
        overruns: overruns, conntrackOverruns: conntrackOverruns, failures: failures,
        seconds: seconds)
    case "name":
      guard let device = fields.next().flatMap({ MACAddress($0) }), let name = fields.next(),
        fields.isAtEnd
      else { return false }
      snapshot.names.append((device: device, name: name))
    default:
      return false
    }
    return true
  }
}

/// Writes fields.
private struct Line {
  var bytes: [UInt8] = []

  mutating func begin(_ kind: String) { bytes += Array(kind.utf8) }

  mutating func add(_ number: some BinaryInteger) { add(String(number)) }

  mutating func add(_ text: String) {
    bytes.append(UInt8(ascii: "\t"))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\t"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
      case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
      case UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "\\")]
      case 0..<0x20, 0x7f:
        bytes += [UInt8(ascii: "\\"), UInt8(ascii: "x"), hex(byte >> 4), hex(byte & 15)]
      default: bytes.append(byte)
      }
    }
  }

  mutating func end() { bytes.append(UInt8(ascii: "\n")) }

  private func hex(_ digit: UInt8) -> UInt8 {
    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
  }
}

/// Reads fields, one after the other.
private struct Fields {
  private let fields: [ArraySlice<UInt8>]
  private var place = 0

  init(_ line: ArraySlice<UInt8>) {
    fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
  }

  var isAtEnd: Bool { place == fields.count }

  mutating func next() -> String? {
    guard place < fields.count else { return nil }
    let field = fields[place]
    place += 1
    if !field.contains(UInt8(ascii: "\\")) { return String(decoding: field, as: UTF8.self) }
    var bytes: [UInt8] = []
    var index = field.startIndex
    while index < field.endIndex {
      let byte = field[index]
      index += 1
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      guard index < field.endIndex else { return nil }
      switch field[index] {
      case UInt8(ascii: "t"): bytes.append(UInt8(ascii: "\t"))
      case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "x"):
        guard index + 2 < field.endIndex,
          let value = UInt8(
            String(decoding: field[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
        else { return nil }
        bytes.append(value)
        index += 2
      default: return nil
      }
      index += 1
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func signed() -> Int64? { next().flatMap { Int64($0) } }
  mutating func unsigned() -> UInt64? { next().flatMap { UInt64($0) } }
}
