internal import CSystem

/// A mutual-exclusion lock around a value.
///
/// Swift's `Mutex` is absent from Embedded Swift.
///
/// @unchecked Sendable: `value` is only reached with the pthread mutex held.
@safe public final class Locked<Value: ~Copyable>: @unchecked Sendable {
  // Allocated on the heap since a pthread mutex must not move in memory.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  /// A lock that guards `value`.
  public init(_ value: consuming sending Value) {
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
    self.value = value
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Runs `body` with the lock held.
  ///
  /// Not recursive.
  public func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
