public import System
public import Usage
public import Wire

/// Adds up rows to a report.
public struct ReportBuilder: Sendable {
  private let first: LocalDay
  private let last: LocalDay
  private let range: Range<Int64>
  private var details: [DetailKey: UsageCounts] = [:]
  private var addresses: [DeviceKey: Set<IPAddress>] = [:]
  private var hours: [Int64: (allowed: UsageCounts, refused: UsageCounts)] = [:]
  private var events: [GatewayEvent] = []
  private var health = QueueHealth()
  private var storedNames: [MACAddress: String] = [:]

  /// Reasons to allow that are counted apart: media to servers that nobody can prove, and names at
  /// addresses that nobody has proven.
  static let apart = ["media-companion", "address-unproven"]

  /// A report on the days `first` to `last`, both included.
  public init(from first: LocalDay, through last: LocalDay) {
    self.first = first
    self.last = last
    let start = first.start.seconds
    range = start..<max(start, last.end.seconds)
  }

  /// Adds a row; one of another day is left out.
  public mutating func add(_ row: UsageRow) {
    guard range.contains(row.key.hour), !row.counts.isZero else { return }
    let device = DeviceKey(row.key)
    let key = DetailKey(
      device: device, service: row.key.service, rule: row.key.rule, host: row.key.host,
      verdict: row.key.verdict, reason: row.key.reason)
    details[key, default: UsageCounts()] += row.counts
    if row.key.client != UsageKey.anyClient, addresses[device, default: []].count < 16 {
      addresses[device, default: []].insert(row.key.client)
    }
    var hour = hours[row.key.hour] ?? (allowed: UsageCounts(), refused: UsageCounts())
    if row.key.verdict == .allow { hour.allowed += row.counts } else { hour.refused += row.counts }
    hours[row.key.hour] = hour
  }

  /// Adds rows, events, health and names; what belongs to other days is left out.
  public mutating func add(_ snapshot: UsageSnapshot) {
    for row in snapshot.rows { add(row) }
    for event in snapshot.events where event.touches(range) { events.append(event) }
    for (hour, sample) in snapshot.health where range.contains(hour) { health += sample }
    for (device, name) in snapshot.names { storedNames[device] = name }
  }

  /// The report.
  ///
  /// `name` knows devices (label or lease; nil falls back to the name that the store remembers, then
  /// to the address). `explain` says in plain words what a reason's name means, or nothing.
  public func report(
    live: ReportData.Live, now: WallTime, notes: [String] = [],
    name: (MACAddress, IPAddress?) -> String?, explain: (String) -> String
  ) -> ReportData {
    let names = deviceNames(name)
    var allowed = UsageCounts()
    var refused = UsageCounts()
    for (key, counts) in details {
      if key.verdict == .allow { allowed += counts } else { refused += counts }
    }
    return ReportData(
      first: first, last: last, start: range.lowerBound, end: range.upperBound, now: now.seconds,
      live: live, notes: notes.map { PlainText.clean($0, limit: 400) }, allowed: allowed,
      refused: refused, devices: devices(names, explain), services: services(explain),
      hosts: hosts(),
      refusals: refusals(names), reasons: reasons(explain),
      hours: hours.keys.ordered().map { start in
        let hour = hours[start] ?? (allowed: UsageCounts(), refused: UsageCounts())
        return ReportData.Hour(start: start, allowed: hour.allowed, refused: hour.refused)
      },
      events: events.ordered { $0.time < $1.time }, health: health, details: list(names))
  }

  // MARK: - Names

  private struct Name {
    let text: String
    let isUnnamed: Bool
  }

