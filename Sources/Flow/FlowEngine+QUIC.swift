internal import Crypto
internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

// QUIC: refused unless a rule allows the name for it, but never without a look at the name.
extension FlowEngine {
  // MARK: The client

  /// A datagram that belongs to a QUIC connection which is remembered, or begins with an Initial.
  func quic(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if let flow = quicFlows.find(tuple) {
      if flow.phase == .allowed, metadata.state != .cut {
        packet.settle(.pass(.allowed))
        return
      }
      if flow.policy === policy, enforcement == .enforce, goesOn(flow, datagram) {
        flow.packets &+= 1
        next(packet, flow, now, &effects)
        return
      }
      // Another connection on the same ports, or other rules.
      forget(flow, &effects)
    }
    begin(packet, datagram, tuple, metadata, now, &effects)
  }

  private func begin(
    _ packet: consuming HeldPacket, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if case .done(let hello) = GQUICHello.recognise(datagram) {
      gquic(packet, hello, datagram, tuple, metadata, now, &effects)
      return
    }
    guard case .done(.initial(let header)) = QUICPacket.recognise(datagram) else {
      refuse(packet, tuple, metadata, .midstream, .none, application: .quic, &effects)
      return
    }
    let flow = QUICFlow(
      tuple, device: metadata.hardwareAddress, application: .quic,
      connectionID: [UInt8](datagram.extracting(header.destinationID)),
      keys: QUICInitialKeys(header, datagram), policy: policy, limits: limits, now: now)
    flow.isContinuation = metadata.state != .unknown
    guard goesOn(flow, datagram) else {
      // Nobody could open it, or what is in it breaks the rules.
      refuse(packet, tuple, metadata, .quic, .none, application: .quic, &effects)
      return
    }
    judge(packet, flow, metadata, now, &effects)
  }

  /// A hello of Google's kind, which has its name in clear.
  func gquic(
    _ packet: consuming HeldPacket, _ hello: GQUICHello, _ datagram: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if let old = quicFlows.find(tuple) { forget(old, &effects) }
    let flow = QUICFlow(
      tuple, device: metadata.hardwareAddress, application: .gquic,
      connectionID: [UInt8](datagram.extracting(1..<9)), keys: nil, policy: policy, limits: limits,
      now: now)
    flow.isContinuation = metadata.state != .unknown
    flow.host = hello.serverName.flatMap { HostName($0) }
    judge(packet, flow, metadata, now, &effects)
  }

  /// Takes the pieces of the hello out of a datagram of the same connection; false when it is of
  /// another, or not as it should be.
  private func goesOn(_ flow: QUICFlow, _ datagram: RawSpan) -> Bool {
    guard let keys = flow.keys else { return goesOnAsGoogles(flow, datagram) }
    var offset = 0
    while offset < datagram.byteCount {
      let rest = datagram.extracting(offset...)
      switch QUICPacket.recognise(rest) {
      case .done(.initial(let header)):
        guard isID(rest.extracting(header.destinationID), flow.connectionID),
          let payload = keys.open(header, rest), takePieces(flow, payload)
        else { return false }
        offset += header.payload.upperBound
      case .done(.long(.retry, _)): return false
      case .done(.long(_, let end)):
        // Data that does not wait for the answer: behind the hello, or after it.
        guard offset > 0 || flow.phase == .released else { return false }
        offset += end
      default:
        // Behind the packets a sender may fill the datagram up with zeros.
        return offset > 0 && isZero(rest)
      }
    }
    return true
  }

  private func takePieces(_ flow: QUICFlow, _ payload: [UInt8]) -> Bool {
    // Span.bytes of an array's own span.
    let bytes = unsafe payload.span.bytes
    var isGood = true
    let outcome = QUICFrames.forEachPiece(in: bytes) { offset, range in
      guard !range.isEmpty else { return }
      switch flow.hello.insert(bytes.extracting(range), at: offset) {
      case .new, .known: break
      case .mismatch, .beyondLimit: isGood = false
      }
    }
    if case .done = outcome { return isGood }
    return false
  }

  private func goesOnAsGoogles(_ flow: QUICFlow, _ datagram: RawSpan) -> Bool {
    guard datagram.byteCount > 9, isID(datagram.extracting(1..<9), flow.connectionID) else {
      return false
    }
    if case .done(let hello) = GQUICHello.recognise(datagram) {
      return hello.serverName.flatMap { HostName($0) } == flow.host
    }
    return flow.phase == .released
  }

