internal import Policy
internal import Queue
internal import System
internal import Wire

// What is no TCP: judged packet by packet.
extension FlowEngine {
  /// UDP: every datagram of the client's is judged by itself.
  func udp(
    _ packet: consuming HeldPacket, _ bytes: RawSpan, _ ip: IPHeader,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    let datagram = bytes.extracting(ip.payload)
    guard case .done(let udp) = UDPHeader.parse(datagram) else {
      refuse(packet, bare(ip), metadata, .malformedPacket, .none, &effects)
      return
    }
    // What its receiver ignores must not be believed.
    if metadata.checksumIsFinal, !Checksum.isTransportValid(bytes, ip) {
      ignore(packet)
      return
    }
    let tuple = FiveTuple(
      proto: .udp, source: ip.source, sourcePort: udp.sourcePort, destination: ip.destination,
      destinationPort: udp.destinationPort)
    let message = datagram.extracting(UDPHeader.size..<udp.length)
    guard metadata.fromLAN else {
      datagramFromServer(packet, message, tuple, metadata, now, &effects)
      return
    }
    if letsEverythingPass(metadata) {
      expectAnswer(to: message, tuple, now)
      note(tuple, metadata, .paused, .none, isConnection: true, &effects)
      packet.settle(.pass(.allowed))
      return
    }
    switch beginning(tuple, .udp, device: metadata.hardwareAddress) {
    case .decided(let decision):
      guard decision.isAllowed else {
        refuseDatagram(packet, message, tuple, metadata, decision, now, &effects)
        return
      }
      if metadata.state != .watched {
        note(tuple, metadata, decision.reason, decision.rule, isConnection: true, &effects)
      }
      expectAnswer(to: message, tuple, now)
      packet.settle(.pass(decision.reason == .deviceUnrestricted ? .allowed : .watched))
    case .undecided where isToResolver(tuple):
      question(packet, message, tuple, metadata, now, &effects)
    case .undecided:
      judgeDatagram(packet, message, tuple, metadata, now, &effects)
    }
  }

  /// A datagram of the side that was called: an answer to a flow that the client opened, or nothing.
  private func datagramFromServer(
    _ packet: consuming HeldPacket, _ message: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if isToResolver(tuple.reversed), isForRouter || metadata.state == .watchedBothWays {
      answer(packet, message, tuple, metadata, now)
    } else if metadata.state == .unknown {
      inbound(packet, tuple, metadata, &effects)
    } else if metadata.state == .cut {
      packet.settle(.pass(.denied))
    } else {
      let isHandedOver = metadata.state == .watchedBothWays && answersQUIC(tuple.reversed, now)
      packet.settle(.pass(isHandedOver ? .allowed : metadata.state))
    }
  }

  /// Judges a datagram by its bytes.
  private func judgeDatagram(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if quicFlows.find(tuple) != nil {
      quic(packet, datagram, tuple, metadata, now, &effects)
      return
    }
    switch DatagramKind(datagram, policy, port: tuple.destinationPort) {
    case .pattern(let pattern):
      judgeNameless(packet, datagram, tuple, metadata, .pattern, pattern, now, &effects)
    case .oicq:
      judgeNameless(packet, datagram, tuple, metadata, .oicq, nil, now, &effects)
    case .gquic(let hello):
      gquic(packet, hello, datagram, tuple, metadata, now, &effects)
    case .quic(.initial): quic(packet, datagram, tuple, metadata, now, &effects)
    case .quic(.otherVersion), .brokenQUIC:
      refuse(packet, tuple, metadata, .quic, .none, application: .quic, &effects)
    case .quic:
      refuse(packet, tuple, metadata, .midstream, .none, application: .quic, &effects)
    case .unknown:
      // Behind a datagram that was a frame, only frames may follow.
      let reason: Reason = metadata.state == .watched ? .malformedFrame : .udp
      refuse(packet, tuple, metadata, reason, .none, &effects)
    }
  }

  /// Refuses a datagram that address or port have decided against; where it is known for what it is,
  /// the refusal says so.
  private func refuseDatagram(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ decision: Decision, _ now: Instant, _ effects: inout FlowEffects
  ) {
    guard decision.reason == .portNotAllowed else {
      refuse(packet, tuple, metadata, decision.reason, decision.rule, &effects)
      return
    }
    if quicFlows.find(tuple) != nil {
      quic(packet, datagram, tuple, metadata, now, &effects)
      return
    }
    switch DatagramKind(datagram, policy, port: tuple.destinationPort) {
    case .pattern(let pattern):
      let known = policy.decide(
        nameless: subject(tuple, metadata, .pattern), pattern: pattern, learned: learned, now: now)
      let better = known.reason == .unwantedProtocol ? known : decision
      refuse(
        packet, tuple, metadata, better.reason, better.rule, application: .pattern, &effects)
    case .oicq:
      refuse(
        packet, tuple, metadata, decision.reason, decision.rule, application: .oicq, &effects)
    case .gquic(let hello):
      gquic(packet, hello, datagram, tuple, metadata, now, &effects)
    case .quic(.initial): quic(packet, datagram, tuple, metadata, now, &effects)
    case .quic(.otherVersion), .brokenQUIC:
      refuse(packet, tuple, metadata, .quic, decision.rule, application: .quic, &effects)
    case .quic(.long):
      refuse(packet, tuple, metadata, .midstream, decision.rule, application: .quic, &effects)
    case .quic(.short), .unknown:
      // Two bits make a short header, and letters have them: where nothing opens QUIC, it proves none.
      refuse(packet, tuple, metadata, decision.reason, decision.rule, &effects)
    }
  }

  private func subject(
    _ tuple: FiveTuple, _ metadata: PacketMetadata, _ application: Application
  ) -> Subject {
    Subject(
      application: application, host: nil, address: tuple.destination,
      port: tuple.destinationPort, transport: .udp, device: metadata.hardwareAddress)
  }

  /// Judges a datagram of a protocol that carries no name.
  private func judgeNameless(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ application: Application, _ pattern: PatternID?, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    let device = metadata.hardwareAddress
    let decision = policy.decide(
      nameless: subject(tuple, metadata, application), pattern: pattern, learned: learned, now: now)
    var reason = decision.reason
    if decision.isAllowed, !decision.vouchers.applications.isEmpty {
      if !companions.vouch(for: device, decision.vouchers) {
        reason = .noCompanion
      } else if companions.spend(UInt64(datagram.byteCount), by: device) > policy.mediaBudget {
        reason = .mediaBudget
      }
    }
    if reason.isAllow,
      !rates.take(device, decision.rule, of: policy, rate: decision.rate, now)
    {
      reason = .rateLimit
    }
    if reason == .rateLimit, metadata.state == .watched, enforcement == .enforce {
      // Without a word: refused, the flow would stay so as long as its client tries.
      note(
        tuple, metadata, reason, decision.rule, application: application, isConnection: false,
        &effects)
      packet.settle(.drop)
      return
    }
    guard reason.isAllow else {
      refuse(packet, tuple, metadata, reason, decision.rule, application: application, &effects)
      return
    }
    if metadata.state != .watched {
      note(
        tuple, metadata, reason, decision.rule, application: application, isConnection: true,
        &effects)
    }
    packet.settle(.pass(.watched))
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
