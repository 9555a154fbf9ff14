internal import CSystem

/// A signal that the gateway acts on.
public enum Signal: CaseIterable, Sendable {
  /// SIGTERM: stop.
  case terminate
  /// SIGINT: stop (Ctrl-C).
  case interrupt
  /// SIGHUP: read the rules again.
  case hangUp
  /// SIGUSR1.
  case user1

  /// The number that the kernel knows it by.
  public var number: CInt {
    switch self {
    case .terminate: SIGTERM
    case .interrupt: SIGINT
    case .hangUp: SIGHUP
    case .user1: SIGUSR1
    }
  }
}

/// Signals as events of a loop (signalfd(2)), so that no code ever runs inside a signal handler.
public final class Signals {
  private let descriptor: FileDescriptor
  private let loop: EventLoop
  private var watch: EventLoop.Watch?

  /// Makes every signal of `Signal` wait for a `Signals`, in this thread and all that it starts.
  ///
  /// Call it before the first thread is started.
  public static func block() throws(SystemError) {
    var set = all
    // The set is read within the call.
    let status = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    if status != 0 { throw SystemError("pthread_sigmask", code: status) }
  }

  /// Ignores SIGPIPE: a write to a closed pipe or socket fails with EPIPE.
  public static func ignorePipe() { imgate_ignore_sigpipe() }

  /// Calls `handler` in `loop` for each blocked signal that comes, until this object goes.
  public init(
    in loop: EventLoop, _ handler: @escaping (Signal) -> Void
  ) throws(SystemError) {
    self.loop = loop
    var set = Self.all
    // The set is read within the call.
    let number = unsafe signalfd(-1, &set, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
    if number < 0 { throw SystemError("signalfd") }
    descriptor = FileDescriptor(owning: number)
    watch = try loop.watch(number, .reading) { _ in
      var information = signalfd_siginfo()
      let size = MemoryLayout<signalfd_siginfo>.size
      // read(2) fills exactly this structure, or nothing.
      while unsafe read(number, &information, size) == size {
        for signal in Signal.allCases where UInt32(signal.number) == information.ssi_signo {
          handler(signal)
        }
      }
    }
  }

  deinit {
    if let watch { loop.end(watch) }
  }

  private static var all: sigset_t {
    var set = sigset_t()
    // Both calls write to the local set only.
    unsafe sigemptyset(&set)
    for signal in Signal.allCases { unsafe sigaddset(&set, signal.number) }
    return set
  }
}
