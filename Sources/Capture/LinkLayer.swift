public import Wire

/// What stands before the IP header in a captured frame.
public enum LinkLayer {
  /// What a frame holds.
  public enum Content: Equatable, Sendable {
    /// An IP packet from `offset` on, and who sent the frame; `.unknown` if the link doesn't say.
    case ip(offset: Int, sender: MACAddress)
    /// Something else: ARP, management frames, encrypted frames.
    case other
    /// It ends within its headers.
    case cut
    /// The link type is none of those that are read here.
    case unsupported
  }

  /// Finds the IP packet in a frame of link type `linkType` (tcpdump.org/linktypes.html).
  public static func content(of frame: RawSpan, linkType: UInt32) -> Content {
    let frame = Frame(bytes: frame)
    do throws(FrameCut) {
      switch linkType {
      case 0, 108: return try loopback(frame)
      case 1: return try ethernet(frame)
      // PPP with or without the address and control bytes (RFC 1662 §3.1) before it.
      case 9, 50:
        let hasAddress = try frame.number16(at: 0) == 0xff03
        return try ppp(frame, at: hasAddress ? 2 : 0, sender: .unknown)
      case 12, 14, 101, 228, 229: return try ip(frame, at: 0, sender: .unknown)
      case 105: return try WirelessFrame.content(frame, at: 0, isPadded: false)
      case 113: return try cooked(frame)
      case 127: return try WirelessFrame.radiotap(frame)
      case 276: return try cookedVersion2(frame)
      default: return .unsupported
      }
    } catch {
      return .cut
    }
  }

  /// Ethernet (IEEE 802.3): destination (6), source (6), type or length (2).
  private static func ethernet(_ frame: borrowing Frame) throws(FrameCut) -> Content {
    let sender = try frame.hardwareAddress(at: 6)
    let type = try frame.number16(at: 12)
    // Up to 1500 it is a length, and a logical link header follows.
    if type <= 1500 { return try snap(frame, at: 14, sender: sender) }
    return try payload(frame, type: type, at: 14, sender: sender)
  }

  /// What an EtherType announces, behind any number of tags.
  static func payload(
    _ frame: borrowing Frame, type: UInt16, at offset: Int, sender: MACAddress
  ) throws(FrameCut) -> Content {
    var type = type
    var offset = offset
    while true {
      switch type {
      case 0x0800, 0x86dd: return try ip(frame, at: offset, sender: sender)
      // 802.1Q, 802.1ad and what came before it: tag (2), type (2).
      case 0x8100, 0x88a8, 0x9100, 0x9200:
        type = try frame.number16(at: offset + 2)
        offset += 4
        if type <= 1500 { return try snap(frame, at: offset, sender: sender) }
      // PPPoE session (RFC 2516 §4): version and type, code, session (2), length (2), PPP.
      case 0x8864: return try ppp(frame, at: offset + 6, sender: sender)
      default: return .other
      }
    }
  }

  /// A PPP protocol number (RFC 1661 §5), which may be one byte long, and what it announces.
  private static func ppp(
    _ frame: borrowing Frame, at offset: Int, sender: MACAddress
  ) throws(FrameCut) -> Content {
    let first = try frame.number8(at: offset)
    let isCompressed = first & 1 == 1
    let proto = isCompressed ? UInt16(first) : try frame.number16(at: offset)
    guard proto == 0x0021 || proto == 0x0057 else { return .other }
    return try ip(frame, at: offset + (isCompressed ? 1 : 2), sender: sender)
  }

  /// A logical link header with a SNAP header (IEEE 802.2; RFC 1042): `aa aa 03`, vendor 0, type.
  static func snap(
    _ frame: borrowing Frame, at offset: Int, sender: MACAddress
  ) throws(FrameCut) -> Content {
    guard try frame.number16(at: offset) == 0xaaaa, try frame.number8(at: offset + 2) == 3,
      try frame.number8(at: offset + 3) == 0, try frame.number16(at: offset + 4) == 0
    else { return .other }
    let type = try frame.number16(at: offset + 6)
    return try payload(frame, type: type, at: offset + 8, sender: sender)
  }

  /// Linux cooked, version 1: packet type (2), device type (2), address length (2), address (8),
  /// protocol (2).
  private static func cooked(_ frame: borrowing Frame) throws(FrameCut) -> Content {
    let sender = try frame.number16(at: 4) == 6 ? try frame.hardwareAddress(at: 6) : .unknown
    let type = try frame.number16(at: 14)
    return try payload(frame, type: type, at: 16, sender: sender)
  }

  /// Linux cooked, version 2: protocol (2), reserved (2), interface (4), device type (2), packet
  /// type (1), address length (1), address (8).
  private static func cookedVersion2(_ frame: borrowing Frame) throws(FrameCut) -> Content {
    let sender = try frame.number8(at: 11) == 6 ? try frame.hardwareAddress(at: 12) : .unknown
    let type = try frame.number16(at: 0)
    return try payload(frame, type: type, at: 20, sender: sender)
  }

  /// BSD loopback: the address family (4), in the byte order of whoever captured.
  private static func loopback(_ frame: borrowing Frame) throws(FrameCut) -> Content {
    let high = try frame.number16(at: 0)
    let low = try frame.number16(at: 2)
    let family = high == 0 ? low : high.byteSwapped
    guard high == 0 || low == 0 else { return .other }
    switch family {
    // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
    case 2, 10, 24, 28, 30: return try ip(frame, at: 4, sender: .unknown)
    default: return .other
    }
  }

  private static func ip(
    _ frame: borrowing Frame, at offset: Int, sender: MACAddress
  ) throws(FrameCut) -> Content {
    switch try frame.number8(at: offset) >> 4 {
    case 4, 6: .ip(offset: offset, sender: sender)
    default: .other
    }
  }
}

/// A frame ends before the field that is to be read.
struct FrameCut: Error {}

/// A frame's bytes, and numbers in network byte order at any offset.
struct Frame: ~Escapable {
  let bytes: RawSpan

  @_lifetime(copy bytes)
  init(bytes: RawSpan) { self.bytes = bytes }

  func number8(at offset: Int) throws(FrameCut) -> UInt8 {
    guard offset < bytes.byteCount else { throw FrameCut() }
    // Just checked: the offset is within the span.
    return unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }

  func number16(at offset: Int) throws(FrameCut) -> UInt16 {
    UInt16(try number8(at: offset)) << 8 | UInt16(try number8(at: offset + 1))
  }

  func hardwareAddress(at offset: Int) throws(FrameCut) -> MACAddress {
    var bits: UInt64 = 0
    for i in 0..<6 { bits = bits << 8 | UInt64(try number8(at: offset + i)) }
    return MACAddress(bits: bits)
  }
}
