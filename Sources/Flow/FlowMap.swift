internal import Wire

/// Five-tuple to flow: open addressing with linear probing.
///
/// A third of the cost of a Dictionary with this key, and no allocation but when it grows. The hash
/// is seeded, so that nobody outside can choose ports that collide.
struct FlowMap {
  private var slots: [TCPFlow?]
  private(set) var count = 0
  private var mask: Int
  private let seed: UInt64

  init(seed: UInt64) {
    slots = [TCPFlow?](repeating: nil, count: 1024)
    mask = 1023
    self.seed = seed
  }

  /// The flow whose tuple, from client to server, is `tuple`.
  func find(_ tuple: FiveTuple) -> TCPFlow? {
    var index = home(tuple)
    while let flow = slots[index] {
      if flow.tuple == tuple { return flow }
      index = (index + 1) & mask
    }
    return nil
  }

  /// Adds `flow`, whose tuple must not be in the map.
  mutating func insert(_ flow: TCPFlow) {
    if (count + 1) * 3 > slots.count * 2 { grow() }
    place(flow)
    count += 1
  }

  /// Takes the flow with `tuple` out.
  ///
  /// The run behind it is moved up, so that no tombstones pile up.
  mutating func remove(_ tuple: FiveTuple) {
    var index = home(tuple)
    while let flow = slots[index], flow.tuple != tuple { index = (index + 1) & mask }
    guard slots[index] != nil else { return }
    slots[index] = nil
    count -= 1
    var next = (index + 1) & mask
    while let flow = slots[next] {
      let distance = (next - home(flow.tuple)) & mask
      if distance >= (next - index) & mask {
        slots[index] = flow
        slots[next] = nil
        index = next
      }
      next = (next + 1) & mask
    }
  }

  /// All flows for which `condition` holds.
  func all(where condition: (TCPFlow) -> Bool) -> [TCPFlow] {
    var found: [TCPFlow] = []
    for slot in slots {
      if let flow = slot, condition(flow) { found.append(flow) }
    }
    return found
  }

  /// Some flow that has sent no payload; which one, the hash of `tuple` says, as chance would.
  func anyOpened(by tuple: FiveTuple) -> TCPFlow? {
    let start = home(tuple)
    for step in 0..<256 {
      if let flow = slots[(start + step) & mask], flow.phase == .opened { return flow }
    }
    return nil
  }

  private func home(_ tuple: FiveTuple) -> Int {
    // Multiply-and-fold over the 37 bytes (the mixing step of wyhash).
    var hash = seed
    func mix(_ value: UInt64) {
      let product = (hash ^ value).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
      hash = product.high ^ product.low
    }
    mix(UInt64(truncatingIfNeeded: tuple.source.bits))
    mix(UInt64(truncatingIfNeeded: tuple.source.bits >> 64))
    mix(UInt64(truncatingIfNeeded: tuple.destination.bits))
    mix(UInt64(truncatingIfNeeded: tuple.destination.bits >> 64))
    mix(
      UInt64(tuple.sourcePort) << 32 | UInt64(tuple.destinationPort) << 8
        | UInt64(tuple.proto.number))
    return Int(truncatingIfNeeded: hash) & mask
  }

  private mutating func place(_ flow: TCPFlow) {
    var index = home(flow.tuple)
    while slots[index] != nil { index = (index + 1) & mask }
    slots[index] = flow
  }

  private mutating func grow() {
    let old = slots
    slots = [TCPFlow?](repeating: nil, count: old.count * 2)
    mask = slots.count - 1
    for case let flow? in old { place(flow) }
  }
}
