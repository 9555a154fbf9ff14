internal import Arguments
internal import Devices
internal import Firewall
internal import Flow
internal import Netfilter
internal import Policy
internal import System
internal import Usage
internal import Wire
internal import YAML

// Rules and pauses.
extension Gateway {
  /// How a reload went.
  enum ReloadOutcome {
    case done(changed: Bool, cut: Int)
    case failure(Failure)
  }

  /// Reads the rules again and puts them in force, if all of them are good; live connections that
  /// they don't allow are cut.
  func reload() -> ReloadOutcome {
    let new: Policy
    do throws(Failure) {
      new = try Inputs.policy(paths)
    } catch {
      ledger.enter(GatewayEvent(.rulesRefused, at: WallTime.now.seconds))
      return .failure(error)
    }
    counts.reloads += 1
    let changed = new.digest != policy.digest
    policy = new
    for warning in new.warnings { log(.warning, warning.text) }
    for worker in allWorkers { worker.tell(.policy(new)) }
    resolver?.policy = new
    resolver?.lookAhead()
    tellEnforcement()
    updateClosing()
    drain()
    let unwanted = judgeLive()
    cut(unwanted)
    rewriteJournal()
    if changed {
      ledger.enter(
        GatewayEvent(.rulesChanged, at: WallTime.now.seconds, count: UInt64(unwanted.count)))
    }
    log(
      .notice,
      "rules read again: \(changed ? "changed" : "unchanged"), \(unwanted.count) live connections cut"
    )
    return .done(changed: changed, cut: unwanted.count)
  }

  /// In audit the last chain lets through what was not refused; back in enforcement, only what was
  /// allowed.
  private func updateClosing() {
    do throws(Failure) {
      let plan = try FirewallPlan.of(configuration, mode: policy.mode)
      guard plan.closing != firewall.plan.closing else { return }
      do throws(FirewallError) {
        try firewall.update(closing: plan.closing)
      } catch {
        throw Failure(error)
      }
    } catch {
      log(.error, error.text)
    }
  }

  /// Tells the workers whether to enforce.
  func tellEnforcement() {
    let enforcement: Enforcement =
      pauses.all != nil ? .pause : policy.mode == .audit ? .audit : .enforce
    let devices = Set(pauses.devices.keys)
    for worker in allWorkers {
      worker.tell(.enforcement(enforcement))
      worker.tell(.pausedDevices(devices))
    }
  }

  /// Lets everything of `device`, or of all, pass for `seconds`.
  func pause(_ device: MACAddress?, seconds: UInt64) throws(SystemError) {
    let now = WallTime.now
    let end = WallTime(seconds: now.seconds + Int64(clamping: seconds))
    try pauses.begin(device, until: end)
    let who = device.map { names.name($0) } ?? ""
    ledger.enter(GatewayEvent(.paused, at: now.seconds, until: end.seconds, detail: who))
    tellEnforcement()
    log(
      .notice,
      "paused\(who.isEmpty ? "" : " for \(who)") until \(LocalClock(end).text(seenAt: now))")
  }

  /// Ends every pause, also when this throws (see `Pauses.endAll`): what they let through is judged.
  func resume() throws(SystemError) {
    defer { endPauses() }
    try pauses.endAll()
  }

  /// Ends the pauses whose time is over.
  func checkPauses() {
    guard !pauses.isEmpty, pauses.expire(now: .now) else { return }
    endPauses()
  }

  /// Whether a connection passed only because of a pause, or in spite of its reason, and nothing lets
  /// it pass any longer.
  func isLeftOver(_ connection: Ledger.Connection) -> Bool {
    guard connection.reason == .paused || !connection.reason.isAllow else { return false }
    return policy.mode == .enforce && !isPaused(connection.subject.device)
  }

  /// Whether everything of this device passes now.
  func isPaused(_ device: MACAddress) -> Bool {
    pauses.all != nil || pauses.devices[device] != nil
  }

  /// Judges by today's rules every live connection that was judged by others or by none, and gives
  /// those to cut; what a pause lets through waits until the pause is over.
  private func judgeLive() -> [FiveTuple] {
    guard policy.mode == .enforce else { return [] }
    let time = WallTime.now
    var unwanted: [FiveTuple] = []
    for (tuple, connection) in ledger.connections
    where connection.policy !== policy || isLeftOver(connection) {
      if isPaused(connection.subject.device) { continue }
      if !ledger.judgeAgain(tuple, by: policy, at: time) { unwanted.append(tuple) }
    }
    return unwanted
  }

  private func endPauses() {
    tellEnforcement()
    drain()
    let unwanted = judgeLive()
    cut(unwanted)
    log(.notice, "pause ended, \(unwanted.count) live connections cut")
  }
}
