internal import Arguments
internal import Configuration
internal import Devices
internal import Flow
internal import Names
internal import Netfilter
internal import Policy
internal import Queue
internal import System
internal import Usage
internal import Wire

// Records, bytes, and the store.
extension Gateway {
  /// Takes what the workers have decided.
  func drain() {
    let time = WallTime.now
    var journaled: [ConnectionJournal.Entry] = []
    for worker in allWorkers {
      let report = worker.takeReport()
      for record in report.records { enter(record, time, &journaled) }
      for name in report.lookups {
        counts.lookups += 1
        resolver?.ask(name)
      }
    }
    if !journaled.isEmpty { journal.append(journaled) }
    if journal.isFull { rewriteJournal() }
  }

  private func enter(
    _ record: FlowRecord, _ time: WallTime, _ journaled: inout [ConnectionJournal.Entry]
  ) {
    ledger.enter(record, at: time)
    if record.reason.isAllow { counts.allowed += 1 } else { counts.denied += 1 }
    log(record)
    guard record.isConnection, record.reason.isAllow || record.passedAnyway,
      let connection = ledger.connections[record.tuple]
    else { return }
    // Decided by the old rules while the new ones were on their way, or let through while the end of
    // a pause or audit was.
    let isLate = record.policy !== policy || isLeftOver(connection)
    if isLate, policy.mode == .enforce, !isPaused(record.device),
      !ledger.judgeAgain(record.tuple, by: policy, at: time)
    {
      cut([record.tuple])
      return
    }
    journaled.append(ConnectionJournal.Entry(record.tuple, connection))
  }

  /// Takes the reports of connections that have ended.
  func receiveEnds() {
    // First what the workers have allowed: an end must find its connection.
    drain()
    let time = WallTime.now
    do throws(NetfilterError) {
      _ = try conntrack.receive { entry in
        if ledger.close(entry.original, UsageCounts(entry), id: entry.id, at: time) {
          companions.ended(entry.original)
        }
      }
    } catch {
      log(.error, limit: "conntrack", error.description)
    }
  }

  /// Once a minute: bytes of live connections, and names whose time is over.
  func keepBooks() {
    creditLive()
    learned.expire(now: .now)
  }

  /// Credits the bytes of live connections.
  func creditLive() {
    // Who vouches now has its record with the worker, or in the books already.
    let vouching = companions.liveTuples
    drain()
    let time = WallTime.now
    var live: Set<FiveTuple> = []
    var uncut: [FiveTuple] = []
    do throws(NetfilterError) {
      let dump = try conntrack.dump { entry in
        live.insert(entry.original)
        if credit(entry, at: time) { uncut.append(entry.original) }
      }
      // A dump that was interrupted may lack entries: nothing is concluded from it.
      if !dump.isInterrupted {
        ledger.keepOnly(live, at: time)
        for tuple in vouching where ledger.connections[tuple]?.vouches != true {
          companions.ended(tuple)
        }
      }
    } catch {
      log(.error, limit: "dump", error.description)
    }
    cut(uncut)
    spendMedia(at: time)
  }

  /// Credits what conntrack lists; true when it is to be cut yet: it was cut before the kernel had
  /// its entry.
  func credit(_ entry: ConntrackEntry, at time: WallTime) -> Bool {
    ledger.credit(entry.original, UsageCounts(entry), id: entry.id, at: time)
    let state = mask.state(of: entry.mark)
    guard state == .allowed || state == .watched,
      let connection = ledger.connections[entry.original]
    else { return false }
    if connection.isCut { return true }
    if entry.isClosing {
      companions.ended(entry.original)
    } else if connection.vouches, entry.packetsDown > 0 {
      // Handed over and answered: it vouches, also when this run has not judged it.
      companions.began(
        entry.original, device: connection.subject.device, service: connection.service,
        application: connection.subject.application)
    }
    return false
  }

  private func log(_ record: FlowRecord) {
    let wanted = configuration.log.flows
    guard wanted == .all || (wanted == .denied && !record.reason.isAllow) else { return }
    // A flood of flows must not become a flood of lines.
    guard counts.loggedFlows < 100 else {
      counts.unloggedFlows += 1
      return
    }
    counts.loggedFlows += 1
    var target = UsageKey.target(
      record.tuple.destination, port: record.tuple.destinationPort, proto: record.tuple.proto)
    if let host = record.host { target = "\(host.text) (\(target))" }
    let verdict = record.reason.isAllow ? "allowed" : "denied"
    let rule = record.rule == .none ? "" : ", \(record.policy.rule(record.rule).name)"
    log(
      .info,
      "\(verdict) \(names.name(record.device, record.tuple.source)) -> \(target): "
        + "\(record.reason.name)\(rule)")
  }

