/// What becomes of one packet.
public enum PacketVerdict: Equatable, Sendable {
  /// It goes on through the kernel's hooks, marked with `state`. With `.denied` the enforce chain
  /// refuses it politely to its sender (TCP reset, ICMP unreachable).
  case pass(ConnectionState)
  /// It goes on as the bytes that were put into the batch's arena with it (a SYN without its
  /// payload), marked with `state`.
  case replace(ConnectionState, arenaRange: Range<Int>)
  /// It disappears without a word.
  case drop
}

/// Verdicts on their way to the kernel (or, in a replay, to the test): all that were given since
/// the queue was last read, sent in one system call.
public final class VerdictBatch {
  /// One packet's verdict.
  public struct Entry: Sendable {
    /// The queue's id of the packet.
    public let id: UInt32
    /// The packet's mark as it came: bits that are not ours are kept.
    public let mark: UInt32
    /// What becomes of it.
    public let verdict: PacketVerdict
  }

  /// The verdicts, in the order in which they were given.
  public private(set) var entries: [Entry] = []
  /// Bytes of replaced packets.
  public private(set) var arena: [UInt8] = []
  /// How many packets came to their end without a verdict and got the fail verdict: 0 unless there
  /// is a bug.
  public private(set) var failures: UInt64 = 0
  private let onFailure: PacketVerdict

  /// An empty batch; `onFailure` is the verdict of packets that were dropped on the floor.
  public init(onFailure: PacketVerdict) {
    self.onFailure = onFailure
    entries.reserveCapacity(256)
  }

  /// Adds a verdict.
  public func append(id: UInt32, mark: UInt32, _ verdict: PacketVerdict) {
    entries.append(Entry(id: id, mark: mark, verdict: verdict))
  }

  /// Puts bytes into the arena and tells where they lie.
  public func store(_ bytes: RawSpan) -> Range<Int> {
    let start = arena.count
    // Within bounds: the indices come from the span itself.
    for offset in bytes.byteOffsets {
      unsafe arena.append(bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
    }
    return start..<arena.count
  }

  /// Forgets what was sent; the memory is kept.
  public func removeAll() {
    entries.removeAll(keepingCapacity: true)
    arena.removeAll(keepingCapacity: true)
  }

  /// For the `deinit` of `HeldPacket`.
  @usableFromInline func failFromDeinit(id: UInt32, mark: UInt32) {
    failures += 1
    append(id: id, mark: mark, onFailure)
  }
}

/// A packet that waits in the kernel's queue for its verdict.
///
/// It is linear: it is settled once, or its `deinit` gives the fail verdict. No packet can be
/// forgotten, and none can be answered twice.
///
/// `@frozen`, since `discard self` wants that in Embedded Swift. The batch is referenced without
/// being retained, since `discard` wants trivial members: whoever makes packets keeps their batch
/// until the last of them is settled (a queue owns its batch and the flow table that holds packets).
@safe @frozen public struct HeldPacket: ~Copyable {
  /// The queue's id of the packet.
  public let id: UInt32
  /// The packet's mark as it came.
  public let mark: UInt32
  @usableFromInline let batch: Unmanaged<VerdictBatch>

  /// A packet whose verdict goes into `batch`.
  @inlinable public init(id: UInt32, mark: UInt32, batch: VerdictBatch) {
    self.id = id
    self.mark = mark
    // Not retained: see the type's comment.
    unsafe self.batch = .passUnretained(batch)
  }

  @inlinable deinit {
    // The batch is alive: see the type's comment.
    unsafe batch.takeUnretainedValue().failFromDeinit(id: id, mark: mark)
  }

  /// Gives the verdict.
  @inlinable public consuming func settle(_ verdict: PacketVerdict) {
    // The batch is alive: see the type's comment.
    unsafe batch.takeUnretainedValue().append(id: id, mark: mark, verdict)
    discard self
  }

  /// Lets the packet go on as other bytes.
  @inlinable public consuming func replace(with bytes: RawSpan, _ state: ConnectionState) {
    // The batch is alive: see the type's comment.
    let batch = unsafe batch.takeUnretainedValue()
    let range = batch.store(bytes)
    batch.append(id: id, mark: mark, .replace(state, arenaRange: range))
    discard self
  }
}
