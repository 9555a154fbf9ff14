internal import Names
internal import Policy
internal import System
internal import Wire

extension FlowEngine {
  /// Judges every request head that is complete; bodies are followed by their length or chunks.
  func judgeRequests(_ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects) {
    while true {
      if flow.phase == .chunks {
        guard followChunks(flow, now, &effects) else { return }
      }
      switch flow.client.withRun(at: flow.judgedEnd, HTTPRequestHead.parse) {
      case .needMore: return
      case .malformed:
        deny(flow, .malformedHTTP, rule: .none, now, &effects)
        return
      case .done(let head):
        guard judge(head, flow, now, &effects) else { return }
      }
    }
  }

  /// Judges one head; false when nothing further can be judged now.
  private func judge(
    _ head: HTTPRequestHead, _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    if head.isConnect {
      deny(flow, .httpConnect, rule: .none, now, &effects)
      return false
    }
    guard let name = head.host else {
      deny(flow, .noServerName, rule: .none, now, &effects)
      return false
    }
    guard let host = HostName(name) else {
      // A bare address is no name to judge by.
      let isAddress = name.isAddressLiteral
      deny(flow, isAddress ? .noServerName : .malformedName, rule: .none, now, &effects)
      return false
    }
    switch decide(flow, host, now, &effects) {
    case .wait: return false
    case .denied(let decision):
      deny(flow, decision.reason, rule: decision.rule, now, &effects)
      return false
    case .allowed: break
    }
    flow.headsEnd = flow.judgedEnd + head.length
    flow.judgedEnd = flow.headsEnd
    flow.phase = .requestReleased
    switch head.body {
    case .none: break
    case .length(let length):
      // A length past all reason is kept from overflowing; such a body never ends.
      flow.judgedEnd += Int(min(length, UInt64(1) << 62 - 1 << 48))
    case .chunked:
      flow.phase = .chunks
      flow.chunks = ChunkScanner()
    }
    flow.releasableEnd = flow.judgedEnd
    // A body is not judged; of a packet of 64 KiB that began with the head, most is body.
    flow.client.forget(flow.headsEnd..<flow.judgedEnd)
    flow.client.limit = limits.bytes + FlowLimits.largestPacket
    if !flow.isRecorded || flow.recordedHost != host || flow.recordedRule != flow.decision?.rule {
      record(flow, effects: &effects)
    }
    release(flow, now)
    return true
  }

  /// Follows a chunked body over the bytes that are there; true when it has ended.
  private func followChunks(
    _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) -> Bool {
    let start = flow.judgedEnd
    let end = flow.client.end(ofRunAt: start)
    guard end > start else { return false }
    switch flow.client.withRun(at: start, { flow.chunks.consume($0) }) {
    case .needMore:
      advanceChunks(flow, to: end, now)
      return false
    case .malformed:
      deny(flow, .malformedHTTP, rule: .none, now, &effects)
      return false
    case .done(let count):
      advanceChunks(flow, to: start + count, now)
      flow.phase = .requestReleased
      return true
    }
  }

  private func advanceChunks(_ flow: TCPFlow, to end: Int, _ now: Instant) {
    flow.judgedEnd = end
    flow.headsEnd = end
    flow.releasableEnd = end
    release(flow, now)
  }
}
