internal import Names
internal import Policy
internal import System
internal import Wire

extension FlowEngine {
  /// Judges every request that can be judged; bodies are followed by their length, chunks or records.
  func judgeRequests(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    let versions = policy.mmtlsVersions
    while true {
      if flow.phase == .framedBody {
        guard followBody(flow, now, &effects) else { return }
      }
      switch flow.client.withRun(
        at: flow.judgedEnd, { HTTPRequest.recognise($0, versions: versions) })
      {
      case .needMore: return
      case .refused(let reason):
        deny(flow, reason, rule: .none, now, &effects)
        return
      case .done(let request):
        guard judge(request, flow, now, &effects) else { return }
      }
    }
  }

  /// Judges one request; false when nothing further can be judged now.
  private func judge(
    _ request: HTTPRequest, _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    flow.application = request.application
    switch outcome(request, flow, now, &effects) {
    case .wait: return false
    case .denied(let decision):
      deny(flow, decision.reason, rule: decision.rule, now, &effects)
      return false
    case .allowed: break
    }
    let isFirst = flow.headsEnd == 0
    flow.headsEnd = flow.judgedEnd + request.head.length
    flow.judgedEnd = flow.headsEnd
    flow.phase = .requestReleased
    switch request.head.body {
    case .none: break
    case .length(let length):
      if request.application == .shortLink {
        flow.phase = .framedBody
        flow.needDetails().body = .records(
          MMTLSRecords(length: length, versions: policy.mmtlsVersions))
      } else {
        // A length past all reason is kept from overflowing; such a body never ends.
        flow.judgedEnd += Int(min(length, UInt64(1) << 62 - 1 << 48))
      }
    case .chunked:
      flow.phase = .framedBody
      flow.needDetails().body = .chunks(ChunkScanner())
    }
    if isFirst, request.application == .newgetdns { expectReply(flow, now) }
    flow.releasableEnd = flow.judgedEnd
    // A body is not judged; of a packet of 64 KiB that began with the head, most is body. Of a form
    // the first pairs are.
    var keptEnd = flow.headsEnd
    if request.application == .c2cHTTP {
      keptEnd = min(flow.judgedEnd, flow.client.end(ofRunAt: keptEnd), keptEnd + Self.window)
      flow.headsEnd = keptEnd
    }
    flow.client.forget(keptEnd..<flow.judgedEnd)
    flow.client.limit = limits.bytes + FlowLimits.largestPacket
    if !flow.isRecorded || flow.recordedHost != flow.host
      || flow.recordedRule != flow.decision?.rule
    {
      record(flow, effects: &effects)
    }
    release(flow, now)
    return true
  }

  /// Whom the request is for, and what the rules say to that.
  private func outcome(
    _ request: HTTPRequest, _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Outcome {
    flow.host = nil
    if request.head.isConnect { return .denied(Decision(reason: .httpConnect, rule: .none)) }
    guard let name = request.head.host else {
      return .denied(Decision(reason: .noServerName, rule: .none))
    }
    if let host = HostName(name) { return decide(flow, host, request.head, now, &effects) }
    guard let address = name.address else {
      return .denied(Decision(reason: .malformedName, rule: .none))
    }
    // A bare address is no name to judge by: what is in the request must make up for it. And it must
    // be the server's own, or the server is a proxy.
    guard request.application != .http, address == flow.tuple.destination else {
      return .denied(Decision(reason: .noServerName, rule: .none))
    }
    return decideNameless(flow, pattern: nil, now)
  }

  /// Follows a body over the bytes that are there; true when it has ended.
  private func followBody(
    _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    let start = flow.judgedEnd
    let end = flow.client.end(ofRunAt: start)
    guard end > start, let details = flow.details else { return false }
    switch flow.client.withRun(at: start, { details.body?.consume($0) }) {
    case .needMore:
      advanceBody(flow, to: end, now)
      return false
    case .malformed, nil:
      let isShortLink = flow.application == .shortLink
      deny(flow, isShortLink ? .malformedMMTLS : .malformedHTTP, rule: .none, now, &effects)
      return false
    case .done(let count):
      advanceBody(flow, to: start + count, now)
      details.body = nil
      flow.phase = .requestReleased
      return true
    }
  }

  private func advanceBody(_ flow: TCPFlow, to end: Int, _ now: Instant) {
    flow.judgedEnd = end
    flow.headsEnd = end
    flow.releasableEnd = end
    release(flow, now)
  }

  /// How much of a frame or form is judged, when it is longer (`Recognition` in Wire).
  static var window: Int { 4096 }
}
