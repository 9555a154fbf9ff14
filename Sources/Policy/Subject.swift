public import Names
public import Wire

/// How a flow is carried, as the rules file says it: `protocol: tcp | udp | quic`.
public enum Transport: String, CaseIterable, Sendable {
  case tcp
  case udp
  case quic
}

/// What is judged: all that the rules may ask of a flow.
public struct Subject: Sendable {
  /// The protocol that was recognised; `.unknown` before any byte has come.
  public var application: Application
  /// The name that the client asked for, if its protocol carries one.
  public var host: HostName?
  /// The server's address.
  public var address: IPAddress
  /// The server's port.
  public var port: UInt16
  /// How it is carried.
  public var transport: Transport
  /// The client's hardware address.
  public var device: MACAddress

  /// All of it.
  public init(
    application: Application, host: HostName?, address: IPAddress, port: UInt16,
    transport: Transport, device: MACAddress
  ) {
    self.application = application
    self.host = host
    self.address = address
    self.port = port
    self.transport = transport
    self.device = device
  }
}

/// A rule of the compiled table, by its place in it.
public struct RuleID: Hashable, Sendable {
  /// The index in the policy's rules.
  public let index: UInt32
  /// The rule at `index`.
  public init(_ index: UInt32) { self.index = index }
  /// No rule: default deny.
  public static let none = RuleID(.max)
}

/// What the policy says of a subject.
public struct Decision: Equatable, Sendable {
  /// The reason; it tells allow from deny.
  public var reason: Reason
  /// The rule that decided.
  public var rule: RuleID
  /// Allowed by name: under `binding: strict` the server's address must also be one that the
  /// trusted resolver gave for that name.
  public var needsKnownAddress: Bool
  /// Allowed by signature as a companion of chat: one of these connections must be alive on the same
  /// device, the client's direction must stay valid for life, and its bytes count against the budget.
  public var vouchers: Vouchers
  /// Datagrams that a device may send in a minute to the rule's servers; 0 is no limit.
  public var rate: UInt16

  /// All of it.
  public init(
    reason: Reason, rule: RuleID, needsKnownAddress: Bool = false, vouchers: Vouchers = .none,
    rate: UInt16 = 0
  ) {
    self.reason = reason
    self.rule = rule
    self.needsKnownAddress = needsKnownAddress
    self.vouchers = vouchers
    self.rate = rate
  }

  /// Whether the flow may pass (as far as the rules go).
  public var isAllowed: Bool { reason.isAllow }
}
