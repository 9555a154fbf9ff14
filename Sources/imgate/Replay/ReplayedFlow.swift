internal import Flow
internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

/// A flow of a capture: what the kernel would know of it, and what was decided.
final class ReplayedFlow {
  enum Verdict: String {
    case allow
    case deny
    /// No byte came that could be judged.
    case undecided
  }

  /// From the side that opened it.
  let tuple: FiveTuple
  /// Number of its first packet in the capture.
  let firstPacket: UInt64
  /// Its connection mark.
  var state: ConnectionState
  /// IP bytes of both directions.
  var bytes: UInt64 = 0
  /// Packets that visited the engine.
  var packetsInspected: UInt64 = 0
  /// When its last packet was seen.
  var lastSeen = Instant(nanoseconds: 0)
  /// Sequence number of its SYN.
  var opening: UInt32?
  var clientHasEnded = false
  var serverHasEnded = false
  var wasReset = false
  /// Whether its first packet was refused: no connection came of it.
  var isRefused = false
  /// Whether wrong checksums of the client's packets don't matter.
  var checksumsSayNothing = false
  /// Behind the last of the client's bytes that came with a right checksum, as a sequence number.
  var believedEnd: UInt32?
  /// Packets of the client's whose checksum is wrong, as long as the server has not acknowledged
  /// their bytes.
  private(set) var doubted: [Doubted] = []
  /// The SYN, if it had data that the server has not answered yet.
  var openingData: Doubted?

  private(set) var verdict = Verdict.undecided
  private(set) var reason: Reason?
  private(set) var rule: String?
  private(set) var application = Application.unknown
  private(set) var host: HostName?

  init(_ tuple: FiveTuple, firstPacket: UInt64, state: ConnectionState = .unknown) {
    self.tuple = tuple
    self.firstPacket = firstPacket
    self.state = state
  }

  /// A packet that the router would have dropped if it came there as the capture has it.
  struct Doubted {
    let packet: [UInt8]
    let metadata: PacketMetadata
    /// The sequence number behind it.
    let end: UInt32
  }

  /// Packets of a flow that may be doubted at a time: as many as a sender sends unacknowledged.
  private static let maximumDoubted = 16

  /// Keeps a packet for when the server acknowledges it.
  func doubt(_ packet: Doubted) {
    if doubted.count < Self.maximumDoubted { doubted.append(packet) }
  }

  /// Takes out what is acknowledged; what came with a right checksum, too, is forgotten.
  func takeDoubted(before acknowledgement: UInt32) -> [Doubted] {
    func isBefore(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: b &- a) >= 0 }
    let done = doubted.filter { isBefore($0.end, acknowledgement) }
    guard !done.isEmpty else { return [] }
    doubted.removeAll { isBefore($0.end, acknowledgement) }
    return done.filter { packet in believedEnd.map { !isBefore(packet.end, $0) } ?? true }
  }

  /// Both sides have closed it, or one has reset it.
  var isClosed: Bool { wasReset || clientHasEnded && serverHasEnded }

  /// Takes over a decision: the first that allows, or the first that denies, which is the last.
  func decided(_ record: FlowRecord) {
    guard verdict != .deny else { return }
    if verdict == .allow, record.reason.isAllow { return }
    verdict = record.reason.isAllow ? .allow : .deny
    reason = record.reason
    rule = record.rule == .none ? nil : record.policy.rule(record.rule).name
    application = record.application
    host = record.host
  }

  private var proto: String {
    switch tuple.proto {
    case .tcp: "tcp"
    case .udp: "udp"
    default: "\(tuple.proto.number)"
    }
  }

  private var hasPorts: Bool { tuple.proto == .tcp || tuple.proto == .udp }

  /// One object on one line.
  func json(capture: String) -> String {
    var object = JSONLines()
    object.begin("flow")
    object.add("capture", capture)
    object.add("protocol", proto)
    object.add("client", tuple.source.text)
    if hasPorts { object.add("clientPort", UInt64(tuple.sourcePort)) }
    object.add("server", tuple.destination.text)
    if hasPorts { object.add("serverPort", UInt64(tuple.destinationPort)) }
    object.add("verdict", verdict.rawValue)
    object.add("reason", reason?.name)
    object.add("rule", rule)
    object.add("application", application.rawValue)
    object.add("host", host?.text)
    object.add("packetsInspected", packetsInspected)
    object.add("bytes", bytes)
    object.add("firstPacket", firstPacket)
    object.end()
    return object.text
  }

  /// The head of the table whose lines are `line`.
  static let tableHead = line(
    "packet", "verdict", "reason", "rule", "proto", "client", "server", "bytes", "host")

  /// A line for a person.
  var line: String {
    Self.line(
      "\(firstPacket)", verdict.rawValue, reason?.name ?? "-", rule ?? "-",
      application == .unknown ? proto : application.rawValue, end(tuple.source, tuple.sourcePort),
      end(tuple.destination, tuple.destinationPort), "\(bytes)", host?.text ?? "-")
  }

  private func end(_ address: IPAddress, _ port: UInt16) -> String {
    if !hasPorts { return address.text }
    return address.isIPv4 ? "\(address.text):\(port)" : "[\(address.text)]:\(port)"
  }

  private static func line(_ cells: String...) -> String {
    // The last column is as wide as it is.
    let widths = [7, 9, 20, 20, 10, 21, 21, 9, 0]
    var line = ""
    for (cell, width) in zip(cells, widths) {
      if !line.isEmpty { line += " " }
      line += cell + String(repeating: " ", count: max(0, width - cell.utf8.count))
    }
    return line + "\n"
  }
}
