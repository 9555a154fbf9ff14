/// Protocols that carry no name: those with a parser, and the packs' patterns.
struct SignatureSet: Hashable, Sendable {
  var applications = ApplicationSet()
  /// A bit for each pattern, by its number.
  var patterns: UInt64 = 0

  /// The most patterns that all packs together may define.
  static let maximumPatterns = 64

  var isEmpty: Bool { applications.isEmpty && patterns == 0 }

  func intersects(_ other: SignatureSet) -> Bool {
    !applications.isDisjoint(with: other.applications) || patterns & other.patterns != 0
  }
}

/// When a rule holds, and what it asks besides a name.
struct Condition: Hashable, Sendable {
  var ports: PortCondition
  /// Nameless protocols that are allowed where the rule's names live.
  var signatures = SignatureSet()
  /// Who must vouch for them at an address that is nobody's; empty: such an address is refused.
  var companion = ApplicationSet()
  /// Datagrams a minute and device; 0: no limit.
  var rate: UInt16 = 0
  /// The name is that of single requests: it may be looked up, and allows nothing else.
  var isRequest = false

  init(_ ports: PortCondition) { self.ports = ports }

  static let everything = Condition(.everything)
}

/// The different conditions that occur, all their port ranges in one array: asked for each packet
/// that is judged.
struct ConditionTable: Sendable {
  /// What a condition says besides ports: without an array, so that reading it costs nothing.
  struct Demand: Sendable {
    let signatures: SignatureSet
    let companion: ApplicationSet
    let rate: UInt16
    let isRequest: Bool
  }

  /// The conditions as they were given.
  let all: [Condition]
  private var ranges: [PortSet.Range] = []
  /// Where the ranges of condition i and transport t begin: at 3i + t.
  private var starts: [UInt32] = [0]
  private var demands: [Demand] = []

  init(_ all: [Condition]) {
    self.all = all
    for condition in all {
      for set in [condition.ports.tcp, condition.ports.udp, condition.ports.quic] {
        ranges += set.ranges
        starts.append(UInt32(ranges.count))
      }
      demands.append(
        Demand(
          signatures: condition.signatures, companion: condition.companion, rate: condition.rate,
          isRequest: condition.isRequest))
    }
  }

  func contains(_ condition: UInt32, _ transport: Transport, _ port: UInt16) -> Bool {
    let place =
      switch transport {
      case .tcp: Int(condition) * 3
      case .udp: Int(condition) * 3 + 1
      case .quic: Int(condition) * 3 + 2
      }
    var i = Int(starts[place])
    let end = Int(starts[place + 1])
    while i < end {
      if port >= ranges[i].first && port <= ranges[i].last { return true }
      i += 1
    }
    return false
  }

  func demand(of condition: UInt32) -> Demand { demands[Int(condition)] }
}
