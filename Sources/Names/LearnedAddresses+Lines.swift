public import System
internal import Wire

/// The state file: a line an entry, `name address source expiry`, the expiry in seconds since 1970.
extension LearnedAddresses {
  /// The lines of all entries that have not expired, by name and address.
  public func serialised(now: Instant, wall: WallTime) -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries(now: now) {
      let expiry = wall.seconds + Int64(entry.expiry.since(now).wholeSeconds)
      entry.name.appendText(to: &bytes)
      bytes.append(0x20)
      entry.address.appendText(to: &bytes)
      bytes.append(0x20)
      bytes.append(contentsOf: entry.source.rawValue.utf8)
      bytes.append(0x20)
      bytes.append(contentsOf: String(expiry).utf8)
      bytes.append(0x0a)
    }
    return bytes
  }

  /// Learns the lines again that have not expired; how many those were.
  ///
  /// Lines that are no entries are passed over: a damaged file costs what is damaged. No entry lasts
  /// longer than a new one could, so that a clock that was wrong then or is now can't make one stay.
  @discardableResult
  public func restore(from bytes: [UInt8], now: Instant, wall: WallTime) -> Int {
    var restored = 0
    for line in bytes.split(separator: 0x0a) {
      let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
      guard fields.count == 4,
        let name = HostName(String(decoding: fields[0], as: UTF8.self)),
        let address = IPAddress(fields[1]),
        let source = Source(rawValue: String(decoding: fields[2], as: UTF8.self)),
        let expiry = Int64(String(decoding: fields[3], as: UTF8.self))
      else { continue }
      let (left, overflows) = expiry.subtractingReportingOverflow(wall.seconds)
      guard !overflows, left > 0 else { continue }
      let longest = UInt64(Self.maximumTimeToLive + Self.grace)
      let span = Instant.Span.seconds(min(UInt64(left), longest))
      if restore(address, for: name, until: now + span, from: source, now: now) { restored += 1 }
    }
    return restored
  }
}
