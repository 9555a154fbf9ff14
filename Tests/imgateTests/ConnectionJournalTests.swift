import Names
import PacketBuilder
import Policy
import System
import Testing
import Wire

@testable import imgate

/// What was allowed is known after a restart, also one by SIGKILL.
@Suite struct ConnectionJournalTests {
  let path = "/tmp/imgate-journal-\(UInt64.random(in: .min ... .max))"

  static func entry(_ port: UInt16, host: String?) -> ConnectionJournal.Entry {
    let tuple = FiveTuple(
      from: Endpoint("2001:2::10", port), to: "[2001:2:0:ff::7]:443")
    return ConnectionJournal.Entry(
      tuple: tuple,
      subject: Subject(
        application: .tls, host: host.flatMap { HostName($0) }, address: tuple.destination,
        port: 443, transport: .tcp, device: MACAddress(bits: 0x0200_5e10_0001)),
      reason: .hostAllowed)
  }

  @Test func whatWasWrittenIsRead() throws {
    var journal = ConnectionJournal(path: path)
    try journal.begin(digest: 0xfeed_beef, [Self.entry(1, host: "short.weixin.qq.com")])
    journal.append([Self.entry(2, host: nil), Self.entry(3, host: "long.weixin.qq.com")])
    let (digest, entries) = ConnectionJournal(path: path).read()
    #expect(digest == 0xfeed_beef)
    #expect(entries.map(\.tuple.sourcePort) == [1, 2, 3])
    #expect(
      entries.map { $0.subject.host?.text } == ["short.weixin.qq.com", nil, "long.weixin.qq.com"])
    #expect(
      entries.map(\.subject.device)
        == Array(repeating: MACAddress(bits: 0x0200_5e10_0001), count: 3))
    try File.remove(path)
  }

  @Test func aProtocolWithoutANameKeepsTheFeatureThatAllowedIt() throws {
    let tuple = FiveTuple(
      from: Endpoint("198.18.1.10", 4), to: "198.18.0.7:8080")
    let chat = ConnectionJournal.Entry(
      tuple: tuple,
      subject: Subject(
        application: .mmtls, host: nil, address: tuple.destination, port: 8080, transport: .tcp,
        device: MACAddress(bits: 0x0200_5e10_0001)),
      reason: .signatureAllowed, feature: "wechat.messaging")
    var journal = ConnectionJournal(path: path)
    try journal.begin(digest: 1, [chat, Self.entry(1, host: "short.weixin.qq.com")])
    let entries = ConnectionJournal(path: path).read().entries
    #expect(entries.map(\.subject.application) == [.mmtls, .tls])
    #expect(entries.map(\.feature) == ["wechat.messaging", ""])
    try File.remove(path)
  }

  @Test func whatAnOlderRunHasWrittenIsReadWithoutTheFeature() throws {
    let line =
      "6 198.18.1.10 4 198.18.0.7 443 02:00:5e:10:00:01 tls short.weixin.qq.com host-allowed\n"
    try File.replace(path, with: Array("rules 1\n\(line)".utf8))
    let entries = ConnectionJournal(path: path).read().entries
    #expect(entries.map { $0.subject.host?.text } == ["short.weixin.qq.com"])
    #expect(entries.map(\.feature) == [""])
    try File.remove(path)
  }

  @Test func aLineThatIsCutShortIsPassedOver() throws {
    var journal = ConnectionJournal(path: path)
    try journal.begin(digest: 1, [Self.entry(1, host: "short.weixin.qq.com")])
    journal.append([Self.entry(2, host: "short.weixin.qq.com")])
    let whole = try File.read(path)
    for length in 0..<whole.count {
      try File.replace(path, with: Array(whole.prefix(length)))
      let entries = ConnectionJournal(path: path).read().entries
      #expect(entries.count <= 2)
    }
    try File.remove(path)
  }

  @Test func withoutAFileNothingIsKnown() {
    let (digest, entries) = ConnectionJournal(path: "/nonexistent/journal").read()
    #expect(digest == nil)
    #expect(entries.isEmpty)
  }
}
