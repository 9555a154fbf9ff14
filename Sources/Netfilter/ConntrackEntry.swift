internal import CNetfilter
public import Wire

/// A connection as conntrack knows it.
public struct ConntrackEntry: Equatable, Sendable {
  /// Why the entry is shown.
  public enum Occasion: Equatable, Sendable {
    /// It is in a list.
    case listed
    /// It began.
    case created
    /// It changed.
    case updated
    /// It ended: these counts are its last.
    case destroyed
  }

  /// Why the entry is shown.
  public internal(set) var occasion: Occasion
  /// The connection as its opener's packets have it before any NAT.
  ///
  /// Ports are 0 for protocols without them (ICMP); for GRE they are its keys.
  public internal(set) var original: FiveTuple
  /// The connection as the answering packets have it before any NAT: `original.reversed`, unless
  /// the connection is translated.
  public internal(set) var reply: FiveTuple
  /// The kernel's id of the connection (a hash; 0 when the message had none).
  public internal(set) var id: UInt32 = 0
  /// The connection mark.
  public internal(set) var mark: UInt32 = 0
  /// Whether an end of a TCP connection has said that it is over: the kernel keeps the entry for up
  /// to two minutes more.
  public internal(set) var isClosing = false
  /// Whether the kernel counts the connection: not for one that began while
  /// net.netfilter.nf_conntrack_acct was 0.
  public internal(set) var isCounted = false
  /// Packets of the opener.
  public internal(set) var packetsUp: UInt64 = 0
  /// Their bytes, IP headers included.
  public internal(set) var bytesUp: UInt64 = 0
  /// Packets of the answering side.
  public internal(set) var packetsDown: UInt64 = 0
  /// Their bytes, IP headers included.
  public internal(set) var bytesDown: UInt64 = 0
  /// When it began, in nanoseconds since 1970; 0 unless net.netfilter.nf_conntrack_timestamp is 1.
  public internal(set) var began: UInt64 = 0
  /// When it ended, in nanoseconds since 1970; 0 unless `began` is known and it has ended.
  public internal(set) var ended: UInt64 = 0

  /// Parses a ctnetlink message (IPCTNL_MSG_CT_NEW or _DELETE of linux/netfilter/
  /// nfnetlink_conntrack.h); nil for another message, and for one without both tuples.
  init?(_ message: borrowing NetlinkMessage, isListed: Bool) {
    switch message.type {
    case Self.newType where isListed: occasion = .listed
    // The kernel marks what it has just created with the flags of its creation.
    case Self.newType:
      occasion = message.flags & UInt16(NLM_F_CREATE | NLM_F_EXCL) != 0 ? .created : .updated
    case Self.deleteType: occasion = .destroyed
    default: return nil
    }
    var (original, reply): (FiveTuple?, FiveTuple?) = (nil, nil)
    var (up, down): (Counters?, Counters?) = (nil, nil)
    var attributes = message.attributes
    while let attribute = attributes.next() {
      switch ctattr_type(rawValue: attribute.type) {
      case CTA_TUPLE_ORIG: original = Self.tuple(attribute)
      case CTA_TUPLE_REPLY: reply = Self.tuple(attribute)
      case CTA_ID: id = attribute.network32 ?? 0
      case CTA_MARK: mark = attribute.network32 ?? 0
      case CTA_COUNTERS_ORIG: up = Counters(attribute)
      case CTA_COUNTERS_REPLY: down = Counters(attribute)
      case CTA_TIMESTAMP: (began, ended) = Self.times(attribute)
      case CTA_PROTOINFO: isClosing = Self.isClosing(attribute)
      default: break
      }
    }
    guard let original, let reply else { return nil }
    self.original = original
    self.reply = reply
    guard let up, let down else { return }
    isCounted = true
    (packetsUp, bytesUp) = (up.packets, up.bytes)
    (packetsDown, bytesDown) = (down.packets, down.bytes)
  }

  private static let newType =
    UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_NEW.rawValue)
  private static let deleteType =
    UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_DELETE.rawValue)

  private struct Counters {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0

    init(_ attribute: borrowing Attribute) {
      var nested = attribute.nested
      while let counter = nested.next() {
        switch ctattr_counters(rawValue: counter.type) {
        case CTA_COUNTERS_PACKETS: packets = counter.network64 ?? 0
        case CTA_COUNTERS_BYTES: bytes = counter.network64 ?? 0
        default: break
        }
      }
    }
  }

  private static func isClosing(_ attribute: borrowing Attribute) -> Bool {
    var isClosing = false
    var protocols = attribute.nested
    while let tcp = protocols.next() {
      guard ctattr_protoinfo(rawValue: tcp.type) == CTA_PROTOINFO_TCP else { continue }
      var fields = tcp.nested
      while let field = fields.next() {
        guard ctattr_protoinfo_tcp(rawValue: field.type) == CTA_PROTOINFO_TCP_STATE,
          !field.value.isEmpty
        else { continue }
        // FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT and CLOSE of nf_conntrack_tcp.h.
        isClosing = (4...8).contains(field.value.byte(at: 0))
      }
    }
    return isClosing
  }

  private static func times(_ attribute: borrowing Attribute) -> (UInt64, UInt64) {
    var times: (UInt64, UInt64) = (0, 0)
    var nested = attribute.nested
    while let time = nested.next() {
      switch ctattr_tstamp(rawValue: time.type) {
      case CTA_TIMESTAMP_START: times.0 = time.network64 ?? 0
      case CTA_TIMESTAMP_STOP: times.1 = time.network64 ?? 0
      default: break
      }
    }
    return times
  }

  // CTA_TUPLE_IP and CTA_TUPLE_PROTO; nil without both addresses and the protocol.
  private static func tuple(_ attribute: borrowing Attribute) -> FiveTuple? {
    var (source, destination): (IPAddress?, IPAddress?) = (nil, nil)
    var proto: IPProtocol? = nil
    var (sourcePort, destinationPort): (UInt16, UInt16) = (0, 0)
    var parts = attribute.nested
    while let part = parts.next() {
      var nested = part.nested
      switch ctattr_tuple(rawValue: part.type) {
      case CTA_TUPLE_IP:
        while let address = nested.next() {
          switch ctattr_ip(rawValue: address.type) {
          case CTA_IP_V4_SRC: source = address.ipv4
          case CTA_IP_V4_DST: destination = address.ipv4
          case CTA_IP_V6_SRC: source = address.ipv6
          case CTA_IP_V6_DST: destination = address.ipv6
          default: break
          }
        }
      case CTA_TUPLE_PROTO:
        while let field = nested.next() {
          switch ctattr_l4proto(rawValue: field.type) {
          case CTA_PROTO_NUM:
            proto = field.value.isEmpty ? nil : IPProtocol(field.value.byte(at: 0))
          case CTA_PROTO_SRC_PORT: sourcePort = field.network16 ?? 0
          case CTA_PROTO_DST_PORT: destinationPort = field.network16 ?? 0
          default: break
          }
        }
      default: break
      }
    }
    guard let source, let destination, let proto else { return nil }
    return FiveTuple(
      proto: proto, source: source, sourcePort: sourcePort, destination: destination,
      destinationPort: destinationPort)
  }
}

extension Attribute {
  fileprivate var ipv4: IPAddress? { network32.map { IPAddress(ipv4: $0) } }

  fileprivate var ipv6: IPAddress? {
    guard value.byteCount >= 16 else { return nil }
    return IPAddress(
      ipv6: UInt128(value.network64(at: 0)) << 64 | UInt128(value.network64(at: 8)))
  }
}
