internal import Arguments
internal import Configuration
internal import Firewall
internal import Netfilter
internal import System
internal import Usage
internal import Wire

// The box around the gateway: interfaces, kernel settings, the firewall's rules, the queues.
extension Gateway {
  /// Seconds between two looks at the rules: what somebody flushed is back within 15.
  static let checkInterval: Int64 = 10

  /// Refuses to start on a box whose interfaces are not as the configuration says.
  func checkInterfaces() throws(Failure) {
    let all: [Interface]
    do throws(SystemError) { all = try Interfaces.all() } catch { throw Failure(error) }
    let problems = configuration.problems(
      with: all.map { $0.name }, open: Self.openInterfaces(among: all))
    guard let first = problems.first else { return }
    throw Failure(.badInput, "\(paths.configuration): \(first)")
  }

  /// The interfaces by which packets may go from one network to another.
  private static func openInterfaces(among all: [Interface]) -> [String] {
    all.filter { $0.isUp && $0.name != "lo" && !isBridgePort($0.name) && forwards($0.name) }
      .map { $0.name }
  }

  // A port of a bridge forwards nothing by itself; the bridge does.
  private static func isBridgePort(_ name: String) -> Bool {
    Directory.exists("/sys/class/net/\(name)/brport")
  }

  private static func forwards(_ name: String) -> Bool {
    for family in ["ipv4", "ipv6"] {
      let path = "/proc/sys/net/\(family)/conf/\(name)/forwarding"
      if let bytes = try? File.read(path, limit: 16), bytes.first == UInt8(ascii: "1") {
        return true
      }
    }
    return false
  }

  /// Learns the LAN's interface numbers and prefixes, which may change while we run.
  func refreshInterfaces() {
    let all: [Interface]
    do throws(SystemError) { all = try Interfaces.all() } catch {
      // What was known stays: without an interface, everything would look like coming from outside.
      log(.error, limit: "interfaces", error.description)
      return
    }
    interfaceProblems = configuration.problems(
      with: all.map { $0.name }, open: Self.openInterfaces(among: all))
    for problem in interfaceProblems {
      log(.error, limit: "interface", every: .seconds(600), problem)
    }
    let ours = all.filter { configuration.lan.contains($0.name) }
    let newLAN = InterfaceSet(ours.map { $0.index })
    var newPrefixes: [IPPrefix] = []
    switch configuration.prefixes {
    case .list(let list): newPrefixes = list
    case .auto: for interface in ours { newPrefixes += interface.prefixes }
    }
    guard newLAN != lan || newPrefixes != prefixes else { return }
    lan = newLAN
    prefixes = newPrefixes
    for worker in allWorkers { worker.tell(.lan(newLAN, newPrefixes)) }
    if prefixes.isEmpty {
      let names = configuration.lan.joined(separator: ", ")
      log(.warning, "\(names) has no address: foreign sources are not recognised until it has one")
    }
  }

  /// The trusted resolvers: the router's own addresses, or those that are listed.
  var resolvers: [IPAddress] {
    switch configuration.resolver {
    case .list(let list): return list
    case .router:
      var servers = [IPAddress(ipv4: 0x7f00_0001)]
      let all = (try? Interfaces.all()) ?? []
      for interface in all where configuration.lan.contains(interface.name) {
        if let first = interface.addresses.first { servers.append(first.address) }
      }
      return servers
    }
  }

  /// Sets what the kernel must do for us; without root, what is missing is said.
  func applyKernelSettings(saysProblems: Bool) {
    let record = KernelSettingsRecord.path(store: storePath)
    if let directory = Path.directory(of: record) { try? Directory.make(directory) }
    do throws(SystemError) {
      let outcome = try KernelSettings().apply(record: record)
      for change in outcome.changes {
        log(.notice, "\(change.name) set to \(change.new) (was \(change.old))")
      }
      for problem in outcome.problems where saysProblems { log(.warning, problem.text) }
    } catch {
      log(.warning, "\(record): \(error.description); kernel settings stay as they are")
    }
  }

  /// Says what of other people's rules works against the gateway, and what to do about it.
  func warnOfHazards() {
    do throws(FirewallError) {
      for hazard in try firewall.hazards() { log(.warning, hazard.text) }
    } catch {
      log(.warning, error.text)
    }
  }

  /// Looks, every ten seconds, whether the rules are in place, an interface has changed, and the
  /// queues keep up.
  func lookAfterTheBox() {
    refreshInterfaces()
    sampleHealth()
    readLeases()
    let problems: [Mismatch]
    do throws(FirewallError) {
      problems = try firewall.verify()
    } catch {
      log(.error, limit: "verify", error.text)
      return
    }
    firewallProblems = problems.filter { !$0.canRepair }.map { $0.text }
    for problem in firewallProblems {
      log(.error, limit: "firewall", every: .seconds(600), problem)
    }
    let repairable = problems.filter { $0.canRepair }
    guard !repairable.isEmpty else { return }
    do throws(FirewallError) {
      _ = try firewall.repair()
    } catch {
      firewallProblems += repairable.map { $0.text }
      log(.error, limit: "repair", error.text)
      return
    }
    cutUnjudged()
    counts.repairs += 1
    let now = WallTime.now.seconds
    ledger.enter(
      GatewayEvent(
        .firewallGap, at: now - Self.checkInterval, until: now, count: UInt64(repairable.count),
        detail: repairable[0].text))
    for problem in repairable { log(.warning, "put back: \(problem.text)") }
  }

  /// Adds what the queues have seen since the last sample.
  func sampleHealth() {
    var sample = QueueHealth()
    let all = (try? QueueStatistics.readAll()) ?? []
    for now in all where allWorkers.contains(where: { $0.number == now.queue }) {
      let before = health.first { $0.queue == now.queue }
      sample.packetsQueued += UInt64(now.idSequence &- (before?.idSequence ?? 0))
      sample.queueDropped += now.droppedQueueFull &- (before?.droppedQueueFull ?? 0)
      sample.userDropped += now.droppedSocketFull &- (before?.droppedSocketFull ?? 0)
      health.removeAll { $0.queue == now.queue }
      health.append(now)
    }
    var totals = QueueHealth()
    for worker in allWorkers {
      let figures = worker.figures
      totals.overruns += figures.overruns
      totals.failures += figures.forgottenPackets
    }
    totals.conntrackOverruns = conntrack.overruns
    totals.seconds = Instant.now.since(started).wholeSeconds
    sample.overruns = totals.overruns &- healthTotals.overruns
    sample.failures = totals.failures &- healthTotals.failures
    sample.conntrackOverruns = totals.conntrackOverruns &- healthTotals.conntrackOverruns
    sample.seconds = totals.seconds &- healthTotals.seconds
    healthTotals = totals
    if !sample.isZero { ledger.enter(sample, at: .now) }
  }
}