  /// Every ten seconds a hundred lines about flows may be written again.
  func allowFlowLines() {
    if counts.unloggedFlows > 0 {
      log(.info, "and \(counts.unloggedFlows) more flows; the report counts them all")
    }
    counts.loggedFlows = 0
    counts.unloggedFlows = 0
  }

  // MARK: The store

  /// Opens the store; without it the gateway judges on and keeps the figures in memory.
  func openStore() {
    let path = storePath
    if let directory = Path.directory(of: path) { try? Directory.make(directory) }
    do throws(UsageStoreError) {
      let store = try UsageStore(path, now: .now)
      self.store = store
      storeProblem = nil
      if let aside = store.setAside {
        log(.error, "the usage store \(path) was damaged; it was set aside as \(aside)")
        ledger.enter(GatewayEvent(.storeDamaged, at: WallTime.now.seconds, detail: aside))
      }
    } catch {
      complain(error)
    }
  }

  /// Where the store is: the command line, or the configuration, says it.
  var storePath: String { paths.state ?? configuration.store.path }

  /// Writes what has been counted since the last time.
  func write() {
    // It lies beside the store, but does not need it.
    saveLearned()
    creditLive()
    sampleHealth()
    readLeases()
    for (device, name) in names.known { ledger.name(device, name) }
    if store == nil { openStore() }
    guard let store else { return }
    let snapshot = ledger.counters.snapshot(generation: store.generation)
    guard !snapshot.isEmpty else { return }
    do throws(UsageStoreError) {
      try store.add(snapshot)
      markWritten()
    } catch {
      complain(error)
      if error.kind == .damaged { startStoreOver(store) }
    }
  }

  private func startStoreOver(_ store: UsageStore) {
    do throws(UsageStoreError) {
      let aside = try store.startOver(now: .now)
      ledger.enter(GatewayEvent(.storeDamaged, at: WallTime.now.seconds, detail: aside))
      try store.add(ledger.counters.snapshot(generation: store.generation))
      markWritten()
    } catch {
      complain(error)
    }
  }

  private func markWritten() {
    ledger.markWritten(at: .now)
    storeProblem = nil
    // Those of an earlier run are among what was written. Should the file stay, they count twice.
    try? File.remove(unwrittenPath)
  }

  // In the runtime directory, which is memory on a router: there is room when the disk is full.
  private var unwrittenPath: String { paths.runtimeDirectory + "/unwritten" }

  /// Keeps, at the gateway's end, the figures that the store did not take, for the next start.
  func keepUnwritten() {
    let snapshot = ledger.counters.snapshot(generation: 0)
    guard !snapshot.isEmpty else { return }
    do throws(SystemError) {
      try File.replace(unwrittenPath, with: UsageLines.encode(snapshot), mode: 0o600)
      log(
        .warning,
        "\(snapshot.rows.count) rows of figures that could not be written wait in \(unwrittenPath)")
    } catch {
      log(
        .error,
        "\(snapshot.rows.count) rows of figures are lost: \(unwrittenPath): \(error.description)")
    }
  }

  /// Takes up the figures that an earlier run could not write.
  func takeUpUnwritten() {
    guard let bytes = try? File.read(unwrittenPath, limit: 64 << 20) else { return }
    guard let snapshot = UsageLines.decode(bytes) else {
      log(.error, "\(unwrittenPath) is damaged: the figures of an earlier run are lost")
      ledger.enter(
        GatewayEvent(.dataLost, at: WallTime.now.seconds, detail: "figures of an earlier run"))
      return
    }
    ledger.takeUp(snapshot)
    log(.notice, "\(snapshot.rows.count) rows of figures of an earlier run are taken up")
  }

  private func complain(_ error: UsageStoreError) {
    counts.failedWrites += 1
    storeProblem = error.text
    log(.error, limit: "store", every: .seconds(600), error.text + "; figures stay in memory")
  }

  /// Drops what has grown old.
  func expireStore() {
    guard let store else { return }
    do throws(UsageStoreError) {
      try store.expire(
        now: .now,
        Retention(
          hours: Int(configuration.store.hours / 86_400),
          days: Int(configuration.store.days / 86_400)))
    } catch {
      complain(error)
    }
  }

  /// Reads the names that the DHCP server knows.
  func readLeases() {
    names = DeviceNames(labels: policy.labels)
    for path in leasePaths {
      guard let bytes = try? File.read(path, limit: 4 << 20) else { continue }
      names.readLeases(bytes)
    }
  }

  private var leasePaths: [String] {
    switch configuration.leases {
    case .auto: ["/var/lib/misc/dnsmasq.leases", "/tmp/dhcp.leases"]
    case .path(let path): [path]
    }
  }

  // MARK: Over a restart

  private var learnedPath: String {
    (Path.directory(of: storePath) ?? ".") + "/learned"
  }

