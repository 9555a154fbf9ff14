internal import Wire

/// Which side of a captured flow is in the LAN.
struct LocalNetwork {
  /// Of the LAN; empty: nobody said.
  let prefixes: [IPPrefix]

  var isEmpty: Bool { prefixes.isEmpty }

  func contains(_ address: IPAddress) -> Bool { prefixes.contains { $0.contains(address) } }

  /// Whether a packet goes from the LAN out, or back.
  func isForwarded(_ ip: IPHeader) -> Bool {
    isEmpty || contains(ip.source) != contains(ip.destination)
  }

  /// Whether a flow's first packet is of the side that was called.
  func isFromServer(_ packet: PacketOutline) -> Bool {
    if packet.isSYN { return false }
    if packet.isSYNACK { return true }
    let source = packet.tuple.source
    let destination = packet.tuple.destination
    if !isEmpty { return packet.tuple.proto == .tcp && !contains(source) }
    if destination.isMulticast || destination.isReserved { return false }
    if Self.isOfService(packet.tuple.sourcePort) != Self.isOfService(packet.tuple.destinationPort) {
      return Self.isOfService(packet.tuple.sourcePort)
    }
    return !Self.isLocal(source) && Self.isLocal(destination)
  }

  /// Ports that nobody calls from.
  private static func isOfService(_ port: UInt16) -> Bool {
    port == 53 || port == 80 || port == 123 || port == 443
  }

  private static func isLocal(_ address: IPAddress) -> Bool {
    address.isPrivate || address.isLinkLocal || address.isUnspecified
  }
}
