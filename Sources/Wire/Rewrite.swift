/// Changes packets on their way.
public enum Rewrite {
  /// The packet without its TCP payload: lengths and checksums mended, all else as it was.
  ///
  /// For a SYN with data (TCP Fast Open): the server acknowledges the SYN alone, and the client sends
  /// the data again. `ip` and `tcp` must be the packet's own headers.
  public static func withoutPayload(_ packet: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader) -> [UInt8]
  {
    let segment = ip.payload.lowerBound
    let length = segment + tcp.headerLength
    var copy: [UInt8] = []
    copy.reserveCapacity(length)
    copy.append(packet.extracting(first: length))
    // Never with the packet's own headers.
    guard copy.count == length else { return copy }
    if ip.source.isIPv4 {
      copy.overwrite(UInt16(truncatingIfNeeded: length), at: 2)
      copy.overwrite(0, at: 10)
      copy.overwrite(Checksum.of(copy.raw.extracting(first: segment)), at: 10)
    } else {
      copy.overwrite(UInt16(truncatingIfNeeded: length - 40), at: 4)
    }
    copy.overwrite(0, at: segment + 16)
    let checksum = Checksum.transport(
      copy.raw.extracting(segment...), ip.proto, ip.source, ip.destination)
    copy.overwrite(checksum, at: segment + 16)
    return copy
  }
}
