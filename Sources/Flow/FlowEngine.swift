public import Names
public import Policy
public import Queue
public import System
public import Wire

/// How the engine treats what the rules refuse.
public enum Enforcement: Sendable {
  /// Hold what is undecided, refuse what is denied.
  case enforce
  /// Hold and refuse nothing; record what would have been refused.
  case audit
  /// Let everything pass unread; record that it passed.
  case pause
}

/// The state machine of all flows of one queue: packet in, verdict and effects out.
///
/// It reads no clock, file or socket: time is an argument, packets are settled into their batch, and
/// everything else that is to be done stands in `FlowEffects`. One thread owns it.
public final class FlowEngine {
  /// The rules; a reload sets it, and undecided flows are judged by the new ones.
  public var policy: Policy
  /// Whether to enforce, to observe, or to let pass.
  public var enforcement = Enforcement.enforce
  /// Devices for which everything passes for a while.
  public var pausedDevices: Set<MACAddress> = []
  /// The LAN's prefixes: a LAN packet with another source is dropped.
  ///
  /// Empty means: unknown, any.
  public var lanPrefixes: [IPPrefix] = []
  /// What happened, in numbers.
  public internal(set) var counters = Counters()

  /// The trusted resolvers: what goes to their port 53 is judged question by question.
  public var resolvers: [IPAddress] = []
  /// Whether the packets are those that the router's own resolver gets from the LAN, and what it
  /// answers; any of the router's addresses is trusted then.
  ///
  /// Nothing of it is forwarded: what is allowed is no connection for the books.
  public var isForRouter = false

  let learned: LearnedAddresses
  let companions: Companions
  let limits: FlowLimits
  var flows: FlowMap
  var devices: [MACAddress: DeviceFlows] = [:]
  var heldPackets = 0
  var firstHolding: TCPFlow?
  var lastHolding: TCPFlow?
  /// How many newgetdns replies are being collected.
  var replies = 0
  var quicFlows = QUICFlows()
  var rates = RateLimiter()
  private var lookupRates = RateLimiter()
  private var nextSweep = Instant(nanoseconds: 0)
  // Connections other than by a SYN that were noted within the last second or two: of several
  // packets at once, all but the first find in their mark not yet what the first one got.
  private var openings: Set<FiveTuple> = []
  var expected: ExpectedAnswers
  private var earlierOpenings: Set<FiveTuple> = []

  /// Counts since start.
  public struct Counters: Sendable {
    /// Packets that were looked at.
    public var packets: UInt64 = 0
    /// Packets that could not be read at all: cut short, or nonsense.
    public var malformedPackets: UInt64 = 0
    /// Packets that a server would have ignored, and that were dropped for it (bad checksum, no
    /// ACK flag, stale timestamp).
    public var ignoredPackets: UInt64 = 0
    /// Packets whose source was not in the LAN's prefixes.
    public var spoofedPackets: UInt64 = 0

    /// Nothing has happened.
    public init() {}
  }

  /// An engine without flows.
  ///
  /// `seed` is random, and spoils collisions that somebody planned.
  public init(
    policy: Policy, learned: LearnedAddresses, companions: Companions = Companions(),
    limits: FlowLimits = FlowLimits(), seed: UInt64
  ) {
    self.policy = policy
    self.learned = learned
    self.companions = companions
    self.limits = limits
    flows = FlowMap(seed: seed)
    expected = ExpectedAnswers(seed: seed)
  }

  /// How many flows are remembered.
  public var flowCount: Int { flows.count }
  /// How many packets wait for a verdict.
  public var heldPacketCount: Int { heldPackets + quicFlows.heldPackets }

