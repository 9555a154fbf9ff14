import Testing

@testable import Netfilter

struct QueueConfigurationTests {
  @Test func `The probe is the obsolete command that changes nothing`() {
    let configuration = QueueConfiguration(number: 40, length: 8192, failOpen: false)
    #expect(
      configuration.probe(sequence: 1)
        == hex(
          """
          1c000000 0203 0500 01000000 00000000 // 28 bytes, config, NLM_F_REQUEST | NLM_F_ACK, seq 1
          00 00 0028                           // nfgenmsg of queue 40
          0800 0100                            // nla_len 8, NFQA_CFG_CMD
          03 00 0002                           // NFQNL_CFG_CMD_PF_BIND, AF_INET
          """))
  }

  /// Flags that are not in the mask would be ignored by the kernel, so both travel together.
  @Test(arguments: [(false, "00000004"), (true, "00000005")])
  func `One message binds and sets everything; fail-open only when asked`(
    failOpen: Bool, flags: String
  ) {
    let configuration = QueueConfiguration(number: 40, length: 8192, failOpen: failOpen)
    #expect(
      configuration.bind(sequence: 2)
        == hex(
          """
          40000000 0203 0500 02000000 00000000 // 64 bytes, config, request with reply, seq 2
          00 00 0028                           // nfgenmsg of queue 40
          0800 0100 01 00 0000                 // NFQA_CFG_CMD: NFQNL_CFG_CMD_BIND
          0900 0200 0000fffb 02 000000         // NFQA_CFG_PARAMS: copy 65531 bytes of the packet
          0800 0300 00002000                   // NFQA_CFG_QUEUE_MAXLEN 8192
          0800 0500 \(flags)                   // NFQA_CFG_FLAGS: 4 GSO, 1 fail-open
          0800 0400 00000005                   // NFQA_CFG_MASK: both are meant
          """))
  }
}
