import Queue
import Testing

/// A packet gets one verdict: the one that it is given, or the fail verdict at the end of its life.
@Suite struct HeldPacketTests {
  enum Nonsense: Error { case found }

  static func verdicts(_ batch: VerdictBatch) -> [String] {
    batch.entries.map { "\($0.id) \($0.verdict)" }
  }

  @Test func aPacketThatIsSettledGetsThatVerdictAndNoOther() {
    let batch = VerdictBatch(onFailure: .drop)
    let packet = HeldPacket(id: 7, mark: 0x1234, batch: batch)
    packet.settle(.pass(.opened))
    #expect(Self.verdicts(batch) == ["7 \(PacketVerdict.pass(.opened))"])
    #expect(batch.entries.first?.mark == 0x1234)
    #expect(batch.failures == 0)
  }

  @Test(arguments: [PacketVerdict.drop, .pass(.allowed)])
  func aPacketThatIsForgottenGetsTheFailVerdict(onFailure: PacketVerdict) {
    let batch = VerdictBatch(onFailure: onFailure)
    do { _ = HeldPacket(id: 8, mark: 0, batch: batch) }
    #expect(Self.verdicts(batch) == ["8 \(onFailure)"])
    #expect(batch.failures == 1)
  }

  @Test func anErrorOnTheWayGivesTheFailVerdict() {
    let batch = VerdictBatch(onFailure: .drop)
    func judge(_ packet: consuming HeldPacket, _ isNonsense: Bool) throws(Nonsense) {
      if isNonsense { throw .found }
      packet.settle(.pass(.allowed))
    }
    do throws(Nonsense) {
      try judge(HeldPacket(id: 9, mark: 0, batch: batch), false)
      try judge(HeldPacket(id: 10, mark: 0, batch: batch), true)
    } catch {}
    #expect(
      Self.verdicts(batch) == ["9 \(PacketVerdict.pass(.allowed))", "10 \(PacketVerdict.drop)"])
    #expect(batch.failures == 1)
  }

  @Test func replacedBytesLieInTheArenaUntilTheyAreSent() {
    let batch = VerdictBatch(onFailure: .drop)
    for (id, bytes) in [(1, [1, 2, 3]), (2, [4, 5])] as [(UInt32, [UInt8])] {
      // Span.bytes of an array's own span.
      unsafe HeldPacket(id: id, mark: 0, batch: batch).replace(with: bytes.span.bytes, .opened)
    }
    #expect(batch.arena == [1, 2, 3, 4, 5])
    #expect(
      batch.entries.map(\.verdict) == [
        .replace(.opened, arenaRange: 0..<3), .replace(.opened, arenaRange: 3..<5),
      ])
    batch.removeAll()
    #expect(batch.entries.isEmpty && batch.arena.isEmpty)
  }
}
