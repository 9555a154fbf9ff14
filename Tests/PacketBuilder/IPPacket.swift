public import Wire

/// An IPv6 extension header: its number and its bytes behind the next-header byte.
public struct IPv6Extension: Sendable {
  /// The number that stands in the next-header byte before it.
  public var number: UInt8
  /// All its bytes but the first, which says what comes next.
  public var rest: [UInt8]

  /// An extension header; `rest` must make it a multiple of 8 bytes for it to be well-formed.
  public init(number: UInt8, rest: [UInt8]) {
    self.number = number
    self.rest = rest
  }

  /// Hop-by-hop options: 8 bytes of padding.
  public static let hopByHop = IPv6Extension(number: 0, rest: hex("00 0104 00000000"))
  /// Destination options: 8 bytes of padding.
  public static let destinationOptions = IPv6Extension(number: 60, rest: hex("00 0104 00000000"))
  /// Routing header of type 4 (segment routing).
  public static func routing(segmentsLeft: UInt8) -> IPv6Extension {
    IPv6Extension(number: 43, rest: [0, 4, segmentsLeft, 0, 0, 0, 0])
  }
  /// A fragment header; the offset counts in 8 bytes.
  public static func fragment(offset: UInt16, more: Bool, identification: UInt32 = 1)
    -> IPv6Extension
  {
    var rest: [UInt8] = [0]
    rest.append(bigEndian: offset << 3 | (more ? 1 : 0))
    rest.append(bigEndian: identification)
    return IPv6Extension(number: 44, rest: rest)
  }
}

/// An IP packet around any payload: IPv4 or IPv6, by its source address.
///
/// Every field that is left nil is what it should be.
public struct IPPacket: Sendable {
  /// Where it comes from.
  public var source: IPAddress
  /// Where it goes.
  public var destination: IPAddress
  /// What the payload is.
  public var proto: IPProtocol
  /// What the packet carries.
  public var payload: [UInt8]
  /// Time to live, hop limit.
  public var hopLimit: UInt8 = 64
  /// IPv4 options; padded with zeros to words.
  public var options: [UInt8] = []
  /// IPv4: identification.
  public var identification: UInt16 = 0
  /// IPv4: flags and fragment offset; don't fragment by default, `0x2000` is more fragments.
  public var fragment: UInt16 = 0x4000
  /// IPv6: extension headers, in order.
  public var extensions: [IPv6Extension] = []
  /// IPv4 total length, IPv6 payload length.
  public var length: UInt16?
  /// IPv4 header checksum.
  public var headerChecksum: UInt16?

  /// A packet.
  public init(
    from source: IPAddress, to destination: IPAddress, proto: IPProtocol, payload: [UInt8] = []
  ) {
    self.source = source
    self.destination = destination
    self.proto = proto
    self.payload = payload
  }

  /// The packet's bytes.
  public var bytes: [UInt8] { source.isIPv4 ? bytesIPv4 : bytesIPv6 }

  private var bytesIPv4: [UInt8] {
    var options = options
    while options.count % 4 != 0 { options.append(0) }
    let headerLength = 20 + options.count
    var packet: [UInt8] = [0x40 | UInt8(headerLength / 4), 0]
    packet.append(
      bigEndian: length ?? UInt16(truncatingIfNeeded: headerLength + payload.count))
    packet.append(bigEndian: identification)
    packet.append(bigEndian: fragment)
    packet += [hopLimit, proto.number, 0, 0]
    packet.append(bigEndian: source.ipv4)
    packet.append(bigEndian: destination.ipv4)
    packet += options
    let checksum = headerChecksum ?? internetChecksum(packet)
    packet = packet.overwriting(at: 10, [UInt8(checksum >> 8), UInt8(checksum & 0xff)])
    return packet + payload
  }

  private var bytesIPv6: [UInt8] {
    var chain: [UInt8] = []
    for i in extensions.indices {
      let next = i + 1 < extensions.count ? extensions[i + 1].number : proto.number
      chain.append(next)
      chain += extensions[i].rest
    }
    var packet: [UInt8] = [0x60, 0, 0, 0]
    packet.append(bigEndian: length ?? UInt16(truncatingIfNeeded: chain.count + payload.count))
    packet.append(extensions.first?.number ?? proto.number)
    packet.append(hopLimit)
    packet.append(bigEndian: source.bits)
    packet.append(bigEndian: destination.bits)
    return packet + chain + payload
  }
}

/// The Internet checksum (RFC 1071), byte pair by byte pair: the tests' own, to check Wire's against.
public func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
  var sum: UInt32 = 0
  for i in stride(from: 0, to: bytes.count, by: 2) {
    sum += UInt32(bytes[i]) << 8 | (i + 1 < bytes.count ? UInt32(bytes[i + 1]) : 0)
    if sum > 0xffff { sum = sum & 0xffff + 1 }
  }
  return ~UInt16(sum)
}

/// The pseudo-header of a transport checksum.
func pseudoHeader(
  _ proto: IPProtocol, from source: IPAddress, to destination: IPAddress, length: Int
) -> [UInt8] {
  var bytes: [UInt8] = []
  if source.isIPv4 {
    bytes.append(bigEndian: source.ipv4)
    bytes.append(bigEndian: destination.ipv4)
  } else {
    bytes.append(bigEndian: source.bits)
    bytes.append(bigEndian: destination.bits)
  }
  bytes.append(bigEndian: UInt32(length))
  bytes.append(bigEndian: UInt32(proto.number))
  return bytes
}
