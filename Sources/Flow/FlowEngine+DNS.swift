internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

// The door of names: questions to the trusted resolver are judged one by one, over UDP and in TCP
// streams, and what it answers is learned before the client hears it. No question goes to anybody
// else.
extension FlowEngine {
  /// Whether a flow leads to the trusted resolver.
  ///
  /// What comes through the door was sent to port 53, whatever port somebody's DNAT has given it.
  func isToResolver(_ tuple: FiveTuple) -> Bool {
    isForRouter || tuple.destinationPort == 53 && resolvers.contains(tuple.destination)
  }

  /// What can be said at a SYN or at a first datagram.
  ///
  /// To the trusted resolver: nothing before the question; to any other, on the ports of DNS, that it
  /// is refused unless an address line allows it.
  func beginning(
    _ tuple: FiveTuple, _ transport: Transport, device: MACAddress
  ) -> Policy.Opening {
    let opening = policy.opening(
      address: tuple.destination, port: tuple.destinationPort, transport: transport, device: device)
    guard tuple.destinationPort == 53 || tuple.destinationPort == 853 || isForRouter else {
      return opening
    }
    if case .decided(let decision) = opening,
      decision.reason == .deviceUnrestricted || decision.reason == .addressDenied
    {
      return opening
    }
    if isToResolver(tuple) { return .undecided }
    if case .decided(let decision) = opening, decision.isAllowed { return opening }
    return .decided(Decision(reason: .otherResolver, rule: .none))
  }

  // MARK: One question

  private enum QuestionVerdict {
    case allowed(DNSQuestion, HostName)
    case refused(Decision, HostName?, DNSRefusal.Code)
  }

  private func judge(question message: RawSpan, device: MACAddress) -> QuestionVerdict {
    guard case .done(let question) = DNSQuestion.parse(message) else {
      return .refused(Decision(reason: .malformedDNS, rule: .none), nil, .formatError)
    }
    guard let host = HostName(question.name) else {
      // Underscores, mostly: names of services, which nobody can allow.
      let code: DNSRefusal.Code = Canaries.contains(question.name) ? .noSuchName : .refused
      return .refused(Decision(reason: .hostNotAllowed, rule: .none), nil, code)
    }
    let decision = policy.decide(query: host, device: device)
    guard decision.isAllowed else {
      return .refused(
        decision, host, Canaries.contains(question.name) ? .noSuchName : .refused)
    }
    guard question.isOfUsualType else {
      return .refused(Decision(reason: .malformedDNS, rule: decision.rule), host, .refused)
    }
    return .allowed(question, host)
  }

  /// Remembers a question that passes unjudged, for its answer to teach.
  func expectAnswer(to message: RawSpan, _ tuple: FiveTuple, _ now: Instant) {
    guard isForRouter, case .done(let question) = DNSQuestion.parse(message),
      let host = HostName(question.name), policy.mayTeach(host)
    else { return }
    expected.append(tuple, id: question.id, type: question.type, name: host, now: now)
  }

  private func noteRefused(
    _ tuple: FiveTuple, _ device: MACAddress, _ decision: Decision, _ host: HostName?,
    packets: UInt32, _ effects: inout FlowEffects
  ) {
    effects.records.append(
      FlowRecord(
        tuple: tuple, device: device, reason: decision.reason, rule: decision.rule, policy: policy,
        host: host, application: .dns, packets: packets,
        passedAnyway: enforcement != .enforce, isContinuation: false, isConnection: false))
  }

  /// Learns what an answer says, if `client` has asked just that and the rules allow its name.
  private func learn(from message: RawSpan, to client: FiveTuple, _ now: Instant) {
    guard case .done(let header) = DNSMessage.parse(message), header.isResponse,
      let name = HostName(header.question),
      expected.contains(
        client, id: header.id, type: header.questionType, name: name, now: now)
    else { return }
    DNSAnswers.learn(message, from: .dns, by: policy, into: learned, now: now)
  }

  // MARK: UDP

