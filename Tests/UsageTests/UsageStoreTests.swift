import CSystem
import System
import Testing
import Usage
import Wire

/// A directory of its own for each test, removed at the end.
final class Directory {
  let path: String

  init() throws {
    var template = Array("/tmp/imgate-usage-XXXXXX".utf8CString)
    // mkdtemp writes into the array, which ends in a zero byte.
    try #require(unsafe mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? Command(["rm", "-rf", path]).run() }

  /// The names in it, sorted.
  var names: [String] {
    let outcome = try? Command(["ls", path]).run()
    return outcome?.outputText.split(separator: "\n").map { String($0) } ?? []
  }

  func copy(_ name: String, to directory: Directory) throws {
    _ = try Command(["sh", "-c", "cp '\(path)/\(name)'* '\(directory.path)/'"]).run()
  }
}

@Suite struct UsageStoreTests {
  private let directory: Directory
  private var path: String { directory.path + "/usage.db" }
  private static let now = WallTime(seconds: 1_735_800_000)  // 2 January 2025, 07:40 in Berlin
  private static let day = LocalDay(year: 2025, month: 1, day: 2)

  init() throws {
    _ = Berlin.isSet
    directory = try Directory()
  }

  private static func row(
    _ host: String, hour: Int64 = 1_735_797_600, device: UInt64 = 1, client: UInt32 = 0xc612_0114,
    verdict: UsageVerdict = .allow, bytes: UInt64 = 1000
  ) -> UsageRow {
    UsageRow(
      UsageKey(
        hour: hour, device: MACAddress(bits: device), client: IPAddress(ipv4: client),
        service: "wechat", rule: "wechat.messaging", host: host, verdict: verdict,
        reason: verdict == .allow ? "host-allowed" : "host-not-allowed"),
      UsageCounts(connections: 1, packetsUp: 2, packetsDown: 3, bytesUp: 100, bytesDown: bytes))
  }

  private static func snapshot(_ rows: UsageRow...) -> UsageSnapshot {
    var snapshot = UsageSnapshot()
    snapshot.rows = rows
    return snapshot
  }

  private static func sum(_ rows: [UsageRow]) -> UsageCounts {
    var sum = UsageCounts()
    for row in rows { sum += row.counts }
    return sum
  }

  private func read(_ path: String? = nil) throws -> UsageSnapshot {
    let day = try #require(Self.day)
    return try UsageReader(path ?? self.path).read(from: day, through: day)
  }

  @Test func theBytesOfAReasonAreSummedUpByDevice() throws {
    let store = try UsageStore(path, now: Self.now)
    var media = Self.row("203.0.113.7:443", bytes: 5000)
    media.key.reason = "media-companion"
    var earlier = media
    earlier.key.hour -= 86_400
    var otherServer = media
    otherServer.key.host = "203.0.113.8:443"
    var otherDevice = media
    otherDevice.key.device = MACAddress(bits: 2)
    try store.add(
      Self.snapshot(Self.row("a.example"), media, earlier, otherServer, otherDevice))
    let start = try #require(Self.day).start
    #expect(
      try store.bytes(of: "media-companion", since: start)
        == [MACAddress(bits: 1): 10_200, MACAddress(bits: 2): 5100])
    #expect(try store.bytes(of: "signature-allowed", since: start).isEmpty)
  }

