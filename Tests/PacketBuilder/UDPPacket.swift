internal import Wire

/// A UDP packet: `UDPPacket(from: client, to: server, payload: bytes).bytes`.
///
/// Every field that is left nil is what it should be.
public struct UDPPacket: Sendable {
  /// Source port.
  public var sourcePort: UInt16
  /// Destination port.
  public var destinationPort: UInt16
  /// The payload.
  public var payload: [UInt8]
  /// The length field: header and payload.
  public var length: UInt16?
  /// Checksum; 0 means none.
  public var checksum: UInt16?
  /// The IP header; its payload is filled in by `bytes`.
  public var ip: IPPacket

  /// A packet.
  public init(from source: Endpoint, to destination: Endpoint, payload: [UInt8] = []) {
    sourcePort = source.port
    destinationPort = destination.port
    self.payload = payload
    ip = IPPacket(from: source.address, to: destination.address, proto: .udp)
  }

  /// The same packet with some fields changed.
  public func with(_ change: (inout UDPPacket) -> Void) -> UDPPacket {
    var copy = self
    change(&copy)
    return copy
  }

  /// The header and payload, without the IP header.
  public var datagram: [UInt8] {
    var datagram: [UInt8] = []
    datagram.append(bigEndian: sourcePort)
    datagram.append(bigEndian: destinationPort)
    datagram.append(bigEndian: length ?? UInt16(8 + payload.count))
    datagram.append(bigEndian: UInt16(0))
    datagram += payload
    let right = internetChecksum(
      pseudoHeader(.udp, from: ip.source, to: ip.destination, length: datagram.count) + datagram)
    // RFC 768: a sum that comes out as 0 is sent as all ones.
    let checksum = checksum ?? (right == 0 ? 0xffff : right)
    return datagram.overwriting(at: 6, [UInt8(checksum >> 8), UInt8(checksum & 0xff)])
  }

  /// The packet's bytes.
  public var bytes: [UInt8] {
    var ip = ip
    ip.payload = datagram
    return ip.bytes
  }
}
