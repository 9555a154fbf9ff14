import Flow
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

private let pack = """
  version: 1
  service: qq
  title: QQ
  default: on
  ports: {tcp: [80, 443]}
  patterns:
    ntp: {transport: udp, ports: [123], length: 48, bytes: ['[1b 23 e3]']}
    call: {transport: udp, length: [39, 65535], bytes: ['28 00 00 00']}
    pc-manager: {transport: udp, ports: [8000], bytes: ['00 02 00'], refused: yes}
    game: {transport: udp, bytes: ['75 72 00 10'], refused: yes}
  features:
    messaging:
      default: on
      endpoints:
        - {hosts: [sz.tencent.com], addresses: ['198.18.0.8:8000'], signatures: [oicq], ports: {udp: [8000]}}
        - {hosts: [msf.3g.qq.com], signatures: [msf]}
    calls:
      default: on
      endpoints:
        - {signatures: [call], companion: [msf], ports: {udp: [8000, 9000]}}
    time:
      default: on
      endpoints:
        - {signatures: [ntp], rate: 6/m, hosts: [pool.ntp.org], ports: {udp: [123]}}
    extras:
      default: off
      endpoints:
        - {hosts: [game.qq.com], signatures: [pc-manager, game]}
  """

/// OICQ of a desktop client: a keep-alive.
private let oicq = hex("02 3b0b 0001 0017 00002711 00*8 c4*24 03")
private let ntp = hex("23 00*47")
private let call = hex("28000000 00*35")

private let caller: Endpoint = "198.18.1.10:4000"
private let callee: Endpoint = "198.18.0.8:8000"

private func path(_ lines: String = "", binding: String = "strict") throws -> Path {
  let path = try Path(rules: "version: 1\nbinding: \(binding)\n\(lines)\n", packs: [pack])
  try path.learn("198.18.0.9", "sz.tencent.com")
  try path.learn("198.18.0.12", "pool.ntp.org")
  return path
}

extension Path {
  /// The client sends a datagram; what became of it.
  @discardableResult
  fileprivate func up(
    _ payload: [UInt8], from client: Endpoint = caller, to server: Endpoint = callee
  ) -> Fate {
    send(UDPPacket(from: client, to: server, payload: payload).bytes, fromLAN: true)
  }

  /// The server sends one.
  @discardableResult
  fileprivate func down(
    _ payload: [UInt8], from server: Endpoint = callee, to client: Endpoint = caller
  ) -> Fate {
    send(UDPPacket(from: server, to: client, payload: payload).bytes, fromLAN: false)
  }
}

@Suite struct DatagramTests {
  // MARK: OICQ

  @Test func oicqPassesToABuiltInOrLearnedAddressAndToNoOther() throws {
    let path = try path()
    #expect(path.up(oicq) == .delivered)
    #expect(path.reason == .signatureAllowed)
    #expect(path.records.last?.application == .oicq)
    #expect(path.state(FiveTuple(.udp, from: caller, to: callee)) == .watched)
    #expect(path.up(oicq, to: "198.18.0.9:8000") == .delivered)
    #expect(path.up(oicq, to: "198.18.0.10:8000") == .refused)
    #expect(path.reason == .addressNotLearned)
    #expect(path.records.last?.application == .oicq)
    #expect(path.up(oicq, to: "198.18.0.9:9000") == .refused)
    #expect(path.reason == .portNotAllowed)
  }

  @Test(arguments: [("off", Reason.signatureAllowed), ("observe", .addressUnproven)])
  func withoutBindingTheBytesAreEnough(_ binding: String, _ reason: Reason) throws {
    let path = try path(binding: binding)
    #expect(path.up(oicq, to: "198.18.0.10:8000") == .delivered)
    #expect(path.reason == reason)
  }

