internal import Arguments
internal import Configuration
internal import Devices
internal import Firewall
internal import Flow
internal import Names
internal import Netfilter
internal import Policy
internal import System
internal import Usage
internal import Wire

/// What `imgate status` shows: the gateway's live figures at one moment.
struct GatewayStatus {
  private let gateway: Gateway
  private let uptime: UInt64
  private let queues: [QueueStatistics]
  private let figures: [WorkerFigures]
  /// What the kernel and the worker say of each queue that both know.
  private let pairs: [(queue: QueueStatistics, figures: WorkerFigures)]

  init(_ gateway: Gateway) {
    self.gateway = gateway
    uptime = Instant.now.since(gateway.started).wholeSeconds
    queues = ((try? QueueStatistics.readAll()) ?? []).filter { queue in
      gateway.allWorkers.contains { $0.number == queue.queue }
    }
    figures = gateway.allWorkers.map { $0.figures }
    // By number: the kernel lists its queues in the order of a hash.
    var pairs: [(queue: QueueStatistics, figures: WorkerFigures)] = []
    for (worker, figures) in zip(gateway.allWorkers, figures) {
      for queue in queues where queue.queue == worker.number { pairs.append((queue, figures)) }
    }
    self.pairs = pairs
  }

  private var mode: String {
    if let end = gateway.pauses.all { return "paused until \(LocalClock(end).text(seenAt: .now))" }
    if gateway.policy.mode == .audit { return "audit (everything passes, refusals are only noted)" }
    return "enforcing"
  }

  /// How chat media may pass, and who vouches for it.
  private var media: String {
    let policy = gateway.policy
    switch policy.media {
    case .companion:
      let chats = gateway.companions.liveCount
      return
        "\(chats) live chat \(chats == 1 ? "connection vouches" : "connections vouch") for it, "
        + "\(Self.megabytes(policy.mediaBudget)) a device and day"
    case .bound: return "to known addresses only"
    case .off: return "off"
    }
  }

  /// What devices have moved of media, the most first.
  private var spent: [(device: MACAddress, bytes: UInt64)] {
    gateway.companions.spentToday.map { (device: $0.key, bytes: $0.value) }.ordered {
      ($1.bytes, $0.device) < ($0.bytes, $1.device)
    }
  }

  private static func megabytes(_ bytes: UInt64) -> String {
    "\(bytes / 1_000_000).\(bytes / 100_000 % 10) MB"
  }

  private var ahead: (known: Int, all: Int) {
    (gateway.resolver?.ahead.knownCount ?? 0, gateway.resolver?.ahead.count ?? 0)
  }
  private var visits: UInt64 { figures.reduce(0) { $0 + $1.flows.packets } }
  private var flows: Int { figures.reduce(0) { $0 + $1.flowCount } }
  private var held: Int { figures.reduce(0) { $0 + $1.heldPackets } }
  private var dropped: UInt64 {
    queues.reduce(0) { $0 + $1.droppedQueueFull + $1.droppedSocketFull }
  }

