/// Memory that a socket receives into: allocated once, so that receiving never allocates.
@safe struct MessageBuffer: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer

  /// A buffer of `capacity` bytes.
  init(capacity: Int) {
    // Freed in deinit. 16 is more than any netlink structure's alignment.
    unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { unsafe memory.deallocate() }

  /// How many bytes fit.
  var capacity: Int { unsafe memory.count }

  /// Lets `body` read the first `count` bytes (at most the capacity).
  ///
  /// (A closure, since a span of a class's property can't leave the expression.)
  borrowing func withBytes<Result: ~Copyable, Failure: Error>(
    _ count: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // `count` is clamped to the memory, which lives as long as self does.
    let bytes = unsafe RawSpan(
      _unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<min(max(count, 0), memory.count)]))
    return try body(bytes)
  }

  /// Lets `body` (one system call) write into the memory.
  ///
  /// Unsafe: `body` must not keep the pointer or write past its end.
  @unsafe borrowing func withMemory<Result>(
    _ body: (UnsafeMutableRawBufferPointer) -> Result
  ) -> Result {
    unsafe body(memory)
  }
}
