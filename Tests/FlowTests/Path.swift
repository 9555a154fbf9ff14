import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire
import YAML

/// The engine with a kernel around it, made of a dictionary: connection marks as the firewall's
/// rules keep them, a queue that packets visit by the table of docs/ARCHITECTURE.md, and at both
/// ends a log of what arrived.
final class Path {
  /// What became of a packet.
  enum Fate: Equatable {
    /// It went on to its destination.
    case delivered
    /// It waits for the verdict.
    case held
    /// It was refused: its sender gets a reset or an ICMP error.
    case refused
    /// It disappeared.
    case dropped
  }

  let engine: FlowEngine
  let learned = LearnedAddresses()
  let companions = Companions()
  let batch = VerdictBatch(onFailure: .drop)
  var now = Instant(nanoseconds: 1_000_000_000_000)
  private(set) var records: [FlowRecord] = []
  private(set) var resets: [FlowReset] = []
  private(set) var lookups: [HostName] = []
  private(set) var answers: [FlowAnswer] = []
  /// How many packets visited the engine.
  private(set) var visits = 0
  /// How many visiting packets got two verdicts, or one that nobody asked for: always 0.
  private(set) var strayVerdicts = 0
  /// Payload by sequence number, in the order in which it reached the server.
  private(set) var atServer: [(tuple: FiveTuple, sequence: UInt32, bytes: [UInt8])] = []
  /// Every packet that reached the server, as it was then.
  private(set) var packetsAtServer: [[UInt8]] = []
  private(set) var atClient: [[UInt8]] = []

  private struct Waiting {
    let bytes: [UInt8]
    let fromLAN: Bool
    let tuple: FiveTuple
    let isSYN: Bool
  }
  private var states: [FiveTuple: ConnectionState] = [:]
  // Packets of each direction, as conntrack counts them.
  private var seen: [FiveTuple: Int] = [:]
  private var waiting: [UInt32: Waiting] = [:]
  private var nextID: UInt32 = 1

  static let mask = MarkMask.standard
  static let phone = MACAddress(bits: 0x0200_5e10_0001)
  static let laptop = MACAddress(bits: 0x0200_5e10_0002)

  /// An engine with rules: the given ones, or short.weixin.qq.com and an address line.
  convenience init(
    rules: String = Path.rules, packs: [String] = [], limits: FlowLimits = FlowLimits()
  ) throws {
    self.init(policy: try Path.policy(rules, packs: packs), limits: limits)
  }

  init(policy: Policy, limits: FlowLimits = FlowLimits()) {
    engine = FlowEngine(
      policy: policy, learned: learned, companions: companions, limits: limits, seed: 7)
  }

