import CSystem
import Testing

@testable import Netfilter

struct NetfilterErrorTests {
  @Test(
    arguments: [
      (.useQueues, EPERM, "using the netfilter queue needs root or CAP_NET_ADMIN"),
      (.openRawSocket, EPERM, "opening a raw socket needs root or CAP_NET_ADMIN and CAP_NET_RAW"),
      (
        .openSocket, EPROTONOSUPPORT,
        "the kernel has no nfnetlink (CONFIG_NETFILTER_NETLINK, module nfnetlink)"
      ),
      (
        .useQueues, EINVAL,
        "the kernel has no nfnetlink_queue (CONFIG_NETFILTER_NETLINK_QUEUE, module nfnetlink_queue)"
      ),
      (
        .bindQueue(40, holder: 1234), EBUSY,
        "another program (netlink port 1234) is bound to queue 40; is another imgate running?"
      ),
      (
        .bindQueue(40, holder: 0), EBUSY,
        "another program is bound to queue 40; is another imgate running?"
      ),
      (
        .listConnections, EINVAL,
        "the kernel has no ctnetlink (CONFIG_NF_CT_NETLINK, module nf_conntrack_netlink)"
      ),
      (.awaitReply, ETIMEDOUT, "the kernel did not answer over netlink"),
      (.setMark, EINVAL, "setting a connection's mark failed: Invalid argument"),
      (
        .sendPacket, ENETUNREACH,
        "sending a packet through the raw socket failed: Network is unreachable"
      ),
    ] as [(NetfilterError.Operation, CInt, String)])
  func `An error is one sentence that says what is missing`(
    operation: NetfilterError.Operation, code: CInt, sentence: String
  ) {
    #expect(NetfilterError(operation, code: code).description == sentence)
  }

  @Test func `Only a queue that somebody has is taken`() {
    #expect(NetfilterError(.bindQueue(1, holder: 0), code: EBUSY).isQueueTaken)
    #expect(!NetfilterError(.bindQueue(1, holder: 0), code: ENOMEM).isQueueTaken)
    #expect(!NetfilterError(.useQueues, code: EBUSY).isQueueTaken)
  }
}
