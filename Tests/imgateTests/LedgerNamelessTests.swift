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

/// A change of the rules cuts just those connections without a name that it is about, whether or not
/// their addresses are still remembered.
@Suite struct LedgerNamelessTests {
  static let pack = """
    version: 1
    service: chat
    title: Chat
    default: on
    ports: {tcp: [443, 8080]}
    mmtls: [f104]
    patterns:
      chat-beat: {transport: udp, length: 4, bytes: ['d1 0a']}
      chat-relay: {transport: tcp, bytes: ['c5 c5']}
    features:
      messaging:
        default: on
        note: No message arrives.
        endpoints:
          - signatures: [mmtls, long-link]
            hosts: [long.chat.example]
          - ports: {tcp: [8081]}
            signatures: [msf]
            hosts: [msf.chat.example]
      pictures:
        default: on
        note: No picture arrives.
        endpoints:
          - hosts: [pictures.chat.example]
          - ports: {tcp: [443]}
            signatures: [c2c, c2c-http]
            companion: [mmtls]
      calls:
        default: off
        note: No call comes through.
        endpoints:
          - ports: {tcp: [443], udp: [9000]}
            addresses: [198.18.0.0/24]
            signatures: [chat-beat, chat-relay]
    """

  static func policy(_ features: String, _ more: String = "") throws -> Policy {
    try Policy.load(
      rules: SourceFile(
        path: "rules.yaml", text: "version: 1\nservices: {chat: \(features)}\n\(more)"),
      packs: [SourceFile(path: "chat.yaml", text: pack)])
  }

  static let now = Instant(nanoseconds: 1_000_000_000)
  /// Two days later, when no entry is left.
  static let later = now + .seconds(200_000)

  /// Books with a connection of each kind, all of them allowed by `features` and `more`.
  struct Books {
    static let longLink = FiveTuple(from: "198.18.1.10:40001", to: "198.18.0.7:8080")
    static let picture = FiveTuple(from: "198.18.1.10:40002", to: "198.18.9.9:443")
    static let page = FiveTuple(from: "198.18.1.10:40003", to: "198.18.0.8:443")
    static let beat = FiveTuple(
      proto: .udp, source: longLink.source, sourcePort: 40004, destination: longLink.destination,
      destinationPort: 9000)
    static let kinds: [(tuple: FiveTuple, application: Application, host: String?)] = [
      (longLink, .mmtls, nil), (picture, .c2c, nil), (page, .tls, "pictures.chat.example"),
      (beat, .pattern, nil),
    ]

    var ledger: Ledger
    let learned = LearnedAddresses()

    init(_ policy: Policy) throws {
      ledger = Ledger(learned: learned)
      let name = try #require(HostName("long.chat.example"))
      // The lab's addresses are nobody's, and may be taught.
      learned.learn(
        Self.longLink.destination, for: name, timeToLive: 600, from: .dns, now: now)
      for (tuple, application, host) in Self.kinds {
        let subject = Subject(
          application: application, host: host.flatMap { HostName($0) },
          address: tuple.destination, port: tuple.destinationPort,
          transport: Transport(tuple.proto, application), device: LedgerTests.phone)
        let pattern =
          application == .pattern
          ? policy.pattern(named: "chat-beat") : nil
        let decision =
          host == nil
          ? policy.decide(nameless: subject, pattern: pattern, learned: learned, now: now)
          : policy.decide(subject)
        guard decision.isAllowed else { continue }
        ledger.enter(
          FlowRecord(
            tuple: tuple, device: LedgerTests.phone, reason: decision.reason, rule: decision.rule,
            policy: policy, host: subject.host, application: application, packets: 1,
            passedAnyway: false, isContinuation: false, isConnection: true),
          at: LedgerTests.start)
      }
    }

    /// What `policy` cuts.
    mutating func cut(by policy: Policy) -> [String] {
      var cut: [String] = []
      for (tuple, application, _) in Self.kinds {
        let isAllowed = ledger.judgeAgain(
          tuple, by: policy, at: LedgerTests.start, now: LedgerNamelessTests.later)
        if !isAllowed { cut.append(application.rawValue) }
      }
      return cut
    }

    private let now = LedgerNamelessTests.now
  }

  @Test(arguments: [
    // Nothing changes for what is allowed still.
    ("{messaging: on, pictures: on, calls: on}", "", []),
    ("{messaging: on, pictures: off, calls: on}", "", ["c2c", "tls"]),
    ("{messaging: off, pictures: on, calls: on}", "", ["mmtls"]),
    ("{messaging: on, pictures: on, calls: off}", "", ["pattern"]),
    ("off", "", ["mmtls", "c2c", "tls", "pattern"]),
    ("{messaging: on, pictures: on, calls: on}", "media: off", ["c2c"]),
    // Nobody knows the picture's server.
    ("{messaging: on, pictures: on, calls: on}", "media: bound", ["c2c"]),
    ("{messaging: on, pictures: on, calls: on}", "mode: audit", []),
    (
      "{messaging: on, pictures: on, calls: on}", "deny: [{address: 198.18.0.7}]",
      ["mmtls", "pattern"]
    ),
  ])
  func onlyWhatASwitchIsAboutIsCut(features: String, more: String, expected: [String]) throws {
    var books = try Books(try Self.policy("{messaging: on, pictures: on, calls: on}"))
    #expect(books.ledger.connectionCount == 4)
    let cut = books.cut(by: try Self.policy(features, more))
    #expect(cut == expected)
  }

