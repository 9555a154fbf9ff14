internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

extension FlowEngine {
  /// A packet of the side that opened the connection.
  func fromClient(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader,
    _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if let dns = flow.dns {
      if flow.phase == .answered {
        fromRefused(packet, payload, tcp, flow, dns, &effects)
        return
      }
      dns.timestamp = tcp.timestamp
    }
    guard flow.phase != .allowed, flow.phase != .denied, !payload.isEmpty || ip.hasOptions else {
      packet.settle(.pass(flow.state))
      return
    }
    if payload.isEmpty {
      // As good as a payload: IPv6 has room for a kilobyte and more in its options.
      deny(flow, .forbiddenOption, rule: .none, fromClient: packet, now, &effects)
      return
    }
    // What the server's TCP would ignore must not be believed (RFC 9293 §3.10.7.4, RFC 7323 §5).
    guard tcp.flags.contains(.ack), tcp.flags.isDisjoint(with: [.syn, .rst]),
      !isStale(tcp, flow)
    else {
      ignore(packet)
      return
    }
    if tcp.flags.contains(.urg) {
      deny(flow, .urgentData, rule: .none, fromClient: packet, now, &effects)
      return
    }
    if tcp.hasAuthenticationOption || ip.hasOptions {
      deny(flow, .forbiddenOption, rule: .none, fromClient: packet, now, &effects)
      return
    }
    if flow.isMedia, !isWithinBudget(flow, payload.byteCount) {
      deny(
        flow, .mediaBudget, rule: mediaRule(flow, now), fromClient: packet, now, &effects)
      return
    }
    let offset = flow.offset(of: tcp.sequence)
    // Left of the first byte there is nothing: who sends it counts from another SYN than we do. And
    // where we count from a SYN that the server has not answered, no byte is where it seems to be.
    var isInWindow = offset >= 0 && flow.isConfirmed
    if flow.isBeginning {
      if flow.serverOrigin == nil { flow.serverOrigin = tcp.acknowledgement }
      // Until the server has said something, every segment acknowledges its SYN and no more.
      if !flow.isRetry, flow.serverOrigin != tcp.acknowledgement { isInWindow = false }
    }
    guard isInWindow else {
      deny(flow, .outOfWindow, rule: .none, fromClient: packet, now, &effects)
      return
    }
    receive(packet, payload, at: offset, flow, now, &effects)
  }

  /// Puts a segment to the stream and judges what can be judged.
  func receive(
    _ packet: consuming HeldPacket, _ payload: RawSpan, at offset: Int, _ flow: TCPFlow,
    _ now: Instant, _ effects: inout FlowEffects
  ) {
    let range = offset..<offset + payload.byteCount
    if range.upperBound <= flow.releasableEnd {
      // Judged bytes again, or the body of a judged request.
      guard flow.client.agrees(with: payload, at: offset) else {
        deny(flow, .overlapMismatch, rule: .none, fromClient: packet, now, &effects)
        return
      }
      flow.highest = max(flow.highest, range.upperBound)
      if flow.isAnswered { keepWatching(flow, now) }
      packet.settle(.pass(flow.state))
      return
    }
    switch flow.client.insert(payload, at: offset) {
    case .mismatch:
      deny(flow, .overlapMismatch, rule: .none, fromClient: packet, now, &effects)
    case .beyondLimit:
      if flow.phase == .framedBody || flow.phase == .framesReleased || flow.phase == .questions
        || flow.isMedia
      {
        // More than may be unacknowledged while the framing is judged: the client sends it again. It
        // doesn't move `highest`: every number is read near that one, acknowledgements too.
        packet.settle(.drop)
      } else {
        deny(flow, .heldTooMuch, rule: .none, fromClient: packet, now, &effects)
      }
    case .known:
      // A copy of what is held already.
      packet.settle(.drop)
    case .new:
      flow.highest = max(flow.highest, range.upperBound)
      guard hold(packet, range, flow, now, &effects) else { return }
      judge(flow, now, &effects)
    }
  }

