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
    TCPSegment.packet(tuple, .rst, sequence: sequence, acknowledgement: acknowledgement)
  }
}
