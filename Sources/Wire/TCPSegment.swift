/// Writes TCP segments (RFC 9293 §3.1).
public enum TCPSegment {
  /// The longest payload that is written: with both headers it fills the smallest path over which
  /// IPv6 runs (RFC 8200 §5).
  public static let maximumPayload = 1_220

  /// A whole IP packet from the tuple's source to its destination, checksums right.
  ///
  /// The headers have 40 bytes over IPv4 and 60 over IPv6, and 12 more with a `timestamp` (RFC 7323
  /// §3.2), the only option. Without an `acknowledgement` the ACK flag is not set, whatever `flags`
  /// says. The payload must be at most 65,475 bytes; one over
  /// `maximumPayload` may be too long for the path.
  public static func packet(
    _ tuple: FiveTuple, _ flags: TCPFlags, sequence: UInt32, acknowledgement: UInt32?,
    window: UInt16 = 0, timestamp: TCPTimestamp? = nil, payload: [UInt8] = []
  ) -> [UInt8] {
    var packet: [UInt8] = []
    let header = timestamp == nil ? 20 : 32
    packet.reserveCapacity(40 + header + payload.count)
    packet.appendIPHeader(tuple, payload: header + payload.count)
    let segment = packet.count
    packet.append(bigEndian: tuple.sourcePort)
    packet.append(bigEndian: tuple.destinationPort)
    packet.append(bigEndian: sequence)
    packet.append(bigEndian: acknowledgement ?? 0)
    packet.append(UInt8(header / 4) << 4)
    packet.append(
      acknowledgement == nil ? flags.subtracting(.ack).rawValue : flags.union(.ack).rawValue)
    packet.append(bigEndian: window)
    packet.append(bigEndian: UInt32(0))  // checksum to come, urgent pointer
    if let timestamp {
      packet.append(bigEndian: UInt32(0x0101_080a))  // two of no operation, timestamps of 10 bytes
      packet.append(bigEndian: timestamp.value)
      packet.append(bigEndian: timestamp.echo)
    }
    packet += payload
    let checksum = Checksum.transport(
      packet.raw.extracting(segment...), .tcp, tuple.source, tuple.destination)
    packet.overwrite(checksum, at: segment + 16)
    return packet
  }
}
