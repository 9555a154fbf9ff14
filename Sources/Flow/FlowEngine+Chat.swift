internal import Policy
internal import Queue
internal import System
internal import Wire

// Protocols that carry no name. What they are and where they lead decides; what is judged is a hello,
// a packet or a frame, and the kernel gets the connection when the server has acknowledged that.
extension FlowEngine {
  /// Judges a beginning whose first `length` bytes are a hello, a packet or a frame.
  func judgeNameless(
    _ flow: TCPFlow, length: Int, pattern: PatternID?, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    switch decideNameless(flow, pattern: pattern, now) {
    case .wait: break
    case .denied(let decision): deny(flow, decision.reason, rule: decision.rule, now, &effects)
    case .allowed:
      if flow.application == .mmtls {
        releaseMMTLSHello(flow, length: length, now, &effects)
      } else {
        record(flow, effects: &effects)
        releaseFrame(flow, at: 0, length: length, now)
        judgeFrames(flow, now, &effects)
      }
    }
  }

  /// Asks the rules for a protocol without a name, and, where they want it, who vouches for the flow.
  func decideNameless(_ flow: TCPFlow, pattern: PatternID?, _ now: Instant) -> Outcome {
    flow.host = nil
    let decision = policy.decide(
      nameless: subject(of: flow), pattern: pattern, learned: learned, now: now)
    flow.decision = decision
    guard decision.isAllowed else { return .denied(decision) }
    guard decision.vouchers.applications.isEmpty else { return admitMedia(flow, decision) }
    if !flow.isHTTP { flow.needDetails().service = policy.serviceKey(of: decision.rule) }
    return .allowed
  }

  func subject(of flow: TCPFlow) -> Subject {
    Subject(
      application: flow.application, host: nil, address: flow.tuple.destination,
      port: flow.tuple.destinationPort, transport: .tcp, device: flow.device.address)
  }

  // MARK: mmtls

  private func releaseMMTLSHello(
    _ flow: TCPFlow, length: Int, _ now: Instant, _ effects: inout FlowEffects
  ) {
    flow.judgedEnd = length
    guard judgeBehindMMTLSHello(flow, now, &effects) else { return }
    // The packet that ends the hello may carry the beginning of the next records: it goes whole.
    flow.releasableEnd = max(flow.judgedEnd, flow.held.end(ofPacketCovering: flow.judgedEnd - 1))
    flow.phase = .helloReleased
    record(flow, effects: &effects)
    release(flow, now)
  }

  /// What a client says behind its hello, before the answer, must be records of the same protocol;
  /// false when it isn't, and the flow is denied.
  @discardableResult
  func judgeBehindMMTLSHello(
    _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    let versions = policy.mmtlsVersions
    // The stream has no length of its own.
    let outcome = flow.client.withRun(at: 0) { run in
      var records = MMTLSRecords(length: .max, versions: versions)
      return records.consume(run)
    }
    if case .malformed = outcome {
      deny(flow, .malformedMMTLS, rule: .none, now, &effects)
      return false
    }
    return true
  }

