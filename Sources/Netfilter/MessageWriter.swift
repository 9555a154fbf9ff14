internal import CNetfilter

/// Encodes netlink messages, one after the other, into memory of a fixed size.
///
/// Nothing is allocated after `init`. A value that doesn't fit is a bug of the caller (it compares
/// `room` first) and traps.
@safe struct MessageWriter: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer
  private(set) var count = 0
  private var messageStart = 0

  /// A writer for `capacity` bytes, all zero.
  init(capacity: Int) {
    // Freed in deinit.
    unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { unsafe memory.deallocate() }

  /// How many bytes are free.
  var room: Int { unsafe memory.count - count }

  /// Lets `body` read what was written.
  ///
  /// (A closure, since a span of a class's property can't leave the expression.)
  borrowing func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // `count` never passes the memory, which lives as long as self does.
    let bytes = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<count]))
    return try body(bytes)
  }

  /// Starts over.
  mutating func removeAll() {
    count = 0
    messageStart = 0
  }

  /// Begins a netfilter message: struct nlmsghdr and struct nfgenmsg.
  ///
  /// `type` is subsystem and operation; `resource` the queue's number, or 0.
  mutating func beginMessage(
    type: UInt16, flags: CInt, sequence: UInt32, family: CInt, resource: UInt16
  ) {
    messageStart = count
    store(UInt32(0))  // the length, set by endMessage
    store(type)
    store(UInt16(truncatingIfNeeded: flags))
    store(sequence)
    store(UInt32(0))  // the port: the kernel takes the socket's
    store(UInt8(truncatingIfNeeded: family))
    store(UInt8(NFNETLINK_V0))
    store(resource.bigEndian)
  }

  /// Ends the message: its length is known now.
  mutating func endMessage() {
    let length = UInt32(count - messageStart)
    // The message's first 4 bytes were written by beginMessage.
    unsafe memory.storeBytes(of: length, toByteOffset: messageStart, as: UInt32.self)
  }

  /// An attribute with a 32-bit value in network byte order.
  mutating func put(_ type: UInt32, network32 value: UInt32) {
    header(type, size: 4)
    store(value.bigEndian)
  }

  /// An attribute with a 16-bit value in network byte order.
  mutating func put(_ type: UInt32, network16 value: UInt16) {
    header(type, size: 2)
    store(value.bigEndian)
    pad()
  }

  /// An attribute with an 8-bit value.
  mutating func put(_ type: UInt32, byte value: UInt8) {
    header(type, size: 1)
    store(value)
    pad()
  }

  /// An attribute with 128 bits in network byte order (an IPv6 address).
  mutating func put(_ type: UInt32, network128 value: UInt128) {
    header(type, size: 16)
    store(UInt64(truncatingIfNeeded: value >> 64).bigEndian)
    store(UInt64(truncatingIfNeeded: value).bigEndian)
  }

  /// An attribute with two 32-bit values in network byte order.
  mutating func put(_ type: UInt32, network32 first: UInt32, _ second: UInt32) {
    header(type, size: 8)
    store(first.bigEndian)
    store(second.bigEndian)
  }

  /// The most bytes that an attribute can hold: its length has 16 bits.
  static let maximumAttributeValue = 0xffff - 4

  /// An attribute with any bytes, at most `maximumAttributeValue`.
  mutating func put(_ type: UInt32, bytes value: RawSpan) {
    precondition(value.byteCount <= Self.maximumAttributeValue && value.byteCount + 8 <= room)
    header(type, size: value.byteCount)
    // The room was compared above; source and target don't overlap.
    unsafe value.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: source)
    }
    count += value.byteCount
    pad()
  }

  /// Begins a nested attribute; the result goes to `endNest`.
  mutating func beginNest(_ type: UInt32) -> Int {
    let start = count
    header(type | UInt32(NLA_F_NESTED), size: 0)
    return start
  }

  /// Ends the nested attribute that begins at `start`.
  mutating func endNest(_ start: Int) {
    // The attribute's length was written by beginNest.
    unsafe memory.storeBytes(of: UInt16(count - start), toByteOffset: start, as: UInt16.self)
  }

  private mutating func header(_ type: UInt32, size: Int) {
    store(UInt16(4 + size))
    store(UInt16(truncatingIfNeeded: type))
  }

  // Attributes and messages begin at multiples of 4; the padding is zero.
  private mutating func pad() {
    while count & 3 != 0 { store(UInt8(0)) }
  }

  private mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    precondition(MemoryLayout<Value>.size <= room)
    // Within the memory: compared above.
    unsafe memory.storeBytes(of: value, toByteOffset: count, as: Value.self)
    count += MemoryLayout<Value>.size
  }
}
