import CSystem
import Report
import System
import Testing
import Usage
import Wire

/// A day in a small office, for the golden texts.
enum Sample {
  /// Sets the zone of the whole test process, once.
  private static let zone: Bool = {
    _ = unsafe setenv("TZ", "Europe/Berlin", 1)
    tzset()
    return true
  }()

  static func day() throws -> LocalDay {
    _ = zone
    return try #require(LocalDay("2025-01-02"))
  }

  /// The first second of 2 January 2025 in Berlin.
  static let midnight: Int64 = 1_735_772_400

  static let li = MACAddress(bits: 0xda_a119_0000_01)
  static let zhang = MACAddress(bits: 0x00_005e_0053_01)
  static let nameless = MACAddress(bits: 0x00_005e_0053_02)

  static func name(_ mac: MACAddress, _ address: IPAddress?) -> String? {
    switch mac {
    case li: "Li's phone"
    case zhang: "张伟的手机"
    default: nil
    }
  }

  static func explain(_ reason: String) -> String {
    switch reason {
    case "host-not-allowed":
      "No rule allows this host. If people need it, allow it in the rules file."
    case "no-server-name": "The connection did not say which host it wanted."
    case "feature-off": "A service's pack knows this host, and the feature is switched off."
    default: ""
    }
  }

  private static func row(
    _ hour: Int64, _ device: MACAddress, _ client: String, _ service: String, _ rule: String,
    _ host: String, _ reason: String, _ connections: UInt64, up: UInt64 = 0, down: UInt64 = 0
  ) throws -> UsageRow {
    let allowing = [
      "host-allowed", "address-allowed", "signature-allowed", "media-companion", "address-unproven",
    ]
    let isAllowed = allowing.contains(reason)
    return UsageRow(
      UsageKey(
        hour: midnight + hour * 3600, device: device,
        client: try #require(IPAddress(client)), service: service, rule: rule, host: host,
        verdict: isAllowed ? .allow : .deny, reason: reason),
      UsageCounts(
        connections: connections, packetsUp: connections * 8 + up / 1400,
        packetsDown: connections * 6 + down / 1400, bytesUp: up, bytesDown: down))
  }

  static func rows() throws -> [UsageRow] {
    let lis = "198.18.1.20"
    let zhangs = "198.18.1.21"
    var rows: [UsageRow] = []
    for (hour, weight) in [(7, 1), (8, 4), (9, 9), (10, 6), (12, 3), (14, 7), (17, 2)] {
      let weight = UInt64(weight)
      rows.append(
        try row(
          Int64(hour), li, lis, "wechat", "wechat.messaging", "szshort.weixin.qq.com",
          "host-allowed", 12 * weight, up: 210_000 * weight, down: 1_400_000 * weight))
      rows.append(
        try row(
          Int64(hour), zhang, zhangs, "wechat", "wechat.pictures", "vweixinf.tc.qq.com",
          "host-allowed", 3 * weight, up: 80_000 * weight, down: 24_000_000 * weight))
      rows.append(
        try row(
          Int64(hour), li, lis, "", "", "tracker.ads.a-rather-long-name-of-a-host.example",
          "host-not-allowed", 30 * weight))
    }
    rows.append(
      try row(
        9, li, "2001:2::1:20", "qq", "qq.messaging", "msfwifi.3g.qq.com", "host-allowed", 4,
        up: 31_000, down: 52_400))
    rows.append(
      try row(
        9, zhang, zhangs, "own rules", "allow .example.org", "timesheet.example.org",
        "host-allowed", 2, up: 3_100, down: 912_345))
    rows.append(
      try row(
        9, zhang, zhangs, "wechat", "wechat.channels", "finder.video.qq.com", "feature-off", 14))
    rows.append(
      try row(10, nameless, "198.18.1.77", "", "", "198.51.100.9:443", "no-server-name", 2))
    rows.append(
      try row(10, nameless, "198.18.1.77", "", "", "192.0.2.53:53/udp", "udp", 1204))
    return rows
  }