  /// For a person.
  var text: String {
    var lines: [(String, String)] = []
    lines.append(("state", "\(mode), up \(Instant.Span.seconds(uptime).text)"))
    for (device, end) in gateway.pauses.devices {
      lines.append(
        ("", "\(gateway.names.name(device)) is paused until \(LocalClock(end).text(seenAt: .now))"))
    }
    let rules =
      gateway.counts.reloads == 0 ? "as at start" : "read again \(gateway.counts.reloads) times"
    lines.append(
      ("rules", "\(gateway.paths.rules), binding \(gateway.policy.binding.rawValue), \(rules)"))
    lines.append(("firewall", "\(gateway.firewall.name), put back \(gateway.counts.repairs) times"))
    for problem in gateway.firewallProblems + gateway.interfaceProblems {
      lines.append(("", problem))
    }
    lines.append(
      (
        "flows",
        "\(gateway.counts.allowed) allowed, \(gateway.counts.denied) refused, "
          + "\(gateway.counts.cut) cut by new rules"
      ))
    lines.append(
      (
        "live",
        "\(gateway.ledger.connectionCount) allowed connections, \(flows) flows visiting, "
          + "\(held) packets held"
      ))
    lines.append(("media", media))
    for (device, bytes) in spent.prefix(10) {
      lines.append(
        ("", "\(gateway.names.name(device)) has moved \(Self.megabytes(bytes)) of it today"))
    }
    lines.append(("queues", "\(visits) packets looked at, \(dropped) dropped unseen"))
    for (queue, figures) in pairs {
      lines.append(
        (
          "",
          (queue.queue == gateway.door.number ? "questions" : "queue \(queue.queue)")
            + ": \(figures.flows.packets) looked at, \(queue.waiting) waiting, "
            + "\(queue.droppedQueueFull + queue.droppedSocketFull) dropped, "
            + "\(figures.overruns) overruns"
        ))
    }
    let spoofed = figures.reduce(0) { $0 + $1.flows.spoofedPackets }
    let malformed = figures.reduce(0) { $0 + $1.flows.malformedPackets }
    let ignored = figures.reduce(0) { $0 + $1.flows.ignoredPackets }
    lines.append(
      (
        "packets",
        "\(malformed) malformed, \(spoofed) with a foreign source, \(ignored) that a server would ignore"
      ))
    lines.append(
      (
        "addresses",
        "\(gateway.learned.count) learned, \(gateway.counts.lookups) names looked up for clients, "
          + "\(ahead.known) of \(ahead.all) ahead"
      ))
    lines.append(
      ("store", "\(gateway.storePath), \(gateway.ledger.counters.rowCount) rows not yet written"))
    if let problem = gateway.storeProblem { lines.append(("", problem)) }
    var text = ""
    for (name, value) in lines {
      text += name + String(repeating: " ", count: 11 - name.utf8.count) + value + "\n"
    }
    return text
  }

  /// One object a line: the gateway, then its queues.
  var json: String {
    var lines = JSONLines()
    lines.begin("gateway")
    lines.add("version", Version.text)
    lines.add("state", gateway.pauses.all != nil ? "paused" : gateway.policy.mode.rawValue)
    lines.add("uptime", uptime)
    lines.add("rules", gateway.paths.rules)
    lines.add("firewall", gateway.firewall.name)
    lines.add("repairs", gateway.counts.repairs)
    lines.add("reloads", gateway.counts.reloads)
    lines.add("allowed", gateway.counts.allowed)
    lines.add("refused", gateway.counts.denied)
    lines.add("cut", gateway.counts.cut)
    lines.add("connections", UInt64(gateway.ledger.connectionCount))
    lines.add("flows", UInt64(flows))
    lines.add("held", UInt64(held))
    lines.add("packets", visits)
    lines.add("dropped", dropped)
    lines.add("chats", UInt64(gateway.companions.liveCount))
    lines.add("mediaBudget", gateway.policy.mediaBudget)
    lines.add("learned", UInt64(gateway.learned.count))
    lines.add("lookups", gateway.counts.lookups)
    lines.add("namesAhead", UInt64(ahead.all))
    lines.add("namesKnown", UInt64(ahead.known))
    lines.add("unwritten", UInt64(gateway.ledger.counters.rowCount))
    lines.add("storeProblem", gateway.storeProblem)
    lines.add("problems", gateway.firewallProblems + gateway.interfaceProblems)
    lines.end()
    for (queue, figures) in pairs {
      lines.begin("queue")
      lines.add("queue", UInt64(queue.queue))
      lines.add("packets", figures.flows.packets)
      lines.add("waiting", UInt64(queue.waiting))
      lines.add("queueDropped", queue.droppedQueueFull)
      lines.add("userDropped", queue.droppedSocketFull)
      lines.add("overruns", figures.overruns)
      lines.add("held", UInt64(figures.heldPackets))
      lines.add("flows", UInt64(figures.flowCount))
      lines.end()
    }
    for (device, bytes) in spent {
      lines.begin("media")
      lines.add("mac", device == .unknown ? nil : device.text)
      lines.add("device", gateway.names.name(device))
      lines.add("spent", bytes)
      lines.end()
    }
    return lines.text
  }
}
