internal import System
internal import Usage
internal import Wire

/// A report for a terminal, a file or a mail: at most 80 columns.
public struct TextReport {
  let data: ReportData
  let style: TextStyle
  var text = ""

  /// The report on `data`, with a line feed at its end.
  public static func render(_ data: ReportData, style: TextStyle = .plain) -> String {
    var report = TextReport(data: data, style: style)
    report.addHeader()
    if data.details.isEmpty {
      report.addEmpty()
    } else {
      report.addGlance()
      report.addHours()
      report.addDevices()
      report.addServices()
      report.addHosts()
      report.addRefusals()
      report.addReasons()
    }
    report.addGateway()
    return report.text
  }

  private init(data: ReportData, style: TextStyle) {
    self.data = data
    self.style = style
  }

  mutating func line(_ content: String = "") {
    text += content + "\n"
  }

  mutating func heading(_ left: String, _ right: String = "") {
    line()
    line(style.heading(left + right))
  }

  // MARK: - Top

  private mutating func addHeader() {
    let days =
      data.first == data.last
      ? Figures.date(data.first)
      : "\(Figures.shortDate(data.first)) to \(Figures.shortDate(data.last))"
    line(style.heading("imgate: usage of \(days)"))
    switch data.live {
    case .included:
      if data.now < data.end {
        line("So far, until \(LocalClock(WallTime(seconds: data.now)).time).")
      }
    case .down:
      for part in Columns.wrap(
        "The gateway is not running. If it was killed, its last minutes are missing here.", 80)
      {
        line(style.warning(part))
      }
    case .notAsked:
      line(style.faint("The running gateway was not asked: only what it has written is here."))
    }
    for note in data.notes {
      for part in Columns.wrap(note, 80) { line(style.warning(part)) }
    }
  }

  private mutating func addEmpty() {
    line()
    line("No device used the network, or was refused anything.")
  }

  private mutating func addGlance() {
    heading("At a glance")
    let devices = Figures.count(UInt64(data.devices.count), "device", "devices")
    let connections = Figures.count(data.allowed.connections, "connection", "connections")
    line(
      "  \(devices), \(connections), \(Figures.bytes(data.allowed.bytesDown)) down, "
        + "\(Figures.bytes(data.allowed.bytesUp)) up")
    if data.refused.connections == 0 {
      line("  nothing was refused")
    } else {
      let times = Figures.count(data.refused.connections, "attempt", "attempts")
      line("  \(style.refused("\(times) refused"))\(mostRefused)")
    }
    let unproven = data.services.reduce(UInt64(0)) { sum, service in
      let apart = service.apart.first { $0.reason == "address-unproven" }
      return sum &+ (apart?.counts.connections ?? 0)
    }
    if unproven > 0 {
      let connections = Figures.count(unproven, "connection", "connections")
      line("  " + style.warning("\(connections) to unproven addresses (binding: observe)"))
    }
  }

  /// Who was refused most, if it is one of several.
  private var mostRefused: String {
    guard data.devices.count > 1,
      let most = data.devices.max(by: { $0.refused.connections < $1.refused.connections }),
      most.refused.connections * 2 > data.refused.connections
    else { return "" }
    return ", most of them to \(Columns.fit(most.name, 32))"
  }