  @Test func whatIsAddedIsReadAgain() throws {
    let store = try UsageStore(path, now: Self.now)
    var snapshot = UsageLinesTests.sample
    snapshot.events = [
      GatewayEvent(.start, at: 1_735_800_000),
      // It began the day before and reaches into the day.
      GatewayEvent(.firewallGap, at: 1_735_772_000, until: 1_735_772_410, count: 3, detail: "x"),
    ]
    try store.add(snapshot)
    let copy = try read()
    #expect(
      copy.rows
        == snapshot.rows.map { row in
          // The largest number that the store has is 2^63 - 1.
          var row = row
          row.counts.bytesDown = UInt64(Int64.max)
          return row
        })
    #expect(copy.events.map { $0.kind } == [.firewallGap, .start])
    #expect(copy.health == snapshot.health)
    #expect(copy.names.map { $0.name } == ["Li's phone"])
    #expect(copy.generation == 1)
    #expect(store.generation == 1)
  }

  @Test func aRowThatIsThereIsAddedTo() throws {
    let store = try UsageStore(path, now: Self.now)
    var snapshot = Self.snapshot(Self.row("a.example"), Self.row("a.example"))
    snapshot.health = [1_735_797_600: QueueHealth(packetsQueued: 5, seconds: 900)]
    try store.add(snapshot)
    try store.add(snapshot)
    let copy = try read()
    #expect(copy.rows.count == 1)
    #expect(
      copy.rows.first?.counts
        == UsageCounts(
          connections: 4, packetsUp: 8, packetsDown: 12, bytesUp: 400, bytesDown: 4000))
    #expect(copy.health[1_735_797_600]?.seconds == 1800)
    #expect(copy.generation == 2)
  }

  @Test func onlyTheDaysAskedForAreRead() throws {
    let day = try #require(Self.day)
    let store = try UsageStore(path, now: Self.now)
    try store.add(
      Self.snapshot(
        Self.row("before.example", hour: day.start.seconds - 3600),
        Self.row("first.example", hour: day.start.seconds),
        Self.row("last.example", hour: day.end.seconds - 3600),
        Self.row("after.example", hour: day.end.seconds)))
    #expect(try read().rows.map { $0.key.host } == ["first.example", "last.example"])
  }

  @Test func aStoreThatWasNeverClosedIsWhole() throws {
    let store = try UsageStore(path, now: Self.now)
    for number in 0..<20 { try store.add(Self.snapshot(Self.row("h\(number).example"))) }
    // What lies on the disk now is what a power cut leaves behind.
    let copy = try Directory()
    try directory.copy("usage.db", to: copy)
    let again = try UsageStore(copy.path + "/usage.db", now: Self.now)
    #expect(again.setAside == nil)
    #expect(again.generation == 20)
    #expect(try read(copy.path + "/usage.db").rows.count == 20)
    #expect(store.generation == 20)
  }

  @Test func aLogThatWasCutShortCostsItsLastWritesOnly() throws {
    let store = try UsageStore(path, now: Self.now)
    for number in 0..<20 { try store.add(Self.snapshot(Self.row("h\(number).example"))) }
    for cut in [1, 1000, 20_000] {
      let copy = try Directory()
      try directory.copy("usage.db", to: copy)
      let log = copy.path + "/usage.db-wal"
      let bytes = try File.read(log)
      try File.replace(log, with: Array(bytes.dropLast(cut)))
      try #require(unsafe unlink(copy.path + "/usage.db-shm") == 0)
      let again = try UsageStore(copy.path + "/usage.db", now: Self.now)
      #expect(again.setAside == nil)
      #expect(again.generation < 20)
      // As many rows as writes: none is there by half.
      #expect(try read(copy.path + "/usage.db").rows.count == Int(again.generation))
    }
  }

  @Test func aReaderSeesWholeWritesWhileTheDaemonWrites() throws {
    let store = try UsageStore(path, now: Self.now)
    try store.add(Self.snapshot(Self.row("a.example")))
    let day = try #require(Self.day)
    let reader = try UsageReader(path)
    #expect(try reader.read(from: day, through: day).generation == 1)
    try store.add(Self.snapshot(Self.row("b.example")))
    #expect(try reader.read(from: day, through: day).rows.count == 2)
    // And a second writer can come while the first still has it open.
    let second = try UsageStore(path, now: Self.now)
    try second.add(Self.snapshot(Self.row("c.example")))
    #expect(try reader.read(from: day, through: day).rows.count == 3)
  }

  @Test func aDamagedFileIsSetAside() throws {
    for number in 1...5 {
      try File.replace(path, with: Array("this is no database, but a long enough text".utf8))
      let store = try UsageStore(path, now: WallTime(seconds: Int64(number)))
      #expect(store.setAside == path + ".damaged-\(number)")
      try store.add(Self.snapshot(Self.row("a.example")))
      #expect(try read().rows.count == 1)
    }
    // Only the newest are kept.
    #expect(
      directory.names.filter { $0.contains("damaged") }
        == ["usage.db.damaged-3", "usage.db.damaged-4", "usage.db.damaged-5"])
  }

  @Test func damageWithinTheFileIsFoundWhenItIsOpened() throws {
    var store: UsageStore? = try UsageStore(path, now: Self.now)
    var snapshot = UsageSnapshot()
    for number in 0..<2000 { snapshot.rows.append(Self.row("host-\(number).example")) }
    try store?.add(snapshot)
    store = nil
    var bytes = try File.read(path)
    try #require(bytes.count > 100_000)
    for place in 40_000..<60_000 { bytes[place] = 0x5a }
    try File.replace(path, with: bytes)
    let again = try UsageStore(path, now: Self.now)
    #expect(again.setAside == path + ".damaged-\(Self.now.seconds)")
    try again.add(Self.snapshot(Self.row("a.example")))
    #expect(try read().rows.count == 1)
  }

  @Test func damageThatIsMetLaterIsToldAndCanBeSetAside() throws {
    let store = try UsageStore(path, now: Self.now)
    try store.add(Self.snapshot(Self.row("a.example")))
    // Somebody writes over the file and its log while it is open.
    let size = try File.read(path).count
    try File.overwrite(path, with: String(repeating: "Z", count: size))
    try File.overwrite(path + "-wal", with: String(repeating: "Z", count: 4096))
    var kind: UsageStoreError.Kind?
    do throws(UsageStoreError) {
      var snapshot = UsageSnapshot()
      for number in 0..<500 { snapshot.rows.append(Self.row("host-\(number).example")) }
      try store.add(snapshot)
      try store.add(snapshot)
    } catch { kind = error.kind }
    #expect(kind == .damaged)
    let aside = try store.startOver(now: Self.now)
    #expect(aside == path + ".damaged-\(Self.now.seconds)")
    try store.add(Self.snapshot(Self.row("b.example")))
    #expect(try read().rows.map { $0.key.host } == ["b.example"])
  }

  @Test func aFullStoreKeepsWhatItHasAndSaysSo() throws {
    let store = try UsageStore(path, now: Self.now, sizeLimit: 200_000)
    try store.add(Self.snapshot(Self.row("first.example")))
    var snapshot = UsageSnapshot()
    for number in 0..<5000 { snapshot.rows.append(Self.row("host-\(number).example")) }
    var failure: UsageStoreError?
    do throws(UsageStoreError) { try store.add(snapshot) } catch { failure = error }
    #expect(failure?.kind == .full)
    #expect(failure?.text == "no room is left for the usage store \(path)")
    // Nothing of the failed write is there, and a smaller one still goes.
    try store.add(Self.snapshot(Self.row("second.example")))
    #expect(try read().rows.map { $0.key.host }.sorted() == ["first.example", "second.example"])
    #expect(store.generation == 2)
  }

  @Test func aNewerStoreIsLeftAlone() throws {
    _ = try UsageStore(path, now: Self.now)
    // The file's header has the version in bytes 60 to 63 (sqlite.org/fileformat2.html).
    var before = try File.read(path)
    before[63] = 99
    try File.replace(path, with: before)
    var failure: UsageStoreError?
    do throws(UsageStoreError) { _ = try UsageStore(path, now: Self.now) } catch { failure = error }
    #expect(failure?.kind == .newer)
    #expect(failure?.text.contains("made by a newer imgate (its version is 99") == true)
    do throws(UsageStoreError) { _ = try UsageReader(path) } catch { failure = error }
    #expect(failure?.kind == .newer)
    #expect(try File.read(path) == before)
  }

  @Test func anotherProgramsDatabaseIsLeftAlone() throws {
    _ = try UsageStore(path, now: Self.now)
    // Bytes 68 to 71 say whose file it is.
    var bytes = try File.read(path)
    bytes[71] = 0
    try File.replace(path, with: bytes)
    var failure: UsageStoreError?
    do throws(UsageStoreError) { _ = try UsageStore(path, now: Self.now) } catch { failure = error }
    #expect(failure?.kind == .foreign)
    #expect(directory.names.contains { $0.contains("damaged") } == false)
  }

  @Test func aReaderOfNoStoreSaysSo() {
    var failure: UsageStoreError?
    do throws(UsageStoreError) { _ = try UsageReader(path) } catch { failure = error }
    #expect(failure?.kind == .cannotOpen)
    #expect(failure?.text == "there is no usage store at \(path) yet")
  }

  @Test func aDirectoryThatIsNotThereIsAnError() {
    var failure: UsageStoreError?
    do throws(UsageStoreError) {
      _ = try UsageStore(directory.path + "/none/usage.db", now: Self.now)
    } catch { failure = error }
    #expect(failure?.kind == .cannotOpen)
  }

  @Test func onlyOwnerAndGroupMayReadIt() throws {
    _ = try UsageStore(path, now: Self.now)
    let mode = try Command(["stat", "-c", "%a", path]).run().outputText
    #expect(mode == "640\n")
  }

  @Test(arguments: ["a?b.db", "a#b.db", "a%41.db", "a b.db", "a'b.db"])
  func anyPathIsTakenAsItIs(name: String) throws {
    _ = try UsageStore(directory.path + "/" + name, now: Self.now)
    #expect(directory.names.contains(name))
  }
}

