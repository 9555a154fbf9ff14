internal import CSystem

/// One thread's loop over epoll(7): descriptors, timers, and a wake-up for other threads.
///
/// A handler may watch, unwatch, set and cancel as it likes. Everything but `waker` belongs to the
/// thread that runs the loop.
///
/// `epoll_event` counts as unsafe for the pointer in its union; only the number in it is used.
@safe public final class EventLoop {
  /// What a descriptor is watched for, and what it is ready for.
  ///
  /// An error or a hang-up counts as both: the next read or write then tells which.
  public struct Readiness: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// Any combination of the bits below.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// There is something to read, or the end of it.
    public static let reading = Readiness(rawValue: 1)
    /// There is room to write.
    public static let writing = Readiness(rawValue: 2)
  }

  /// A watched descriptor, for as long as it is watched.
  public struct Watch: Equatable, Sendable {
    fileprivate let slot: UInt32
    // Slots are used again; an event that was read before its watch ended must not reach the next.
    fileprivate let generation: UInt32
  }

  /// A timer, until it has fired for the last time.
  public struct Timer: Equatable, Sendable {
    fileprivate let number: UInt64
  }

  private struct Slot {
    var generation: UInt32
    var descriptor: CInt
    var handler: ((Readiness) -> Void)?
  }

  private struct Deadline {
    let number: UInt64
    var instant: Instant
    let period: Instant.Span?
    let handler: () -> Void
  }

  /// Wakes this loop from any thread.
  public let waker: Waker
  private let epoll: FileDescriptor
  private var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
  private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []
  // The next one is last, so that taking it moves nothing.
  private var deadlines: [Deadline] = []
  private var timersMade: UInt64 = 0
  private var isStopped = false
  private var wakeHandler: (() -> Void)?

  /// A loop with nothing to do.
  public init() throws(SystemError) {
    let number = epoll_create1(CInt(EPOLL_CLOEXEC))
    if number < 0 { throw SystemError("epoll_create1") }
    epoll = FileDescriptor(owning: number)
    waker = try Waker()
    try watch(waker.descriptor, .reading) { [unowned(unsafe) self] _ in
      // The closure is stored in the loop itself, which is alive when it calls it.
      unsafe self.waker.reset()
      unsafe self.wakeHandler?()
    }
  }

  /// Calls `handler` in the loop's thread after one or more calls of `waker.wake()`.
  public func onWake(_ handler: @escaping () -> Void) { wakeHandler = handler }

  // MARK: Descriptors

  /// Calls `handler` whenever `descriptor` is ready (level-triggered).
  ///
  /// End the watch before the descriptor is closed.
  @discardableResult
  public func watch(
    _ descriptor: CInt, _ readiness: Readiness, _ handler: @escaping (Readiness) -> Void
  ) throws(SystemError) -> Watch {
    let slot: UInt32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = UInt32(slots.count)
      slots.append(Slot(generation: 0, descriptor: -1, handler: nil))
    }
    let watch = Watch(slot: slot, generation: slots[Int(slot)].generation)
    do throws(SystemError) {
      try control(EPOLL_CTL_ADD, descriptor, readiness, watch)
    } catch {
      freeSlots.append(slot)
      throw error
    }
    slots[Int(slot)].descriptor = descriptor
    slots[Int(slot)].handler = handler
    return watch
  }

  /// Watches the same descriptor for something else from now on; `[]` pauses it.
  public func change(_ watch: Watch, to readiness: Readiness) throws(SystemError) {
    guard slots[Int(watch.slot)].generation == watch.generation else { return }
    try control(EPOLL_CTL_MOD, slots[Int(watch.slot)].descriptor, readiness, watch)
  }

  /// Ends a watch: its handler is not called again, not even for events that were already read.
  public func end(_ watch: Watch) {
    let slot = Int(watch.slot)
    guard slots[slot].generation == watch.generation else { return }
    // Fails only for a descriptor that is already closed, which the kernel forgot by itself.
    _ = epoll_ctl(epoll.number, EPOLL_CTL_DEL, slots[slot].descriptor, nil)
    slots[slot] = Slot(generation: watch.generation &+ 1, descriptor: -1, handler: nil)
    freeSlots.append(watch.slot)
  }

  private func control(
    _ operation: CInt, _ descriptor: CInt, _ readiness: Readiness, _ watch: Watch
  ) throws(SystemError) {
    var event = unsafe epoll_event()
    if readiness.contains(.reading) { unsafe event.events |= EPOLLIN.rawValue }
    if readiness.contains(.writing) { unsafe event.events |= EPOLLOUT.rawValue }
    unsafe event.data.u64 = UInt64(watch.generation) << 32 | UInt64(watch.slot)
    if unsafe epoll_ctl(epoll.number, operation, descriptor, &event) != 0 {
      throw SystemError("epoll_ctl")
    }
  }

  // MARK: Timers

  /// Calls `handler` once, `span` from now, or then every `period` if one is given.
  ///
  /// A period that was missed (the box was busy or asleep) is skipped, not made up for.
  @discardableResult
  public func after(
    _ span: Instant.Span, every period: Instant.Span? = nil, _ handler: @escaping () -> Void
  ) -> Timer {
    timersMade += 1
    insert(
      Deadline(number: timersMade, instant: .now + span, period: period, handler: handler))
    return Timer(number: timersMade)
  }

  /// Calls `handler` every `period`, the first time after one of them.
  @discardableResult
  public func every(_ period: Instant.Span, _ handler: @escaping () -> Void) -> Timer {
    after(period, every: period, handler)
  }

  /// Ends a timer; one that has fired for the last time is ignored.
  public func cancel(_ timer: Timer) {
    deadlines.removeAll { $0.number == timer.number }
  }

  private func insert(_ deadline: Deadline) {
    // Behind its equals in this reversed order, that is before them: hence `>`, so that timers of
    // the same instant fire in the order in which they were set.
    let place = deadlines.firstIndex { $0.instant <= deadline.instant } ?? deadlines.count
    deadlines.insert(deadline, at: place)
  }

  private func fireTimers() {
    let now = Instant.now
    while !isStopped, let next = deadlines.last, next.instant <= now {
      deadlines.removeLast()
      if let period = next.period {
        var again = next
        let due = next.instant + period
        again.instant = due > now ? due : now + period
        insert(again)
      }
      next.handler()
    }
  }

  // MARK: Running

  /// Runs until `stop()`.
  public func run() throws(SystemError) {
    while !isStopped { try turn() }
  }

  /// Ends `run()` when the handler that calls this returns.
  public func stop() { isStopped = true }

  /// One round: waits for the next event or timer, at most `limit` long, and calls its handlers.
  public func turn(limit: Instant.Span? = nil) throws(SystemError) {
    let count = unsafe epoll_wait(
      epoll.number, &events, CInt(events.count), timeout(limit: limit))
    if count < 0 {
      if imgate_errno() == EINTR { return }
      throw SystemError("epoll_wait")
    }
    for index in 0..<Int(count) where !isStopped {
      let (happened, data) = unsafe (events[index].events, events[index].data.u64)
      let slot = slots[Int(truncatingIfNeeded: data & 0xffff_ffff)]
      guard slot.generation == UInt32(truncatingIfNeeded: data >> 32) else { continue }
      var readiness: Readiness = []
      let failed = happened & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
      if failed || happened & EPOLLIN.rawValue != 0 { readiness.insert(.reading) }
      if failed || happened & EPOLLOUT.rawValue != 0 { readiness.insert(.writing) }
      slot.handler?(readiness)
    }
    fireTimers()
  }

  // Milliseconds for epoll_wait, rounded up: a timer never fires early, and never makes it spin.
  private func timeout(limit: Instant.Span?) -> CInt {
    var span = limit
    if let next = deadlines.last {
      let untilNext = next.instant.since(.now)
      if span.map({ untilNext < $0 }) ?? true { span = untilNext }
    }
    guard let span else { return -1 }
    return CInt(clamping: (span.nanoseconds + 999_999) / 1_000_000)
  }
}

/// Wakes an event loop from another thread (eventfd(2)).
public final class Waker: Sendable {
  private let event: FileDescriptor

  fileprivate init() throws(SystemError) {
    let number = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
    if number < 0 { throw SystemError("eventfd") }
    event = FileDescriptor(owning: number)
  }

  fileprivate var descriptor: CInt { event.number }

  /// Makes the loop call its wake handler soon; several calls may become one.
  public func wake() {
    // A full counter has woken it already, and nothing else can fail here.
    _ = eventfd_write(event.number, 1)
  }

  fileprivate func reset() {
    var count: eventfd_t = 0
    // The counter is written within the call; an empty one fails with EAGAIN, which is as good.
    _ = unsafe eventfd_read(event.number, &count)
  }
}
