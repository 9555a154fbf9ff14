internal import CNetfilter
internal import CSystem

/// The configuration messages of a queue (NFQNL_MSG_CONFIG), encoded by libnetfilter_queue.
struct QueueConfiguration: Sendable {
  /// The queue's number.
  let number: UInt16
  /// How many packets may wait in the queue.
  let length: UInt32
  /// Whether packets pass unseen when the queue is full.
  let failOpen: Bool

  /// The most bytes of a packet that the kernel copies: an attribute holds no more
  /// (NFQNL_MAX_COPY_RANGE of net/netfilter/nfnetlink_queue.c).
  static let copyRange = 0xffff - 4

  /// A command that the kernel has ignored since Linux 3.8.
  ///
  /// Its reply tells whether nfnetlink_queue is there and whether the caller may use it, which the
  /// errors of the real messages don't tell apart.
  func probe(sequence: UInt32) -> [UInt8] {
    unsafe message(sequence) { header in
      unsafe nfq_nlmsg_cfg_put_cmd(header, UInt16(AF_INET), UInt8(NFQNL_CFG_CMD_PF_BIND.rawValue))
    }
  }

  /// Everything in one message, so that no packet meets a half-configured queue.
  func bind(sequence: UInt32) -> [UInt8] {
    unsafe message(sequence) { header in
      // Each call appends to the message, for which `message` has made room.
      unsafe nfq_nlmsg_cfg_put_cmd(header, UInt16(AF_UNSPEC), UInt8(NFQNL_CFG_CMD_BIND.rawValue))
      unsafe nfq_nlmsg_cfg_put_params(
        header, UInt8(NFQNL_COPY_PACKET.rawValue), CInt(Self.copyRange))
      unsafe nfq_nlmsg_cfg_put_qmaxlen(header, length)
      // GSO: a packet comes as large as the kernel has it. Without it every segment is a visit.
      // FLAGS counts only together with MASK, which says which of the flags are meant.
      let known = UInt32(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN)
      let flags = UInt32(failOpen ? NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN : NFQA_CFG_F_GSO)
      unsafe mnl_attr_put_u32(header, UInt16(NFQA_CFG_FLAGS.rawValue), flags.bigEndian)
      unsafe mnl_attr_put_u32(header, UInt16(NFQA_CFG_MASK.rawValue), known.bigEndian)
    }
  }

  private func message(
    _ sequence: UInt32, _ body: (UnsafeMutablePointer<nlmsghdr>) -> Void
  ) -> [UInt8] {
    // 128 bytes are more than the largest of the messages (68).
    unsafe [UInt8](unsafeUninitializedCapacity: 128) { buffer, count in
      // The library leaves the padding behind struct nfqnl_msg_config_params as it was.
      unsafe buffer.initialize(repeating: 0)
      guard let header = unsafe mnl_nlmsg_put_header(buffer.baseAddress) else { return }
      unsafe header.pointee.nlmsg_type =
        UInt16(NFNL_SUBSYS_QUEUE) << 8 | UInt16(NFQNL_MSG_CONFIG.rawValue)
      unsafe header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ACK)
      unsafe header.pointee.nlmsg_seq = sequence
      let extra = unsafe mnl_nlmsg_put_extra_header(header, MemoryLayout<nfgenmsg>.size)
      unsafe extra?.storeBytes(
        of: nfgenmsg(
          nfgen_family: UInt8(AF_UNSPEC), version: UInt8(NFNETLINK_V0), res_id: number.bigEndian),
        as: nfgenmsg.self)
      unsafe body(header)
      count = unsafe Int(header.pointee.nlmsg_len)
    }
  }
}
