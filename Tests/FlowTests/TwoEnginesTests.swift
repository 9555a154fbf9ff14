import CSystem
import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

/// The names thread and a worker, each with an engine of its own, on threads of their own: as soon
/// as an answer is released by the one, the client connects through the other.
@Suite struct TwoEnginesTests {
  private static let rounds = 10_000
  private static let lead = 8
  private static let rules = """
    version: 1
    binding: strict
    allow:
      - {host: .example.org}
    """

  /// What passes from thread to thread: the round whose answer is released, and the latest that has
  /// connected.
  private final class Turns: Sendable {
    let released = Locked(-1)
    let connected = Locked(-1)
    let refused = Locked(0)
  }

  private static func engine(_ policy: Policy, _ learned: LearnedAddresses) -> FlowEngine {
    FlowEngine(policy: policy, learned: learned, seed: 7)
  }

  private static func address(_ round: Int) -> IPAddress {
    IPAddress(ipv4: 0xcb00_0000 + UInt32(round) << 4 + 1)
  }

  @Test func `learned in one engine, connected through the other, ten thousand times`() throws {
    let learned = LearnedAddresses()
    let policy = try Path.policy(Self.rules)
    let turns = Turns()
    let connecting = try Thread(name: "connects") {
      Self.connect(Self.engine(policy, learned), turns)
    }
    answer(Self.engine(policy, learned), turns)
    connecting.join()
    #expect(turns.connected.withLock { $0 } == Self.rounds - 1)
    #expect(turns.refused.withLock { $0 } == 0)
    #expect(learned.count == Self.rounds)
  }

  private static func name(_ round: Int) -> String { "n\(round).example.org" }

  // The names thread: question, answer, and no more than the verdict before the client may go.
  private func answer(_ engine: FlowEngine, _ turns: Turns) {
    engine.isForRouter = true
    let batch = VerdictBatch(onFailure: .drop)
    var effects = FlowEffects()
    for round in 0..<Self.rounds {
      guard let name = WireName(Self.name(round)) else { return }
      let query = DNSQuery.bytes(id: UInt16(round & 0xffff), name: name, type: 1)
      var reply = query
      reply[2] = 0x81
      reply[3] = 0x80
      reply[7] = 1
      reply += hex("c00c 0001 0001 0000003c 0004")
      let bits = Self.address(round).ipv4
      reply += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) }
      let out = UDPPacket(from: "198.18.1.10:40001", to: "198.18.1.1:53", payload: query).bytes
      let back = UDPPacket(from: "198.18.1.1:53", to: "198.18.1.10:40001", payload: reply).bytes
      for (bytes, fromLAN) in [(out, true), (back, false)] {
        engine.packet(
          HeldPacket(id: 1, mark: 0, batch: batch), bytes.raw,
          PacketMetadata(fromLAN: fromLAN, state: .unknown, hardwareAddress: Path.phone),
          now: .now, effects: &effects)
      }
      batch.removeAll()
      effects.removeAll()
      turns.released.withLock { $0 = round }
      // A few rounds ahead at most: the other waits for this one's next answer, most of the time.
      while turns.connected.withLock({ $0 }) < round - Self.lead { sched_yield() }
    }
  }

  // The worker: waits for the answer alone.
  private static func connect(_ engine: FlowEngine, _ turns: Turns) {
    let batch = VerdictBatch(onFailure: .drop)
    var effects = FlowEffects()
    for round in 0..<rounds {
      while turns.released.withLock({ $0 }) < round { sched_yield() }
      var tcp = TCPConversation(
        client: Endpoint(IPAddress(ipv4: 0xc612_010a), UInt16(20_000 + round)),
        server: Endpoint(address(round), 443))
      let syn = tcp.clientSYN().bytes
      _ = tcp.serverSYNACK()
      let hello = tcp.clientSends(ClientHelloBuilder(name: name(round)).bytes).bytes
      for (bytes, state): ([UInt8], ConnectionState) in [(syn, .unknown), (hello, .opened)] {
        engine.packet(
          HeldPacket(id: 1, mark: 0, batch: batch), bytes.raw,
          PacketMetadata(fromLAN: true, state: state, hardwareAddress: Path.phone), now: .now,
          effects: &effects)
      }
      let isAllowed =
        batch.entries.count == 2 && batch.entries[1].verdict == .pass(.opened)
        && effects.lookups.isEmpty && effects.records.map(\.reason) == [.hostAllowed]
      if !isAllowed { turns.refused.withLock { $0 += 1 } }
      batch.removeAll()
      effects.removeAll()
      turns.connected.withLock { $0 = round }
    }
    engine.forgetAll()
  }
}
