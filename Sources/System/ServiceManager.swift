internal import CSystem

/// What the gateway tells the service manager that started it (sd_notify(3)).
///
/// Without one (no NOTIFY_SOCKET in the environment) nothing happens.
public struct ServiceManager: Sendable {
  private let socket: String?
  /// How often the manager wants to hear `isAlive()` (a third of WATCHDOG_USEC, so that a late one
  /// does no harm); nil when it doesn't.
  public let watchdogInterval: Instant.Span?

  /// The manager that the environment names.
  public init() {
    self.init(
      socket: Environment["NOTIFY_SOCKET"],
      watchdogMicroseconds: Environment["WATCHDOG_USEC"].flatMap { UInt64($0) })
  }

  /// The manager that listens at `socket`: a path, or `@` and a name in the abstract space.
  init(socket: String?, watchdogMicroseconds: UInt64?) {
    self.socket = socket
    watchdogInterval = watchdogMicroseconds.map { .init(nanoseconds: $0 / 3 &* 1000) }
  }

  /// Everything is set up: the gateway judges.
  public func isReady() { tell("READY=1") }

  /// The end has begun.
  public func isStopping() { tell("STOPPING=1") }

  /// The loop still turns.
  public func isAlive() { tell("WATCHDOG=1") }

  // A manager that doesn't listen is no reason to stop judging: failures are ignored.
  private func tell(_ message: String) {
    guard let socket else { return }
    do throws(SystemError) {
      let isAbstract = socket.utf8.first == UInt8(ascii: "@")
      var address =
        isAbstract
        ? try UnixAddress(abstract: String(socket.dropFirst())) : try UnixAddress(path: socket)
      let number = CSystem.socket(
        AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard number >= 0 else { return }
      let sender = FileDescriptor(owning: number)
      let bytes = Array(message.utf8)
      // The array's own length, and the address with its size.
      _ = unsafe imgate_send_unix(
        sender.number, bytes, bytes.count, &address.address, address.size)
    } catch {
      return
    }
  }
}

/// The environment's variables.
public enum Environment {
  /// The value of `name`; nil when it is not set.
  public static subscript(name: String) -> String? {
    // Copied at once; nothing in this program changes its environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
