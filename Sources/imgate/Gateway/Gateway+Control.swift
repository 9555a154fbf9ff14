internal import Arguments
internal import Control
internal import Devices
internal import Firewall
internal import Names
internal import Policy
internal import System
internal import Usage
internal import Wire

// What other commands ask over the control socket.
extension Gateway {
  /// Answers one request.
  func answer(_ request: ControlRequest) -> ControlReply {
    switch request {
    case .status(let json):
      drain()
      sampleHealth()
      let status = GatewayStatus(self)
      return .ok(json ? status.json : status.text)
    case .addresses(let json): return .ok(addresses(json: json))
    case .rows(let from, let to): return rows(from: from, to: to)
    case .reload: return answerReload()
    case .pause(let seconds, let device): return answerPause(seconds, device)
    case .resume:
      do throws(SystemError) { try resume() } catch {
        return .failure(
          3,
          "the rules are enforced again, but the next start would take the pause up: "
            + "can't remove \(paths.runtimeDirectory)/pauses: \(error.description)")
      }
      return .ok("the rules are enforced again\n")
    case .verifyFirewall: return verifyFirewall()
    }
  }

  private func rows(from: Int64, to: Int64) -> ControlReply {
    creditLive()
    sampleHealth()
    readLeases()
    for (device, name) in names.known { ledger.name(device, name) }
    let all = ledger.counters.snapshot(generation: store?.generation ?? 0)
    var wanted = UsageSnapshot(generation: all.generation)
    if from < to { wanted.merge(all, within: from..<to) }
    return .ok(UsageLines.encode(wanted))
  }

  private func answerReload() -> ControlReply {
    switch reload() {
    case .failure(let error):
      return .failure(
        error.status == .badInput ? 1 : 3, "the old rules stay in force",
        body: Array(error.text.utf8))
    case .done(let changed, let cut):
      let connections = cut == 1 ? "1 live connection" : "\(cut) live connections"
      return .ok(
        changed ? "rules changed; \(connections) cut\n" : "the rules are the same as before\n")
    }
  }

  private func answerPause(_ seconds: UInt64, _ who: String?) -> ControlReply {
    var device: MACAddress?
    if let who {
      guard let found = find(who) else {
        return .failure(1, "no device '\(who)' is known: give a MAC address, an address or a label")
      }
      device = found
    }
    do throws(SystemError) { try pause(device, seconds: seconds) } catch {
      return .failure(
        3, "nothing is paused: can't write \(paths.runtimeDirectory)/pauses: \(error.description)")
    }
    let now = WallTime.now
    let end = LocalClock(WallTime(seconds: now.seconds + Int64(clamping: seconds)))
    let subject = who ?? "everything"
    return .ok("\(subject) passes until \(end.text(seenAt: now)); 'imgate resume' ends it sooner\n")
  }

  /// A device by hardware address, label, lease name or current address.
  private func find(_ text: String) -> MACAddress? {
    if let address = MACAddress(text) { return address }
    readLeases()
    for (device, name) in policy.labels + names.known where name == text { return device }
    guard let address = IPAddress(text) else { return nil }
    for connection in ledger.connections.values where connection.key.client == address {
      return connection.subject.device
    }
    return nil
  }

  private func verifyFirewall() -> ControlReply {
    do throws(FirewallError) {
      let problems = try firewall.verify()
      if problems.isEmpty { return .ok("the firewall's rules are in place\n") }
      var text = ""
      for problem in problems { text += problem.text + "\n" }
      return .failure(1, "the firewall's rules are not as they should be", body: Array(text.utf8))
    } catch {
      return .failure(3, error.text)
    }
  }

  private func addresses(json: Bool) -> String {
    let now = Instant.now
    var lines = JSONLines()
    var text = ""
    for entry in learned.entries(now: now) {
      let rules = policy.rules(allowing: entry.name).map { $0.name }
      let left = entry.expiry.since(now).wholeSeconds
      if json {
        lines.begin("address")
        lines.add("address", entry.address.text)
        lines.add("host", entry.name.text)
        lines.add("source", entry.source.rawValue)
        lines.add("expiresIn", left)
        lines.add("rules", rules)
        lines.end()
      } else {
        text +=
          "\(entry.address.text) \(entry.name.text) \(entry.source.rawValue) \(left) "
          + (rules.isEmpty ? "-" : rules.joined(separator: ", ")) + "\n"
      }
    }
    return json ? lines.text : text
  }
}
