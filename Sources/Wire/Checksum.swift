/// The Internet checksum (RFC 1071).
public enum Checksum {
  /// Whether the TCP or UDP checksum of a packet is right (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1).
  ///
  /// `header` must be the packet's own. The field 0 of a UDP datagram over IPv4 means that there is
  /// none, and is right; over IPv6 it is wrong. Other protocols have no checksum here: always true.
  /// A fragment's can't be verified: false. A packet joined by the kernel (GSO, up to 64 KiB) mostly
  /// has no final checksum: ask its metadata first.
  public static func isTransportValid(_ packet: RawSpan, _ header: IPHeader) -> Bool {
    let isUDP = header.proto == .udp
    guard isUDP || header.proto == .tcp else { return true }
    guard !header.isFragment, header.payload.upperBound <= packet.byteCount else { return false }
    let segment = packet.extracting(header.payload)
    if isUDP {
      do throws(Stop) {
        if try Reader(segment).peek(UInt16.self, at: 6) == 0 { return header.source.isIPv4 }
      } catch {
        return false
      }
    }
    return transport(segment, header.proto, header.source, header.destination) == 0
  }

  /// The checksum of bytes: the complement of their one's complement sum.
  ///
  /// It is 0 over bytes that contain their own right checksum.
  public static func of(_ bytes: RawSpan) -> UInt16 {
    var sum = Sum()
    sum.add(bytes)
    return ~sum.folded
  }

  /// The checksum of a transport's bytes under the pseudo-header of these addresses (RFC 9293 §3.1,
  /// RFC 8200 §8.1).
  public static func transport(
    _ segment: RawSpan, _ proto: IPProtocol, _ source: IPAddress, _ destination: IPAddress
  ) -> UInt16 {
    var sum = Sum()
    sum.add(source)
    sum.add(destination)
    sum.add(UInt64(proto.number))
    sum.add(UInt64(segment.byteCount))
    sum.add(segment)
    return ~sum.folded
  }
}

/// A one's complement sum on its way, 64 bits wide: folded to 16 bits it is the same.
private struct Sum {
  private var value: UInt64 = 0

  mutating func add(_ word: UInt64) {
    let (sum, carry) = value.addingReportingOverflow(word)
    // The carry comes back at the other end; never twice, since a sum that wrapped is not all ones.
    value = sum &+ (carry ? 1 : 0)
  }

  mutating func add(_ address: IPAddress) {
    if address.isIPv4 {
      add(UInt64(address.ipv4))
    } else {
      add(UInt64(truncatingIfNeeded: address.bits >> 64))
      add(UInt64(truncatingIfNeeded: address.bits))
    }
  }

  mutating func add(_ bytes: RawSpan) {
    let reader = Reader(bytes)
    var offset = 0
    // Never throws: the counts are checked here.
    do throws(Stop) {
      while reader.count - offset >= 8 {
        add(try reader.peek(UInt64.self, at: offset))
        offset += 8
      }
      while reader.count - offset >= 2 {
        add(UInt64(try reader.peek(UInt16.self, at: offset)))
        offset += 2
      }
      // An odd byte counts as the first of a pair.
      if offset < reader.count { add(UInt64(try reader.peek(UInt8.self, at: offset)) << 8) }
    } catch {}
  }

  var folded: UInt16 {
    var sum = value
    while sum > 0xffff { sum = sum >> 16 &+ sum & 0xffff }
    return UInt16(truncatingIfNeeded: sum)
  }
}
