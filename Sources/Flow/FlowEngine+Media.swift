internal import Policy
internal import System
internal import Wire

// Chat media whose servers' addresses travel encrypted. Its bytes could be forged, so such a flow
// needs a live chat connection of the same device, is watched for life, and spends a budget.
extension FlowEngine {
  /// Admits a flow that `decision` allows if somebody vouches for it.
  ///
  /// Once it has begun it may finish, also when the chat connection ends before.
  func admitMedia(_ flow: TCPFlow, _ decision: Decision) -> Outcome {
    if flow.isMedia { return .allowed }
    guard companions.vouch(for: flow.device.address, decision.vouchers) else {
      return .denied(Decision(reason: .noCompanion, rule: decision.rule))
    }
    flow.needDetails().isMedia = true
    // What has come already; each packet is counted when it comes from now on.
    guard isWithinBudget(flow, flow.highest - flow.judgedEnd) else {
      return .denied(Decision(reason: .mediaBudget, rule: decision.rule))
    }
    return .allowed
  }

  /// Spends bytes of the device's budget of the day; false when it is used up.
  ///
  /// Copies count too: to a server that listens for them they would be more bytes.
  func isWithinBudget(_ flow: TCPFlow, _ bytes: Int) -> Bool {
    companions.spend(UInt64(bytes), by: flow.device.address) <= policy.mediaBudget
  }

  /// The rule of a media flow by today's rules, which may have changed since it began.
  func mediaRule(_ flow: TCPFlow, _ now: Instant) -> RuleID {
    policy.decide(nameless: subject(of: flow), pattern: nil, learned: learned, now: now).rule
  }
}
