/// The header of an IPv4 packet (RFC 791 §3.1), or of an IPv6 packet with its extension headers (RFC
/// 8200 §3, §4).
public struct IPHeader: Sendable {
  /// Where the packet comes from.
  public let source: IPAddress
  /// Where the packet goes.
  public let destination: IPAddress
  /// What the payload is: the last next-header field of IPv6.
  public let proto: IPProtocol
  /// The transport's bytes within the packet, by the header's own length.
  ///
  /// What the link adds behind (Ethernet pads short frames) is not part of it.
  public let payload: Range<Int>
  /// Bytes of the whole packet, by the header's own length.
  public let totalLength: Int
  /// Hops that the packet may still take (IPv4: time to live).
  public let hopLimit: UInt8
  /// Whether there are IPv4 options or any IPv6 extension header.
  public let hasOptions: Bool
  /// Whether this is a part of a packet only: the payload then need not begin with a transport
  /// header.
  public let isFragment: Bool

  /// Parses the beginning of a packet; `needMore` when it was cut short of its own length.
  ///
  /// Of IPv6 it steps over hop-by-hop options, routing (when no segment is left), destination options
  /// and fragment headers. Authentication (51), ESP (50) and everything else end the chain and are
  /// `proto`, as they are with IPv4. An IPv6 jumbogram (RFC 2675) is malformed.
  public static func parse(_ packet: RawSpan) -> Parsed<IPHeader> {
    let reader = Reader(packet)
    do throws(Stop) {
      switch try reader.peek(UInt8.self) >> 4 {
      case 4: return .done(try IPHeader(ipv4: reader))
      case 6: return .done(try IPHeader(ipv6: reader))
      default: return .malformed(Malformation("IP version is neither 4 nor 6"))
      }
    } catch {
      return error.outcome()
    }
  }
}

extension IPHeader {
  /// Reads an IPv4 header.
  ///
  /// ```
  ///  0                   1                   2                   3
  ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
  /// |Version|  IHL  |Type of service|          Total length         |
  /// |         Identification        |Flags|     Fragment offset     |
  /// |  Time to live |    Protocol   |        Header checksum        |
  /// |                         Source address                        |
  /// |                      Destination address                      |
  /// |                            Options ...                        |
  /// ```
  fileprivate init(ipv4 reader: borrowing Reader) throws(Stop) {
    let headerLength = Int(try reader.peek(UInt8.self) & 0x0f) * 4
    guard headerLength >= 20 else { throw .malformed("IPv4 header shorter than 20 bytes") }
    let totalLength = Int(try reader.peek(UInt16.self, at: 2))
    guard totalLength >= headerLength else {
      throw .malformed("IPv4 packet shorter than its header")
    }
    let fragment = try reader.peek(UInt16.self, at: 6)
    hopLimit = try reader.peek(UInt8.self, at: 8)
    proto = IPProtocol(try reader.peek(UInt8.self, at: 9))
    source = IPAddress(ipv4: try reader.peek(UInt32.self, at: 12))
    destination = IPAddress(ipv4: try reader.peek(UInt32.self, at: 16))
    guard reader.count >= totalLength else { throw .needMore }
    payload = headerLength..<totalLength
    self.totalLength = totalLength
    hasOptions = headerLength > 20
    // More fragments, or an offset; the don't-fragment and reserved bits don't matter.
    isFragment = fragment & 0x3fff != 0
  }

  /// Reads an IPv6 header and the extension headers after it.
  ///
  /// ```
  ///  0                   1                   2                   3
  ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
  /// |Version| Traffic class |               Flow label              |
  /// |         Payload length        |  Next header  |   Hop limit   |
  /// |                    Source address (16 bytes)                  |
  /// |                 Destination address (16 bytes)                |
  /// ```
  fileprivate init(ipv6 reader: borrowing Reader) throws(Stop) {
    let payloadLength = Int(try reader.peek(UInt16.self, at: 4))
    let next = try reader.peek(UInt8.self, at: 6)
    hopLimit = try reader.peek(UInt8.self, at: 7)
    source = IPAddress(ipv6: try reader.peek(UInt128.self, at: 8))
    destination = IPAddress(ipv6: try reader.peek(UInt128.self, at: 24))
    // An IPv4-mapped address on the wire would pass for the IPv4 address itself.
    guard !source.isIPv4, !destination.isIPv4 else {
      throw .malformed("IPv4-mapped address in an IPv6 header")
    }
    let totalLength = 40 + payloadLength
    guard reader.count >= totalLength else { throw .needMore }
    var chain = ExtensionChain(next: next, end: totalLength)
    while try chain.step(reader) {}
    proto = IPProtocol(chain.next)
    payload = chain.offset..<totalLength
    self.totalLength = totalLength
    hasOptions = chain.count > 0
    isFragment = chain.isFragment
  }
}

/// A walk over IPv6 extension headers (RFC 8200 §4).
///
/// ```
/// options, routing:  next header (1)  length / 8 - 1 (1)  data
/// fragment:          next header (1)  reserved (1)  offset << 3 | more (2)  identification (4)
/// ```
private struct ExtensionChain {
  var next: UInt8
  let end: Int
  var offset = 40
  var count = 0
  var isFragment = false

  /// Steps over one extension header; false when there is none.
  mutating func step(_ reader: borrowing Reader) throws(Stop) -> Bool {
    var length = 8
    switch next {
    case 0:  // Hop-by-hop options (§4.3)
      guard count == 0 else { throw .malformed("hop-by-hop options are not first") }
      length = try self.length(reader)
    case 43:  // Routing (§4.4)
      length = try self.length(reader)
      // With segments left the packet goes elsewhere than its destination field says.
      guard try reader.peek(UInt8.self, at: offset + 3) == 0 else {
        throw .malformed("source route with segments left")
      }
    case 60:  // Destination options (§4.6)
      length = try self.length(reader)
    case 44:  // Fragment (§4.5)
      guard end - offset >= 8 else { throw .malformed("fragment header runs past the packet") }
      let field = try reader.peek(UInt16.self, at: offset + 2)
      if field & 0xfff9 != 0 { isFragment = true }
      // What follows a later fragment's header is the middle of something.
      if field & 0xfff8 != 0 {
        next = try reader.peek(UInt8.self, at: offset)
        offset += 8
        count += 1
        return false
      }
    default:
      return false
    }
    // Each occurs once, destination options twice (§4.1): five at most.
    guard count < 5 else { throw .malformed("too many extension headers") }
    next = try reader.peek(UInt8.self, at: offset)
    offset += length
    count += 1
    return true
  }

  private func length(_ reader: borrowing Reader) throws(Stop) -> Int {
    guard end - offset >= 8 else { throw .malformed("extension header runs past the packet") }
    let length = (Int(try reader.peek(UInt8.self, at: offset + 1)) + 1) * 8
    guard end - offset >= length else { throw .malformed("extension header runs past the packet") }
    return length
  }
}