  private func isID(_ bytes: RawSpan, _ id: [UInt8]) -> Bool {
    guard bytes.byteCount == id.count else { return false }
    for i in id.indices {
      // Within bounds, by the counts.
      if unsafe bytes.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self) != id[i] {
        return false
      }
    }
    return true
  }

  private func isZero(_ bytes: RawSpan) -> Bool {
    for offset in bytes.byteOffsets {
      // Within bounds: the offsets are the span's own.
      if unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) != 0 {
        return false
      }
    }
    return true
  }

  // MARK: Judging

  private enum Hello {
    case named(HostName)
    case incomplete
    case broken(Reason)
  }

  private func readHello(_ flow: QUICFlow) -> Hello {
    if flow.application == .gquic {
      return flow.host.map { .named($0) } ?? .broken(.noServerName)
    }
    switch flow.hello.withRun(at: 0, ClientHello.parseMessage) {
    case .needMore: return .incomplete
    case .malformed: return .broken(.malformedTLS)
    case .done(let hello):
      guard let name = hello.serverName else { return .broken(.noServerName) }
      return HostName(name).map { .named($0) } ?? .broken(.malformedName)
    }
  }

  /// The rules for a name; what is no more than "not allowed so" is called by what it is.
  private func decide(_ flow: QUICFlow, _ host: HostName, _ now: Instant) -> (Decision, needs: Bool)
  {
    var decision = policy.decide(
      Subject(
        application: flow.application, host: host, address: flow.tuple.destination,
        port: flow.tuple.destinationPort, transport: .quic, device: flow.device))
    switch decision.reason {
    case .portNotAllowed, .hostNotAllowed: decision.reason = .quic
    default: break
    }
    let isUnproven =
      decision.isAllowed && decision.needsKnownAddress && policy.binding != .off
      && !learned.knows(host, at: flow.tuple.destination, now: now)
      && !policy.isBuiltIn(
        flow.tuple.destination, port: flow.tuple.destinationPort, for: decision.rule)
    return (decision, isUnproven)
  }

  /// Judges a connection by its first datagram.
  private func judge(
    _ packet: consuming HeldPacket, _ flow: QUICFlow, _ metadata: PacketMetadata, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    let port = flow.tuple.destinationPort
    switch readHello(flow) {
    case .broken(let reason):
      let isOpen = policy.opens(port, .quic)
      refuse(
        packet, flow.tuple, metadata, isOpen ? reason : .quic, .none,
        application: flow.application, &effects)
    case .incomplete:
      guard enforcement == .enforce else {
        refuse(packet, flow.tuple, metadata, .quic, .none, application: .quic, &effects)
        return
      }
      if policy.opens(port, .quic) {
        hold(packet, flow, isNew: true, now, &effects)
      } else {
        refuseWithoutName(packet, flow, metadata, now, &effects)
      }
    case .named(let host):
      flow.host = host
      let (decision, isUnproven) = decide(flow, host, now)
      flow.decision = decision
      guard decision.isAllowed else {
        refuse(
          packet, flow.tuple, metadata, decision.reason, decision.rule,
          application: flow.application, host: host, &effects)
        return
      }
      if isUnproven, enforcement == .enforce, lookUp(flow, host, now, &effects) {
        hold(packet, flow, isNew: true, now, &effects)
        return
      }
      if isUnproven, policy.binding == .strict {
        refuse(
          packet, flow.tuple, metadata, .addressNotLearned, decision.rule,
          application: flow.application, host: host, &effects)
        return
      }
      if isUnproven { flow.decision?.reason = .addressUnproven }
      if let reason = quicFlows.insert(flow) {
        refuse(
          packet, flow.tuple, metadata, reason, decision.rule, application: flow.application,
          host: host, &effects)
        return
      }
      packet.settle(.pass(.watchedBothWays))
      release(flow, now, &effects)
    }
  }

  /// A further datagram of a connection that is remembered; its pieces have been taken.
  private func next(
    _ packet: consuming HeldPacket, _ flow: QUICFlow, _ now: Instant, _ effects: inout FlowEffects
  ) {
    switch flow.phase {
    case .allowed: packet.settle(.pass(.allowed))
    case .released:
      // The hello can't have become another one: its bytes agree.
      packet.settle(.pass(.watchedBothWays))
    case .refused:
      packet.settle(.pass(.denied))
      if flow.record != nil, case .named(let host) = readHello(flow) {
        let (decision, _) = decide(flow, host, now)
        flow.record?.host = host
        flow.record?.packets = flow.packets
        if !decision.isAllowed {
          flow.record?.reason = decision.reason
          flow.record?.rule = decision.rule
        }
        publish(flow, &effects)
      }
    case .resolving: hold(packet, flow, isNew: false, now, &effects)
    case .collecting:
      hold(packet, flow, isNew: false, now, &effects)
      if flow.phase == .collecting { judgeHeld(flow, now, &effects) }
    }
  }

  /// Judges a connection by what is held of it.
  private func judgeHeld(_ flow: QUICFlow, _ now: Instant, _ effects: inout FlowEffects) {
    switch readHello(flow) {
    case .incomplete: break
    case .broken(let reason): deny(flow, Decision(reason: reason, rule: .none), now, &effects)
    case .named(let host):
      flow.host = host
      var (decision, isUnproven) = decide(flow, host, now)
      if decision.isAllowed, isUnproven {
        if flow.lookedUp != host, lookUp(flow, host, now, &effects) { return }
        decision.reason = policy.binding == .strict ? .addressNotLearned : .addressUnproven
      }
      flow.decision = decision
      guard decision.isAllowed else {
        deny(flow, decision, now, &effects)
        return
      }
      quicFlows.settle(flow, .pass(.watchedBothWays))
      release(flow, now, &effects)
    }
  }

  /// False when the device has had its share of look-ups.
  private func lookUp(
    _ flow: QUICFlow, _ host: HostName, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    guard lookUp(host, for: flow.device, now, &effects) else { return false }
    flow.phase = .resolving
    flow.lookedUp = host
    flow.deadline = now + limits.lookupTime
    return true
  }

  // MARK: Verdicts

  private func hold(
    _ packet: consuming HeldPacket, _ flow: QUICFlow, isNew: Bool, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    if let reason = (isNew ? quicFlows.insert(flow) : nil) ?? quicFlows.limit(of: flow) {
      packet.settle(.pass(.denied))
      deny(flow, Decision(reason: reason, rule: .none), now, &effects)
      return
    }
    quicFlows.hold(packet, of: flow)
  }

  /// Refuses the first datagram of a hello that is not complete, and keeps its pieces: the next one may
  /// tell the name.
  private func refuseWithoutName(
    _ packet: consuming HeldPacket, _ flow: QUICFlow, _ metadata: PacketMetadata, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    guard quicFlows.insert(flow) == nil else {
      refuse(packet, flow.tuple, metadata, .quic, .none, application: .quic, &effects)
      return
    }
    packet.settle(.pass(.denied))
    flow.phase = .refused
    flow.record = record(of: flow, Decision(reason: .quic, rule: .none), isConnection: false)
  }

  /// The hello is on its way; the kernel gets the connection when the server answers.
  private func release(_ flow: QUICFlow, _ now: Instant, _ effects: inout FlowEffects) {
    flow.phase = .released
    flow.deadline = now + limits.answerTime
    guard let decision = flow.decision else { return }
    effects.records.append(record(of: flow, decision, isConnection: true))
  }

  private func deny(
    _ flow: QUICFlow, _ decision: Decision, _ now: Instant, _ effects: inout FlowEffects
  ) {
    quicFlows.settle(flow, .pass(.denied))
    effects.records.append(record(of: flow, decision, isConnection: false))
    quicFlows.remove(flow)
  }

  private func record(
    of flow: QUICFlow, _ decision: Decision, isConnection: Bool
  ) -> FlowRecord {
    FlowRecord(
      tuple: flow.tuple, device: flow.device, reason: decision.reason, rule: decision.rule,
      policy: policy, host: flow.host, application: flow.application, packets: flow.packets,
      passedAnyway: false, isContinuation: isConnection && flow.isContinuation,
      isConnection: isConnection)
  }

  private func publish(_ flow: QUICFlow, _ effects: inout FlowEffects) {
    guard let record = flow.record else { return }
    flow.record = nil
    effects.records.append(record)
  }

  private func forget(_ flow: QUICFlow, _ effects: inout FlowEffects) {
    publish(flow, &effects)
    quicFlows.remove(flow)
  }

  // MARK: The server, and time

  /// Whether a datagram of the server's answers a hello that was let through: the kernel then carries
  /// the connection.
  func answersQUIC(_ tuple: FiveTuple, _ now: Instant) -> Bool {
    guard let flow = quicFlows.find(tuple), flow.phase == .released || flow.phase == .allowed
    else { return false }
    flow.phase = .allowed
    flow.deadline = now + limits.lingerTime
    return true
  }

  /// Judges what waited for a name's addresses.
  func resolvedQUIC(_ name: HostName, _ now: Instant, _ effects: inout FlowEffects) {
    for flow in quicFlows.all(where: { $0.phase == .resolving && $0.host == name }) {
      flow.phase = .collecting
      judgeHeld(flow, now, &effects)
    }
  }

  /// Ends what has waited too long.
  func endQUIC(_ now: Instant, _ effects: inout FlowEffects) {
    for flow in quicFlows.all(where: {
      $0.deadline <= now || $0.record != nil && $0.recordTime <= now
    }) {
      if flow.recordTime <= now { publish(flow, &effects) }
      guard flow.deadline <= now else { continue }
      switch flow.phase {
      case .resolving:
        flow.phase = .collecting
        judgeHeld(flow, now, &effects)
      case .collecting:
        deny(flow, Decision(reason: .heldTooLong, rule: .none), now, &effects)
      case .released, .allowed, .refused: quicFlows.remove(flow)
      }
    }
  }

  /// Records the refusals that wait for a name, without one.
  ///
  /// To be called before the engine goes.
  public func recordRefusals(effects: inout FlowEffects) {
    for flow in quicFlows.all(where: { $0.record != nil }) { publish(flow, &effects) }
  }
}

extension [UInt8] {
  fileprivate init(_ bytes: RawSpan) {
    self.init()
    reserveCapacity(bytes.byteCount)
    for offset in bytes.byteOffsets {
      // Within bounds: the offsets are the span's own.
      unsafe append(bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
    }
  }
}