  private func deviceNames(
    _ name: (MACAddress, IPAddress?) -> String?
  ) -> [DeviceKey: Name] {
    var names: [DeviceKey: Name] = [:]
    for key in details.keys where names[key.device] == nil {
      let device = key.device
      var known = name(device.mac, device.client)
      if known == nil {
        // IPv6 leases know a device by one of its addresses only.
        for address in addresses[device, default: []].ordered() where known == nil {
          known = name(device.mac, address)
        }
      }
      if known == nil, device.mac != .unknown { known = storedNames[device.mac] }
      if let known, !known.isEmpty {
        names[device] = Name(text: PlainText.clean(known, limit: 60), isUnnamed: false)
      } else {
        names[device] = Name(text: device.text, isUnnamed: true)
      }
    }
    return names
  }

  // MARK: - Lists

  private func devices(
    _ names: [DeviceKey: Name], _ explain: (String) -> String
  ) -> [ReportData.Device] {
    var parts: [DeviceKey: [DetailKey]] = [:]
    for key in details.keys { parts[key.device, default: []].append(key) }
    var devices: [ReportData.Device] = []
    for (device, keys) in parts {
      var sums = Sums()
      for key in keys { sums.add(key, details[key, default: UsageCounts()]) }
      let known = names[device] ?? Name(text: device.text, isUnnamed: true)
      devices.append(
        ReportData.Device(
          mac: device.mac, name: known.text, isUnnamed: known.isUnnamed,
          addresses: addresses[device, default: []].ordered(), allowed: sums.allowed,
          refused: sums.refused, services: sums.features(explain)))
    }
    return devices.ordered { a, b in
      (b.allowed.bytes, b.refused.connections, a.name, a.mac)
        < (a.allowed.bytes, a.refused.connections, b.name, b.mac)
    }
  }

  private func services(_ explain: (String) -> String) -> [ReportData.Service] {
    var byService: [String: Sums] = [:]
    for (key, counts) in details where key.verdict == .allow || !key.service.isEmpty {
      byService[key.service, default: Sums()].add(key, counts)
    }
    let sums = byService.map { service, sums in (service: service, sums: sums) }.ordered { a, b in
      (b.sums.allowed.bytes, b.sums.refused.connections, a.service)
        < (a.sums.allowed.bytes, a.sums.refused.connections, b.service)
    }
    var services: [ReportData.Service] = []
    for (service, sums) in sums {
      services.append(
        ReportData.Service(
          service: service, rule: "", allowed: sums.allowed, refused: sums.refused,
          devices: sums.devices.count, apart: []))
      services += sums.features(explain)
    }
    return services
  }

  private func hosts() -> [ReportData.Host] {
    var byHost: [HostKey: UsageCounts] = [:]
    for (key, counts) in details where key.verdict == .allow {
      byHost[
        HostKey(host: key.host, service: key.service, rule: key.rule), default: UsageCounts()] +=
        counts
    }
    return byHost.map { key, counts in
      ReportData.Host(host: key.host, service: key.service, rule: key.rule, counts: counts)
    }.ordered { a, b in
      (b.counts.bytes, b.counts.connections, a.host, a.rule)
        < (a.counts.bytes, a.counts.connections, b.host, b.rule)
    }
  }

  private func refusals(_ names: [DeviceKey: Name]) -> [ReportData.Refusal] {
    var refusals: [ReportData.Refusal] = []
    for (key, counts) in details where key.verdict == .deny && counts.connections > 0 {
      refusals.append(
        ReportData.Refusal(
          host: key.host, mac: key.device.mac, device: names[key.device]?.text ?? key.device.text,
          rule: key.rule, reason: key.reason, times: counts.connections))
    }
    return refusals.ordered { a, b in
      (b.times, a.host, a.device, a.reason, a.mac, a.rule)
        < (a.times, b.host, b.device, b.reason, b.mac, b.rule)
    }
  }

  private func reasons(_ explain: (String) -> String) -> [ReportData.ReasonCount] {
    var times: [String: UInt64] = [:]
    for (key, counts) in details where key.verdict == .deny {
      times[key.reason, default: 0] &+= counts.connections
    }
    return times.map { reason, times in
      ReportData.ReasonCount(reason: reason, explanation: explain(reason), times: times)
    }.ordered { a, b in (b.times, a.reason) < (a.times, b.reason) }
  }

