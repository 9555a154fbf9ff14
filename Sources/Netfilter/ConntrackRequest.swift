internal import CNetfilter
internal import CSystem
internal import Queue
internal import Wire

extension MessageWriter {
  /// A request for all connections of IPv4 and IPv6; with `mark` only those whose mark is
  /// `mark.value` under `mark.mask`, which the kernel compares.
  mutating func putConntrackDump(sequence: UInt32, mark: (value: UInt32, mask: UInt32)?) {
    beginConntrack(
      IPCTNL_MSG_CT_GET, flags: CInt(NLM_F_REQUEST | NLM_F_DUMP), sequence: sequence,
      family: CInt(AF_UNSPEC))
    if let mark {
      put(CTA_MARK.rawValue, network32: mark.value)
      put(CTA_MARK_MASK.rawValue, network32: mark.mask)
    }
    endMessage()
  }

  /// A change of a connection's mark: the bits of `mask` become those of `state`, the others stay.
  mutating func putConntrackMark(
    _ tuple: FiveTuple, _ state: ConnectionState, mask: MarkMask, sequence: UInt32
  ) {
    // Without NLM_F_CREATE, so that it never makes a connection.
    beginConntrack(
      IPCTNL_MSG_CT_NEW, flags: CInt(NLM_F_REQUEST | NLM_F_ACK), sequence: sequence,
      family: Self.family(tuple))
    putTuple(CTA_TUPLE_ORIG.rawValue, tuple)
    put(CTA_MARK.rawValue, network32: mask.mark(0, with: state))
    put(CTA_MARK_MASK.rawValue, network32: mask.bits)
    endMessage()
  }

  /// The deletion of a connection.
  mutating func putConntrackDelete(_ tuple: FiveTuple, sequence: UInt32) {
    beginConntrack(
      IPCTNL_MSG_CT_DELETE, flags: CInt(NLM_F_REQUEST | NLM_F_ACK), sequence: sequence,
      family: Self.family(tuple))
    putTuple(CTA_TUPLE_ORIG.rawValue, tuple)
    endMessage()
  }

  private mutating func beginConntrack(
    _ operation: cntl_msg_types, flags: CInt, sequence: UInt32, family: CInt
  ) {
    beginMessage(
      type: UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(operation.rawValue), flags: flags,
      sequence: sequence, family: family, resource: 0)
  }

  private mutating func putTuple(_ type: UInt32, _ tuple: FiveTuple) {
    let whole = beginNest(type)
    let addresses = beginNest(CTA_TUPLE_IP.rawValue)
    if Self.family(tuple) == CInt(AF_INET) {
      put(CTA_IP_V4_SRC.rawValue, network32: tuple.source.ipv4)
      put(CTA_IP_V4_DST.rawValue, network32: tuple.destination.ipv4)
    } else {
      put(CTA_IP_V6_SRC.rawValue, network128: tuple.source.bits)
      put(CTA_IP_V6_DST.rawValue, network128: tuple.destination.bits)
    }
    endNest(addresses)
    let transport = beginNest(CTA_TUPLE_PROTO.rawValue)
    put(CTA_PROTO_NUM.rawValue, byte: tuple.proto.number)
    // The kernel ignores them for protocols without ports.
    put(CTA_PROTO_SRC_PORT.rawValue, network16: tuple.sourcePort)
    put(CTA_PROTO_DST_PORT.rawValue, network16: tuple.destinationPort)
    endNest(transport)
    endNest(whole)
  }

  private static func family(_ tuple: FiveTuple) -> CInt {
    CInt(tuple.source.isIPv4 && tuple.destination.isIPv4 ? AF_INET : AF_INET6)
  }
}
