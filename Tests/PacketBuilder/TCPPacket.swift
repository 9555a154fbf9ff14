public import Wire

/// An option of a TCP header.
public enum TCPOption: Sendable {
  /// Maximum segment size.
  case maximumSegmentSize(UInt16)
  /// Window scale.
  case windowScale(UInt8)
  /// Selective acknowledgements permitted.
  case sackPermitted
  /// Timestamps.
  case timestamp(UInt32, echo: UInt32)
  /// MD5 signature (RFC 2385), 16 bytes of zeros.
  case md5
  /// Authentication (RFC 5925).
  case authentication
  /// Fast Open with a cookie; an empty one asks for a cookie.
  case fastOpen([UInt8])
  /// No operation.
  case noOperation
  /// End of options.
  case end
  /// Any bytes.
  case raw([UInt8])

  /// The option's bytes.
  public var bytes: [UInt8] {
    switch self {
    case .maximumSegmentSize(let size): return [2, 4, UInt8(size >> 8), UInt8(size & 0xff)]
    case .windowScale(let shift): return [3, 3, shift]
    case .sackPermitted: return [4, 2]
    case .timestamp(let value, let echo):
      var bytes: [UInt8] = [8, 10]
      bytes.append(bigEndian: value)
      bytes.append(bigEndian: echo)
      return bytes
    case .md5: return [19, 18] + [UInt8](repeating: 0, count: 16)
    case .authentication: return [29, 16] + [UInt8](repeating: 0, count: 14)
    case .fastOpen(let cookie): return [34, UInt8(2 + cookie.count)] + cookie
    case .noOperation: return [1]
    case .end: return [0]
    case .raw(let bytes): return bytes
    }
  }
}

/// A TCP packet: `TCPPacket(from: client, to: server, flags: .syn, sequence: 1000).bytes`.
///
/// Every field that is left nil is what it should be; `ip` holds the fields of the IP header.
public struct TCPPacket: Sendable {
  /// Source port.
  public var sourcePort: UInt16
  /// Destination port.
  public var destinationPort: UInt16
  /// Sequence number.
  public var sequence: UInt32
  /// Acknowledgement number.
  public var acknowledgement: UInt32
  /// The control bits.
  public var flags: TCPFlags
  /// The window.
  public var window: UInt16 = 64_240
  /// The urgent pointer.
  public var urgentPointer: UInt16 = 0
  /// Options; padded with zeros to words.
  public var options: [TCPOption]
  /// The payload.
  public var payload: [UInt8]
  /// Header length in words.
  public var dataOffset: UInt8?
  /// Checksum.
  public var checksum: UInt16?
  /// The IP header; its payload and addresses are filled in by `bytes`.
  public var ip: IPPacket

  /// A packet.
  ///
  /// An acknowledgement other than 0 does not set the ACK flag: `flags` are taken as they are.
  public init(
    from source: Endpoint, to destination: Endpoint, flags: TCPFlags, sequence: UInt32 = 0,
    acknowledgement: UInt32 = 0, options: [TCPOption] = [], payload: [UInt8] = []
  ) {
    sourcePort = source.port
    destinationPort = destination.port
    self.sequence = sequence
    self.acknowledgement = acknowledgement
    self.flags = flags
    self.options = options
    self.payload = payload
    ip = IPPacket(from: source.address, to: destination.address, proto: .tcp)
  }

  /// The same packet with some fields changed: `packet.with { $0.ip.hopLimit = 3 }`.
  public func with(_ change: (inout TCPPacket) -> Void) -> TCPPacket {
    var copy = self
    change(&copy)
    return copy
  }

  /// The header and payload, without the IP header.
  public var segment: [UInt8] {
    var list = options.flatMap(\.bytes)
    while list.count % 4 != 0 { list.append(0) }
    var segment: [UInt8] = []
    segment.append(bigEndian: sourcePort)
    segment.append(bigEndian: destinationPort)
    segment.append(bigEndian: sequence)
    segment.append(bigEndian: acknowledgement)
    segment.append((dataOffset ?? UInt8(5 + list.count / 4)) << 4)
    segment.append(flags.rawValue)
    segment.append(bigEndian: window)
    segment.append(bigEndian: UInt16(0))
    segment.append(bigEndian: urgentPointer)
    segment += list + payload
    let right = internetChecksum(
      pseudoHeader(.tcp, from: ip.source, to: ip.destination, length: segment.count) + segment)
    let checksum = checksum ?? right
    return segment.overwriting(at: 16, [UInt8(checksum >> 8), UInt8(checksum & 0xff)])
  }

  /// The packet's bytes.
  public var bytes: [UInt8] {
    var ip = ip
    ip.payload = segment
    return ip.bytes
  }
}
