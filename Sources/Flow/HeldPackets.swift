internal import Queue

/// The packets of one flow that wait in the kernel's queue for its verdict, each with the bytes of
/// the stream that it carries.
///
/// Slots are kept in memory of our own since Swift's arrays can't hold noncopyable values.
@safe struct HeldPackets: ~Copyable {
  private struct Slot: ~Copyable {
    let packet: HeldPacket
    let bytes: Range<Int>

    consuming func settle(_ verdict: PacketVerdict) { packet.settle(verdict) }
  }

  private var slots: UnsafeMutablePointer<Slot>?
  private var capacity = 0
  private(set) var count = 0

  init() { unsafe slots = nil }

  deinit {
    // Whatever is left gets the fail verdict, from each packet's own deinit.
    guard let slots = unsafe slots else { return }
    unsafe slots.deinitialize(count: count)
    unsafe slots.deallocate()
  }

  var isEmpty: Bool { count == 0 }

  /// Keeps `packet`, which carries `bytes` (stream offsets).
  mutating func append(_ packet: consuming HeldPacket, _ bytes: Range<Int>) {
    if count == capacity { grow() }
    guard let slots = unsafe slots else { return }
    // In bounds: count < capacity after growing.
    unsafe (slots + count).initialize(to: Slot(packet: packet, bytes: bytes))
    count += 1
  }

  /// Settles, in stream order, every packet whose bytes all lie before `end`; tells how many.
  mutating func release(before end: Int, _ verdict: PacketVerdict) -> Int {
    var released = 0
    while let index = firstSlot(before: end) {
      remove(index, verdict)
      released += 1
    }
    return released
  }

  /// Gives `last` to the packet that came last and `others` to the rest.
  mutating func settleAll(_ others: PacketVerdict, last: PacketVerdict) -> Int {
    let all = count
    while count > 0 { remove(count - 1, count == all ? last : others) }
    return all
  }

  /// The end of the packet that carries the byte at stream offset `offset`, `offset` if none does.
  func end(ofPacketCovering offset: Int) -> Int {
    guard let slots = unsafe slots else { return offset }
    for i in 0..<count {
      // In bounds: i < count <= capacity.
      let range = unsafe slots[i].bytes
      if range.contains(offset) { return range.upperBound }
    }
    return offset
  }

  private func firstSlot(before end: Int) -> Int? {
    guard let slots = unsafe slots else { return nil }
    var best: Int?
    var bestStart = Int.max
    for i in 0..<count {
      // In bounds: i < count <= capacity.
      let range = unsafe slots[i].bytes
      if range.upperBound <= end && range.lowerBound < bestStart {
        best = i
        bestStart = range.lowerBound
      }
    }
    return best
  }

  private mutating func remove(_ index: Int, _ verdict: PacketVerdict) {
    guard let slots = unsafe slots else { return }
    // Moves the slot out, then closes the gap: both in bounds, as index < count.
    let slot = unsafe (slots + index).move()
    unsafe (slots + index).moveInitialize(from: slots + index + 1, count: count - index - 1)
    count -= 1
    slot.settle(verdict)
  }

  private mutating func grow() {
    let larger = max(4, capacity * 2)
    let memory = UnsafeMutablePointer<Slot>.allocate(capacity: larger)
    if let slots = unsafe slots {
      // Both regions hold `count` slots and don't overlap.
      unsafe memory.moveInitialize(from: slots, count: count)
      unsafe slots.deallocate()
    }
    unsafe slots = memory
    capacity = larger
  }
}
