internal import Policy
internal import Queue
internal import Wire

// What is no TCP: judged packet by packet.
extension FlowEngine {
  /// UDP: every datagram of the client's is judged by itself.
  func udp(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ ip: IPHeader,
    _ metadata: PacketMetadata, _ effects: inout FlowEffects
  ) {
    guard case .done(let udp) = UDPHeader.parse(datagram) else {
      refuse(packet, bare(ip), metadata, .malformedPacket, .none, &effects)
      return
    }
    let tuple = FiveTuple(
      proto: .udp, source: ip.source, sourcePort: udp.sourcePort, destination: ip.destination,
      destinationPort: udp.destinationPort)
    guard metadata.fromLAN else {
      if metadata.state == .unknown {
        inbound(packet, tuple, metadata, &effects)
      } else {
        packet.settle(.pass(metadata.state == .cut ? .denied : metadata.state))
      }
      return
    }
    if letsEverythingPass(metadata) {
      note(tuple, metadata, .paused, .none, isConnection: true, &effects)
      packet.settle(.pass(.allowed))
      return
    }
    switch policy.opening(
      address: tuple.destination, port: tuple.destinationPort, transport: .udp,
      device: metadata.hardwareAddress)
    {
    case .decided(let decision):
      guard decision.isAllowed else {
        refuse(packet, tuple, metadata, decision.reason, decision.rule, &effects)
        return
      }
      if metadata.state != .watched {
        note(tuple, metadata, decision.reason, decision.rule, isConnection: true, &effects)
      }
      packet.settle(.pass(decision.reason == .deviceUnrestricted ? .allowed : .watched))
    case .undecided:
      refuse(packet, tuple, metadata, .udp, .none, &effects)
    }
  }

  /// ICMP and every other protocol: nothing of it leaves the LAN, since its payload is a tunnel.
  func other(
    _ packet: consuming HeldPacket, _ ip: IPHeader, _ metadata: PacketMetadata,
    _ effects: inout FlowEffects
  ) {
    let tuple = bare(ip)
    guard metadata.fromLAN else {
      inbound(packet, tuple, metadata, &effects)
      return
    }
    let carried = Self.carried(ip.proto)
    if letsEverythingPass(metadata) {
      if metadata.state != .watched {
        note(tuple, metadata, .paused, .none, isConnection: true, &effects)
      }
      packet.settle(.pass(carried))
      return
    }
    if case .decided(let decision) = policy.opening(
      address: ip.destination, port: 0, transport: .udp, device: metadata.hardwareAddress),
      decision.reason == .deviceUnrestricted
    {
      if metadata.state != .watched {
        note(tuple, metadata, decision.reason, decision.rule, isConnection: true, &effects)
      }
      packet.settle(.pass(carried))
      return
    }
    let isICMP = ip.proto == .icmp || ip.proto == .icmpv6
    refuse(packet, tuple, metadata, isICMP ? .icmp : .otherProtocol, .none, &effects)
  }

  /// How that which passes unjudged is marked.
  ///
  /// No mark can be set on an ICMP conversation from outside (it has no ports to name it by), so it
  /// is never left to the kernel: it ends when what let it pass ends.
  static func carried(_ proto: IPProtocol) -> ConnectionState {
    proto == .icmp || proto == .icmpv6 ? .watched : .allowed
  }
}
