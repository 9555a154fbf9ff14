internal import Names
internal import Netfilter
internal import Policy
internal import Queue
internal import System
internal import Wire

/// Learns which addresses the allowed names have, from the resolver's answers on their way to the
/// client: before the client can use an address, it is known.
///
/// @unchecked Sendable: after `start` the queue belongs to the learner's thread; what crosses
/// threads is in `Locked`.
final class NameLearner: @unchecked Sendable {
  private let queue: PacketQueue
  private let learned: LearnedAddresses
  private let policy: Locked<Policy>
  private let log: Log
  private let loop: EventLoop
  private let isStopped = Locked(false)
  private var thread: Thread?

  init(
    queue: PacketQueue, learned: LearnedAddresses, policy: Policy, log: Log
  ) throws(SystemError) {
    self.queue = queue
    self.learned = learned
    self.policy = Locked(policy)
    self.log = log
    loop = try EventLoop()
  }

  /// Names that the new rules allow are learned from now on.
  func follow(_ policy: Policy) { self.policy.withLock { $0 = policy } }

  /// Starts the thread.
  func start() throws(SystemError) {
    // The loop belongs to the learner, which outlives it.
    loop.onWake { [unowned(unsafe) self] in
      if unsafe self.isStopped.withLock({ $0 }) { unsafe self.loop.stop() }
    }
    try loop.watch(queue.descriptor, .reading) { [unowned(unsafe) self] _ in
      unsafe self.receive()
    }
    thread = try Thread(name: "names") { [self] in
      do throws(SystemError) {
        try loop.run()
      } catch {
        Failure.die("queue \(queue.number): \(error.description)", log)
      }
    }
  }

  /// Ends the thread.
  func stop() {
    isStopped.withLock { $0 = true }
    loop.waker.wake()
    thread?.join()
    thread = nil
  }

  private func receive() {
    let now = Instant.now
    let policy = policy.withLock { $0 }
    do throws(NetfilterError) {
      _ = try queue.receive { packet, queued in
        Self.learn(from: queued.bytes, by: policy, learned, now: now)
        // Whatever it is, it comes from the router itself.
        packet.settle(.pass(.unknown))
      }
      try queue.flush()
    } catch {
      log(.error, limit: "names", "queue \(queue.number): \(error.description)")
    }
  }

  private static func learn(
    from packet: RawSpan, by policy: Policy, _ learned: LearnedAddresses, now: Instant
  ) {
    guard case .done(let ip) = IPHeader.parse(packet), ip.proto == .udp, !ip.isFragment,
      case .done = UDPHeader.parse(packet.extracting(ip.payload))
    else { return }
    let message = packet.extracting(ip.payload.lowerBound + UDPHeader.size..<ip.payload.upperBound)
    learnAnswer(message, from: .dns, by: policy, learned, now: now)
  }

  /// Learns from one DNS answer: addresses of its question's name, if a rule allows that.
  static func learnAnswer(
    _ message: RawSpan, from source: LearnedAddresses.Source, by policy: Policy,
    _ learned: LearnedAddresses, now: Instant
  ) {
    guard case .done(let header) = DNSMessage.parse(message), header.isResponse,
      header.responseCode == 0, let name = HostName(header.question), policy.mayTeach(name)
    else { return }
    _ = DNSMessage.forEachAddress(in: message) { address, timeToLive in
      learned.learn(address, for: name, timeToLive: timeToLive, from: source, now: now)
    }
  }
}