  /// The server's answer to an mmtls hello: with it the connection is handed to the kernel.
  func answerToMMTLSHello(
    _ packet: consuming HeldPacket, _ tcp: TCPHeader, _ flow: TCPFlow, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    let versions = policy.mmtlsVersions
    switch flow.server.withRun(at: 0, { MMTLSAnswer.recognise($0, versions: versions) }) {
    case .needMore: packet.settle(.pass(flow.state))
    case .malformed, .other:
      deny(flow, .serverMismatch, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
    case .done(let answer):
      // After an alert there is no session; the client tries another server.
      if case .hello = answer { vouch(by: flow) }
      flow.phase = .allowed
      packet.settle(.pass(.allowed))
      handOver(flow, now)
    }
  }

  // MARK: Frames

  /// Judges every packet or frame that can be judged.
  func judgeFrames(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    // Of a pattern nothing is known but its beginning; what follows waits for the acknowledgement.
    guard flow.application != .pattern else { return }
    while true {
      let start = flow.judgedEnd
      guard flow.client.end(ofRunAt: start) > start else { return }
      if flow.details?.frameEnd == start {
        guard flow.client.byte(at: start) == HighwayFrame.end else {
          deny(flow, .malformedFrame, rule: .none, now, &effects)
          return
        }
        flow.details?.frameEnd = nil
        releaseFrames(flow, upTo: start + 1, judged: start + 1, now)
        continue
      }
      let application = flow.application
      switch flow.client.withRun(at: start, { Self.frameLength($0, application) }) {
      case .needMore: return
      case .malformed, .other:
        deny(flow, .malformedFrame, rule: .none, now, &effects)
        return
      case .done(let length): releaseFrame(flow, at: start, length: length, now)
      }
    }
  }

  /// The length of the packet or frame that a stream goes on with.
  private static func frameLength(
    _ stream: RawSpan, _ application: Application
  ) -> Recognition<Int> {
    switch application {
    case .msf: MSFFrame.recognise(stream).map { $0.length }
    case .longLink: LongLinkPackets.recognise(stream).map { $0.length }
    case .pcQQ: OICQFrame.recognise(stream: stream).map { $0.length }
    case .c2c: C2CFrame.recognise(stream).map { $0.length }
    case .highway: HighwayFrame.recognise(stream).map { $0.length }
    default: .other
    }
  }

  /// Lets a judged frame go, and what is still to come of it.
  private func releaseFrame(_ flow: TCPFlow, at start: Int, length: Int, _ now: Instant) {
    let end = start + length
    let judged = min(end, start + Self.window, flow.client.end(ofRunAt: start))
    guard flow.application == .highway, judged < end else {
      releaseFrames(flow, upTo: end, judged: judged, now)
      return
    }
    // Its last byte is judged when it comes.
    flow.needDetails().frameEnd = end - 1
    releaseFrames(flow, upTo: end - 1, judged: judged, now)
  }

  private func releaseFrames(_ flow: TCPFlow, upTo end: Int, judged: Int, _ now: Instant) {
    flow.judgedEnd = end
    flow.releasableEnd = end
    // A connection that will be left to the kernel proves by its beginning that it is what it seems.
    if flow.isMedia || flow.headsEnd == 0 { flow.headsEnd = judged }
    // What was judged is kept until it is acknowledged, the rest of a frame isn't.
    flow.client.forget(judged..<end)
    flow.client.limit = limits.bytes + FlowLimits.largestPacket
    flow.phase = .framesReleased
    release(flow, now)
  }

  /// A packet of the server's while the acknowledgement of judged bytes is awaited.
  func acknowledgement(
    _ packet: consuming HeldPacket, _ tcp: TCPHeader, _ flow: TCPFlow, _ now: Instant
  ) {
    guard tcp.flags.contains(.ack), !tcp.flags.contains(.rst) else {
      packet.settle(.pass(flow.state))
      return
    }
    let acknowledged = flow.offset(of: tcp.acknowledgement)
    if flow.isMedia {
      if acknowledged >= flow.headsEnd {
        flow.client.trim(to: flow.judgedEnd)
        flow.phase = .watching
      } else {
        flow.client.trim(to: acknowledged)
      }
      keepWatching(flow, now)
      packet.settle(.pass(flow.state))
    } else if acknowledged < flow.headsEnd {
      packet.settle(.pass(flow.state))
    } else {
      vouch(by: flow)
      flow.phase = .allowed
      packet.settle(.pass(.allowed))
      handOver(flow, now)
    }
  }

  /// The connection lives: media of the same device and service may go where chat says.
  private func vouch(by flow: TCPFlow) {
    guard let service = flow.details?.service, service != 0 else { return }
    companions.began(
      flow.tuple, device: flow.device.address, service: service, application: flow.application)
  }
}

extension Recognition {
  func map<Other>(_ change: (Value) -> Other) -> Recognition<Other> {
    switch self {
    case .done(let value): .done(change(value))
    case .needMore: .needMore
    case .malformed(let malformation): .malformed(malformation)
    case .other: .other
    }
  }
}
