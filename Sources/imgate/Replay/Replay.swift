internal import Capture
internal import Flow
internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

/// The router's engine with a model of the kernel around it, fed from a capture.
///
/// The kernel of the model keeps the connection marks as the firewall's rules do, and lets packets
/// visit the engine by them; fragments it puts together first, as conntrack does. What was captured
/// was not held by us: packets that the engine holds or refuses are followed in the capture by what
/// happened without it. So a flow that was refused is not judged any further; its packets are only
/// counted. Time is the capture's.
final class Replay {
  private(set) var summary = ReplaySummary()

  private let engine: FlowEngine
  private let learned = LearnedAddresses()
  private let companions = Companions()
  private let policy: Policy
  private let lan: LocalNetwork
  private let report: (ReplayedFlow) -> Void
  private let batch = VerdictBatch(onFailure: .drop)

  private var fragments = Fragments()
  private var answers = AnswerStreams()
  private var flows: [FiveTuple: ReplayedFlow] = [:]
  // Packets that the engine holds: their flow, and whether they are SYNs.
  private var waiting: [UInt32: (flow: ReplayedFlow, isSYN: Bool)] = [:]
  private var nextID: UInt32 = 1
  private var now = Instant(nanoseconds: 0)
  private var nextTick = Instant(nanoseconds: 0)
  private var nextSweep = Instant(nanoseconds: 0)
  // The capture is at its end.
  private var isOver = false

  /// Flows that are remembered at most; past it those that were quiet longest end.
  private static let maximumFlows = 200_000
  /// How long flows are remembered after their last packet: those of TCP that are closed, those
  /// that are not (the kernel's own default), and others (what the gateway sets).
  private static let closedTime = Instant.Span.seconds(120)
  private static let establishedTime = Instant.Span.seconds(432_000)
  private static let datagramTime = Instant.Span.seconds(360)
  private static let maximumResolvers = 64

  /// A replay by `policy`; `report` is called at each flow's end.
  ///
  /// `lan` are the prefixes of the LAN. Without any, who opened a flow is taken to be in the LAN.
  init(policy: Policy, lan: [IPPrefix], report: @escaping (ReplayedFlow) -> Void) {
    self.policy = policy
    self.lan = LocalNetwork(prefixes: lan)
    self.report = report
    // What is replayed was not made for this hash, so the seed need not be a secret.
    engine = FlowEngine(policy: policy, learned: learned, companions: companions, seed: 1)
  }

  /// The next packet of the capture.
  func packet(_ captured: CapturedPacket, _ frame: RawSpan) {
    summary.packets += 1
    if captured.isCut { summary.truncated += 1 }
    // A clock that was set back while capturing doesn't turn back ours.
    if captured.time > now { now = captured.time }
    tick()
    switch LinkLayer.content(of: frame, linkType: captured.linkType) {
    case .other: summary.notIP += 1
    case .unsupported: summary.unsupported += 1
    case .cut:
      if !captured.isCut { summary.malformed += 1 }
    case .ip(let offset, let sender):
      let packet = frame.extracting(offset..<frame.byteCount)
      if let measured = PacketOutline.measured(
        packet, originalLength: captured.originalLength - offset)
      {
        // Span.bytes of an array's own span.
        unsafe network(measured.span.bytes, captured, sender)
      } else {
        network(packet, captured, sender)
      }
    }
  }

  /// The capture is at its end: reports the flows that are left, in the order of their beginning.
  func finish() {
    var effects = FlowEffects()
    engine.recordRefusals(effects: &effects)
    take(effects, nil)
    // Beginnings that never were completed have waited too long.
    isOver = true
    now = now + FlowLimits().holdTime + .milliseconds(1)
    nextTick = now
    tick()
    engine.forgetAll()
    fragments.removeAll()
    summary.fragments = fragments.dropped
    batch.removeAll()
    waiting.removeAll()
    var rest = Array(flows.values)
    rest = rest.ordered { $0.firstPacket < $1.firstPacket }
    flows.removeAll()
    for flow in rest { end(flow) }
  }

  // MARK: Packets