  private mutating func addHours() {
    // Only a single day is drawn, and only when it still has its hours.
    guard data.first == data.last, data.hours.count > 1 else { return }
    var bytes: [Int64: UInt64] = [:]
    for hour in data.hours { bytes[hour.start] = hour.allowed.bytes }
    guard let most = bytes.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), most.value > 0
    else { return }
    let steps = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    var bars = ""
    var labels = ""
    var start = data.start
    while start < data.end {
      let value = bytes[start, default: 0]
      // Any traffic at all is higher than none.
      let step = value == 0 ? 0 : 1 + Int(min(6, value / max(1, most.value / 7 + 1)))
      bars += (value == 0 ? "·" : steps[step]) + " "
      let hour = LocalClock(WallTime(seconds: start)).hour
      labels += hour % 3 == 0 ? Columns.left("\(hour)", 2) : "  "
      start += 3600
    }
    heading("Through the day")
    line("  " + bars.trimmedEnd)
    line("  " + style.faint(labels.trimmedEnd))
    line(
      "  busiest: \(LocalClock(WallTime(seconds: most.key)).time), \(Figures.bytes(most.value))")
  }

  // MARK: - Tables of use

  private static let nameWidth = 34

  private func row(
    _ name: String, _ allowed: UsageCounts, refused: UInt64, isFaint: Bool = false
  ) -> String {
    var figures = ""
    if !allowed.isZero || refused == 0 {
      figures += Columns.right(Figures.bytes(allowed.bytesDown), 12)
      figures += Columns.right(Figures.bytes(allowed.bytesUp), 11)
      figures += Columns.right(Figures.count(allowed.connections), 13)
    } else {
      figures += Columns.blanks(36)
    }
    let line = Columns.left(name, Self.nameWidth) + figures
    if refused == 0 { return (isFaint ? style.faint(line) : line).trimmedEnd }
    let count = Columns.right(Figures.count(refused), 10)
    return (isFaint ? style.faint(line) : line) + style.refused(count)
  }

  private mutating func tableHeading(_ title: String) {
    heading(
      Columns.left(title, Self.nameWidth), "        Down         Up  Connections   Refused")
  }

  private mutating func addDevices() {
    tableHeading("Who used what")
    for (place, device) in data.devices.prefix(40).enumerated() {
      if place > 0 { line() }
      line(row("  " + device.name, device.allowed, refused: device.refused.connections))
      let origin = origin(device)
      if !origin.isEmpty { line("  " + style.faint(Columns.fit(origin, 78))) }
      let used = device.services.filter { !$0.allowed.isZero }
      for use in used.prefix(8) {
        line(row("    " + label(use), use.allowed, refused: use.refused.connections))
        addApart(use)
      }
      if used.count > 8 { line("    and \(used.count - 8) more") }
    }
    if data.devices.count > 40 { line("  and \(data.devices.count - 40) more devices") }
  }

  /// What tells a device apart besides its name.
  private func origin(_ device: ReportData.Device) -> String {
    var parts: [String] = []
    if device.mac != .unknown {
      let isPrivate = device.mac.isPrivate
      if !device.isUnnamed {
        parts.append(device.mac.text + (isPrivate ? " (private)" : ""))
      } else if isPrivate {
        parts.append("(private)")
      }
    }
    for address in device.addresses.prefix(3) where address.text != device.name {
      parts.append(address.text)
    }
    if device.addresses.count > 3 { parts.append("and \(device.addresses.count - 3) more") }
    return parts.joined(separator: "  ")
  }

  private mutating func addServices() {
    if data.services.isEmpty { return }
    tableHeading("Services")
    for service in data.services {
      let name =
        service.rule.isEmpty ? "  " + serviceName(service.service) : "    " + feature(service)
      line(row(name, service.allowed, refused: service.refused.connections))
      addApart(service)
    }
  }

  /// What of a feature's use passed on less proof than the rest.
  private mutating func addApart(_ use: ReportData.Service) {
    for apart in use.apart {
      let name = "      of it " + PlainText.clean(apart.reason)
      line(row(name, apart.counts, refused: 0, isFaint: true))
    }
  }

  private mutating func addHosts() {
    if data.hosts.isEmpty { return }
    heading(
      Columns.left("Hosts, most used", 48), "      Down        Up Connections")
    for host in data.hosts.prefix(10) {
      line(
        "  " + Columns.left(PlainText.clean(host.host), 46, keep: .end)
          + Columns.right(Figures.bytes(host.counts.bytesDown), 10)
          + Columns.right(Figures.bytes(host.counts.bytesUp), 10)
          + Columns.right(Figures.count(host.counts.connections), 12))
    }
    if data.hosts.count > 10 { line("  and \(data.hosts.count - 10) more") }
  }

  private func serviceName(_ service: String) -> String {
    service.isEmpty ? "(no service)" : PlainText.clean(service)
  }

  /// `messaging` for the rule `wechat.messaging` of the service `wechat`.
  private func feature(_ use: ReportData.Service) -> String {
    let rule = PlainText.clean(use.rule)
    let prefix = use.service + "."
    if rule.hasPrefix(prefix) { return String(rule.dropFirst(prefix.count)) }
    return rule.isEmpty ? "(no rule)" : rule
  }

  private func label(_ use: ReportData.Service) -> String {
    // An owner's rule says itself what it is.
    if use.service.isEmpty || use.service == "own rules" { return feature(use) }
    return "\(PlainText.clean(use.service)) \(feature(use))"
  }

  // MARK: - Refusals

  private mutating func addRefusals() {
    if data.refusals.isEmpty { return }
    heading("Refused, most often")
    line(
      style.faint(
        "   Times  \(Columns.left("Host or address", 30))  \(Columns.left("Device", 17))  Reason"))
    for refusal in data.refusals.prefix(15) {
      line(
        Columns.right(Figures.count(refusal.times), 8) + "  "
          + Columns.left(PlainText.clean(refusal.host), 30, keep: .end) + "  "
          + Columns.left(refusal.device, 17) + "  "
          + Columns.fit(PlainText.clean(refusal.reason), 19))
    }
    if data.refusals.count > 15 {
      let rest = data.refusals.dropFirst(15).reduce(UInt64(0)) { $0 &+ $1.times }
      line(Columns.right(Figures.count(rest), 8) + "  others")
    }
  }

  private mutating func addReasons() {
    var explained: [(reason: String, explanation: String)] = []
    for reason in data.reasons { explained.append((reason.reason, reason.explanation)) }
    for service in data.services {
      for apart in service.apart where !explained.contains(where: { $0.reason == apart.reason }) {
        explained.append((apart.reason, apart.explanation))
      }
    }
    explained.removeAll { $0.explanation.isEmpty }
    if explained.isEmpty { return }
    heading("What the reasons mean")
    for (reason, explanation) in explained {
      let lines = Columns.wrap(PlainText.clean(explanation, limit: 1000), 55)
      for (place, part) in lines.enumerated() {
        line("  " + Columns.left(place == 0 ? PlainText.clean(reason) : "", 21) + "  " + part)
      }
    }
  }
}

extension String {
  /// The text without blanks at its end.
  var trimmedEnd: String {
    var bytes = Array(utf8)
    while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