  /// A client's datagram to the trusted resolver.
  func question(
    _ packet: consuming HeldPacket, _ message: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant, _ effects: inout FlowEffects
  ) {
    let verdict = judge(question: message, device: metadata.hardwareAddress)
    switch verdict {
    case .allowed(let question, let host):
      expected.append(tuple, id: question.id, type: question.type, name: host, now: now)
    case .refused(let decision, let host, let code):
      noteRefused(tuple, metadata.hardwareAddress, decision, host, packets: 1, &effects)
      if enforcement == .enforce {
        // What can't be answered disappears: an ICMP error would make phones give up the resolver.
        // To the client, it comes from where the question was sent to.
        let asked = FiveTuple(
          proto: .udp, source: tuple.source, sourcePort: tuple.sourcePort,
          destination: tuple.destination, destinationPort: 53)
        let answer = DNSRefusal.packet(message, from: asked, code)
        if !answer.isEmpty {
          effects.answers.append(
            FlowAnswer(
              bytes: answer, destination: tuple.source, interface: metadata.interface))
        }
        packet.settle(.drop)
        return
      }
    }
    if metadata.state != .watchedBothWays {
      note(
        tuple, metadata, .resolverAllowed, .none, application: .dns, isConnection: true, &effects)
    }
    packet.settle(.pass(.watchedBothWays))
  }

  /// A datagram of the trusted resolver's to a client.
  func answer(
    _ packet: consuming HeldPacket, _ message: RawSpan, _ tuple: FiveTuple,
    _ metadata: PacketMetadata, _ now: Instant
  ) {
    learn(from: message, to: tuple.reversed, now)
    packet.settle(.pass(metadata.state))
  }

  // MARK: TCP

  /// Judges every question of a stream that is complete.
  func judgeQuestions(
    _ flow: TCPFlow, _ dns: DNSConversation, _ now: Instant, _ effects: inout FlowEffects
  ) {
    let start = flow.judgedEnd
    while dns.refusal == nil {
      guard let verdict = nextQuestion(flow) else { break }
      guard let (question, length, answer) = verdict else {
        deny(flow, .malformedDNS, rule: .none, now, &effects)
        return
      }
      switch question {
      case .allowed(let question, let host):
        expected.append(flow.tuple, id: question.id, type: question.type, name: host, now: now)
        enterStream(flow, &effects)
      case .refused(let decision, let host, _):
        noteRefused(
          flow.tuple, flow.device.address, decision, host, packets: flow.packets, &effects)
        if enforcement == .enforce {
          dns.refusal = DNSConversation.Refusal(bytes: answer, end: flow.judgedEnd + length)
          continue
        }
        enterStream(flow, &effects)
      }
      dns.asked += 1
      flow.judgedEnd += length
      flow.releasableEnd = flow.judgedEnd
      flow.phase = .questions
    }
    if flow.judgedEnd > start { release(flow, now) }
    guard dns.refusal != nil else { return }
    if dns.answered >= dns.asked || dns.isLost {
      answerRefused(flow, dns, now, &effects)
    } else {
      // Answers to the questions before it are not to be lost.
      flow.deadline = now + limits.refusalTime
    }
  }

  /// The next question of a stream: nil when it isn't complete, the inner nil when it can't be one.
  private func nextQuestion(
    _ flow: TCPFlow
  ) -> (verdict: QuestionVerdict, length: Int, answer: [UInt8])?? {
    flow.client.withRun(at: flow.judgedEnd) { run in
      switch DNSStream.first(in: run, limit: DNSQuestion.maximumLength) {
      case .needMore: return nil
      case .malformed: return .some(nil)
      case .done(let frame):
        let message = run.extracting(frame.message)
        let verdict = judge(question: message, device: flow.device.address)
        guard case .refused(_, _, let code) = verdict else { return (verdict, frame.length, []) }
        let answer = DNSRefusal.stream(message, code)
        return answer.isEmpty ? .some(nil) : (verdict, frame.length, answer)
      }
    }
  }

  // Of a stream through the router, the bytes count.
  private func enterStream(_ flow: TCPFlow, _ effects: inout FlowEffects) {
    guard !flow.isRecorded else { return }
    flow.application = .dns
    flow.decision = Decision(reason: .resolverAllowed, rule: .none)
    record(flow, effects: &effects)
  }

  /// Answers the refused question of a stream in the resolver's name and ends the stream: for the
  /// client in good order, for the resolver with a reset.
  func answerRefused(
    _ flow: TCPFlow, _ dns: DNSConversation, _ now: Instant, _ effects: inout FlowEffects
  ) {
    abandon(flow)
    flow.phase = .answered
    flow.deadline = now + limits.farewellTime
    sendRefusal(flow, dns, &effects)
    effects.resets.append(
      FlowReset(
        tuple: flow.tuple, sequence: flow.sequence(at: flow.judgedEnd), interface: dns.interface))
  }

