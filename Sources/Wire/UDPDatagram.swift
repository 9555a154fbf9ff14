/// Writes UDP datagrams (RFC 768).
public enum UDPDatagram {
  /// A whole IP packet from the tuple's source to its destination, checksums right.
  ///
  /// The payload must be at most 65,487 bytes.
  public static func packet(_ tuple: FiveTuple, payload: [UInt8]) -> [UInt8] {
    var packet: [UInt8] = []
    packet.reserveCapacity(48 + payload.count)
    packet.appendIPHeader(tuple, payload: UDPHeader.size + payload.count)
    let datagram = packet.count
    packet.append(bigEndian: tuple.sourcePort)
    packet.append(bigEndian: tuple.destinationPort)
    packet.append(bigEndian: UInt16(truncatingIfNeeded: UDPHeader.size + payload.count))
    packet.append(bigEndian: UInt16(0))  // checksum to come
    packet += payload
    let checksum = Checksum.transport(
      packet.raw.extracting(datagram...), .udp, tuple.source, tuple.destination)
    // 0 would mean that there is none.
    packet.overwrite(checksum == 0 ? 0xffff : checksum, at: datagram + 6)
    return packet
  }
}
