internal import Flow
internal import Names
internal import Netfilter
internal import Policy
internal import Queue
internal import System
internal import Wire

/// What the main thread tells a worker.
enum WorkerOrder: Sendable {
  case policy(Policy)
  case enforcement(Enforcement)
  case pausedDevices(Set<MACAddress>)
  case lan(InterfaceSet, [IPPrefix])
  case resolved(HostName)
  case stop
}

/// What a worker has for the main thread.
struct WorkerReport: Sendable {
  var records: [FlowRecord] = []
  var lookups: [HostName] = []
}

/// What a worker says of itself, ten times a second.
struct WorkerFigures: Sendable {
  var flows = FlowEngine.Counters()
  var flowCount = 0
  var heldPackets = 0
  var overruns: UInt64 = 0
  var forgottenPackets: UInt64 = 0
  var refusedVerdicts: UInt64 = 0
  var unsentResets: UInt64 = 0
}

/// One queue and the flow engine behind it, on a thread of their own: forwarded packets, or the
/// questions to the router's own resolver and its answers.
///
/// The kernel hashes a flow's address pair to one queue, so both directions meet the same worker,
/// and nothing of its flow table is shared.
///
/// @unchecked Sendable: after `start` the queue, the engine and the effects are touched by the
/// worker's thread alone; what crosses threads is in `Locked`.
final class Worker: @unchecked Sendable {
  private let queue: PacketQueue
  private let engine: FlowEngine
  private let sender: RawSender
  private let mask: MarkMask
  private let loop: EventLoop
  private let log: Log
  private let mainWaker: Waker
  private var lan = InterfaceSet([])
  private var effects = FlowEffects()
  private var unsentResets: UInt64 = 0
  private var thread: Thread?

  // NF_INET_LOCAL_IN of linux/netfilter.h.
  private static let localIn: UInt8 = 1
  private static let linkLocal = [
    IPPrefix(IPAddress(ipv4: 0xa9fe_0000), length: 16),
    IPPrefix(IPAddress(ipv6: 0xfe80 << 112), length: 10),
  ].compactMap { $0 }

  private let orders = Locked<[WorkerOrder]>([])
  private let report = Locked(WorkerReport())
  private let published = Locked(WorkerFigures())

  init(
    queue: PacketQueue, engine: FlowEngine, mask: MarkMask, log: Log, mainWaker: Waker
  ) throws(Failure) {
    self.queue = queue
    self.engine = engine
    self.mask = mask
    self.log = log
    self.mainWaker = mainWaker
    do throws(NetfilterError) { sender = try RawSender() } catch { throw Failure(error) }
    do throws(SystemError) { loop = try EventLoop() } catch { throw Failure(error) }
  }

  /// The queue's number.
  var number: UInt16 { queue.number }

  /// The latest figures.
  var figures: WorkerFigures { published.withLock { $0 } }

  /// Takes what has happened since the last call.
  func takeReport() -> WorkerReport {
    report.withLock { report in
      let taken = report
      report = WorkerReport()
      return taken
    }
  }

  /// Hands an order to the worker's thread; before `start` it is kept.
  func tell(_ order: WorkerOrder) {
    orders.withLock { $0.append(order) }
    loop.waker.wake()
  }

  /// Starts the thread.
  func start() throws(SystemError) {
    obey()
    loop.onWake { [unowned(unsafe) self] in unsafe self.obey() }
    // The loop belongs to the worker, which outlives it: all three closures run on its thread.
    try loop.watch(queue.descriptor, .reading) { [unowned(unsafe) self] _ in
      unsafe self.receive()
    }
    loop.every(.milliseconds(100)) { [unowned(unsafe) self] in unsafe self.tick() }
    thread = try Thread(name: "queue-\(queue.number)") { [self] in
      do throws(SystemError) {
        try loop.run()
      } catch {
        Failure.die("queue \(queue.number): \(error.description)", log)
      }
    }
  }

  /// Ends the thread.
  func stop() {
    tell(.stop)
    thread?.join()
    thread = nil
    // Held packets refer to the queue's batch, which may go before the engine does.
    engine.forgetAll()
  }

  private func obey() {
    let now = Instant.now
    let taken = orders.withLock { orders in
      let taken = orders
      orders = []
      return taken
    }
    for order in taken {
      switch order {
      case .policy(let policy): engine.policy = policy
      case .enforcement(let enforcement): engine.enforcement = enforcement
      case .pausedDevices(let devices): engine.pausedDevices = devices
      case .lan(let interfaces, let prefixes):
        lan = interfaces
        // The router hears its neighbours' link-local addresses, which it would never forward.
        engine.lanPrefixes =
          engine.isForRouter && !prefixes.isEmpty ? prefixes + Self.linkLocal : prefixes
      case .resolved(let name): engine.resolved(name, now: now, effects: &effects)
      case .stop:
        engine.recordRefusals(effects: &effects)
        loop.stop()
      }
    }
    settle()
  }

  private func receive() {
    let now = Instant.now
    do throws(NetfilterError) {
      _ = try queue.receive { packet, queued in
        var metadata = queued.metadata(lan: lan, mask: mask)
        // Of the router's own there are but two kinds: what comes to it, and what it sends.
        if engine.isForRouter { metadata.fromLAN = queued.hook == Self.localIn }
        engine.packet(packet, queued.bytes, metadata, now: now, effects: &effects)
      }
    } catch {
      log(.error, limit: "receive", "queue \(queue.number): \(error.description)")
    }
    settle()
  }

  private func tick() {
    engine.tick(now: .now, effects: &effects)
    settle()
    let figures = WorkerFigures(
      flows: engine.counters, flowCount: engine.flowCount, heldPackets: engine.heldPacketCount,
      overruns: queue.overruns, forgottenPackets: queue.batch.failures,
      refusedVerdicts: queue.refused, unsentResets: unsentResets)
    published.withLock { $0 = figures }
  }

  /// Carries out what the engine wants.
  ///
  /// The books come first: an allowed connection is known to the ledger before the kernel can
  /// report its end.
  private func settle() {
    if !effects.records.isEmpty || !effects.lookups.isEmpty {
      report.withLock { report in
        report.records += effects.records
        report.lookups += effects.lookups
      }
      if !effects.lookups.isEmpty { mainWaker.wake() }
    }
    do throws(NetfilterError) {
      try queue.flush()
    } catch {
      log(.error, limit: "verdicts", "queue \(queue.number): \(error.description)")
    }
    // An answer in the resolver's name comes before the reset by which its stream ends. The mark keeps
    // it out of our queue.
    for answer in effects.answers {
      do throws(NetfilterError) {
        try sender.send(
          answer.bytes, to: answer.destination, mark: mask.mark(0, with: .allowed),
          interface: answer.interface)
      } catch {
        unsentResets += 1
      }
    }
    for reset in effects.resets {
      let packet = TCPReset.packet(reset.tuple, sequence: reset.sequence, acknowledgement: nil)
      do throws(NetfilterError) {
        try sender.send(
          packet, to: reset.tuple.destination, mark: 0, interface: reset.interface)
      } catch {
        unsentResets += 1
      }
    }
    effects.removeAll()
  }
}
