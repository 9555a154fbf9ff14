import Testing

@testable import Netfilter
@testable import Queue

struct VerdictMessageTests {
  let mask: MarkMask

  init() throws { mask = try #require(MarkMask(bits: 0x0700_0000)) }

  func encode(_ entries: [VerdictBatch.Entry], arena: [UInt8] = []) -> [UInt8] {
    var writer = MessageWriter(capacity: 70_000)
    for entry in entries {
      unsafe writer.putVerdict(entry, queue: 40, mask: mask, arena: arena.span.bytes)
    }
    return writer.withBytes(array)
  }

  func entry(_ verdict: PacketVerdict, mark: UInt32 = 0) -> VerdictBatch.Entry {
    VerdictBatch.Entry(id: 0x0102_0304, mark: mark, verdict: verdict)
  }

  @Test func `A pass is NF_ACCEPT with the state in the mark, other bits kept`() {
    let expected = hex(
      """
      28000000  // nlmsg_len 40
      0103      // nlmsg_type: subsystem 3 (queue), message 1 (verdict)
      0100      // nlmsg_flags: NLM_F_REQUEST
      00000000  // nlmsg_seq
      00000000  // nlmsg_pid
      00        // nfgen_family AF_UNSPEC
      00        // version NFNETLINK_V0
      0028      // res_id: queue 40, network order
      0c00 0200 // nla_len 12, NFQA_VERDICT_HDR
      00000001  // NF_ACCEPT
      01020304  // packet id
      0800 0300 // nla_len 8, NFQA_MARK
      f10000f0  // state 1 in 07000000, the foreign bits f00000f0 as they were
      """)
    #expect(encode([entry(.pass(.allowed), mark: 0xf700_00f0)]) == expected)
  }

  @Test func `A drop is NF_DROP and has no mark`() {
    let expected = hex(
      """
      20000000 0103 0100 00000000 00000000 // 32 bytes, verdict, request
      00 00 0028                           // nfgenmsg of queue 40
      0c00 0200 00000000 01020304          // NFQA_VERDICT_HDR: NF_DROP, id
      """)
    #expect(encode([entry(.drop, mark: 0xffff_ffff)]) == expected)
  }

  @Test func `A replacement follows the mark, padded to 4 bytes`() {
    let expected = hex(
      """
      34000000 0103 0100 00000000 00000000 // 52 bytes: the padding counts
      00 00 0028                           // nfgenmsg of queue 40
      0c00 0200 00000001 01020304          // NFQA_VERDICT_HDR: NF_ACCEPT, id
      0800 0300 06000000                   // NFQA_MARK: state 6
      0900 0a00                            // nla_len 9 (without padding), NFQA_PAYLOAD
      aabbccddee                           // bytes 1 to 5 of the arena
      000000                               // padding
      """)
    let arena: [UInt8] = [0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x99]
    let replacement = entry(.replace(.opened, arenaRange: 1..<6))
    #expect(encode([replacement], arena: arena) == expected)
    #expect(MessageWriter.size(of: replacement) == 52)
  }

  @Test func `Messages stand one after the other, each with its own id and mark`() {
    let entries = [entry(.pass(.denied)), entry(.drop), entry(.pass(.watched), mark: 1)]
    #expect(encode(entries) == entries.flatMap { encode([$0]) })
  }

  @Test(arguments: [0..<65_532, 4..<12, 1000..<1001])
  func `A replacement that can't be sent is a drop`(range: Range<Int>) {
    // 65,532 bytes are more than an attribute holds; the other ranges are outside of the arena.
    let arena = [UInt8](repeating: 1, count: range.count > 65_531 ? range.count : 10)
    #expect(
      encode([entry(.replace(.opened, arenaRange: range))], arena: arena) == encode([entry(.drop)]))
  }

  @Test func `The largest replacement fits`() {
    let arena = [UInt8](repeating: 7, count: 65_531)
    let bytes = encode([entry(.replace(.opened, arenaRange: 0..<65_531))], arena: arena)
    #expect(bytes.count == 40 + 4 + 65_532)
    #expect(Array(bytes[40..<44]) == [0xff, 0xff, 0x0a, 0x00])
  }
}
