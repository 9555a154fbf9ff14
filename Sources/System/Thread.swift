internal import CSystem

/// A POSIX thread that runs one closure.
@safe public final class Thread {
  private var handle = pthread_t()

  /// Starts a thread named `name` (at most 15 bytes, as /proc shows it).
  public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let box = unsafe Unmanaged.passRetained(Body(body))
    let status = unsafe pthread_create(
      &handle, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // The box was retained for this thread alone.
        let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        body.run()
        return nil
      }, unsafe box.toOpaque())
    guard status == 0 else {
      unsafe box.release()
      throw SystemError("pthread_create", code: status)
    }
    unsafe pthread_setname_np(handle, name)
  }

  /// Waits until the closure has returned.
  public func join() {
    pthread_join(handle, nil)
  }

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