  @Test func everyDatagramOfAFlowIsJudgedAndTheServerAnswersUnseen() throws {
    let path = try path()
    for _ in 0..<5 {
      #expect(path.up(oicq) == .delivered)
      #expect(path.down(oicq) == .delivered)
    }
    #expect(path.visits == 5)
    #expect(path.records.count == 1)
    #expect(path.up([UInt8](repeating: 0x16, count: 60)) == .refused)
    #expect(path.reason == .malformedFrame)
    #expect(path.packetsAtServer.count == 5)
    // The flow stays refused.
    #expect(path.up(oicq) == .refused)
  }

  @Test(arguments: [
    [], hex("02"), hex("0203"), hex("02 3b0b 0001 0017 00002711 03"), oicq + [0],
    Array(oicq.dropLast()), Array(oicq.dropFirst()), [0] + oicq, oicq + oicq.dropLast(),
    hex("02 00*65500 03"), oicq.overwriting(at: 3, hex("00ff")),
  ])
  func whatIsNoWholeFrameIsRefused(_ payload: [UInt8]) throws {
    let path = try path()
    #expect(path.up(payload) == .refused)
    #expect(path.reason == .udp)
    #expect(path.packetsAtServer.isEmpty)
  }

  @Test func noDatagramWithABitWrongCrashesTheEngine() throws {
    let path = try path()
    for bit in 0..<oicq.count * 8 {
      path.up(oicq.flippingBit(bit), from: Endpoint("198.18.1.10", UInt16(5000 + bit)))
    }
    #expect(path.strayVerdicts == 0)
    #expect(path.batch.failures == 0)
  }

  @Test func aServerCallsNobody() throws {
    let path = try path()
    #expect(path.down(oicq) == .refused)
    #expect(path.reason == .inbound)
  }

  // MARK: Patterns

  @Test func whatAPackRefusesIsCalledUnwantedWhateverThePort() throws {
    let path = try path()
    #expect(path.up(hex("00020001 00*20")) == .refused)
    #expect(path.reason == .unwantedProtocol)
    #expect(path.up(hex("75720010 00*20"), to: "198.18.0.9:8000") == .refused)
    #expect(path.reason == .unwantedProtocol)
    #expect(path.up(hex("75720010 00*20"), to: "198.18.0.9:31000") == .refused)
    #expect(path.reason == .unwantedProtocol)
    #expect(path.records.last?.application == .pattern)
  }

  @Test func aDeviceHasOnlySoManyDatagramsAMinute() throws {
    let path = try path()
    let time: Endpoint = "198.18.0.12:123"
    var fates: [Path.Fate] = []
    for port in 0..<8 {
      fates.append(path.up(ntp, from: Endpoint("198.18.1.10", UInt16(4000 + port)), to: time))
    }
    #expect(fates.filter { $0 == .delivered }.count == 6)
    #expect(path.reason == .rateLimit)
    #expect(path.up(ntp, from: "198.18.1.11:4000", to: time) == .refused)
    let other = UDPPacket(from: "198.18.1.12:4000", to: time, payload: ntp)
    #expect(path.send(other.bytes, fromLAN: true, Path.laptop) == .delivered)
    // After ten seconds there is one more, for one that was refused too.
    path.wait(.seconds(10))
    #expect(path.up(ntp, from: "198.18.1.10:4007", to: time) == .delivered)
    #expect(path.up(ntp, from: "198.18.1.10:4008", to: time) == .refused)
  }