  static func snapshot() throws -> UsageSnapshot {
    var snapshot = UsageSnapshot()
    snapshot.rows = try rows()
    snapshot.events = [
      GatewayEvent(.start, at: midnight + 6 * 3600 + 120),
      GatewayEvent(.rulesChanged, at: midnight + 9 * 3600, count: 2),
      GatewayEvent(
        .firewallGap, at: midnight + 11 * 3600, until: midnight + 11 * 3600 + 9,
        detail: "the chain inspect was not there"),
      GatewayEvent(.start, at: midnight + 15 * 3600),
    ]
    snapshot.health = [
      midnight + 9 * 3600: QueueHealth(packetsQueued: 8123, seconds: 3600),
      midnight + 10 * 3600: QueueHealth(packetsQueued: 4211, queueDropped: 3, seconds: 3600),
    ]
    return snapshot
  }

  /// A chat whose protocols carry no name, under `binding: observe`.
  static func chat() throws -> ReportData {
    let day = try day()
    var builder = ReportBuilder(from: day, through: day)
    let lis = "198.18.1.20"
    for row in [
      try row(
        9, li, lis, "wechat", "wechat.messaging", "198.51.100.20:8080", "signature-allowed", 3,
        up: 90_000, down: 410_000),
      try row(
        9, li, lis, "wechat", "wechat.messaging", "[2001:2::20]:80", "address-unproven", 2,
        up: 4_000, down: 9_000),
      try row(
        9, li, lis, "wechat", "wechat.pictures", "vweixinf.tc.qq.com", "host-allowed", 4,
        up: 12_000, down: 2_000_000),
      try row(
        9, li, lis, "wechat", "wechat.pictures", "203.0.113.77:443", "media-companion", 9,
        up: 1_200_000, down: 48_000_000),
      try row(
        10, zhang, "198.18.1.21", "wechat", "wechat.pictures", "203.0.113.78:443",
        "media-companion", 1, up: 200_000, down: 1_000_000),
      try row(
        10, zhang, "198.18.1.21", "wechat", "wechat.pictures", "203.0.113.78:443", "media-budget",
        5),
      try row(
        10, zhang, "198.18.1.21", "wechat", "wechat.channels", "finder.video.qq.com",
        "feature-off", 41),
      try row(10, li, lis, "", "", "www.example.com", "host-not-allowed", 12),
      try row(10, li, lis, "", "", "192.0.2.8:53/udp", "other-resolver", 6),
      try row(10, li, lis, "", "", "www.example.com", "quic", 7),
    ] {
      builder.add(row)
    }
    return builder.report(
      live: .included, now: WallTime(seconds: midnight + 40 * 3600), name: name
    ) { reason in
      switch reason {
      case "media-companion":
        "Chat media, vouched for by a live chat connection of the same device."
      case "address-unproven":
        "The rules allow this host; no trusted answer gave this address for it (binding: observe)."
      case "media-budget": "The device has used up its chat media of the day."
      default: ""
      }
    }
  }

  static func report(
    live: ReportData.Live = .included, notes: [String] = [], now: Int64 = midnight + 40 * 3600
  ) throws -> ReportData {
    let day = try day()
    var builder = ReportBuilder(from: day, through: day)
    builder.add(try snapshot())
    return builder.report(
      live: live, now: WallTime(seconds: now), notes: notes, name: name, explain: explain)
  }
}

/// Compares a text with a file of Tests/ReportTests/Golden.
///
/// With IMGATE_WRITE_GOLDEN=1 the file is written instead: look at the difference before you keep it.
func expectGolden(_ text: String, _ name: String, _ location: SourceLocation = #_sourceLocation)
  throws
{
  let file = #filePath
  let path = String(file[..<(try #require(file.lastIndex(of: "/")))]) + "/Golden/" + name
  if unsafe getenv("IMGATE_WRITE_GOLDEN") != nil {
    try File.replace(path, with: Array(text.utf8))
  }
  let golden = String(decoding: try File.read(path), as: UTF8.self)
  #expect(text == golden, "differs from Golden/\(name)", sourceLocation: location)
}
