import Report
import System
import Testing
import Usage
import Wire

@Suite struct TextReportTests {
  private static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
  }

  @Test func aDayIsToldSoThatAnOwnerUnderstandsIt() throws {
    let text = TextReport.render(try Sample.report())
    try expectGolden(text, "day.txt")
    for line in Self.lines(text) { #expect(PlainText.columns(line) <= 80, "\(line)") }
    for line in Self.lines(text) { #expect(line.hasSuffix(" ") == false, "\(line)") }
  }

  @Test func whatPassedOnLessProofIsCountedApart() throws {
    let data = try Sample.chat()
    let text = TextReport.render(data)
    try expectGolden(text, "chat.txt")
    for line in Self.lines(text) { #expect(PlainText.columns(line) <= 80, "\(line)") }
    try expectGolden(JSONReport.render(data), "chat.json")
  }

  @Test func coloursChangeNothingButColours() throws {
    let data = try Sample.report()
    let coloured = TextReport.render(data, style: TextStyle(hasColours: true))
    #expect(coloured.contains("\u{1b}[1m"))
    var plain = ""
    var isEscape = false
    for scalar in coloured.unicodeScalars {
      if scalar == "\u{1b}" { isEscape = true }
      if !isEscape { plain.unicodeScalars.append(scalar) }
      if scalar == "m" { isEscape = false }
    }
    #expect(plain == TextReport.render(data))
  }

  @Test func aDayThatIsNotOverSaysHowFarItWent() throws {
    let text = TextReport.render(try Sample.report(now: Sample.midnight + 14 * 3600 + 300))
    #expect(text.contains("So far, until 14:05."))
  }

  @Test func aDaemonThatIsDownIsSaid() throws {
    let text = TextReport.render(
      try Sample.report(live: .down, notes: ["The usage store was damaged."]))
    #expect(text.contains("The gateway is not running"))
    #expect(text.contains("The usage store was damaged."))
    #expect(TextReport.render(try Sample.report(live: .notAsked)).contains("was not asked"))
  }

  @Test func anEmptyDayIsAReportToo() throws {
    let day = try Sample.day()
    let data = ReportBuilder(from: day, through: day).report(
      live: .included, now: WallTime(seconds: Sample.midnight + 90_000), name: { _, _ in nil },
      explain: { _ in "" })
    #expect(data.isEmpty)
    try expectGolden(TextReport.render(data), "empty.txt")
  }

  @Test func wordsOfClientsCanDoNothingToATerminal() throws {
    let day = try Sample.day()
    let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}" + String(repeating: "w", count: 300)
    var builder = ReportBuilder(from: day, through: day)
    for verdict in UsageVerdict.allCases {
      builder.add(
        UsageRow(
          UsageKey(
            hour: Sample.midnight, device: Sample.li, client: IPAddress(ipv4: 1), service: evil,
            rule: evil, host: evil, verdict: verdict, reason: evil),
          UsageCounts(connections: 1, bytesUp: 1)))
    }
    var snapshot = UsageSnapshot()
    snapshot.events = [GatewayEvent(.storeDamaged, at: Sample.midnight, detail: evil)]
    builder.add(snapshot)
    let data = builder.report(
      live: .included, now: WallTime(seconds: Sample.midnight), notes: [evil],
      name: { _, _ in evil }, explain: { _ in evil })
    for text in [TextReport.render(data), JSONReport.render(data), CSVReport.render(data)] {
      for scalar in text.unicodeScalars where scalar != "\n" && scalar != "\r" {
        #expect(PlainText.isPrintable(scalar))
      }
    }
    // Even so no line is wider than the screen, but for one word that can't be broken.
    for line in Self.lines(TextReport.render(data)) where !line.contains("wwwwwwwwww") {
      #expect(PlainText.columns(line) <= 80, "\(line)")
    }
  }
}

@Suite struct ReportFormatsTests {
  @Test func jsonIsOneObjectALine() throws {
    let text = JSONReport.render(try Sample.report())
    try expectGolden(text, "day.json")
    for line in text.split(separator: "\n") {
      #expect(line.hasPrefix("{\"type\":\"") && line.hasSuffix("}"))
    }
  }

  @Test func csvHasALineForEachDeviceHostAndOutcome() throws {
    try expectGolden(CSVReport.render(try Sample.report()), "day.csv")
  }

  @Test func aCellIsNeverAFormula() throws {
    let day = try Sample.day()
    var builder = ReportBuilder(from: day, through: day)
    builder.add(
      UsageRow(
        UsageKey(
          hour: Sample.midnight, device: Sample.li, client: IPAddress(ipv4: 1), service: "",
          rule: "", host: "a,b\"c", verdict: .deny, reason: "udp"),
        UsageCounts(connections: 1)))
    let data = builder.report(
      live: .included, now: WallTime(seconds: 0), name: { _, _ in "=cmd()" },
      explain: { _ in "" })
    #expect(CSVReport.render(data).contains(",'=cmd(),,,\"a,b\"\"c\",deny,udp,1,"))
  }
}

@Suite struct ReportDataTests {
  /// Sums over every list of the report equal the sums over the rows, whatever the rows are.
  @Test(arguments: 0..<20)
  func everySumIsTheRowsSum(seed: UInt64) throws {
    let day = try Sample.day()
    var random = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
    func next(_ limit: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return random >> 33 % limit
    }
    var builder = ReportBuilder(from: day, through: day)
    var allowed = UsageCounts()
    var refused = UsageCounts()
    for _ in 0..<400 {
      let verdict: UsageVerdict = next(2) == 0 ? .allow : .deny
      let counts = UsageCounts(
        connections: next(5), packetsUp: next(100), packetsDown: next(100), bytesUp: next(10_000),
        bytesDown: next(1_000_000))
      if verdict == .allow { allowed += counts } else { refused += counts }
      let service = ["", "wechat", "qq"][Int(next(3))]
      builder.add(
        UsageRow(
          UsageKey(
            hour: Sample.midnight + Int64(next(24)) * 3600, device: MACAddress(bits: next(5)),
            client: IPAddress(ipv4: UInt32(next(4))), service: service,
            rule: service.isEmpty ? "" : "\(service).f\(next(3))", host: "h\(next(9)).example",
            verdict: verdict, reason: "r\(next(4))"),
          counts))
    }
    let data = builder.report(
      live: .included, now: WallTime(seconds: 0), name: { _, _ in nil }, explain: { _ in "" })

    func sum(_ parts: [UsageCounts]) -> UsageCounts {
      var sum = UsageCounts()
      for part in parts { sum += part }
      return sum
    }
    #expect(data.allowed == allowed)
    #expect(data.refused == refused)
    #expect(sum(data.devices.map { $0.allowed }) == allowed)
    #expect(sum(data.devices.map { $0.refused }) == refused)
    #expect(sum(data.devices.flatMap { $0.services.map { $0.allowed } }) == allowed)
    #expect(
      sum(data.services.filter { $0.rule.isEmpty && !$0.service.isEmpty }.map { $0.allowed })
        == sum(data.services.filter { !$0.rule.isEmpty }.map { $0.allowed }))
    #expect(sum(data.hosts.map { $0.counts }) == allowed)
    #expect(sum(data.hours.map { $0.allowed }) == allowed)
    #expect(sum(data.hours.map { $0.refused }) == refused)
    #expect(data.refusals.reduce(0) { $0 + $1.times } == refused.connections)
    #expect(data.reasons.reduce(0) { $0 + $1.times } == refused.connections)
    #expect(sum(data.details.filter { $0.verdict == .allow }.map { $0.counts }) == allowed)
  }

  @Test func rowsAndEventsOfOtherDaysAreLeftOut() throws {
    let day = try Sample.day()
    var builder = ReportBuilder(from: day, through: day)
    for hour in [Sample.midnight - 3600, Sample.midnight + 86_400] {
      builder.add(
        UsageRow(
          UsageKey(
            hour: hour, device: Sample.li, client: IPAddress(ipv4: 1), service: "", rule: "",
            host: "a.example", verdict: .deny, reason: "udp"),
          UsageCounts(connections: 1)))
    }
    var snapshot = UsageSnapshot()
    snapshot.events = [
      GatewayEvent(.start, at: Sample.midnight - 1),
      GatewayEvent(.paused, at: Sample.midnight - 100, until: Sample.midnight + 100),
    ]
    snapshot.health = [Sample.midnight + 86_400: QueueHealth(packetsQueued: 1)]
    builder.add(snapshot)
    let data = builder.report(
      live: .included, now: WallTime(seconds: 0), name: { _, _ in nil }, explain: { _ in "" })
    #expect(data.details.isEmpty)
    #expect(data.events.map { $0.kind } == [.paused])
    #expect(data.health.isZero)
  }

  @Test func aDeviceHasItsLeaseNameElseTheNameItHadElseItsAddress() throws {
    let day = try Sample.day()
    var builder = ReportBuilder(from: day, through: day)
    let address = IPAddress(ipv4: 0xc612_0109)
    for device in [Sample.li, Sample.zhang, Sample.nameless, .unknown] {
      builder.add(
        UsageRow(
          UsageKey(
            hour: Sample.midnight, device: device, client: address, service: "wechat",
            rule: "wechat.messaging", host: "a.example", verdict: .allow, reason: "host-allowed"),
          UsageCounts(connections: 1)))
    }
    var snapshot = UsageSnapshot()
    snapshot.names = [(device: Sample.zhang, name: "old name"), (device: Sample.li, name: "x")]
    builder.add(snapshot)
    let data = builder.report(
      live: .included, now: WallTime(seconds: 0),
      name: { mac, _ in mac == Sample.li ? "Li's phone" : nil }, explain: { _ in "" })
    #expect(
      Set(data.devices.map { $0.name })
        == ["Li's phone", "old name", "00:00:5e:00:53:02", "198.18.1.9"])
  }
}