  static func policy(_ rules: String, packs: [String] = []) throws -> Policy {
    try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: rules),
      packs: packs.enumerated().map { SourceFile(path: "\($0.offset).yaml", text: $0.element) })
  }

  static let rules = """
    version: 1
    binding: off
    allow:
      - {host: short.weixin.qq.com, ports: [80, 443, 8080]}
      - {host: long.weixin.qq.com, ports: [443]}
      - {address: 198.18.9.0/24, ports: [9100], protocol: tcp}
      - {address: 198.18.9.0/24, ports: [123], protocol: udp}
    devices:
      - {mac: '02:00:5e:10:00:02', name: Owner laptop, policy: unrestricted}
    """

  // MARK: Sending

  /// The client sends a packet; what became of it at once.
  @discardableResult
  func client(
    _ packet: TCPPacket, device: MACAddress = Path.phone, checksumIsFinal: Bool = true
  ) -> Fate {
    send(packet.bytes, fromLAN: true, device, checksumIsFinal)
  }

  /// The server sends a packet.
  @discardableResult
  func server(_ packet: TCPPacket) -> Fate { send(packet.bytes, fromLAN: false, .unknown, true) }

  /// A packet of any kind.
  @discardableResult
  func send(
    _ bytes: [UInt8], fromLAN: Bool, _ device: MACAddress = Path.phone,
    _ checksumIsFinal: Bool = true
  ) -> Fate {
    guard let (tuple, isSYN, hasPayload, isTCP) = Path.look(bytes) else {
      return visit(bytes, fromLAN, device, checksumIsFinal, nil, false)
    }
    // Of the router's own connections every packet visits, and no mark is kept.
    if engine.isForRouter { return visit(bytes, fromLAN, device, checksumIsFinal, nil, isSYN) }
    let key = states[tuple.reversed] != nil ? tuple.reversed : tuple
    let state = states[key] ?? .unknown
    seen[tuple, default: 0] += 1
    let isOneTooMany =
      (state == .opened || state == .awaiting) && seen[tuple, default: 0] > 64
    if isOneTooMany || Path.visits(state, fromLAN, isSYN, hasPayload, isTCP) {
      return visit(bytes, fromLAN, device, checksumIsFinal, key, isSYN)
    }
    switch state {
    case .denied: return .refused
    default:
      deliver(bytes, fromLAN)
      return .delivered
    }
  }

  /// Marks a connection from outside, as a reload does over ctnetlink.
  func mark(_ tuple: FiveTuple, _ state: ConnectionState) { states[tuple] = state }

  /// The connection's state, as the kernel keeps it.
  func state(_ tuple: FiveTuple) -> ConnectionState { states[tuple] ?? .unknown }

  /// Lets time pass.
  func wait(_ span: Instant.Span) {
    now = now + span
    var effects = FlowEffects()
    engine.tick(now: now, effects: &effects)
    take(effects)
  }

  /// Hears that a name was looked up.
  func resolved(_ name: String) throws {
    var effects = FlowEffects()
    engine.resolved(try #require(HostName(name)), now: now, effects: &effects)
    take(effects)
  }

  /// All payload bytes that reached the server, put together by sequence number, first copy first.
  var stream: [UInt8] { joined(atServer) }

  /// The same of one connection.
  func stream(_ tuple: FiveTuple) -> [UInt8] { joined(atServer.filter { $0.tuple == tuple }) }

  private func joined(
    _ pieces: [(tuple: FiveTuple, sequence: UInt32, bytes: [UInt8])]
  ) -> [UInt8] {
    var bytes: [UInt32: UInt8] = [:]
    for piece in pieces {
      for (i, byte) in piece.bytes.enumerated() where bytes[piece.sequence &+ UInt32(i)] == nil {
        bytes[piece.sequence &+ UInt32(i)] = byte
      }
    }
    return bytes.keys.sorted().compactMap { bytes[$0] }
  }

  /// Has the trusted resolver answer that `name` lives at `address`.
  func learn(_ address: String, _ name: String) throws {
    learned.learn(
      try #require(IPAddress(address)), for: try #require(HostName(name)), timeToLive: 600,
      from: .dns, now: now)
  }

  /// How many packets wait for their verdict.
  var heldCount: Int { waiting.count }

  /// The reason of the latest decision.
  var reason: Reason? { records.last?.reason }

  // MARK: The kernel

  private static func visits(
    _ state: ConnectionState, _ fromLAN: Bool, _ isSYN: Bool, _ hasPayload: Bool, _ isTCP: Bool
  ) -> Bool {
    if isSYN { return true }
    switch state {
    case .unknown, .cut: return true
    case .allowed, .denied: return false
    case .watched: return fromLAN && hasPayload
    case .awaiting: return hasPayload || !fromLAN
    case .watchedBothWays, .opened: return hasPayload
    }
  }

  private func visit(
    _ bytes: [UInt8], _ fromLAN: Bool, _ device: MACAddress, _ checksumIsFinal: Bool,
    _ tuple: FiveTuple?, _ isSYN: Bool
  ) -> Fate {
    let id = nextID
    nextID += 1
    visits += 1
    let state = tuple.flatMap { states[$0] } ?? .unknown
    if let tuple {
      waiting[id] = Waiting(bytes: bytes, fromLAN: fromLAN, tuple: tuple, isSYN: isSYN)
    } else {
      waiting[id] = Waiting(
        bytes: bytes, fromLAN: fromLAN,
        tuple: FiveTuple(from: "198.18.0.1:0", to: "198.18.0.2:0"), isSYN: false)
    }
    let metadata = PacketMetadata(
      fromLAN: fromLAN, state: state, hardwareAddress: device, checksumIsFinal: checksumIsFinal)
    var effects = FlowEffects()
    engine.packet(
      HeldPacket(id: id, mark: Path.mask.mark(0x1234, with: state), batch: batch), bytes.raw,
      metadata, now: now, effects: &effects)
    return take(effects)[id] ?? .held
  }

  @discardableResult
  private func take(_ effects: FlowEffects) -> [UInt32: Fate] {
    records += effects.records
    resets += effects.resets
    lookups += effects.lookups
    answers += effects.answers
    var fates: [UInt32: Fate] = [:]
    for entry in batch.entries {
      guard let packet = waiting.removeValue(forKey: entry.id) else {
        strayVerdicts += 1
        continue
      }
      switch entry.verdict {
      case .drop: fates[entry.id] = .dropped
      case .pass(let state): fates[entry.id] = pass(packet, packet.bytes, state)
      case .replace(let state, let range):
        fates[entry.id] = pass(packet, Array(batch.arena[range]), state)
      }
    }
    batch.removeAll()
    return fates
  }

  // The enforce chain.
  private func pass(_ packet: Waiting, _ bytes: [UInt8], _ state: ConnectionState) -> Fate {
    if engine.isForRouter {
      if state == .denied { return .refused }
      deliver(bytes, packet.fromLAN)
      return .delivered
    }
    let old = states[packet.tuple] ?? .unknown
    if packet.isSYN, state != .denied, state != .unknown, state != .cut {
      // A SYN was judged itself: its verdict counts more than what was before.
      states[packet.tuple] = state
    } else if state == .denied {
      // A refused first packet leaves no conntrack entry.
      if old != .unknown { states[packet.tuple] = .denied }
      return .refused
    } else if old == .denied {
      return .refused
    } else if state != .unknown, old != .cut, old != .allowed {
      states[packet.tuple] = state
    }
    deliver(bytes, packet.fromLAN)
    return .delivered
  }

  private func deliver(_ bytes: [UInt8], _ fromLAN: Bool) {
    guard fromLAN else {
      atClient.append(bytes)
      return
    }
    packetsAtServer.append(bytes)
    guard case .done(let ip) = IPHeader.parse(bytes.raw), ip.proto == .tcp,
      case .done(let tcp) = TCPHeader.parse(bytes.raw.extracting(ip.payload))
    else { return }
    let payload = Array(bytes[(ip.payload.lowerBound + tcp.headerLength)..<ip.payload.upperBound])
    if !payload.isEmpty, let tuple = Path.look(bytes)?.tuple {
      atServer.append((tuple, tcp.sequence, payload))
    }
  }

  private static func look(
    _ bytes: [UInt8]
  ) -> (tuple: FiveTuple, isSYN: Bool, hasPayload: Bool, isTCP: Bool)? {
    guard case .done(let ip) = IPHeader.parse(bytes.raw) else { return nil }
    let segment = bytes.raw.extracting(ip.payload)
    switch ip.proto {
    case .tcp:
      guard case .done(let tcp) = TCPHeader.parse(segment) else { return nil }
      return (
        FiveTuple(
          proto: .tcp, source: ip.source, sourcePort: tcp.sourcePort, destination: ip.destination,
          destinationPort: tcp.destinationPort),
        tcp.flags.contains(.syn) && !tcp.flags.contains(.ack),
        // Whatever stands beside a plain IP header counts as payload, as in the firewall's rules.
        ip.payload.count > tcp.headerLength || ip.hasOptions, true
      )
    case .udp:
      guard case .done(let udp) = UDPHeader.parse(segment) else { return nil }
      return (
        FiveTuple(
          proto: .udp, source: ip.source, sourcePort: udp.sourcePort, destination: ip.destination,
          destinationPort: udp.destinationPort), false, true, false
      )
    default:
      return (
        FiveTuple(
          proto: ip.proto, source: ip.source, sourcePort: 0, destination: ip.destination,
          destinationPort: 0), false, true, false
      )
    }
  }
}

/// A conversation whose handshake is done: the client may send.
func opened(
  _ path: Path, from client: Endpoint = "198.18.1.10:40001",
  to server: Endpoint = "198.18.0.7:443", timestamp: UInt32? = nil,
  device: MACAddress = Path.phone
) -> TCPConversation {
  var tcp = TCPConversation(client: client, server: server)
  var options: [TCPOption] = [.maximumSegmentSize(1460), .windowScale(7), .sackPermitted]
  if let timestamp { options.append(.timestamp(timestamp, echo: 0)) }
  path.client(tcp.clientSYN(options: options), device: device)
  path.server(tcp.serverSYNACK())
  path.client(tcp.clientACK(), device: device)
  return tcp
}

let allowedHello = ClientHelloBuilder(name: "short.weixin.qq.com").bytes
let forbiddenHello = ClientHelloBuilder(name: "www.example.com").bytes
