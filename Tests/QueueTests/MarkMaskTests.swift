import Queue
import Testing

/// Three bits of the mark are ours; every other bit is somebody else's.
@Suite struct MarkMaskTests {
  @Test(arguments: [0x0700_0000, 0x7, 0xe000_0000, 0x0070_0000] as [UInt32])
  func threeAdjacentBitsAreAMask(bits: UInt32) throws {
    let mask = try #require(MarkMask(bits: bits))
    for state in ConnectionState.allCases {
      for mark in [0, .max, 0x1234_5678] as [UInt32] {
        let marked = mask.mark(mark, with: state)
        #expect(mask.state(of: marked) == state)
        #expect(marked & ~bits == mark & ~bits)
      }
    }
  }

  @Test(arguments: [0, 0x1, 0x3, 0xf, 0x5, 0x0700_0001, 0xffff_ffff, 0x1_0003] as [UInt32])
  func anythingElseIsNone(bits: UInt32) {
    #expect(MarkMask(bits: bits) == nil)
  }

  @Test func theDefaultIsTheOneOfTheManual() {
    #expect(MarkMask.standard.bits == 0x0700_0000)
    #expect(MarkMask.standard == MarkMask(bits: 0x0700_0000))
  }
}
