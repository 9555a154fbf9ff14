import Testing
import Usage
import Wire

@Suite struct UsageCountersTests {
  private static func key(
    _ host: String, hour: Int64 = 0, device: UInt64 = 1, verdict: UsageVerdict = .deny
  ) -> UsageKey {
    UsageKey(
      hour: hour, device: MACAddress(bits: device), client: IPAddress(ipv4: 0xc612_0114),
      service: verdict == .allow ? "wechat" : "", rule: verdict == .allow ? "wechat.messaging" : "",
      host: host, verdict: verdict, reason: verdict == .allow ? "host-allowed" : "host-not-allowed")
  }

  private static let once = UsageCounts(
    connections: 1, packetsUp: 2, packetsDown: 3, bytesUp: 100, bytesDown: 1000)

  private static func sum(_ rows: [UsageRow]) -> UsageCounts {
    var sum = UsageCounts()
    for row in rows { sum += row.counts }
    return sum
  }

  @Test func theSameKeyIsOneRow() {
    var counters = UsageCounters()
    counters.add(Self.key("a.example"), Self.once)
    counters.add(Self.key("a.example"), Self.once)
    counters.add(Self.key("b.example"), Self.once)
    let rows = counters.snapshot(generation: 0).rows
    #expect(rows.count == 2)
    #expect(Self.sum(rows).connections == 3)
    #expect(rows.first { $0.key.host == "a.example" }?.counts.bytesDown == 2000)
  }

  @Test func aDeviceThatAsksForManyHostsFoldsIntoOther() {
    var counters = UsageCounters(limit: 1000, deviceLimit: 50)
    for number in 0..<500 { counters.add(Self.key("h\(number).example"), Self.once) }
    // Another device still has room.
    counters.add(Self.key("other.example", device: 2), Self.once)
    let rows = counters.snapshot(generation: 0).rows
    #expect(rows.count == 52)
    #expect(rows.first { $0.key.host == UsageKey.other }?.counts.connections == 450)
    #expect(rows.contains { $0.key.host == "other.example" })
    #expect(Self.sum(rows).connections == 501)
  }

  @Test(arguments: [UsageVerdict.allow, .deny])
  func whateverClientsDoAnHourIsBoundedAndItsSumsAreRight(verdict: UsageVerdict) {
    var counters = UsageCounters(limit: 100, deviceLimit: 50)
    // A new device and a new host every time.
    for number in 0..<5000 {
      counters.add(
        Self.key("h\(number).example", device: UInt64(number + 1), verdict: verdict), Self.once)
    }
    let rows = counters.snapshot(generation: 0).rows
    #expect(rows.count <= 151)
    #expect(
      Self.sum(rows)
        == UsageCounts(
          connections: 5000, packetsUp: 10_000, packetsDown: 15_000, bytesUp: 500_000,
          bytesDown: 5_000_000))
  }

  @Test func writingDownDoesNotGiveTheHourMoreRoom() {
    var counters = UsageCounters(limit: 1000, deviceLimit: 50)
    var written: [UsageRow] = []
    for quarter in 0..<4 {
      for number in 0..<100 { counters.add(Self.key("q\(quarter)h\(number).example"), Self.once) }
      written += counters.snapshot(generation: 0).rows
      counters.markWritten(hour: 0)
      #expect(counters.snapshot(generation: 0).isEmpty)
    }
    #expect(Set(written.map { $0.key.host }).count == 51)
    #expect(Self.sum(written).connections == 400)
    // The next hour has room again.
    counters.add(Self.key("new.example", hour: 3600), Self.once)
    counters.markWritten(hour: 3600)
    #expect(counters.rowCount == 1)
  }

  @Test func eventsAreBoundedAndTheRestIsCounted() {
    var gateway = GatewayEvents()
    for number in 0..<(GatewayEvents.limit + 10) {
      gateway.record(GatewayEvent(.rulesChanged, at: Int64(number)))
    }
    #expect(gateway.events.count == GatewayEvents.limit)
    #expect(gateway.events.last?.kind == .dataLost)
    #expect(gateway.events.last?.count == 10)
  }

  @Test(
    arguments: [
      ("198.51.100.9", 443, IPProtocol.tcp, "198.51.100.9:443"),
      ("2001:2::9", 443, .tcp, "[2001:2::9]:443"),
      ("198.51.100.9", 53, .udp, "198.51.100.9:53/udp"),
      ("2001:2::9", 53, .udp, "[2001:2::9]:53/udp"),
      ("198.51.100.9", 0, .icmp, "198.51.100.9/icmp"),
      ("198.51.100.9", 0, IPProtocol(47), "198.51.100.9/47"),
    ] as [(String, UInt16, IPProtocol, String)])
  func aHostWithoutANameIsItsAddress(
    address: String, port: UInt16, proto: IPProtocol, text: String
  ) throws {
    #expect(UsageKey.target(try #require(IPAddress(address)), port: port, proto: proto) == text)
  }
}

@Suite struct UsageLinesTests {
  static var sample: UsageSnapshot {
    var snapshot = UsageSnapshot(generation: 7)
    let key = UsageKey(
      hour: 1_735_772_400, device: MACAddress(bits: 0x0200_5e10_0001),
      client: IPAddress(ipv4: 0xc612_0114), service: "own rules", rule: "allow .example.org",
      host: "a\tb\nc\\d\u{1b}e\u{7f}张", verdict: .allow, reason: "host-allowed")
    let counts = UsageCounts(
      connections: 1, packetsUp: 2, packetsDown: 3, bytesUp: 4, bytesDown: UInt64.max)
    snapshot.rows = [UsageRow(key, counts)]
    snapshot.events = [
      GatewayEvent(.start, at: 1_735_772_400),
      GatewayEvent(.firewallGap, at: 5, until: 9, count: 3, detail: "iptables -F\n"),
    ]
    snapshot.health = [
      1_735_772_400: QueueHealth(
        packetsQueued: 1, queueDropped: 2, userDropped: 3, overruns: 4, conntrackOverruns: 5,
        failures: 6, seconds: 7)
    ]
    snapshot.names = [(device: MACAddress(bits: 0x0200_5e10_0001), name: "Li's phone")]
    return snapshot
  }

  @Test func aSnapshotSurvivesTheWayThroughTheSocket() throws {
    let bytes = UsageLines.encode(Self.sample)
    #expect(bytes.split(separator: UInt8(ascii: "\n")).count == 6)
    let copy = try #require(UsageLines.decode(bytes))
    #expect(copy.generation == 7)
    #expect(copy.rows == Self.sample.rows)
    #expect(copy.events == Self.sample.events)
    #expect(copy.health == Self.sample.health)
    #expect(copy.names.map { $0.name } == ["Li's phone"])
    #expect(UsageLines.encode(copy) == bytes)
  }

  @Test func linesThatAreCutShortAreRefused() {
    let bytes = UsageLines.encode(Self.sample)
    for length in 0..<bytes.count {
      #expect(UsageLines.decode(Array(bytes[..<length])) == nil, "cut to \(length) bytes")
    }
  }

  @Test(arguments: [
    "", "\n", "end\t-1\n", "end\n", "end\t1\t2\n", "name\t1\nend\t1\n", "what\t1\nend\t1\n",
    "health\t1\t2\nend\t1\n", "name\t02:00:5e:10:00:01\ta\\qb\nend\t1\n",
    "name\t02:00:5e:10:00:01\ta\\x1\nend\t1\n",
  ])
  func nonsenseIsRefused(text: String) {
    #expect(UsageLines.decode(Array(text.utf8)) == nil)
  }
}