  /// Keeps a packet until the verdict; false when a limit has denied the flow instead.
  private func hold(
    _ packet: consuming HeldPacket, _ range: Range<Int>, _ flow: TCPFlow, _ now: Instant,
    _ effects: inout FlowEffects
  ) -> Bool {
    guard enforcement == .enforce else {
      packet.settle(.pass(flow.state))
      return true
    }
    if flow.held.count >= limits.packets {
      deny(flow, .heldTooMuch, rule: .none, fromClient: packet, now, &effects)
      return false
    }
    // A device that holds too much loses its own oldest flow, not other people's. When many hold too
    // much together, whoever has held longest gives way: an honest beginning is complete in no time.
    while flow.device.heldPackets >= limits.packetsPerDevice || heldPackets >= limits.packetsInAll {
      let isDevice = flow.device.heldPackets >= limits.packetsPerDevice
      let reason: Reason = isDevice ? .deviceLimit : .gatewayLimit
      let oldest = isDevice ? oldestHolding(of: flow.device) : firstHolding
      guard let oldest, oldest !== flow else {
        deny(flow, reason, rule: .none, fromClient: packet, now, &effects)
        return false
      }
      deny(oldest, reason, rule: .none, now, &effects)
    }
    flow.held.append(packet, range)
    flow.device.heldPackets += 1
    heldPackets += 1
    startHolding(flow, now)
    return true
  }

  private func oldestHolding(of device: DeviceFlows) -> TCPFlow? {
    var next = firstHolding
    while let flow = next {
      if flow.device === device { return flow }
      next = flow.nextHolding
    }
    return nil
  }

  /// Judges the bytes that are there.
  func judge(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    if let dns = flow.dns {
      if flow.phase == .opened { flow.phase = .collecting }
      if flow.phase != .allowed { judgeQuestions(flow, dns, now, &effects) }
      return
    }
    switch flow.phase {
    case .opened, .collecting: judgeBeginning(flow, now, &effects)
    case .helloReleased: judgeBehindHello(flow, now, &effects)
    case .framesReleased: judgeFrames(flow, now, &effects)
    case .requestReleased, .watching, .framedBody:
      if flow.isHTTP {
        judgeRequests(flow, now, &effects)
      } else {
        judgeFrames(flow, now, &effects)
      }
    case .resolving, .questions, .answered, .allowed, .denied: break
    }
  }

  private func judgeBeginning(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    flow.phase = .collecting
    if flow.isRetry {
      judgeHello(flow, now, &effects)
      return
    }
    switch flow.client.withRun(
      at: 0,
      { Beginning.recognise($0, policy: policy, port: flow.tuple.destinationPort) })
    {
    case .needMore: break
    case .done(.tls):
      flow.application = .tls
      judgeHello(flow, now, &effects)
    case .done(.http):
      flow.application = .http
      judgeRequests(flow, now, &effects)
    case .done(.nameless(let application, let length)):
      flow.application = application
      judgeNameless(flow, length: length, pattern: nil, now, &effects)
    case .done(.pattern(let pattern)):
      flow.application = .pattern
      judgeNameless(flow, length: flow.client.end(ofRunAt: 0), pattern: pattern, now, &effects)
    case .done(.refused(let reason)):
      deny(flow, reason, rule: .none, now, &effects)
    case .malformed:
      deny(flow, .unknownProtocol, rule: .none, now, &effects)
    }
  }

  // MARK: TLS

  private func judgeHello(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    var start = flow.judgedEnd
    if flow.isRetry {
      // Early data that the server refused, and the compatibility record, come before the second
      // hello (RFC 8446 §4.1.2, appendix D.4).
      start = endOfRecords(flow, from: start) { $0 == 0x14 || $0 == 0x17 }
      // One of them that is not complete yet; the limits of what is held end it.
      if let type = recordType(flow, at: start), type == 0x14 || type == 0x17 { return }
    }
    let hello: ClientHello
    switch flow.client.withRun(at: start, ClientHello.parse) {
    case .needMore: return
    case .malformed:
      deny(flow, .malformedTLS, rule: .none, now, &effects)
      return
    case .done(let parsed): hello = parsed
    }
    guard let name = hello.serverName else {
      deny(flow, .noServerName, rule: .none, now, &effects)
      return
    }
    guard let host = HostName(name) else {
      deny(flow, .malformedName, rule: .none, now, &effects)
      return
    }
    if flow.isRetry, flow.host != host {
      deny(flow, .nameChanged, rule: .none, now, &effects)
      return
    }
    let isFirst = !flow.isRetry
    switch decide(flow, host, nil, now, &effects) {
    case .wait: break
    case .denied(let decision): deny(flow, decision.reason, rule: decision.rule, now, &effects)
    case .allowed:
      // A client that has more to say before the ServerHello says it in early-data records. A
      // second handshake record here would leave before a HelloRetryRequest could be seen.
      flow.judgedEnd = start + hello.length
      let early = endOfRecords(flow, from: flow.judgedEnd) { $0 == 0x14 || $0 == 0x17 }
      if flow.client.end(ofRunAt: early) > early, recordType(flow, at: early) == 0x16 {
        deny(flow, .malformedTLS, rule: .none, now, &effects)
        return
      }
      // The packet that ends the hello may carry the beginning of such records: it goes whole.
      flow.releasableEnd = max(flow.judgedEnd, flow.held.end(ofPacketCovering: flow.judgedEnd - 1))
      flow.phase = .helloReleased
      if isFirst { record(flow, effects: &effects) }
      release(flow, now)
    }
  }

