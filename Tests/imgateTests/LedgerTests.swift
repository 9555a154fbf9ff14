import Names
import PacketBuilder
import Policy
import System
import Testing
import Usage
import Wire
import YAML

@testable import Flow
@testable import imgate

/// Bytes come from conntrack and are credited to the device, host and rule of the connection's
/// record, each byte once.
@Suite struct LedgerTests {
  static let start = WallTime(seconds: 1_700_000_000)
  static let tuple = FiveTuple(from: "198.18.1.10:40001", to: "198.18.0.7:443")
  static let phone = MACAddress(bits: 0x0200_5e10_0001)

  static func policy(_ host: String = "short.weixin.qq.com") throws -> Policy {
    try Policy.load(
      rules: SourceFile(
        path: "rules.yaml", text: "version: 1\nallow:\n  - {host: \(host), ports: [80, 443]}\n"),
      packs: [])
  }

  static func record(
    _ policy: Policy, host: String = "short.weixin.qq.com", reason: Reason = .hostAllowed,
    tuple: FiveTuple = LedgerTests.tuple, isContinuation: Bool = false
  ) -> FlowRecord {
    let decision = policy.decide(
      Subject(
        application: .tls, host: HostName(host), address: tuple.destination,
        port: tuple.destinationPort, transport: .tcp, device: phone))
    return FlowRecord(
      tuple: tuple, device: phone, reason: reason, rule: decision.rule, policy: policy,
      host: HostName(host), application: .tls, packets: 2, passedAnyway: false,
      isContinuation: isContinuation, isConnection: true)
  }

  static func total(up: UInt64, down: UInt64) -> UsageCounts {
    UsageCounts(
      packetsUp: up / 100, packetsDown: down / 100, bytesUp: up, bytesDown: down)
  }

  static func rows(_ ledger: Ledger) -> [String] {
    ledger.counters.snapshot(generation: 0).rows.map { row in
      "\(row.key.host) \(row.key.verdict.rawValue) \(row.key.reason) x\(row.counts.connections) "
        + "up \(row.counts.bytesUp) down \(row.counts.bytesDown)"
    }.sorted()
  }

