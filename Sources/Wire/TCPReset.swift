/// Writes TCP resets (RFC 9293 §3.10.7).
public enum TCPReset {
  /// A whole IP packet with a reset from the tuple's source to its destination, checksums right.
  ///
  /// `sequence` must be what the receiver expects next, or it answers with a challenge (RFC 5961
  /// §3.2). With an `acknowledgement` the ACK flag is set, as a receiver in SYN-SENT demands. The
  /// packet has 40 bytes over IPv4 and 60 over IPv6, hop limit 64.
  public static func packet(
    _ tuple: FiveTuple, sequence: UInt32, acknowledgement: UInt32?
  ) -> [UInt8] {
    let isIPv4 = tuple.source.isIPv4 && tuple.destination.isIPv4
    var packet: [UInt8] = []
    packet.reserveCapacity(isIPv4 ? 40 : 60)
    if isIPv4 {
      packet.append(bigEndian: UInt32(0x4500_0028))  // version, header of 5 words, length 40
      packet.append(bigEndian: UInt32(0x0000_4000))  // identification 0, don't fragment
      packet.append(bigEndian: UInt32(0x4006_0000))  // time to live 64, TCP, checksum to come
      packet.append(bigEndian: tuple.source.ipv4)
      packet.append(bigEndian: tuple.destination.ipv4)
      packet.overwrite(Checksum.of(packet.raw), at: 10)
    } else {
      packet.append(bigEndian: UInt32(0x6000_0000))  // version
      packet.append(bigEndian: UInt32(0x0014_0640))  // payload 20, TCP, hop limit 64
      packet.append(bigEndian: tuple.source.bits)
      packet.append(bigEndian: tuple.destination.bits)
    }
    let segment = packet.count
    let flags: TCPFlags = acknowledgement == nil ? .rst : [.rst, .ack]
    packet.append(bigEndian: tuple.sourcePort)
    packet.append(bigEndian: tuple.destinationPort)
    packet.append(bigEndian: sequence)
    packet.append(bigEndian: acknowledgement ?? 0)
    packet.append(0x50)  // header of 5 words
    packet.append(flags.rawValue)
    packet.append(bigEndian: UInt16(0))  // window
    packet.append(bigEndian: UInt32(0))  // checksum to come, urgent pointer
    let checksum = Checksum.transport(
      packet.raw.extracting(segment...), .tcp, tuple.source, tuple.destination)
    packet.overwrite(checksum, at: segment + 16)
    return packet
  }
}