  private func list(_ names: [DeviceKey: Name]) -> [ReportData.Detail] {
    let keys = details.keys.ordered { a, b in
      if a.device != b.device { return a.device < b.device }
      return (a.verdict.rawValue, a.service, a.rule, a.host, a.reason)
        < (b.verdict.rawValue, b.service, b.rule, b.host, b.reason)
    }
    return keys.map { key in
      ReportData.Detail(
        mac: key.device.mac, device: names[key.device]?.text ?? key.device.text,
        service: key.service, rule: key.rule, host: key.host, verdict: key.verdict,
        reason: key.reason, counts: details[key, default: UsageCounts()])
    }
  }
}

/// What makes a device: its hardware address, or its network address where that is all there is.
private struct DeviceKey: Hashable, Comparable {
  let mac: MACAddress
  let client: IPAddress?

  init(_ key: UsageKey) {
    mac = key.device
    client = key.device == .unknown && key.client != UsageKey.anyClient ? key.client : nil
  }

  var text: String {
    if mac != .unknown { return mac.text }
    return client?.text ?? "(other devices)"
  }

  static func < (a: DeviceKey, b: DeviceKey) -> Bool {
    (a.mac, a.client ?? UsageKey.anyClient) < (b.mac, b.client ?? UsageKey.anyClient)
  }
}

private struct DetailKey: Hashable {
  let device: DeviceKey
  let service: String
  let rule: String
  let host: String
  let verdict: UsageVerdict
  let reason: String
}

private struct HostKey: Hashable {
  let host: String
  let service: String
  let rule: String
}

/// Sums over some details.
private struct Sums {
  private(set) var allowed = UsageCounts()
  private(set) var refused = UsageCounts()
  private(set) var devices: Set<DeviceKey> = []
  private var rules: [RuleKey: Part] = [:]

  private struct RuleKey: Hashable {
    let service: String
    let rule: String
  }

  private struct Part {
    var allowed = UsageCounts()
    var refused = UsageCounts()
    var devices: Set<DeviceKey> = []
    /// One for each of the reasons in `ReportBuilder.apart`, at most.
    var apart: [ApartSum] = []
  }

  private struct ApartSum {
    let reason: String
    var counts = UsageCounts()
    var devices: Set<DeviceKey> = []
  }

  mutating func add(_ key: DetailKey, _ counts: UsageCounts) {
    var part = rules[RuleKey(service: key.service, rule: key.rule)] ?? Part()
    if key.verdict == .allow {
      allowed += counts
      part.allowed += counts
      if ReportBuilder.apart.contains(key.reason) {
        let known = part.apart.firstIndex { $0.reason == key.reason }
        if known == nil { part.apart.append(ApartSum(reason: key.reason)) }
        let place = known ?? part.apart.count - 1
        part.apart[place].counts += counts
        part.apart[place].devices.insert(key.device)
      }
    } else {
      refused += counts
      part.refused += counts
    }
    devices.insert(key.device)
    part.devices.insert(key.device)
    rules[RuleKey(service: key.service, rule: key.rule)] = part
  }

  /// The features and rules in it, most bytes first.
  func features(_ explain: (String) -> String) -> [ReportData.Service] {
    rules.map { key, part in
      ReportData.Service(
        service: key.service, rule: key.rule, allowed: part.allowed, refused: part.refused,
        devices: part.devices.count,
        apart: part.apart.ordered { $0.reason < $1.reason }.map { sum in
          ReportData.Apart(
            reason: sum.reason, explanation: explain(sum.reason), counts: sum.counts,
            devices: sum.devices.count)
        })
    }.ordered { a, b in
      (b.allowed.bytes, b.refused.connections, a.service, a.rule)
        < (a.allowed.bytes, a.refused.connections, b.service, b.rule)
    }
  }
}
