public import Names
public import Policy
public import Wire

/// A decision on a flow, for the books: the ledger counts it, and credits the connection's bytes
/// to it.
public struct FlowRecord: Sendable {
  /// The flow, from the client to the server, as the LAN sees it (before any NAT).
  public var tuple: FiveTuple
  /// The client's hardware address.
  public var device: MACAddress
  /// The reason; it tells allow from deny.
  public var reason: Reason
  /// The rule that decided, in `policy`.
  public var rule: RuleID
  /// The policy that decided.
  public var policy: Policy
  /// The name that was asked for, if one was seen.
  public var host: HostName?
  /// The protocol that was recognised.
  public var application: Application
  /// How many packets of the flow had been looked at.
  public var packets: UInt32
  /// Whether the flow passed although the reason denies (audit).
  public var passedAnyway: Bool
  /// Whether an earlier record was of this connection: another request on it.
  public var isContinuation: Bool
  /// Whether the kernel has an entry for the connection, whose bytes can be counted.
  public var isConnection: Bool
}

/// A TCP reset that the gateway sends itself, to the end that the kernel's refusal doesn't reach.
public struct FlowReset: Equatable, Sendable {
  /// From the end in whose name it is sent to the end that gets it.
  public var tuple: FiveTuple
  /// Sequence number: the next byte that the receiver expects.
  public var sequence: UInt32
  /// The interface of the client, for link-local addresses.
  public var interface: UInt32

  /// A reset.
  public init(tuple: FiveTuple, sequence: UInt32, interface: UInt32 = 0) {
    self.tuple = tuple
    self.sequence = sequence
    self.interface = interface
  }
}

/// A packet that the gateway sends itself: a DNS answer to a refused question.
public struct FlowAnswer: Equatable, Sendable {
  /// The whole packet, from its IP header on.
  public var bytes: [UInt8]
  /// To whom.
  public var destination: IPAddress
  /// The interface of the client, for link-local addresses.
  public var interface: UInt32

  /// A packet.
  public init(bytes: [UInt8], destination: IPAddress, interface: UInt32 = 0) {
    self.bytes = bytes
    self.destination = destination
    self.interface = interface
  }
}

/// What the flow engine wants done beside verdicts: the caller does it and empties the lists.
public struct FlowEffects: Sendable {
  /// Decisions.
  public var records: [FlowRecord] = []
  /// Resets to send.
  public var resets: [FlowReset] = []
  /// Packets to send.
  public var answers: [FlowAnswer] = []
  /// Names to ask the trusted resolver for; `FlowEngine.resolved` hears when it is done.
  public var lookups: [HostName] = []

  /// Nothing to do.
  public init() {}

  /// Forgets what was done; the memory is kept.
  public mutating func removeAll() {
    records.removeAll(keepingCapacity: true)
    resets.removeAll(keepingCapacity: true)
    answers.removeAll(keepingCapacity: true)
    lookups.removeAll(keepingCapacity: true)
  }
}