  /// Keeps the learned addresses for the next start.
  func saveLearned() {
    let bytes = learned.serialised(now: .now, wall: .now)
    do throws(SystemError) {
      try File.replace(learnedPath, with: bytes, mode: 0o640)
    } catch {
      log(.warning, limit: "learned", every: .seconds(600), "\(learnedPath): \(error.description)")
    }
  }

  /// Takes up the addresses that an earlier run has learned.
  func restoreLearned() {
    guard let bytes = try? File.read(learnedPath, limit: 8 << 20) else { return }
    learned.restore(from: bytes, now: .now, wall: .now)
  }

  /// Takes up the connections that an earlier run has allowed; those that today's rules don't allow
  /// are cut.
  func adoptConnections() {
    let (digest, entries) = journal.read()
    var known: [FiveTuple: ConnectionJournal.Entry] = [:]
    for entry in entries { known[entry.tuple] = entry }
    var unwanted: [FiveTuple] = []
    var vouching: [ConntrackEntry] = []
    let rulesAreTheSame = digest == nil || digest == policy.digest
    let time = WallTime.now
    do throws(NetfilterError) {
      _ = try conntrack.dump(mask: mask) { entry in
        switch mask.state(of: entry.mark) {
        case .allowed, .watched, .awaiting, .watchedBothWays: break
        case .unknown, .denied, .opened, .cut: return
        }
        if let old = known[entry.original] {
          ledger.adopt(
            entry.original, UsageCounts(entry), old.subject, old.reason, rule: old.feature,
            policy: nil, id: entry.id, at: time)
          // What a pause lets through waits until the pause is over.
          if policy.mode == .enforce, !isPaused(old.subject.device),
            !ledger.judgeAgain(entry.original, by: policy, at: time)
          {
            unwanted.append(entry.original)
          } else if old.subject.application.isNameless {
            vouching.append(entry)
          }
        } else if rulesAreTheSame || policy.mode == .audit {
          let subject = Subject(
            application: .unknown, host: nil, address: entry.original.destination,
            port: entry.original.destinationPort,
            transport: Transport(entry.original.proto, .unknown), device: .unknown)
          ledger.adopt(
            entry.original, UsageCounts(entry), subject, .beforeRestart, policy: policy,
            id: entry.id, at: time)
        } else {
          unwanted.append(entry.original)
        }
      }
    } catch {
      log(.error, error.description)
    }
    cut(unwanted)
    for entry in vouching where ledger.connections[entry.original]?.vouches == true {
      _ = credit(entry, at: time)
    }
    if ledger.connectionCount > 0 {
      log(.notice, "\(ledger.connectionCount) connections from before the restart go on")
    }
    rewriteJournal()
  }

  /// Cuts the TCP connections of the LAN that nobody has judged: those from before the firewall's
  /// rules, or from a gap in them.
  ///
  /// Their next packet would be refused in any case. But a SYN on one of them would pass for the
  /// first of a new connection, and that one's first byte for where the server counts from.
  func cutUnjudged() {
    var unjudged: [FiveTuple] = []
    do throws(NetfilterError) {
      try conntrack.dump(mask: mask, state: .unknown) { entry in
        let source = entry.original.source
        guard entry.original.proto == .tcp else { return }
        guard prefixes.isEmpty || prefixes.contains(where: { $0.contains(source) }) else { return }
        unjudged.append(entry.original)
      }
    } catch {
      log(.error, error.description)
    }
    mark(unjudged, .cut)
  }

  /// Writes the journal anew with what is live.
  func rewriteJournal() {
    var entries: [ConnectionJournal.Entry] = []
    for (tuple, connection) in ledger.connections {
      entries.append(ConnectionJournal.Entry(tuple, connection))
    }
    do throws(SystemError) {
      try journal.begin(digest: policy.digest, entries)
    } catch {
      log(
        .warning, limit: "journal", every: .seconds(600),
        "\(paths.runtimeDirectory)/connections: \(error.description); after a restart nobody will "
          + "know what live connections were allowed for")
    }
  }

  /// Marks connections so that their next packet tells both ends.
  func cut(_ tuples: [FiveTuple]) {
    for tuple in tuples { companions.ended(tuple) }
    counts.cut += mark(tuples, .cut)
  }

  /// Marks connections; how many there were.
  @discardableResult
  private func mark(_ tuples: [FiveTuple], _ state: ConnectionState) -> UInt64 {
    var count: UInt64 = 0
    for tuple in tuples {
      do throws(NetfilterError) {
        if try conntrack.setMark(tuple, state, mask: mask) { count += 1 }
      } catch {
        log(.error, limit: "cut", error.description)
      }
    }
    return count
  }
}

extension UsageCounts {
  /// What conntrack has counted for a connection.
  fileprivate init(_ entry: ConntrackEntry) {
    self.init(
      packetsUp: entry.packetsUp, packetsDown: entry.packetsDown, bytesUp: entry.bytesUp,
      bytesDown: entry.bytesDown)
  }
}