@Suite struct RetentionTests {
  private let directory: Directory
  private var path: String { directory.path + "/usage.db" }
  private static let now = WallTime(seconds: 1_743_800_000)  // 4 April 2025

  init() throws {
    _ = Berlin.isSet
    directory = try Directory()
  }

  /// Two devices, three hosts, two addresses each, every hour of `days` days before now.
  private func fill(_ store: UsageStore, days: Int, from: Int = 0) throws -> UsageCounts {
    var sum = UsageCounts()
    let today = LocalDay(containing: Self.now)
    for back in from..<days {
      let day = today.adding(days: -back)
      var snapshot = UsageSnapshot()
      for hour in stride(from: day.start.seconds, to: day.end.seconds, by: 3600) {
        for place in 0..<12 {
          let counts = UsageCounts(
            connections: 1, packetsUp: 2, packetsDown: 3, bytesUp: 5,
            bytesDown: UInt64(7 + place % 3))
          let key = UsageKey(
            hour: hour, device: MACAddress(bits: UInt64(1 + place % 2)),
            client: IPAddress(ipv4: 0xc612_0100 + UInt32(place / 6)), service: "wechat",
            rule: "wechat.messaging", host: "h\(place % 3).example", verdict: .allow,
            reason: "host-allowed")
          snapshot.rows.append(UsageRow(key, counts))
          sum += counts
        }
      }
      try store.add(snapshot)
    }
    return sum
  }