  @Test func bytesAreCreditedAsTheyFlowAndOnce() throws {
    var ledger = Ledger()
    ledger.enter(Self.record(try Self.policy()), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 100, down: 1000), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 100, down: 1000), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 300, down: 5000), at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 400, down: 5500), at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 400, down: 5500), at: Self.start)
    #expect(
      Self.rows(ledger) == ["short.weixin.qq.com allow host-allowed x1 up 400 down 5500"])
    #expect(ledger.connectionCount == 0)
  }

  @Test func aLongConnectionIsCreditedToTheHoursInWhichItsBytesFlowed() throws {
    var ledger = Ledger()
    ledger.enter(Self.record(try Self.policy()), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 10, down: 100), at: Self.start)
    let later = WallTime(seconds: Self.start.seconds + 2 * 3600)
    ledger.close(Self.tuple, Self.total(up: 10, down: 700), at: later)
    let rows = ledger.counters.snapshot(generation: 0).rows
    #expect(rows.map(\.counts.bytesDown) == [100, 600])
    #expect(rows.map(\.key.hour) == [Self.start, later].map { LocalClock.hourStart(of: $0) })
  }

  @Test func anAttemptThatWasRefusedCountsWithoutBytes() throws {
    var ledger = Ledger()
    ledger.enter(
      Self.record(try Self.policy(), host: "www.example.com", reason: .hostNotAllowed),
      at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 400, down: 60), at: Self.start)
    #expect(Self.rows(ledger) == ["www.example.com deny host-not-allowed x1 up 0 down 0"])
  }

  @Test func theEndOfAnEarlierConnectionOnTheSamePortsIsCreditedToThatOne() throws {
    var ledger = Ledger()
    let policy = try Policy.load(
      rules: SourceFile(
        path: "rules.yaml",
        text: "version: 1\nallow:\n  - {host: a.example.org}\n  - {host: b.example.org}\n"),
      packs: [])
    ledger.enter(Self.record(policy, host: "a.example.org"), at: Self.start)
    // The new connection is judged before the kernel's report of the old one's end is read.
    ledger.enter(Self.record(policy, host: "b.example.org"), at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 1, down: 10), at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 2, down: 20), at: Self.start)
    #expect(
      Self.rows(ledger) == [
        "a.example.org allow host-allowed x1 up 1 down 10",
        "b.example.org allow host-allowed x1 up 2 down 20",
      ])
  }

  @Test func theKernelsNumberTellsConnectionsOnTheSamePortsApart() throws {
    var ledger = Ledger()
    let policy = try Policy.load(
      rules: SourceFile(
        path: "rules.yaml",
        text: "version: 1\nallow:\n  - {host: a.example.org}\n  - {host: b.example.org}\n"),
      packs: [])
    ledger.enter(Self.record(policy, host: "a.example.org"), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 1, down: 10), id: 7, at: Self.start)
    // The client has rebooted; the new connection's entry is listed before the record of it comes.
    ledger.credit(Self.tuple, Self.total(up: 100, down: 1000), id: 8, at: Self.start)
    ledger.enter(Self.record(policy, host: "b.example.org"), at: Self.start)
    // A list that was begun before the old entry was gone.
    ledger.credit(Self.tuple, Self.total(up: 2, down: 20), id: 7, at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 200, down: 2000), id: 8, at: Self.start)
    // Their ends in the wrong order.
    let isOver = ledger.close(Self.tuple, Self.total(up: 300, down: 3000), id: 8, at: Self.start)
    #expect(isOver)
    ledger.close(Self.tuple, Self.total(up: 3, down: 30), id: 7, at: Self.start)
    #expect(
      Self.rows(ledger) == [
        "a.example.org allow host-allowed x1 up 3 down 30",
        "b.example.org allow host-allowed x1 up 300 down 3000",
      ])
  }

  @Test func theEndOfARefusedConnectionTakesNoOtherOut() throws {
    var ledger = Ledger()
    ledger.enter(Self.record(try Self.policy()), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 1, down: 10), id: 8, at: Self.start)
    // Of one on the same ports, that was refused and has lingered until now.
    let hasEnded = ledger.close(Self.tuple, Self.total(up: 5, down: 50), id: 7, at: Self.start)
    #expect(!hasEnded)
    #expect(ledger.connectionCount == 1)
  }

  @Test func anotherRequestOnAConnectionTakesTheBytesThatFollow() throws {
    var ledger = Ledger()
    let policy = try Policy.load(
      rules: SourceFile(
        path: "rules.yaml",
        text: "version: 1\nallow:\n  - {host: a.example.org}\n  - {host: b.example.org}\n"),
      packs: [])
    ledger.enter(Self.record(policy, host: "a.example.org"), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 1, down: 10), at: Self.start)
    ledger.enter(
      Self.record(policy, host: "b.example.org", isContinuation: true), at: Self.start)
    ledger.close(Self.tuple, Self.total(up: 3, down: 30), at: Self.start)
    #expect(
      Self.rows(ledger) == [
        "a.example.org allow host-allowed x1 up 1 down 10",
        "b.example.org allow host-allowed x0 up 2 down 20",
      ])
  }

  @Test func newRulesCutWhatTheyNoLongerAllowAndKeepTheRest() throws {
    var ledger = Ledger()
    let old = try Policy.load(
      rules: SourceFile(
        path: "rules.yaml",
        text: "version: 1\nallow:\n  - {host: a.example.org}\n  - {host: b.example.org}\n"),
      packs: [])
    let other = FiveTuple(from: "198.18.1.10:40002", to: "198.18.0.8:443")
    ledger.enter(Self.record(old, host: "a.example.org"), at: Self.start)
    ledger.enter(Self.record(old, host: "b.example.org", tuple: other), at: Self.start)
    let new = try Self.policy("b.example.org")
    let isKept = ledger.judgeAgain(other, by: new, at: Self.start)
    #expect(isKept)
    let isCut = !ledger.judgeAgain(Self.tuple, by: new, at: Self.start)
    #expect(isCut)
    #expect(ledger.connections[other]?.policy === new)
    #expect(Self.rows(ledger).contains("a.example.org deny rules-changed x1 up 0 down 0"))
    // Its last bytes still count for what it was.
    ledger.close(Self.tuple, Self.total(up: 5, down: 50), at: Self.start)
    #expect(Self.rows(ledger).contains("a.example.org allow host-allowed x1 up 5 down 50"))
  }

  @Test func aConnectionThatIdlesOnAfterItWasCutIsCountedOnce() throws {
    var ledger = Ledger()
    ledger.enter(Self.record(try Self.policy()), at: Self.start)
    let isCut = !ledger.judgeAgain(Self.tuple, by: try Self.policy("b.example.org"), at: Self.start)
    let isCutAgain = !ledger.judgeAgain(
      Self.tuple, by: try Self.policy("c.example.org"), at: Self.start)
    #expect(isCut)
    #expect(!isCutAgain)
    #expect(
      Self.rows(ledger) == [
        "short.weixin.qq.com allow host-allowed x1 up 0 down 0",
        "short.weixin.qq.com deny rules-changed x1 up 0 down 0",
      ])
  }

  @Test func whatAnEarlierRunHasCountedIsNotCountedAgain() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    let subject = Subject(
      application: .tls, host: HostName("short.weixin.qq.com"),
      address: Self.tuple.destination, port: 443, transport: .tcp, device: Self.phone)
    ledger.adopt(
      Self.tuple, Self.total(up: 1000, down: 9000), subject, .hostAllowed, policy: nil,
      at: Self.start)
    let isAllowed = ledger.judgeAgain(Self.tuple, by: policy, at: Self.start)
    #expect(isAllowed)
    ledger.close(Self.tuple, Self.total(up: 1100, down: 9900), at: Self.start)
    #expect(
      Self.rows(ledger) == ["short.weixin.qq.com allow host-allowed x0 up 100 down 900"])
  }

  @Test func whatNobodyRemembersStaysWhileTheRulesSayTheSame() throws {
    var ledger = Ledger()
    let subject = Subject(
      application: .unknown, host: nil, address: Self.tuple.destination, port: 443, transport: .tcp,
      device: .unknown)
    ledger.adopt(
      Self.tuple, Self.total(up: 1000, down: 9000), subject, .beforeRestart,
      policy: try Self.policy(), at: Self.start)
    let staysAfterAnEmptyReload = ledger.judgeAgain(
      Self.tuple, by: try Self.policy(), at: Self.start)
    let staysUnderOtherRules = ledger.judgeAgain(
      Self.tuple, by: try Self.policy("b.example.org"), at: Self.start)
    #expect(staysAfterAnEmptyReload)
    #expect(!staysUnderOtherRules)
  }

  @Test func aConnectionWhoseEndWasMissedIsForgottenButNotANewOne() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    ledger.enter(Self.record(policy), at: Self.start)
    ledger.keepOnly([], at: WallTime(seconds: Self.start.seconds + 30))
    #expect(ledger.connectionCount == 1)
    ledger.keepOnly([Self.tuple], at: WallTime(seconds: Self.start.seconds + 90))
    #expect(ledger.connectionCount == 1)
    ledger.keepOnly([], at: WallTime(seconds: Self.start.seconds + 90))
    #expect(ledger.connectionCount == 0)
  }

  // MARK: Media

  @Test func downloadedMediaIsSpentAsItFlows() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    let hadMedia = ledger.hasMedia()
    #expect(!hadMedia)
    ledger.enter(Self.record(policy, reason: .mediaCompanion), at: Self.start)
    let hasMedia = ledger.hasMedia()
    #expect(hasMedia)
    // What goes up is counted by the workers.
    ledger.credit(Self.tuple, Self.total(up: 700, down: 1000), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 800, down: 1500), at: Self.start)
    let bytes = ledger.takeMediaBytes()
    #expect(bytes == [Self.phone: 1500])
    let noBytes = ledger.takeMediaBytes()
    #expect(noBytes.isEmpty)
    ledger.close(Self.tuple, Self.total(up: 900, down: 1700), at: Self.start)
    let lastBytes = ledger.takeMediaBytes()
    #expect(lastBytes == [Self.phone: 200])
    let hasMediaYet = ledger.hasMedia()
    #expect(!hasMediaYet)
  }

  @Test func whatIsNoMediaOfACompanionCostsNoBudget() throws {
    var ledger = Ledger()
    ledger.enter(Self.record(try Self.policy()), at: Self.start)
    ledger.credit(Self.tuple, Self.total(up: 700, down: 1000), at: Self.start)
    let bytes = ledger.takeMediaBytes()
    #expect(bytes.isEmpty)
    let hasMedia = ledger.hasMedia()
    #expect(!hasMedia)
    let cut = ledger.cutMedia(at: Self.start) { _ in true }
    #expect(cut.isEmpty)
  }

  @Test func mediaPastTheBudgetIsCutOnceAndSaysWhy() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    let other = FiveTuple(from: "198.18.1.11:40001", to: "198.18.0.7:443")
    var record = Self.record(policy, reason: .mediaCompanion, tuple: other)
    record.device = MACAddress(bits: 0x0200_5e10_0002)
    ledger.enter(record, at: Self.start)
    ledger.enter(Self.record(policy, reason: .mediaCompanion), at: Self.start)
    let cut = ledger.cutMedia(at: Self.start) { $0 == Self.phone }
    #expect(cut == [Self.tuple])
    let cutAgain = ledger.cutMedia(at: Self.start) { $0 == Self.phone }
    #expect(cutAgain.isEmpty)
    #expect(
      Self.rows(ledger).contains("short.weixin.qq.com deny media-budget x1 up 0 down 0"))
    // The last bytes are counted still, until its next packet has told its ends.
    ledger.close(Self.tuple, Self.total(up: 10, down: 90), at: Self.start)
    let bytes = ledger.takeMediaBytes()
    #expect(bytes == [Self.phone: 90])
  }

  // MARK: Companions

  @Test func theEndOfAnEarlierConnectionDoesNotEndTheOneOnItsPorts() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    ledger.enter(Self.record(policy), at: Self.start)
    ledger.enter(Self.record(policy), at: Self.start)
    let hasEnded = ledger.close(Self.tuple, Self.total(up: 1, down: 10), at: Self.start)
    #expect(!hasEnded)
    let hasEndedNow = ledger.close(Self.tuple, Self.total(up: 2, down: 20), at: Self.start)
    #expect(hasEndedNow)
    // One that the books never had.
    let isUnknown = ledger.close(Self.tuple, Self.total(up: 2, down: 20), at: Self.start)
    #expect(isUnknown)
  }

  @Test func onlyALiveChatConnectionVouches() throws {
    var ledger = Ledger()
    let policy = try Self.policy()
    var record = Self.record(policy, reason: .signatureAllowed)
    record.host = nil
    record.application = .mmtls
    ledger.enter(record, at: Self.start)
    #expect(ledger.connections[Self.tuple]?.vouches == true)
    // Anybody may open TLS to an allowed host.
    ledger.enter(Self.record(policy), at: Self.start)
    #expect(ledger.connections[Self.tuple]?.vouches == false)
    // Media does not vouch for media.
    record.reason = .mediaCompanion
    record.application = .c2c
    ledger.enter(record, at: Self.start)
    #expect(ledger.connections[Self.tuple]?.vouches == false)
  }

  @Test func aConnectionThatWasCutVouchesForNothing() throws {
    var ledger = Ledger()
    var record = Self.record(try Self.policy(), reason: .signatureAllowed)
    record.host = nil
    record.application = .mmtls
    ledger.enter(record, at: Self.start)
    let isAllowed = ledger.judgeAgain(
      Self.tuple, by: try Self.policy("b.example.org"), at: Self.start)
    #expect(!isAllowed)
    #expect(ledger.connections[Self.tuple]?.vouches == false)
  }
}