  @Test func whatIsKeptCountsForTheSameFeatureAndReason() throws {
    var books = try Books(try Self.policy("{messaging: on, pictures: on, calls: on}"))
    let cut = books.cut(by: try Self.policy("{messaging: on, pictures: on, calls: off}"))
    #expect(cut == ["pattern"])
    let kept = books.ledger.connections
    #expect(kept[Books.longLink]?.key.rule == "chat.messaging")
    #expect(kept[Books.longLink]?.reason == .signatureAllowed)
    #expect(kept[Books.longLink]?.vouches == true)
    #expect(kept[Books.picture]?.key.rule == "chat.pictures")
    #expect(kept[Books.picture]?.reason == .mediaCompanion)
  }

  @Test func theStoreHasANamelessConnectionUnderItsAddressAndFeature() throws {
    let books = try Books(try Self.policy("{messaging: on, pictures: on, calls: on}"))
    let rows = books.ledger.counters.snapshot(generation: 0).rows.map {
      "\($0.key.service) \($0.key.rule) \($0.key.host) \($0.key.reason)"
    }
    #expect(
      Set(rows) == [
        "chat chat.messaging 198.18.0.7:8080 signature-allowed",
        "chat chat.pictures 198.18.9.9:443 media-companion",
        "chat chat.pictures pictures.chat.example host-allowed",
        "chat chat.calls 198.18.0.7:9000/udp signature-allowed",
      ])
  }

  @Test func anAddressThatWasNeverProvenHasToBeWhenTheRulesWantIt() throws {
    let features = "{messaging: on, pictures: off, calls: off}"
    for binding in ["observe", "off"] {
      var ledger = Ledger()
      let old = try Self.policy(features, "binding: \(binding)")
      // Nothing was learned.
      let subject = Subject(
        application: .mmtls, host: nil, address: Books.longLink.destination, port: 8080,
        transport: .tcp, device: LedgerTests.phone)
      let decision = old.decide(
        nameless: subject, pattern: nil, learned: LearnedAddresses(), now: Self.now)
      #expect(decision.reason == (binding == "off" ? .signatureAllowed : .addressUnproven))
      var record = LedgerTests.record(old, reason: decision.reason, tuple: Books.longLink)
      record.host = nil
      record.application = .mmtls
      record.rule = decision.rule
      ledger.enter(record, at: LedgerTests.start)
      let staysUnderTheSame = ledger.judgeAgain(
        Books.longLink, by: try Self.policy(features, "binding: \(binding)"),
        at: LedgerTests.start, now: Self.now)
      #expect(staysUnderTheSame)
      let staysUnderStrict = ledger.judgeAgain(
        Books.longLink, by: try Self.policy(features), at: LedgerTests.start, now: Self.now)
      #expect(!staysUnderStrict)
    }
  }

  @Test func aNameAtAnUnprovenAddressIsCutWhenTheRulesWantProof() throws {
    let observing = try Self.policy("on", "binding: observe")
    var ledger = Ledger()
    ledger.enter(
      LedgerTests.record(
        observing, host: "pictures.chat.example", reason: .addressUnproven, tuple: Books.page),
      at: LedgerTests.start)
    let stays = ledger.judgeAgain(
      Books.page, by: try Self.policy("on", "binding: observe"), at: LedgerTests.start)
    #expect(stays)
    #expect(ledger.connections[Books.page]?.reason == .addressUnproven)
    let staysUnderStrict = ledger.judgeAgain(
      Books.page, by: try Self.policy("on"), at: LedgerTests.start)
    #expect(!staysUnderStrict)
  }

  @Test func questionsToTheResolverSurviveEveryChangeOfTheRules() throws {
    var ledger = Ledger()
    let questions = FiveTuple(from: "198.18.1.10:40005", to: "198.18.0.53:53")
    var record = LedgerTests.record(
      try Self.policy("on"), reason: .resolverAllowed, tuple: questions)
    record.host = nil
    record.application = .dns
    ledger.enter(record, at: LedgerTests.start)
    let stays = ledger.judgeAgain(questions, by: try Self.policy("off"), at: LedgerTests.start)
    #expect(stays)
    // But for an address that the owner denies.
    let staysDenied = ledger.judgeAgain(
      questions, by: try Self.policy("off", "deny: [{address: 198.18.0.53}]"),
      at: LedgerTests.start)
    #expect(!staysDenied)
  }

  @Test func aFlowFromBeforeARestartIsJudgedByTheFeatureOfTheJournal() throws {
    for (features, isKept) in [("on", true), ("{messaging: off}", false)] {
      var ledger = Ledger()
      let subject = Subject(
        application: .mmtls, host: nil, address: Books.longLink.destination, port: 8080,
        transport: .tcp, device: LedgerTests.phone)
      ledger.adopt(
        Books.longLink, LedgerTests.total(up: 1000, down: 9000), subject, .signatureAllowed,
        rule: "chat.messaging", policy: nil, at: LedgerTests.start)
      let policy = try Self.policy(features)
      let stays = ledger.judgeAgain(
        Books.longLink, by: policy, at: LedgerTests.start, now: Self.now)
      #expect(stays == isKept)
      let connection = try #require(ledger.connections[Books.longLink])
      #expect(connection.vouches == isKept)
      guard isKept else { continue }
      #expect(connection.key.service == "chat")
      // Media finds it.
      let picture = policy.decide(
        nameless: Subject(
          application: .c2c, host: nil, address: Books.picture.destination, port: 443,
          transport: .tcp, device: LedgerTests.phone),
        pattern: nil, learned: LearnedAddresses(), now: Self.now)
      let companions = Companions()
      companions.began(
        Books.longLink, device: LedgerTests.phone, service: connection.service,
        application: .mmtls)
      #expect(companions.vouch(for: LedgerTests.phone, picture.vouchers))
      companions.ended(Books.longLink)
      #expect(!companions.vouch(for: LedgerTests.phone, picture.vouchers))
    }
  }
}