  /// Judges one packet, which starts with its IP header.
  public func packet(
    _ packet: consuming HeldPacket, _ bytes: RawSpan, _ metadata: PacketMetadata, now: Instant,
    effects: inout FlowEffects
  ) {
    counters.packets += 1
    guard case .done(let ip) = IPHeader.parse(bytes), !metadata.isTruncated else {
      counters.malformedPackets += 1
      packet.settle(.drop)
      return
    }
    if metadata.fromLAN, !lanPrefixes.isEmpty,
      !lanPrefixes.contains(where: { $0.contains(ip.source) })
    {
      counters.spoofedPackets += 1
      drop(packet, bare(ip), metadata, .spoofedSource, &effects)
      return
    }
    // conntrack puts fragments together before our hook; one that comes through is not judged.
    if ip.isFragment {
      refuse(packet, bare(ip), metadata, .malformedPacket, .none, &effects)
      return
    }
    switch ip.proto {
    case .tcp: tcp(packet, bytes, ip, metadata, now, &effects)
    case .udp: udp(packet, bytes, ip, metadata, now, &effects)
    default: other(packet, ip, metadata, &effects)
    }
  }

  /// Hears that `name` has been looked up, with or without an answer: flows that waited for it are
  /// judged.
  public func resolved(_ name: HostName, now: Instant, effects: inout FlowEffects) {
    var next = firstHolding
    while let flow = next {
      next = flow.nextHolding
      if flow.phase == .resolving, flow.host == name { finishLookup(flow, now, &effects) }
    }
    resolvedQUIC(name, now, &effects)
  }

  /// Ends what has waited too long.
  ///
  /// To be called about every 100 ms.
  public func tick(now: Instant, effects: inout FlowEffects) {
    var next = firstHolding
    while let flow = next {
      next = flow.nextHolding
      guard flow.deadline <= now else { continue }
      if flow.phase == .resolving {
        finishLookup(flow, now, &effects)
      } else if let dns = flow.dns, dns.refusal != nil {
        answerRefused(flow, dns, now, &effects)
      } else {
        deny(flow, .heldTooLong, rule: .none, now, &effects)
      }
    }
    endQUIC(now, &effects)
    if now >= nextSweep {
      nextSweep = now + .seconds(1)
      for flow in flows.all(where: { $0.deadline <= now && !$0.isHolding }) { forget(flow) }
      // Hardware addresses are the clients' words, too: those without a flow are not kept.
      if devices.count > 256 { devices = devices.filter { $0.value.count > 0 } }
      earlierOpenings = openings
      openings = []
    }
  }

  // MARK: TCP

