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
  /// Bytes behind the transport's header.
  let payloadCount: Int
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
    payloadCount =
      ip.payload.count - (tcp?.headerLength ?? (ip.proto == .udp ? UDPHeader.size : 0))
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

  /// A segment without a length of its own, with the length that it has.
  ///
  /// What the network card is to cut into segments stands in Linux's captures as one packet, with
  /// length 0 when it is larger than the field can tell. Nil for every other packet.
  static func measured(_ packet: RawSpan, originalLength: Int) -> [UInt8]? {
    guard packet.byteCount >= 40 else { return nil }
    func byte(_ offset: Int) -> UInt8 {
      // Just checked: the first 40 bytes are there.
      unsafe packet.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }
    let isIPv4 = byte(0) >> 4 == 4
    let offset = isIPv4 ? 2 : 4
    guard byte(offset) == 0, byte(offset + 1) == 0, byte(isIPv4 ? 9 : 6) == IPProtocol.tcp.number
    else { return nil }
    let length = min(isIPv4 ? originalLength : originalLength - 40, 0xffff)
    guard length > 0 else { return nil }
    var bytes = copy(packet)
    bytes[offset] = UInt8(length >> 8)
    bytes[offset + 1] = UInt8(length & 0xff)
    return bytes
  }

  /// A SYN's data as the client sends it behind the handshake; nil for what is no TCP.
  static func behindHandshake(_ syn: [UInt8], acknowledging number: UInt32) -> [UInt8]? {
    // Span.bytes of an array's own span.
    guard case .done(let ip) = unsafe IPHeader.parse(syn.span.bytes), ip.proto == .tcp,
      ip.payload.count >= 20
    else { return nil }
    var bytes = syn
    let segment = ip.payload.lowerBound
    func put(_ value: UInt32, _ offset: Int) {
      for i in 0..<4 { bytes[segment + offset + i] = UInt8(value >> UInt32(24 - i * 8) & 0xff) }
    }
    let sequence = bytes[segment + 4..<segment + 8].reduce(0) { $0 << 8 | UInt32($1) }
    put(sequence &+ 1, 4)
    put(number, 8)
    bytes[segment + 13] = TCPFlags([.psh, .ack]).rawValue
    return bytes
  }

  /// The packet's bytes.
  static func copy(_ packet: RawSpan) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(packet.byteCount)
    for i in packet.byteOffsets {
      // Within bounds: the indices come from the span itself.
      unsafe bytes.append(packet.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))
    }
    return bytes
  }

  /// A packet that was cut, with zeros up to the length that its header tells.
  ///
  /// Its headers can then be read as if it were whole. One that was cut within its IP header stays as
  /// it is.
  static func completed(_ packet: RawSpan) -> [UInt8] {
    var bytes = copy(packet)
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
