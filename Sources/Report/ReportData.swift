public import Usage
public import Wire

/// The figures of a day or of several: what the renderers show, in the order in which they show it.
public struct ReportData: Sendable {
  /// Whether the figures are complete.
  public enum Live: String, Sendable {
    /// The running daemon gave what it had not yet written.
    case included
    /// No daemon answered: what it had not written when it ended is missing.
    case down
    /// The daemon was not asked.
    case notAsked = "not-asked"
  }

  /// A device with what it did.
  public struct Device: Sendable {
    /// Its hardware address, `.unknown` when there is none.
    public let mac: MACAddress
    /// Its name: label, lease name, or address.
    public let name: String
    /// Whether `name` is only one of its addresses.
    public let isUnnamed: Bool
    /// Network addresses that it had, at most 16.
    public let addresses: [IPAddress]
    /// What passed.
    public let allowed: UsageCounts
    /// What was refused.
    public let refused: UsageCounts
    /// What it used, most bytes first.
    public let services: [Service]
  }

  /// A service's feature (or an owner's rule) with what it was used for.
  public struct Service: Sendable {
    /// The service, empty when no rule named one.
    public let service: String
    /// The feature or rule, `wechat.messaging`; empty in a service's sum.
    public let rule: String
    /// What passed.
    public let allowed: UsageCounts
    /// What was refused by it.
    public let refused: UsageCounts
    /// How many devices used it.
    public let devices: Int
    /// What passed for reasons that an owner should know of; it is in `allowed` too.
    public let apart: [Apart]
  }

  /// What passed on less proof than the rest.
  public struct Apart: Sendable {
    /// Why it passed: a reason's name.
    public let reason: String
    /// What the reason means, in plain words; empty when nothing is known of it.
    public let explanation: String
    /// What passed.
    public let counts: UsageCounts
    /// How many devices did it.
    public let devices: Int
  }

  /// A host that was reached.
  public struct Host: Sendable {
    /// Its name, or address and port.
    public let host: String
    /// The rule's service.
    public let service: String
    /// The rule that let it pass.
    public let rule: String
    /// What passed.
    public let counts: UsageCounts
  }

  /// A host that a device was refused.
  public struct Refusal: Sendable {
    /// The host's name, or address and port.
    public let host: String
    /// The device's hardware address.
    public let mac: MACAddress
    /// The device's name.
    public let device: String
    /// The rule that refused it, empty when none did.
    public let rule: String
    /// Why: a reason's name.
    public let reason: String
    /// How often.
    public let times: UInt64
  }

  /// A reason for refusals.
  public struct ReasonCount: Sendable {
    /// Its name.
    public let reason: String
    /// What it means, in plain words; empty when nothing is known of it.
    public let explanation: String
    /// How often.
    public let times: UInt64
  }

  /// One hour.
  public struct Hour: Sendable {
    /// Its first second.
    public let start: Int64
    /// What passed.
    public let allowed: UsageCounts
    /// What was refused.
    public let refused: UsageCounts
  }

  /// One line of the full list: what one device did with one host.
  public struct Detail: Sendable {
    /// The device's hardware address.
    public let mac: MACAddress
    /// The device's name.
    public let device: String
    /// The rule's service.
    public let service: String
    /// The rule.
    public let rule: String
    /// The host.
    public let host: String
    /// What became of it.
    public let verdict: UsageVerdict
    /// Why.
    public let reason: String
    /// How much.
    public let counts: UsageCounts
  }

  /// The first day.
  public let first: LocalDay
  /// The last day, included.
  public let last: LocalDay
  /// The first second of the first day.
  public let start: Int64
  /// The first second after the last day.
  public let end: Int64
  /// When the report was made, in seconds since 1970.
  public let now: Int64
  /// Whether the figures are complete.
  public let live: Live
  /// What the reader of the figures has to know besides.
  public let notes: [String]
  /// What passed, in all.
  public let allowed: UsageCounts
  /// What was refused, in all.
  public let refused: UsageCounts
  /// Devices, most bytes first.
  public let devices: [Device]
  /// The sum of each service, each followed by its features, most bytes first.
  public let services: [Service]
  /// Hosts that were reached, most bytes first.
  public let hosts: [Host]
  /// Refusals, most frequent first.
  public let refusals: [Refusal]
  /// Reasons of refusals, most frequent first.
  public let reasons: [ReasonCount]
  /// Hours in which something was counted, in order.
  public let hours: [Hour]
  /// What happened to the gateway, in order.
  public let events: [GatewayEvent]
  /// How the queue did, in all.
  public let health: QueueHealth
  /// Everything by device, host, rule and outcome, in a fixed order.
  public let details: [Detail]

  /// Whether nothing was counted and nothing happened.
  public var isEmpty: Bool { details.isEmpty && events.isEmpty && health.isZero }
}
