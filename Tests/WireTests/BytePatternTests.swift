import PacketBuilder
import Testing
import Wire

@Suite("Byte patterns")
struct BytePatternTests {
  private func pattern(
    _ carrier: BytePattern.Carrier, _ beginnings: [UInt8?]...,
    lengths: ClosedRange<Int> = 1...65_535
  ) throws -> BytePattern {
    BytePattern(
      carrier, try beginnings.map { try #require(BytePattern.Beginning($0)) }, lengths: lengths)
  }

  @Test("take what begins in one of their ways")
  func beginnings() throws {
    let game = try pattern(.stream, [0x33, 0x66, 0x00, 0x08], [0x33, 0x66, 0x00, 0x09])
    for good in [hex("33660008"), hex("33660009 ff*64")] {
      #expect(game.recognise(good.raw).value != nil)
    }
    for bad in [hex("33660007"), hex("00"), hex("32660008"), hex("33670008")] {
      #expect(game.recognise(bad.raw).isOther)
    }
  }

  @Test("let any byte stand where they name none")
  func wildcards() throws {
    let call = try pattern(.stream, [0xd1, nil, 0x2e, nil])
    #expect(call.recognise(hex("d1002eff").raw).value != nil)
    #expect(call.recognise(hex("d1ff2e").raw).needsMore)
    #expect(call.recognise(hex("d1ff2f00").raw).isOther)
  }

  @Test("need more of a stream as long as all bytes agree, and never of a datagram")
  func cut() throws {
    let bytes = hex("776e7300")
    let stream = try pattern(.stream, [0x77, 0x6e, 0x73, 0x00])
    let datagram = try pattern(.datagram, [0x77, 0x6e, 0x73, 0x00])
    for count in 0..<4 {
      let cut = Array(bytes.prefix(count))
      #expect(stream.recognise(cut.raw).needsMore)
      #expect(datagram.recognise(cut.raw).isOther)
    }
    #expect(stream.recognise(hex("776f").raw).isOther)
  }

  @Test("take the longer beginning only when it is there", arguments: [1, 15, 16])
  func whole(_ length: Int) throws {
    let bytes = [UInt8](repeating: 0xa5, count: length)
    let it = try pattern(.stream, bytes)
    #expect(it.recognise(bytes.raw).value != nil)
    #expect(it.recognise((bytes + [0]).raw).value != nil)
    #expect(it.recognise(Array(bytes.dropLast()).raw).needsMore)
  }

  @Test(
    "know a datagram's length too",
    arguments: [(94, false), (95, true), (96, true), (97, false)])
  func lengths(_ length: Int, _ isTaken: Bool) throws {
    let media = try pattern(.datagram, [0xa3], lengths: 95...96)
    let bytes = [UInt8](repeating: 0xa3, count: length)
    #expect((media.recognise(bytes.raw).value != nil) == isTaken)
  }

  @Test("are never of no byte, of any byte, or of more than 16")
  func refused() {
    #expect(BytePattern.Beginning([]) == nil)
    #expect(BytePattern.Beginning([nil, nil]) == nil)
    #expect(BytePattern.Beginning([UInt8?](repeating: 1, count: 17)) == nil)
    #expect(BytePattern.Beginning([nil, 1]) != nil)
  }
}