  /// A packet from its IP header on; of one that the capture has cut, the rest is filled with zeros.
  private func network(_ packet: RawSpan, _ captured: CapturedPacket, _ sender: MACAddress) {
    if case .needMore = IPHeader.parse(packet), captured.isCut {
      let whole = PacketOutline.completed(packet)
      // Span.bytes of an array's own span.
      unsafe ip(whole.span.bytes, captured.number, sender, isCut: true)
    } else {
      ip(packet, captured.number, sender, isCut: false)
    }
  }

  private func ip(_ packet: RawSpan, _ number: UInt64, _ sender: MACAddress, isCut: Bool) {
    guard case .done(let ip) = IPHeader.parse(packet), let outline = PacketOutline(packet, ip)
    else {
      if !isCut { summary.malformed += 1 }
      return
    }
    if ip.isFragment {
      guard let whole = fragments.add(packet, ip, isCut: isCut, now: now) else { return }
      // Span.bytes of an array's own span.
      unsafe self.ip(whole.bytes.span.bytes, number, sender, isCut: whole.isCut)
      return
    }
    learn(packet, ip, outline, isCut: isCut)
    guard lan.isForwarded(ip) else {
      summary.notForwarded += 1
      return
    }
    // An error about a flow passes with it.
    if let quoted = outline.quoted, find(quoted) != nil { return }
    let flow = flow(of: outline, number)
    let isUp = flow.tuple == outline.tuple
    flow.bytes += UInt64(outline.totalLength)
    flow.lastSeen = now
    defer {
      follow(outline, isUp: isUp, flow)
      if outline.isSYNACK, !isUp { repeatOpeningData(outline, flow) }
    }
    let fromLAN = lan.isEmpty ? isUp : lan.contains(outline.tuple.source)
    if fromLAN { trust(outline.tuple) }
    if !isUp { believeWhatIsAcknowledged(by: outline, flow) }
    // What was refused drew no answer.
    if !isUp, flow.isRefused { return }
    guard flow.verdict != .deny, visits(flow.state, fromLAN: fromLAN, outline) else { return }
    // Of other protocols nobody reads the payload, so it doesn't matter that it was cut.
    let metadata = PacketMetadata(
      fromLAN: fromLAN, state: flow.state,
      hardwareAddress: fromLAN ? device(sender, outline.tuple.source) : .unknown,
      checksumIsFinal: false, isTruncated: isCut && (ip.proto == .tcp || ip.proto == .udp))
    if isUp, ip.proto == .tcp, !isCut {
      guard isBelieved(packet, ip, outline, flow) else {
        flow.doubt(
          ReplayedFlow.Doubted(
            packet: PacketOutline.completed(packet), metadata: metadata, end: outline.end))
        return
      }
    }
    if outline.isSYN, outline.hasPayload, isUp, !isCut {
      flow.openingData = ReplayedFlow.Doubted(
        packet: PacketOutline.completed(packet), metadata: metadata, end: outline.end)
    }
    visit(packet, metadata, flow, isSYN: outline.isSYN)
  }

  /// Data that a SYN carried and the server took (RFC 7413): the gateway takes it out of the SYN, so
  /// the client would have sent it again behind the handshake.
  private func repeatOpeningData(_ answer: PacketOutline, _ flow: ReplayedFlow) {
    guard let data = flow.openingData else { return }
    flow.openingData = nil
    guard flow.verdict != .deny, answer.acknowledgement == data.end,
      let segment = PacketOutline.behindHandshake(data.packet, acknowledging: answer.end)
    else { return }
    var metadata = data.metadata
    metadata.state = flow.state
    // Span.bytes of an array's own span.
    unsafe visit(segment.span.bytes, metadata, flow, isSYN: false)
  }

  /// The hardware address that stands for a client.
  ///
  /// Where the link doesn't tell it, its address does: the limits that each device has of its own
  /// must not hit all clients together.
  private func device(_ sender: MACAddress, _ client: IPAddress) -> MACAddress {
    guard sender == .unknown else { return sender }
    // Of the locally administered addresses, 02:00 and IPv4's four bytes, or 06 and five of IPv6's.
    if client.isIPv4 { return MACAddress(bits: 0x0200_0000_0000 | UInt64(client.ipv4)) }
    let folded = UInt64(truncatingIfNeeded: client.bits ^ client.bits >> 64)
    return MACAddress(bits: 0x0600_0000_0000 | (folded ^ folded >> 40) & 0xff_ffff_ffff)
  }

