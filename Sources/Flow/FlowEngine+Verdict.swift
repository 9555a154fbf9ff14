internal import Policy
internal import Queue
internal import System
internal import Wire

extension FlowEngine {
  /// Lets go what has been judged, in order.
  func release(_ flow: TCPFlow, _ now: Instant) {
    let count = flow.held.release(before: flow.releasableEnd, .pass(flow.state))
    heldPackets -= count
    flow.device.heldPackets -= count
    if flow.held.isEmpty {
      stopHolding(flow)
      flow.deadline = now + (flow.isAnswered ? limits.watchTime : limits.answerTime)
    } else if count > 0 {
      // What is held now has not waited since the first packet was.
      flow.deadline = now + limits.holdTime
    }
  }

  /// Puts off the time when an HTTP connection counts as idle; not while it holds packets, whose
  /// time is short.
  func keepWatching(_ flow: TCPFlow, _ now: Instant) {
    if !flow.isHolding { flow.deadline = now + limits.watchTime }
  }

  /// Leaves the connection to the kernel.
  func handOver(_ flow: TCPFlow, _ now: Instant) {
    let count = flow.held.release(before: .max, .pass(.allowed))
    heldPackets -= count
    flow.device.heldPackets -= count
    stopHolding(flow)
    flow.device.remove(flow)
    flow.deadline = now + limits.lingerTime
  }

  /// Denies a flow because of a packet of the client's: the kernel resets the client, we reset the
  /// server.
  func deny(
    _ flow: TCPFlow, _ reason: Reason, rule: RuleID, fromClient packet: consuming HeldPacket,
    _ now: Instant, _ effects: inout FlowEffects
  ) {
    packet.settle(.pass(enforcement == .enforce ? .denied : .allowed))
    close(flow, reason, rule, now, &effects)
    resetServer(flow, &effects)
  }

  /// Denies a flow because of a packet of the server's: the kernel resets the server, we reset the
  /// client, which expects `sequence`.
  func deny(
    _ flow: TCPFlow, _ reason: Reason, rule: RuleID, fromServer packet: consuming HeldPacket,
    _ sequence: UInt32, _ now: Instant, _ effects: inout FlowEffects
  ) {
    packet.settle(.pass(enforcement == .enforce ? .denied : .allowed))
    close(flow, reason, rule, now, &effects)
    if enforcement == .enforce {
      effects.resets.append(FlowReset(tuple: flow.tuple.reversed, sequence: sequence))
    }
  }

  /// Denies a flow by its held packets: the last of them goes on, marked, so that the kernel refuses
  /// it to the client.
  func deny(
    _ flow: TCPFlow, _ reason: Reason, rule: RuleID, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    close(flow, reason, rule, now, &effects)
    resetServer(flow, &effects)
  }

  private func close(
    _ flow: TCPFlow, _ reason: Reason, _ rule: RuleID, _ now: Instant,
    _ effects: inout FlowEffects
  ) {
    let count = flow.held.settleAll(.drop, last: .pass(.denied))
    heldPackets -= count
    flow.device.heldPackets -= count
    stopHolding(flow)
    endReply(flow)
    flow.device.remove(flow)
    flow.decision = Decision(reason: reason, rule: rule)
    flow.phase = enforcement == .enforce ? .denied : .allowed
    flow.deadline = now + limits.lingerTime
    record(flow, effects: &effects)
  }

  private func resetServer(_ flow: TCPFlow, _ effects: inout FlowEffects) {
    guard enforcement == .enforce else { return }
    // The server's next expected byte. Should it be another, the server answers with a challenge
    // ACK (RFC 5961 §3), which the kernel then refuses with the exact number.
    let sequence = flow.sequence(at: min(max(flow.judgedEnd, flow.releasableEnd), flow.highest))
    effects.resets.append(FlowReset(tuple: flow.tuple, sequence: sequence))
  }

  /// Enters the flow's decision into the books.
  func record(_ flow: TCPFlow, effects: inout FlowEffects) {
    guard let decision = flow.decision else { return }
    if isForRouter, decision.isAllowed { return }
    effects.records.append(
      FlowRecord(
        tuple: flow.tuple, device: flow.device.address, reason: decision.reason,
        rule: decision.rule, policy: policy, host: flow.host, application: flow.application,
        packets: flow.packets, passedAnyway: !decision.isAllowed && enforcement != .enforce,
        isContinuation: flow.isRecorded, isConnection: !isForRouter))
    flow.isRecorded = true
    flow.recordedHost = flow.host
    flow.recordedRule = decision.rule
  }

  /// Forgets every flow; what is held is dropped.
  ///
  /// To be called before the packets' batch goes: a held packet refers to it.
  public func forgetAll() {
    for flow in flows.all(where: { _ in true }) { forget(flow) }
    quicFlows.removeAll()
  }

  /// Forgets a flow; what it holds is dropped.
  func forget(_ flow: TCPFlow) {
    abandon(flow)
    flows.remove(flow.tuple)
  }

  /// Drops what a flow holds; it is none of its device's that visit any longer.
  func abandon(_ flow: TCPFlow) {
    let count = flow.held.settleAll(.drop, last: .drop)
    heldPackets -= count
    flow.device.heldPackets -= count
    stopHolding(flow)
    endReply(flow)
    flow.device.remove(flow)
  }

  /// Puts a flow at the end of the list of those that hold packets.
  func startHolding(_ flow: TCPFlow, _ now: Instant) {
    guard !flow.isHolding else { return }
    flow.isHolding = true
    flow.deadline = now + limits.holdTime
    flow.previousHolding = lastHolding
    lastHolding?.nextHolding = flow
    lastHolding = flow
    if firstHolding == nil { firstHolding = flow }
  }

  func stopHolding(_ flow: TCPFlow) {
    guard flow.isHolding else { return }
    flow.isHolding = false
    if let previous = flow.previousHolding {
      previous.nextHolding = flow.nextHolding
    } else {
      firstHolding = flow.nextHolding
    }
    if let next = flow.nextHolding {
      next.previousHolding = flow.previousHolding
    } else {
      lastHolding = flow.previousHolding
    }
    flow.previousHolding = nil
    flow.nextHolding = nil
  }
}
