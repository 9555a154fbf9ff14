internal import Wire

/// What the kernel sees of a packet before anybody judges it.
struct PacketOutline {
  let tuple: FiveTuple
  let isSYN: Bool
  let isSYNACK: Bool
  let isReset: Bool
  let isFIN: Bool
  let sequence: UInt32
  /// The sequence number behind it.
  let end: UInt32
  let acknowledgement: UInt32?
  let hasPayload: Bool
  /// IP bytes, by the packet's own length.
  let totalLength: Int
  /// The tuple of the packet that an ICMP error is about.
  let quoted: FiveTuple?

  /// The outline of a packet; nil when its headers make no sense.
  ///
  /// A fragment's transport header need not be there: it has no ports.
  init?(_ packet: RawSpan, _ ip: IPHeader) {
    let transport = packet.extracting(ip.payload)
    totalLength = ip.totalLength
    var quoted: FiveTuple?
    var tcp: TCPHeader?
    var ports: (UInt16, UInt16) = (0, 0)
    switch ip.proto {
    case .tcp where !ip.isFragment:
      guard case .done(let header) = TCPHeader.parse(transport) else { return nil }
      tcp = header
      ports = (header.sourcePort, header.destinationPort)
      hasPayload = ip.payload.count > header.headerLength
    case .udp where !ip.isFragment:
      guard case .done(let header) = UDPHeader.parse(transport) else { return nil }
      ports = (header.sourcePort, header.destinationPort)
      hasPayload = true
    default:
      hasPayload = true
      quoted = Self.quoted(transport, ip.proto)
    }
    tuple = FiveTuple(
      proto: ip.proto, source: ip.source, sourcePort: ports.0, destination: ip.destination,
      destinationPort: ports.1)
    let flags = tcp?.flags ?? []
    isSYN = flags.contains(.syn) && !flags.contains(.ack)
    isSYNACK = flags.isSuperset(of: [.syn, .ack])
    isReset = flags.contains(.rst)
    isFIN = flags.contains(.fin)
    sequence = tcp?.sequence ?? 0
    let payloadCount = ip.payload.count - (tcp?.headerLength ?? 0)
    end = sequence &+ UInt32(payloadCount) &+ (flags.contains(.syn) ? 1 : 0)
    acknowledgement = flags.contains(.ack) ? tcp?.acknowledgement : nil
    self.quoted = quoted
  }

  /// What an ICMP error quotes: the beginning of a packet, 8 bytes behind its own.
  ///
  /// RFC 792: types 3, 11 and 12. RFC 4443: types below 128.
  private static func quoted(_ message: RawSpan, _ proto: IPProtocol) -> FiveTuple? {
    guard proto == .icmp || proto == .icmpv6, message.byteCount > 8 else { return nil }
    // Just checked: the span has bytes.
    let type = unsafe message.unsafeLoad(fromUncheckedByteOffset: 0, as: UInt8.self)
    guard proto == .icmp ? type == 3 || type == 11 || type == 12 : type < 128 else { return nil }
    let quote = completed(message.extracting(8..<message.byteCount))
    // Span.bytes of an array's own span.
    let packet = unsafe quote.span.bytes
    guard case .done(let ip) = IPHeader.parse(packet), ip.proto != .icmp, ip.proto != .icmpv6
    else { return nil }
    // Errors need not quote a whole TCP header, but ports stand first.
    let ports = quote[ip.payload]
    guard ip.proto == .tcp || ip.proto == .udp, ports.count >= 4 else {
      return FiveTuple(
        proto: ip.proto, source: ip.source, sourcePort: 0, destination: ip.destination,
        destinationPort: 0)
    }
    let first = ports.startIndex
    return FiveTuple(
      proto: ip.proto, source: ip.source,
      sourcePort: UInt16(ports[first]) << 8 | UInt16(ports[first + 1]),
      destination: ip.destination,
      destinationPort: UInt16(ports[first + 2]) << 8 | UInt16(ports[first + 3]))
  }

  /// A packet that was cut, with zeros up to the length that its header tells.
  ///
  /// Its headers can then be read as if it were whole. One that was cut within its IP header stays as
  /// it is.
  static func completed(_ packet: RawSpan) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(packet.byteCount)
    for i in packet.byteOffsets {
      // Within bounds: the indices come from the span itself.
      unsafe bytes.append(packet.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))
    }
    let isIPv4 = (bytes.first ?? 0) >> 4 == 4
    guard bytes.count >= (isIPv4 ? 20 : 40) else { return bytes }
    let length =
      isIPv4 ? Int(bytes[2]) << 8 | Int(bytes[3]) : (Int(bytes[4]) << 8 | Int(bytes[5])) + 40
    if bytes.count < length {
      bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
    }
    return bytes
  }
}