  private func visit(
    _ packet: RawSpan, _ metadata: PacketMetadata, _ flow: ReplayedFlow, isSYN: Bool
  ) {
    flow.packetsInspected += 1
    let id = nextID
    nextID &+= 1
    waiting[id] = (flow, isSYN)
    var effects = FlowEffects()
    engine.packet(
      HeldPacket(id: id, mark: 0, batch: batch), packet, metadata, now: now, effects: &effects)
    take(effects, flow)
  }

  private func tick() {
    guard now >= nextTick else { return }
    nextTick = now + .milliseconds(100)
    fragments.expire(now)
    var effects = FlowEffects()
    engine.tick(now: now, effects: &effects)
    take(effects, nil)
    if now >= nextSweep || flows.count > Self.maximumFlows { sweep() }
  }

  /// Does what the engine wants done, and the kernel's part of its verdicts.
  private func take(_ first: FlowEffects, _ current: ReplayedFlow?) {
    var effects = first
    while true {
      for record in effects.records {
        // A record without ports is of a packet whose transport header made no sense.
        guard let flow = find(record.tuple) ?? current else { continue }
        // What was allowed is not held against anybody for lack of the capture's rest.
        if isOver, flow.verdict == .allow { continue }
        flow.decided(record)
      }
      for entry in batch.entries {
        guard let (flow, isSYN) = waiting.removeValue(forKey: entry.id) else { continue }
        switch entry.verdict {
        case .drop: break
        case .pass(let state), .replace(let state, _): enforce(state, flow, isSYN: isSYN)
        }
      }
      batch.removeAll()
      let names = effects.lookups
      guard !names.isEmpty else { return }
      // There is no resolver to ask: what the capture has not told is not known.
      effects = FlowEffects()
      for name in names { engine.resolved(name, now: now, effects: &effects) }
    }
  }

  // MARK: The kernel

  /// Which packets visit, by the connection's state (docs/ARCHITECTURE.md has the table).
  private func visits(
    _ state: ConnectionState, fromLAN: Bool, _ packet: PacketOutline
  ) -> Bool {
    if packet.isSYN { return true }
    switch state {
    case .unknown, .cut: return true
    case .allowed, .denied: return false
    case .watched: return fromLAN && packet.hasPayload
    case .awaiting: return packet.hasPayload || !fromLAN
    case .watchedBothWays, .opened: return packet.hasPayload
    }
  }

  /// The enforce chain.
  private func enforce(_ state: ConnectionState, _ flow: ReplayedFlow, isSYN: Bool) {
    if isSYN, state != .denied, state != .unknown, state != .cut {
      // A SYN was judged itself: its verdict counts more than what was before.
      flow.state = state
    } else if state == .denied {
      // A refused first packet leaves no conntrack entry.
      if flow.state != .unknown {
        flow.state = .denied
      } else {
        flow.isRefused = true
      }
    } else if state != .unknown, flow.state != .denied, flow.state != .cut, flow.state != .allowed {
      flow.state = state
      flow.isRefused = false
    }
  }

  /// Whether a client's packet is taken as one that reached the server undamaged: its checksum is
  /// right, or was never meant to be.
  ///
  /// A capture taken at the sender has packets whose checksum its network card fills in later, and
  /// one whose addresses were changed has none that is right: where the SYN's is wrong, those of
  /// that client say nothing.
  private func isBelieved(
    _ packet: RawSpan, _ ip: IPHeader, _ outline: PacketOutline, _ flow: ReplayedFlow
  ) -> Bool {
    if flow.checksumsSayNothing { return true }
    if Checksum.isTransportValid(packet, ip) {
      flow.believedEnd = outline.end
      return true
    }
    if outline.isSYN { flow.checksumsSayNothing = true }
    return outline.isSYN
  }

