/// An IP protocol number (IANA "Protocol Numbers").
public struct IPProtocol: Hashable, Sendable {
  /// The number in the IPv4 header's protocol or the last IPv6 next-header field.
  public let number: UInt8
  /// The protocol with `number`.
  public init(_ number: UInt8) { self.number = number }

  /// ICMP, 1.
  public static let icmp = IPProtocol(1)
  /// TCP, 6.
  public static let tcp = IPProtocol(6)
  /// UDP, 17.
  public static let udp = IPProtocol(17)
  /// ICMPv6, 58.
  public static let icmpv6 = IPProtocol(58)
}

/// What tells one flow from another: both addresses, both ports, and the protocol.
public struct FiveTuple: Hashable, Sendable {
  /// Where the packet comes from; of a flow, the side that opened it.
  public var source: IPAddress
  /// Where the packet goes; of a flow, the side that was called.
  public var destination: IPAddress
  /// Source port; 0 for protocols without ports.
  public var sourcePort: UInt16
  /// Destination port; 0 for protocols without ports.
  public var destinationPort: UInt16
  /// The transport protocol.
  public var proto: IPProtocol

  /// All five parts.
  public init(
    proto: IPProtocol, source: IPAddress, sourcePort: UInt16, destination: IPAddress,
    destinationPort: UInt16
  ) {
    self.proto = proto
    self.source = source
    self.sourcePort = sourcePort
    self.destination = destination
    self.destinationPort = destinationPort
  }

  /// The same flow, seen in a packet of the other direction.
  public var reversed: FiveTuple {
    FiveTuple(
      proto: proto, source: destination, sourcePort: destinationPort, destination: source,
      destinationPort: sourcePort)
  }
}
