internal import Crypto
internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

/// What the gateway remembers of a QUIC connection that begins: of both kinds, the IETF's and Google's.
final class QUICFlow {
  enum Phase {
    /// The hello's datagrams are held and don't decide yet.
    case collecting
    /// The name is allowed; its addresses are being looked up.
    case resolving
    /// The hello was let through; the server's answer is awaited.
    case released
    /// Handed to the kernel; lingers for datagrams that were queued before the kernel knew.
    case allowed
    /// Refused; lingers so that the rest of its hello can tell the name.
    case refused
  }

  /// From the client to the server.
  let tuple: FiveTuple
  let device: MACAddress
  let application: Application
  /// The id that the client gave the server: another one is another connection.
  let connectionID: [UInt8]
  /// Of the IETF's kind: what opens the client's packets.
  let keys: QUICInitialKeys?
  /// The rules by which it was refused.
  let policy: Policy

  var phase = Phase.collecting
  /// When the phase ends by itself.
  var deadline: Instant
  var packets: UInt32 = 1
  /// The handshake, put together from pieces in any order.
  var hello: StreamBuffer
  var held = HeldPackets()
  var host: HostName?
  var decision: Decision?
  /// The name whose addresses have been looked up for this flow.
  var lookedUp: HostName?
  /// Whether the kernel has an entry for it, from an earlier connection on the same ports.
  var isContinuation = false
  /// The refusal, while it waits for a name.
  var record: FlowRecord?
  /// When the refusal is recorded without one.
  var recordTime: Instant

  init(
    _ tuple: FiveTuple, device: MACAddress, application: Application, connectionID: [UInt8],
    keys: QUICInitialKeys?, policy: Policy, limits: FlowLimits, now: Instant
  ) {
    self.tuple = tuple
    self.device = device
    self.application = application
    self.connectionID = connectionID
    self.keys = keys
    self.policy = policy
    hello = StreamBuffer(base: 0, limit: limits.bytes)
    deadline = now + limits.holdTime
    recordTime = now + limits.nameTime
  }
}

/// The QUIC connections that begin, by their five-tuple: bounded, in all and for each device.
struct QUICFlows {
  /// Connections that are remembered.
  static let limit = 1_024
  /// Connections of one device that are remembered.
  static let limitPerDevice = 64
  /// Datagrams of one connection that wait in the kernel's queue.
  static let heldPerFlow = 16
  /// Datagrams of one device that wait.
  static let heldPerDevice = 32
  /// Datagrams that wait in all.
  static let heldInAll = 256

  private struct Device {
    var flows = 0
    var held = 0
  }

  private var flows: [FiveTuple: QUICFlow] = [:]
  private var devices: [MACAddress: Device] = [:]
  /// How many datagrams wait.
  private(set) var heldPackets = 0

  var isEmpty: Bool { flows.isEmpty }

  func find(_ tuple: FiveTuple) -> QUICFlow? { flows.isEmpty ? nil : flows[tuple] }

  /// All that `condition` holds for.
  func all(where condition: (QUICFlow) -> Bool) -> [QUICFlow] {
    flows.isEmpty ? [] : flows.values.filter(condition)
  }

  /// Adds a flow whose tuple is new; the reason why not, when there are too many.
  mutating func insert(_ flow: QUICFlow) -> Reason? {
    if devices[flow.device, default: Device()].flows >= Self.limitPerDevice { return .deviceLimit }
    if flows.count >= Self.limit { return .gatewayLimit }
    flows[flow.tuple] = flow
    devices[flow.device, default: Device()].flows += 1
    return nil
  }

  /// Why no further datagram of a flow can be held.
  func limit(of flow: QUICFlow) -> Reason? {
    if flow.held.count >= Self.heldPerFlow { return .heldTooMuch }
    if devices[flow.device, default: Device()].held >= Self.heldPerDevice { return .deviceLimit }
    return heldPackets >= Self.heldInAll ? .gatewayLimit : nil
  }

  /// Holds a datagram of a flow.
  mutating func hold(_ packet: consuming HeldPacket, of flow: QUICFlow) {
    let place = flow.held.count
    flow.held.append(packet, place..<place + 1)
    heldPackets += 1
    devices[flow.device, default: Device()].held += 1
  }

  /// Settles all datagrams of a flow, in order.
  mutating func settle(_ flow: QUICFlow, _ verdict: PacketVerdict) {
    let count = flow.held.release(before: .max, verdict)
    guard count > 0 else { return }
    heldPackets -= count
    if let index = devices.index(forKey: flow.device) { devices.values[index].held -= count }
  }

  /// Forgets a flow; what it holds is dropped.
  mutating func remove(_ flow: QUICFlow) {
    settle(flow, .drop)
    guard flows.removeValue(forKey: flow.tuple) != nil,
      let index = devices.index(forKey: flow.device)
    else { return }
    devices.values[index].flows -= 1
    if devices.values[index].flows == 0 { devices.remove(at: index) }
  }

  mutating func removeAll() {
    for flow in Array(flows.values) { remove(flow) }
  }
}