  /// What the server acknowledges did reach it: packets with a wrong checksum that nothing else
  /// explains were changed in the capture, and are judged now.
  private func believeWhatIsAcknowledged(by packet: PacketOutline, _ flow: ReplayedFlow) {
    guard !flow.doubted.isEmpty, let acknowledgement = packet.acknowledgement else { return }
    for doubted in flow.takeDoubted(before: acknowledgement) where flow.verdict != .deny {
      flow.checksumsSayNothing = true
      var metadata = doubted.metadata
      metadata.state = flow.state
      // Span.bytes of an array's own span.
      unsafe visit(doubted.packet.span.bytes, metadata, flow, isSYN: false)
    }
  }

  // MARK: Flows

  private func find(_ tuple: FiveTuple) -> ReplayedFlow? { flows[tuple] ?? flows[tuple.reversed] }

  /// The flow of a packet; a SYN with another number than the flow's own begins another.
  private func flow(of packet: PacketOutline, _ number: UInt64) -> ReplayedFlow {
    if let known = find(packet.tuple) {
      guard packet.isSYN, known.opening != packet.sequence else { return known }
      let isUp = known.tuple == packet.tuple
      // From the other side it is a stranger's, unless the flow is over or was never opened.
      if !isUp, known.opening != nil, !known.isClosed { return known }
      flows[known.tuple] = nil
      end(known)
      let isNew = !isUp || known.isClosed || known.verdict == .deny
      let flow = ReplayedFlow(
        packet.tuple, firstPacket: number, state: isNew ? .unknown : known.state)
      flows[flow.tuple] = flow
      return flow
    }
    let tuple = lan.isFromServer(packet) ? packet.tuple.reversed : packet.tuple
    let flow = ReplayedFlow(tuple, firstPacket: number)
    flows[tuple] = flow
    return flow
  }

  /// What conntrack follows of a connection.
  private func follow(_ packet: PacketOutline, isUp: Bool, _ flow: ReplayedFlow) {
    if packet.isSYN, isUp { flow.opening = packet.sequence }
    if packet.isReset { flow.wasReset = true }
    if packet.isFIN {
      if isUp { flow.clientHasEnded = true } else { flow.serverHasEnded = true }
    }
  }

  private func end(_ flow: ReplayedFlow) {
    // A chat that is over vouches for nothing.
    companions.ended(flow.tuple)
    summary.count(flow)
    report(flow)
  }

  /// Ends the flows that the kernel would have forgotten.
  private func sweep() {
    nextSweep = now + .seconds(10)
    var over = flows.values.filter { flow in
      let time =
        flow.tuple.proto != .tcp
        ? Self.datagramTime : flow.isClosed ? Self.closedTime : Self.establishedTime
      return flow.lastSeen + time < now
    }
    if flows.count - over.count > Self.maximumFlows {
      let byAge = flows.values.ordered { $0.lastSeen < $1.lastSeen }
      over = Array(byAge.prefix(flows.count / 4))
    }
    over = over.ordered { $0.firstPacket < $1.firstPacket }
    for flow in over {
      flows[flow.tuple] = nil
      end(flow)
    }
  }

  // MARK: Names

  /// Takes whoever is asked for names to be the trusted resolver: the capture doesn't say who is.
  private func trust(_ tuple: FiveTuple) {
    guard tuple.destinationPort == 53, engine.resolvers.count < Self.maximumResolvers,
      !engine.resolvers.contains(tuple.destination)
    else { return }
    engine.resolvers.append(tuple.destination)
  }

  /// Learns the addresses of allowed names from the capture's DNS answers, over UDP and TCP, as the
  /// router does from those of its resolver.
  private func learn(
    _ packet: RawSpan, _ ip: IPHeader, _ outline: PacketOutline, isCut: Bool
  ) {
    guard policy.binding != .off, !isCut, outline.tuple.sourcePort == 53,
      lan.isEmpty || lan.contains(ip.destination)
    else { return }
    let payload = packet.extracting(
      ip.payload.upperBound - outline.payloadCount..<ip.payload.upperBound)
    switch ip.proto {
    case .udp: DNSAnswers.learn(payload, from: .dns, by: policy, into: learned, now: now)
    case .tcp:
      answers.add(payload, outline) { message in
        DNSAnswers.learn(message, from: .dns, by: policy, into: learned, now: now)
      }
    default: break
    }
  }
}
