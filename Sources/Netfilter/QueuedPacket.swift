internal import CNetfilter
public import Queue
public import Wire

/// A packet as the kernel's queue delivers it (NFQNL_MSG_PACKET of linux/netfilter/
/// nfnetlink_queue.h).
///
/// It lives as long as the receive buffer holds it: within the closure that got it. What a packet
/// lacks (an attribute that isn't there, or is cut) is 0, `.unknown` or empty; only a message
/// without an id is no packet at all.
public struct QueuedPacket: ~Copyable, ~Escapable {
  /// The packet from its IP header on; shorter than the packet when `isTruncated`.
  public let bytes: RawSpan
  /// The queue's id of the packet.
  public let id: UInt32
  /// Index of the interface that it entered through (the bridge, not its port); 0 for a packet of
  /// the router itself.
  public let inputInterface: UInt32
  /// Index of the interface that it leaves through; 0 before the routing decision.
  public let outputInterface: UInt32
  /// The netfilter hook that queued it: NF_INET_FORWARD is 2, NF_INET_LOCAL_OUT is 3.
  public let hook: UInt8
  /// The packet's mark.
  public let mark: UInt32
  /// The sender's hardware address, `.unknown` when the link has none of 6 bytes.
  public let hardwareAddress: MACAddress
  /// Whether the checksum field is final: it isn't when NFQA_SKB_CSUMNOTREADY is set.
  public let checksumIsFinal: Bool
  /// Whether `bytes` are not the whole packet (larger than 65,531 bytes, or a damaged message).
  public let isTruncated: Bool

  /// Parses the body of a packet message; nil when it holds no id, without which there is nothing
  /// that could be answered.
  @_lifetime(copy message)
  init?(_ message: borrowing NetlinkMessage) {
    var bytes = message.body.extracting(0..<0)
    var (id, hook): (UInt32?, UInt8) = (nil, 0)
    var (input, output, mark): (UInt32, UInt32, UInt32) = (0, 0, 0)
    var hardwareAddress = MACAddress.unknown
    var checksumIsFinal = true
    var isTruncated = message.isCut
    var capturedLength = 0

    var attributes = message.attributes
    while let attribute = attributes.next() {
      switch nfqnl_attr_type(rawValue: attribute.type) {
      case NFQA_PACKET_HDR:
        // struct nfqnl_msg_packet_hdr: 0 be32 id, 4 be16 link protocol, 6 u8 hook.
        guard attribute.value.byteCount >= 7 else { break }
        id = attribute.value.network32(at: 0)
        hook = attribute.value.byte(at: 6)
      case NFQA_MARK: mark = attribute.network32 ?? 0
      case NFQA_IFINDEX_INDEV: input = attribute.network32 ?? 0
      case NFQA_IFINDEX_OUTDEV: output = attribute.network32 ?? 0
      case NFQA_HWADDR:
        // struct nfqnl_msg_packet_hw: 0 be16 length, 2 padding, 4 the address in 8 bytes.
        guard attribute.value.byteCount >= 10, attribute.value.network16(at: 0) == 6 else { break }
        hardwareAddress = MACAddress(
          bits: UInt64(attribute.value.network32(at: 4)) << 16
            | UInt64(attribute.value.network16(at: 8)))
      case NFQA_SKB_INFO:
        checksumIsFinal = (attribute.network32 ?? 0) & UInt32(NFQA_SKB_CSUMNOTREADY) == 0
      case NFQA_CAP_LEN: capturedLength = Int(attribute.network32 ?? 0)
      case NFQA_PAYLOAD:
        bytes = attribute.value
        isTruncated = isTruncated || attribute.isCut
      default: break
      }
    }
    guard let id else { return nil }
    self.bytes = bytes
    self.id = id
    self.hook = hook
    self.mark = mark
    inputInterface = input
    outputInterface = output
    self.hardwareAddress = hardwareAddress
    self.checksumIsFinal = checksumIsFinal
    self.isTruncated = isTruncated || capturedLength > bytes.byteCount
  }

  /// What the flow machine wants to know of the packet beside its bytes.
  public func metadata(lan: InterfaceSet, mask: MarkMask) -> PacketMetadata {
    PacketMetadata(
      fromLAN: lan.contains(inputInterface), state: mask.state(of: mark),
      hardwareAddress: hardwareAddress, checksumIsFinal: checksumIsFinal, isTruncated: isTruncated,
      interface: inputInterface)
  }
}