  private func judgeBehindHello(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    if flow.application == .mmtls {
      judgeBehindMMTLSHello(flow, now, &effects)
      return
    }
    let early = endOfRecords(flow, from: flow.judgedEnd) { $0 == 0x14 || $0 == 0x17 }
    if flow.client.end(ofRunAt: early) > early, recordType(flow, at: early) == 0x16 {
      deny(flow, .malformedTLS, rule: .none, now, &effects)
    }
  }

  /// The end of the complete TLS records from `offset` on whose type passes `accept`.
  private func endOfRecords(
    _ flow: TCPFlow, from offset: Int, _ accept: (UInt8) -> Bool
  ) -> Int {
    flow.client.withRun(at: offset) { run in
      offset + TLSRecord.end(ofRecordsIn: run, where: accept)
    }
  }

  private func recordType(_ flow: TCPFlow, at offset: Int) -> UInt8? {
    flow.client.withRun(at: offset) { TLSRecord.type(of: $0) }
  }

  // MARK: Deciding

  enum Outcome {
    case allowed
    case denied(Decision)
    case wait
  }

  /// Asks the rules, also by the request when it is one; and unless binding is off, whether the name
  /// lives at the server's address.
  func decide(
    _ flow: TCPFlow, _ host: HostName, _ request: HTTPRequestHead?, _ now: Instant,
    _ effects: inout FlowEffects
  ) -> Outcome {
    flow.host = host
    var decision = decide(flow, host, request)
    flow.decision = decision
    guard decision.isAllowed else { return .denied(decision) }
    guard decision.needsKnownAddress, policy.binding != .off,
      !learned.knows(host, at: flow.tuple.destination, now: now),
      !policy.isBuiltIn(
        flow.tuple.destination, port: flow.tuple.destinationPort, for: decision.rule)
    else { return .allowed }
    if flow.lookedUp == host || enforcement != .enforce
      || !lookUp(host, for: flow.device.address, now, &effects)
    {
      guard policy.binding == .observe else {
        return .denied(Decision(reason: .addressNotLearned, rule: decision.rule))
      }
      decision.reason = .addressUnproven
      flow.decision = decision
      return .allowed
    }
    flow.phase = .resolving
    flow.lookedUp = host
    flow.deadline = now + limits.lookupTime
    return .wait
  }

  private func decide(
    _ flow: TCPFlow, _ host: HostName, _ request: HTTPRequestHead?
  ) -> Decision {
    let subject = Subject(
      application: flow.application, host: host, address: flow.tuple.destination,
      port: flow.tuple.destinationPort, transport: .tcp, device: flow.device.address)
    let decision = policy.decide(subject)
    guard !decision.isAllowed, let request, decision.reason != .hostDenied,
      decision.reason != .addressDenied
    else { return decision }
    // Of a host that isn't allowed, single requests may be.
    let byRequest = flow.client.withRun(at: flow.judgedEnd) { run in
      policy.decide(
        subject, method: run.extracting(request.method), path: run.extracting(request.target))
    }
    return byRequest ?? decision
  }

  /// Judges again what waited for a name's addresses.
  func finishLookup(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    flow.phase = flow.isHTTP && flow.judgedEnd > 0 ? .watching : .collecting
    flow.deadline = now + limits.holdTime
    judge(flow, now, &effects)
  }

  /// A timestamp from before the SYN's: the server's PAWS check drops it (RFC 7323 §5.3).
  ///
  /// Later the clock of a connection that is watched for weeks may have wrapped around.
  private func isStale(_ tcp: TCPHeader, _ flow: TCPFlow) -> Bool {
    guard flow.isBeginning else { return false }
    guard let first = flow.openingTimestamp, let this = tcp.timestamp else { return false }
    return Int32(bitPattern: this.value &- first.value) < 0
  }
}
