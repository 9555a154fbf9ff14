internal import Arguments
internal import Configuration
internal import Control
internal import Devices
internal import Firewall
internal import Flow
internal import Names
internal import Netfilter
internal import Policy
internal import Queue
internal import System
internal import Usage
internal import Wire
internal import YAML

/// The gateway: the one place where queues, flows, firewall, names and books meet.
///
/// Workers judge packets on threads of their own; everything else happens in this object, on the
/// main thread's event loop.
final class Gateway {
  let paths: Paths
  let configuration: Configuration
  let log: Log
  let loop: EventLoop
  let mask: MarkMask
  let learned = LearnedAddresses()
  let companions = Companions()
  let manager = ServiceManager()
  let started = Instant.now

  var policy: Policy
  var workers: [Worker] = []
  /// Judges the questions to the router's own resolver.
  var door: Worker
  var resolver: Resolver?
  var firewall: Firewall
  var conntrack: Conntrack
  var ledger: Ledger
  var journal: ConnectionJournal
  var pauses: Pauses
  var media: MediaBook
  var names = DeviceNames()
  var store: UsageStore?
  var storeProblem: String?
  var control: ControlServer?
  var signals: Signals?
  var lan = InterfaceSet([])
  var prefixes: [IPPrefix] = []
  var health: [QueueStatistics] = []
  var healthTotals = QueueHealth()
  var firewallProblems: [String] = []
  var interfaceProblems: [String] = []
  var counts = Counts()

  /// What `status` shows beside the workers' own figures.
  struct Counts {
    var allowed: UInt64 = 0
    var denied: UInt64 = 0
    var cut: UInt64 = 0
    var reloads: UInt64 = 0
    var repairs: UInt64 = 0
    var lookups: UInt64 = 0
    var failedWrites: UInt64 = 0
    var loggedFlows = 0
    var unloggedFlows: UInt64 = 0
  }

  /// Runs the gateway until a signal ends it.
  static func run(_ paths: Paths) throws(Failure) -> ExitStatus {
    let gateway = try Gateway(paths)
    try gateway.begin()
    do throws(SystemError) { try gateway.loop.run() } catch { throw Failure(error) }
    gateway.end()
    return .ok
  }

  /// Reads and checks everything, then takes the queues.
  ///
  /// No rule of the firewall has been touched when this fails.
  private init(_ paths: Paths) throws(Failure) {
    self.paths = paths
    configuration = try Inputs.configuration(paths)
    policy = try Inputs.policy(paths)
    guard let mask = MarkMask(bits: configuration.mark) else {
      // Configuration has checked it.
      throw Failure(.badInput, "imgate: the mark must be 3 adjacent bits")
    }
    self.mask = mask
    log = Log(level: LogLevel(name: configuration.log.level.rawValue) ?? .info)
    for warning in policy.warnings { log(.warning, warning.text) }
    do throws(SystemError) {
      try Signals.block()
      Signals.ignorePipe()
      loop = try EventLoop()
    } catch { throw Failure(error) }
    let runtime = paths.runtimeDirectory
    do throws(SystemError) { try Directory.make(runtime) } catch {
      throw Failure(.refused, "imgate: \(runtime): \(error.description)")
    }
    ledger = Ledger(learned: learned)
    journal = ConnectionJournal(path: runtime + "/connections")
    pauses = Pauses(path: runtime + "/pauses", now: .now)
    media = MediaBook(path: runtime + "/media", now: .now)

    let failOpen = configuration.onFailure == .open
    let queues = configuration.queues
    var opened: [PacketQueue] = []
    do throws(NetfilterError) {
      for number in queues.first...queues.first + queues.count {
        opened.append(
          try PacketQueue(
            number: number, length: queues.length, failOpen: failOpen, mask: mask,
            onFailure: failOpen ? .pass(.allowed) : .drop))
      }
      conntrack = try Conntrack()
    } catch { throw Failure(error) }
    let dnsQueue = opened.removeLast()
    let doorEngine = FlowEngine(
      policy: policy, learned: learned, seed: UInt64.random(in: .min ... .max))
    doorEngine.isForRouter = true
    door = try Worker(
      queue: dnsQueue, engine: doorEngine, mask: mask, log: log, mainWaker: loop.waker)
    for queue in opened {
      let engine = FlowEngine(
        policy: policy, learned: learned, companions: companions,
        seed: UInt64.random(in: .min ... .max))
      if case .list(let list) = configuration.resolver { engine.resolvers = list }
      workers.append(
        try Worker(queue: queue, engine: engine, mask: mask, log: log, mainWaker: loop.waker))
    }
    let plan = try FirewallPlan.of(configuration, mode: policy.mode)
    do throws(FirewallError) {
      firewall = try Firewall.choose(configuration.firewallPreference, plan)
    } catch { throw Failure(error) }
  }