  private func tcp(
    _ packet: consuming HeldPacket, _ bytes: RawSpan, _ ip: IPHeader, _ metadata: PacketMetadata,
    _ now: Instant, _ effects: inout FlowEffects
  ) {
    let segment = bytes.extracting(ip.payload)
    guard case .done(let tcp) = TCPHeader.parse(segment) else {
      refuse(packet, bare(ip), metadata, .malformedPacket, .none, &effects)
      return
    }
    let tuple = FiveTuple(
      proto: .tcp, source: ip.source, sourcePort: tcp.sourcePort, destination: ip.destination,
      destinationPort: tcp.destinationPort)
    if metadata.checksumIsFinal, !Checksum.isTransportValid(bytes, ip) {
      ignore(packet)
      return
    }
    if tcp.flags.contains(.syn), !tcp.flags.contains(.ack) {
      opening(packet, bytes, ip, tcp, tuple, metadata, now, &effects)
      return
    }
    let payload = segment.extracting(tcp.headerLength..<segment.byteCount)
    if metadata.state == .cut {
      cut(packet, tuple, tcp, metadata, &effects)
    } else if let flow = flows.find(tuple) {
      flow.packets &+= 1
      if isLost(flow, metadata) {
        deny(flow, .midstream, rule: .none, fromClient: packet, now, &effects)
      } else if isOneTooMany(payload, ip, tcp, flow, metadata) {
        deny(flow, .heldTooMuch, rule: .none, fromClient: packet, now, &effects)
      } else {
        fromClient(packet, payload, ip, tcp, flow, now, &effects)
      }
    } else if let flow = flows.find(tuple.reversed) {
      flow.packets &+= 1
      if isLost(flow, metadata) {
        deny(flow, .midstream, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
      } else if isOneTooMany(payload, ip, tcp, flow, metadata) {
        deny(flow, .heldTooMuch, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
      } else {
        fromServer(packet, payload, ip, tcp, flow, now, &effects)
      }
    } else {
      beginningUnseen(packet, payload, ip, tcp, tuple, metadata, now, &effects)
    }
  }

  /// Whether the kernel has begun another entry for a connection that the engine remembers: its SYN's
  /// verdict has marked the first one.
  ///
  /// A reset that dies on the way ends an entry, and the next packet begins one anew. The books count
  /// by entries, and the kernel knows no window of a connection whose SYN it has not seen.
  private func isLost(_ flow: TCPFlow, _ metadata: PacketMetadata) -> Bool {
    guard metadata.state == .unknown, enforcement == .enforce, !isForRouter else { return false }
    return flow.phase != .denied && flow.phase != .answered
  }

  /// Whether a packet without payload visits because its connection had very many before any verdict:
  /// no client needs them, and their options could be a tunnel.
  private func isOneTooMany(
    _ payload: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader, _ flow: TCPFlow,
    _ metadata: PacketMetadata
  ) -> Bool {
    guard payload.isEmpty, !ip.hasOptions, tcp.flags.isDisjoint(with: [.syn, .fin, .rst]) else {
      return false
    }
    switch metadata.state {
    case .opened: return flow.state == .opened
    // Behind a second SYN on the same ports, which the server hasn't answered, all of it visits.
    case .awaiting: return flow.phase == .opened && flow.packets > 64
    default: return false
    }
  }

  /// A SYN: the rules may decide by address and port alone; else the connection may open, and its
  /// first bytes decide.
  private func opening(
    _ packet: consuming HeldPacket, _ bytes: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader,
    _ tuple: FiveTuple, _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    guard metadata.fromLAN else {
      inbound(packet, tuple, metadata, &effects)
      return
    }
    if letsEverythingPass(metadata) {
      if let old = flows.find(tuple) { forget(old) }
      note(tuple, metadata, .paused, .none, isConnection: true, isSYN: true, &effects)
      packet.settle(.pass(.allowed))
      return
    }
    if !tcp.flags.isDisjoint(with: [.fin, .rst, .urg]) {
      refuse(packet, tuple, metadata, .badFlags, .none, &effects)
      return
    }
    if ip.hasOptions || tcp.hasAuthenticationOption {
      refuse(packet, tuple, metadata, .forbiddenOption, .none, &effects)
      return
    }
    switch beginning(tuple, .tcp, device: metadata.hardwareAddress) {
    case .decided(let decision):
      if let old = flows.find(tuple) { forget(old) }
      settleOpening(packet, tuple, metadata, decision, isSYN: true, &effects)
    case .undecided:
      guard let flow = open(tuple, tcp, metadata, now) else {
        ignore(packet)
        return
      }
      flow.packets &+= 1
      if ip.payload.count > tcp.headerLength {
        // Data in the SYN would leave unjudged: without it the client falls back to the plain
        // handshake (RFC 7413 §4.2).
        let stripped = Rewrite.withoutPayload(bytes, ip, tcp)
        // Span.bytes of an array's own span.
        unsafe packet.replace(with: stripped.span.bytes, flow.state)
      } else {
        packet.settle(.pass(flow.state))
      }
    }
  }

  /// The flow that a SYN opens; nil for a late copy of the SYN of a flow that is past its handshake,
  /// and when there is no room.
  private func open(
    _ tuple: FiveTuple, _ tcp: TCPHeader, _ metadata: PacketMetadata, _ now: Instant
  ) -> TCPFlow? {
    // Marks say nothing of the router's own connections: there the SYN-ACK has to prove it.
    var isFirst = metadata.state == .unknown && !isForRouter
    if let old = flows.find(tuple) {
      // The same SYN again; with another number it is another connection on the same ports.
      if old.origin == tcp.sequence &+ 1 {
        if old.phase == .opened { return old }
        if !isFirst { return nil }
      }
      forget(old)
      isFirst = false
    }
    let device = deviceFlows(metadata.hardwareAddress)
    if device.count >= limits.flowsPerDevice, let oldest = device.oldest { forget(oldest) }
    if flows.count >= limits.flowsInAll {
      guard let other = flows.anyOpened(by: tuple) else { return nil }
      forget(other)
    }
    let flow = TCPFlow(
      tuple: tuple, device: device, origin: tcp.sequence &+ 1, timestamp: tcp.timestamp,
      isConfirmed: isFirst, limits: limits, now: now)
    if isToResolver(tuple) {
      flow.dns = DNSConversation(interface: metadata.interface)
      flow.server.limit = DNSConversation.answerLimit
    }
    flows.insert(flow)
    device.append(flow)
    return flow
  }

  /// A packet of a TCP connection whose SYN this engine has not judged.
  private func beginningUnseen(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader,
    _ tuple: FiveTuple, _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    let client = metadata.fromLAN ? tuple : tuple.reversed
    if isForRouter, !metadata.fromLAN {
      packet.settle(.pass(.unknown))
      return
    }
    if letsEverythingPass(metadata) || enforcement == .audit {
      // Noted, or it would go on when the pause or the audit is over.
      let reason: Reason = letsEverythingPass(metadata) ? .paused : .midstream
      note(client, metadata, reason, .none, isConnection: true, &effects)
      packet.settle(.pass(.allowed))
      return
    }
    switch metadata.state {
    case .watched, .watchedBothWays:
      // Judged before a restart, or idle for long. The answer to its last request goes on, another
      // request doesn't: what looks like one may lie within the body of an earlier one, or left of
      // what the server has got already. Awaiting is not enough: behind a second SYN on the same
      // ports a connection is in that state which nobody has judged.
      if !metadata.fromLAN || payload.isEmpty && !ip.hasOptions {
        packet.settle(.pass(metadata.state))
        return
      }
    case .allowed:
      // Handed over, and the packet was queued before the kernel knew.
      packet.settle(.pass(.allowed))
      return
    default: break
    }
    if metadata.fromLAN,
      case .decided(let decision) = beginning(tuple, .tcp, device: metadata.hardwareAddress),
      decision.isAllowed
    {
      settleOpening(packet, tuple, metadata, decision, isSYN: false, &effects)
      return
    }
    if tcp.flags.contains(.rst) {
      packet.settle(.drop)
      return
    }
    if !payload.isEmpty {
      note(client, metadata, .midstream, .none, isConnection: false, &effects)
    }
    effects.resets.append(
      FlowReset(tuple: tuple, sequence: tcp.sequence, interface: metadata.interface))
    packet.settle(.pass(.denied))
  }

  /// A connection that a change of the rules has cut: its first packet afterwards tells both ends.
  private func cut(
    _ packet: consuming HeldPacket, _ tuple: FiveTuple, _ tcp: TCPHeader,
    _ metadata: PacketMetadata, _ effects: inout FlowEffects
  ) {
    if let flow = flows.find(tuple) ?? flows.find(tuple.reversed) { forget(flow) }
    companions.ended(metadata.fromLAN ? tuple : tuple.reversed)
    if !tcp.flags.contains(.rst) {
      effects.resets.append(FlowReset(tuple: tuple, sequence: tcp.sequence))
    }
    packet.settle(.pass(.denied))
  }

  // MARK: Single packets

  func letsEverythingPass(_ metadata: PacketMetadata) -> Bool {
    enforcement == .pause || pausedDevices.contains(metadata.hardwareAddress)
  }

  func bare(_ ip: IPHeader) -> FiveTuple {
    FiveTuple(
      proto: ip.proto, source: ip.source, sourcePort: 0, destination: ip.destination,
      destinationPort: 0)
  }

  func settleOpening(
    _ packet: consuming HeldPacket, _ tuple: FiveTuple, _ metadata: PacketMetadata,
    _ decision: Decision, isSYN: Bool, _ effects: inout FlowEffects
  ) {
    guard decision.isAllowed else {
      refuse(packet, tuple, metadata, decision.reason, decision.rule, &effects)
      return
    }
    note(
      tuple, metadata, decision.reason, decision.rule, isConnection: true, isSYN: isSYN, &effects)
    packet.settle(.pass(.allowed))
  }

  /// Something from outside that no client asked for: refused as everything else is.
  ///
  /// On a connection that exists it is dropped without a word, or a stranger could end that
  /// connection by one forged SYN.
  func inbound(
    _ packet: consuming HeldPacket, _ tuple: FiveTuple, _ metadata: PacketMetadata,
    _ effects: inout FlowEffects
  ) {
    if enforcement != .enforce {
      note(tuple, metadata, .inbound, .none, isConnection: true, &effects)
      packet.settle(.pass(Self.carried(tuple.proto)))
    } else if metadata.state == .unknown {
      refuse(packet, tuple, metadata, .inbound, .none, &effects)
    } else {
      drop(packet, tuple, metadata, .inbound, &effects)
    }
  }

  /// Refuses one packet to its sender, with a reset or an ICMP error.
  func refuse(
    _ packet: consuming HeldPacket, _ tuple: FiveTuple, _ metadata: PacketMetadata,
    _ reason: Reason, _ rule: RuleID, application: Application = .unknown,
    host: HostName? = nil, _ effects: inout FlowEffects
  ) {
    if enforcement == .enforce {
      note(
        tuple, metadata, reason, rule, application: application, host: host, isConnection: false,
        &effects)
      packet.settle(.pass(.denied))
      return
    }
    // What passes all the same is a connection, which ends when the audit does.
    let carried = Self.carried(tuple.proto)
    if carried == .allowed || metadata.state != carried {
      note(
        tuple, metadata, reason, rule, application: application, host: host, isConnection: true,
        &effects)
    }
    packet.settle(.pass(carried))
  }

  func drop(
    _ packet: consuming HeldPacket, _ tuple: FiveTuple, _ metadata: PacketMetadata,
    _ reason: Reason, _ effects: inout FlowEffects
  ) {
    note(tuple, metadata, reason, .none, isConnection: false, &effects)
    packet.settle(.drop)
  }

  /// Drops a packet that the server would ignore.
  ///
  /// What a server ignores must not be believed.
  func ignore(_ packet: consuming HeldPacket) {
    counters.ignoredPackets += 1
    packet.settle(.drop)
  }

  func note(
    _ tuple: FiveTuple, _ metadata: PacketMetadata, _ reason: Reason, _ rule: RuleID,
    application: Application = .unknown, host: HostName? = nil, isConnection: Bool,
    isSYN: Bool = false, _ effects: inout FlowEffects
  ) {
    if isForRouter, reason.isAllow { return }
    // A SYN that comes again, and what was in the queue beside the packet that opened a connection.
    var isContinuation = false
    if isConnection {
      isContinuation = metadata.state == .allowed || metadata.state == .watched
      if !isSYN, earlierOpenings.contains(tuple) || !openings.insert(tuple).inserted {
        isContinuation = true
      }
    }
    effects.records.append(
      FlowRecord(
        tuple: tuple, device: metadata.fromLAN ? metadata.hardwareAddress : .unknown,
        reason: reason, rule: rule, policy: policy, host: host, application: application,
        packets: 1,
        passedAnyway: !reason.isAllow && enforcement != .enforce,
        isContinuation: isContinuation, isConnection: isConnection && !isForRouter))
  }

  /// Has a name looked up for a device; false when it has had its share.
  func lookUp(
    _ host: HostName, for device: MACAddress, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    guard
      lookupRates.take(device, .none, of: policy, rate: limits.lookupsPerDevice, now)
    else { return false }
    effects.lookups.append(host)
    return true
  }

  func deviceFlows(_ address: MACAddress) -> DeviceFlows {
    if let known = devices[address] { return known }
    let new = DeviceFlows(address: address)
    devices[address] = new
    return new
  }
}