  private func sendRefusal(
    _ flow: TCPFlow, _ dns: DNSConversation, _ effects: inout FlowEffects
  ) {
    guard let refusal = dns.refusal, let origin = flow.serverOrigin else { return }
    // The client's clock is answered by the resolver's, as the client knows it.
    let timestamp = dns.timestamp.map { TCPTimestamp(value: $0.echo, echo: $0.value) }
    let packet = TCPSegment.packet(
      flow.tuple.reversed, [.psh, .fin],
      sequence: origin &+ UInt32(truncatingIfNeeded: dns.serverEnd),
      acknowledgement: flow.sequence(at: refusal.end), window: 65_535, timestamp: timestamp,
      payload: refusal.bytes)
    effects.answers.append(
      FlowAnswer(bytes: packet, destination: flow.tuple.source, interface: dns.interface))
  }

  /// A client's packet after its question was answered in the resolver's name.
  func fromRefused(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ tcp: TCPHeader, _ flow: TCPFlow,
    _ dns: DNSConversation, _ effects: inout FlowEffects
  ) {
    let end = flow.offset(of: tcp.sequence) + payload.byteCount
    if !payload.isEmpty, end <= dns.refusal?.end ?? 0 {
      // It has not got the answer.
      sendRefusal(flow, dns, &effects)
      packet.settle(.drop)
    } else if tcp.flags.contains(.fin) || !payload.isEmpty {
      // It is done with it, or wants to ask on: there is nobody at the other end.
      packet.settle(.pass(.denied))
    } else {
      packet.settle(.drop)
    }
  }

  /// A packet of the trusted resolver's in a stream.
  func fromResolver(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ tcp: TCPHeader, _ flow: TCPFlow,
    _ dns: DNSConversation, _ now: Instant, _ effects: inout FlowEffects
  ) {
    // Marks mean nothing on what the router itself sends.
    let state = isForRouter ? ConnectionState.unknown : flow.state
    switch flow.phase {
    case .answered:
      packet.settle(.drop)
    case .questions:
      if tcp.flags.contains(.ack) {
        flow.client.trim(to: min(flow.offset(of: tcp.acknowledgement), flow.judgedEnd))
      }
      if !payload.isEmpty { readAnswers(payload, tcp, flow, dns, now) }
      keepWatching(flow, now)
      packet.settle(.pass(state))
      if dns.refusal != nil, dns.answered >= dns.asked || dns.isLost {
        answerRefused(flow, dns, now, &effects)
      }
    default:
      packet.settle(.pass(state))
    }
  }

  private func readAnswers(
    _ payload: RawSpan, _ tcp: TCPHeader, _ flow: TCPFlow, _ dns: DNSConversation, _ now: Instant
  ) {
    guard let origin = flow.serverOrigin else { return }
    let reference = origin &+ UInt32(truncatingIfNeeded: dns.serverEnd)
    let offset = dns.serverEnd + Int(Int32(bitPattern: tcp.sequence &- reference))
    guard offset >= 0 else { return }
    dns.serverEnd = max(dns.serverEnd, offset + payload.byteCount)
    guard !dns.isLost else { return }
    switch flow.server.insert(payload, at: offset) {
    case .new, .known: break
    case .mismatch, .beyondLimit:
      dns.isLost = true
      return
    }
    while let length = nextAnswer(flow, dns, now) {
      dns.answered += 1
      dns.readEnd += length
      flow.server.trim(to: dns.readEnd)
    }
  }

  /// Learns from the next answer of a stream; its length, nil when there is none yet.
  private func nextAnswer(
    _ flow: TCPFlow, _ dns: DNSConversation, _ now: Instant
  ) -> Int? {
    flow.server.withRun(at: dns.readEnd) { run in
      switch DNSStream.first(in: run, limit: DNSConversation.answerLimit) {
      case .needMore: return nil
      case .malformed:
        // Too long to be kept; it is passed over.
        return DNSStream.length(ofFirstIn: run)
      case .done(let frame):
        learn(from: run.extracting(frame.message), to: flow.tuple, now)
        return frame.length
      }
    }
  }
}

/// Names by which a network tells phones and browsers not to use relays and resolvers of their own.
///
/// The answer that means "don't" is that there is no such name.
private enum Canaries {
  private static let names: [WireName] = [
    // Apple's private relay, Firefox, and designated resolvers (RFC 9462 §4).
    "mask.icloud.com", "mask-h2.icloud.com", "mask.apple-dns.net", "use-application-dns.net",
    "_dns.resolver.arpa",
  ].compactMap { WireName($0) }

  static func contains(_ name: WireName) -> Bool {
    names.contains { $0.equalsIgnoringCase(name) }
  }
}