  /// Those of the forwarded packets, and the one at the door of names.
  var allWorkers: [Worker] { workers + [door] }

  /// Puts everything in motion.
  private func begin() throws(Failure) {
    try checkInterfaces()
    refreshInterfaces()
    // Before the first packet, as far as the settings are there; and once more with conntrack loaded
    // by the firewall's rules.
    applyKernelSettings(saysProblems: false)
    openStore()
    takeUpUnwritten()
    restoreLearned()
    restoreMedia()
    adoptConnections()
    tellEnforcement()
    do throws(SystemError) {
      loop.onWake { [unowned(unsafe) self] in unsafe self.drain() }
      try loop.watch(conntrack.descriptor, .reading) { [unowned(unsafe) self] _ in
        unsafe self.receiveEnds()
      }
      resolver = Resolver(
        servers: resolvers, loop: loop, learned: learned, policy: policy, log: log
      ) { [unowned(unsafe) self] name in
        for worker in unsafe self.workers { worker.tell(.resolved(name)) }
      }
      signals = try Signals(in: loop) { [unowned(unsafe) self] signal in
        unsafe self.obey(signal)
      }
      for worker in allWorkers { try worker.start() }
      control = try ControlServer(path: paths.socket, loop: loop) {
        [unowned(unsafe) self] request in unsafe self.answer(request)
      }
    } catch { throw Failure(error) }
    // Everything answers: from here on packets may come.
    do throws(FirewallError) { try firewall.install() } catch { throw Failure(error) }
    cutUnjudged()
    applyKernelSettings(saysProblems: true)
    warnOfHazards()
    startTimers()
    resolver?.lookAhead()
    ledger.enter(GatewayEvent(.start, at: WallTime.now.seconds))
    manager.isReady()
    log(
      .notice,
      "imgate \(Version.text) judges \(configuration.lan.joined(separator: ", ")) with \(firewall.name)"
    )
  }

  // The closures refer to the gateway without retaining it: loop, timers and watches end with it.
  private func startTimers() {
    loop.every(.milliseconds(200)) { [unowned(unsafe) self] in unsafe self.drain() }
    loop.every(.milliseconds(200)) { [unowned(unsafe) self] in unsafe self.checkPauses() }
    loop.every(.seconds(10)) { [unowned(unsafe) self] in unsafe self.allowFlowLines() }
    loop.every(.seconds(UInt64(Self.checkInterval))) { [unowned(unsafe) self] in
      unsafe self.lookAfterTheBox()
    }
    loop.every(.seconds(60)) { [unowned(unsafe) self] in unsafe self.keepBooks() }
    loop.every(.seconds(2)) { [unowned(unsafe) self] in unsafe self.watchMedia() }
    loop.every(.seconds(configuration.store.interval)) { [unowned(unsafe) self] in
      unsafe self.write()
    }
    loop.every(.seconds(3600)) { [unowned(unsafe) self] in unsafe self.expireStore() }
    if let interval = manager.watchdogInterval {
      loop.every(interval) { [unowned(unsafe) self] in unsafe self.manager.isAlive() }
    }
  }

  private func obey(_ signal: Signal) {
    switch signal {
    case .terminate, .interrupt: loop.stop()
    case .hangUp:
      if case .failure(let error) = reload() {
        log(.error, error.text)
        log(.error, "the old rules stay in force")
      }
    case .user1: write()
    }
  }

  /// Ends in order.
  ///
  /// The firewall's rules stay: nothing passes that was not allowed before.
  private func end() {
    manager.isStopping()
    log(.notice, "stopping")
    control = nil
    for worker in allWorkers { worker.stop() }
    drain()
    creditLive()
    ledger.enter(GatewayEvent(.stop, at: WallTime.now.seconds))
    write()
    keepUnwritten()
  }
}