  private func all(_ days: Int) throws -> [UsageRow] {
    let today = LocalDay(containing: Self.now)
    return try UsageReader(path).read(from: today.adding(days: -days), through: today).rows
  }

  @Test func hoursBecomeDaysAndNoSumChanges() throws {
    let store = try UsageStore(path, now: Self.now)
    let sum = try fill(store, days: 50)
    let before = try all(60).count
    try store.expire(now: Self.now)
    let rows = try all(60)
    #expect(rows.count < before)
    var after = UsageCounts()
    for row in rows { after += row.counts }
    #expect(after == sum)
    // The day of the clock change keeps its own sum: 23 hours of 12 connections.
    let day = try #require(LocalDay("2025-03-30"))
    var connections: UInt64 = 0
    for row in try UsageReader(path).read(from: day, through: day).rows {
      connections += row.counts.connections
    }
    #expect(connections == 23 * 12)
    // 35 days back the hours are still there, 36 days back they are not.
    let today = LocalDay(containing: Self.now)
    let kept = today.adding(days: -35)
    let summed = today.adding(days: -36)
    #expect(try UsageReader(path).read(from: kept, through: kept).rows.count == 24 * 12)
    let dayRows = try UsageReader(path).read(from: summed, through: summed).rows
    #expect(dayRows.count == 6)
    #expect(Set(dayRows.map { $0.key.hour }) == [summed.start.seconds])
    #expect(Set(dayRows.map { $0.key.client }) == [UsageKey.anyClient])
  }

  @Test func expiringTwiceIsExpiringOnce() throws {
    let store = try UsageStore(path, now: Self.now)
    let sum = try fill(store, days: 45, from: 30)
    try store.expire(now: Self.now)
    try store.expire(now: Self.now)
    // A write that comes late for a day that was summed up is added to it.
    let late = try fill(store, days: 45, from: 44)
    try store.expire(now: Self.now)
    var after = UsageCounts()
    for row in try all(60) { after += row.counts }
    var expected = sum
    expected += late
    #expect(after == expected)
  }

  @Test func daysPastTheirTimeAreDropped() throws {
    let store = try UsageStore(path, now: Self.now)
    _ = try fill(store, days: 20)
    var snapshot = UsageSnapshot()
    snapshot.events = [GatewayEvent(.start, at: 1)]
    snapshot.names = [(device: MACAddress(bits: 9), name: "gone")]
    try store.add(snapshot)
    try store.expire(now: Self.now, Retention(hours: 5, days: 10))
    let rows = try all(30)
    #expect(
      rows.map { $0.key.hour }.min()
        == LocalDay(containing: Self.now).adding(days: -10).start.seconds)
    let first = try #require(LocalDay("1970-01-01"))
    let left = try UsageReader(path).read(from: first, through: first)
    #expect(left.events.isEmpty)
    #expect(left.names.isEmpty)
  }

  @Test func aDaysLongestListIsCutAndTheRestIsSummed() throws {
    let store = try UsageStore(path, now: Self.now)
    let day = LocalDay(containing: Self.now).adding(days: -40)
    var snapshot = UsageSnapshot()
    for number in 0..<100 {
      let key = UsageKey(
        hour: day.start.seconds, device: MACAddress(bits: 1), client: IPAddress(ipv4: 1),
        service: "", rule: "", host: "h\(number).example", verdict: .deny,
        reason: "host-not-allowed")
      snapshot.rows.append(UsageRow(key, UsageCounts(connections: UInt64(number + 1))))
    }
    try store.add(snapshot)
    try store.expire(now: Self.now, Retention(hostsPerDevice: 10))
    let rows = try all(60)
    #expect(rows.count == 11)
    // 1 + 2 + ... + 90
    #expect(rows.first { $0.key.host == UsageKey.other }?.counts.connections == 4095)
    #expect(rows.first { $0.key.host == "h99.example" }?.counts.connections == 100)
  }
}