  @Test func aFlowThatIsTooFastLosesDatagramsAndGoesOn() throws {
    let path = try path()
    let time: Endpoint = "198.18.0.12:123"
    for _ in 0..<6 { #expect(path.up(ntp, to: time) == .delivered) }
    #expect(path.up(ntp, to: time) == .dropped)
    #expect(path.reason == .rateLimit)
    path.wait(.seconds(61))
    for _ in 0..<6 { #expect(path.up(ntp, to: time) == .delivered) }
    #expect(path.up(ntp, to: time) == .dropped)
  }

  @Test func aPatternHasItsLength() throws {
    let path = try path()
    #expect(path.up(ntp + [0], to: "198.18.0.12:123") == .refused)
    #expect(path.up(Array(ntp.dropLast()), to: "198.18.0.12:123") == .refused)
  }

  @Test func aCallNeedsALiveConnectionOfTheSameDevice() throws {
    let path = try path()
    #expect(path.up(call) == .refused)
    #expect(path.reason == .noCompanion)
    let rule = try #require(path.records.last?.rule)
    let service = path.engine.policy.serviceKey(of: rule)
    let chat = FiveTuple(from: "198.18.1.10:40001", to: "198.18.0.7:443")
    path.companions.began(chat, device: Path.laptop, service: service, application: .msf)
    #expect(path.up(call) == .refused)
    path.companions.began(chat, device: Path.phone, service: service, application: .msf)
    #expect(path.up(call, from: "198.18.1.10:4001") == .delivered)
    #expect(path.reason == .mediaCompanion)
    #expect(path.companions.spent(by: Path.phone) == UInt64(call.count))
    path.companions.ended(chat)
    #expect(path.up(call, from: "198.18.1.10:4001") == .refused)
    #expect(path.reason == .noCompanion)
  }

  @Test func theBudgetEndsACall() throws {
    let path = try path("mediaBudget: 1MB")
    let chat = FiveTuple(from: "198.18.1.10:40001", to: "198.18.0.7:443")
    path.up(call)
    let service = path.engine.policy.serviceKey(of: try #require(path.records.last?.rule))
    path.companions.began(chat, device: Path.phone, service: service, application: .msf)
    #expect(path.up(call) == .delivered)
    path.companions.spend(1 << 20, by: Path.phone)
    #expect(path.up(call) == .refused)
    #expect(path.reason == .mediaBudget)
  }

  // MARK: What a receiver would ignore

  @Test func aWrongChecksumIsIgnoredWhereItIsFinal() throws {
    let path = try path()
    let bad = UDPPacket(from: caller, to: callee, payload: oicq).with { $0.checksum = 0x1234 }
    #expect(path.send(bad.bytes, fromLAN: true) == .dropped)
    #expect(path.records.isEmpty)
    #expect(path.engine.counters.ignoredPackets == 1)
    #expect(path.send(bad.bytes, fromLAN: true, Path.phone, false) == .delivered)
    let none = bad.with { $0.checksum = 0 }
    #expect(path.send(none.bytes, fromLAN: true) == .delivered)
    let six = UDPPacket(from: "[2001:2::1:7]:4000", to: "[2001:2::8]:8000", payload: oicq)
    #expect(path.send(six.with { $0.checksum = 0 }.bytes, fromLAN: true) == .dropped)
    #expect(path.send(six.bytes, fromLAN: true) == .refused)
  }

  @Test(arguments: [0, 7, 8, 30, 65_535] as [UInt16])
  func aWrongLengthIsRefused(_ length: UInt16) throws {
    let path = try path()
    let bad = UDPPacket(from: caller, to: callee, payload: oicq).with { $0.length = length }
    #expect(path.send(bad.bytes, fromLAN: true) == .refused)
    #expect(path.reason == .malformedPacket)
  }

  // MARK: The rules change

  @Test func aFeatureThatIsSwitchedOffEndsItsFlows() throws {
    let path = try path()
    #expect(path.up(oicq) == .delivered)
    path.engine.policy = try Path.policy(
      "version: 1\nservices:\n  qq: {messaging: off}\n", packs: [pack])
    #expect(path.up(oicq) == .refused)
    #expect(
      path.records.last.map { $0.reason == .featureOff || $0.reason == .portNotAllowed } == true)
  }

  @Test func inAuditTheRefusedIsNotedOnceAndPasses() throws {
    let path = try path()
    path.engine.enforcement = .audit
    #expect(path.up(hex("0203")) == .delivered)
    #expect(path.reason == .udp)
    #expect(path.records.last?.passedAnyway == true)
  }
}
