public import Wire
public import YAML

/// How the box is wired: `/etc/imgate/imgate.yaml`.
///
/// docs/rules.md has the reference for owners.
public struct Configuration: Equatable, Sendable {
  /// The addresses that LAN devices may have.
  public enum Prefixes: Equatable, Sendable {
    /// Those of the LAN interfaces.
    case auto
    /// These and no others.
    case list([IPPrefix])
  }

  /// Which tool installs the gateway's own rules.
  public enum Firewall: String, CaseIterable, Sendable {
    /// Whichever works here: tried, not looked up.
    case auto
    /// nft.
    case nftables
    /// iptables and ip6tables.
    case iptables
  }

  /// The kernel queues: numbers `first` to `first + count - 1` for packets, `first + count` for DNS.
  public struct Queues: Equatable, Sendable {
    /// The first queue's number.
    public var first: UInt16 = 40
    /// How many queues, each with a thread of its own.
    public var count: UInt16 = 2
    /// How many packets the kernel keeps in each.
    public var length: UInt32 = 8192
  }

  /// What happens to new connections while the gateway can't judge them.
  public enum OnFailure: String, CaseIterable, Sendable {
    /// They are refused.
    case closed
    /// They pass, and the gap is in the report.
    case open
  }

  /// Whose DNS answers are trusted.
  public enum Resolver: Equatable, Sendable {
    /// The router's own.
    case router
    /// The servers at these addresses.
    case list([IPAddress])
  }

  /// Where the names of devices come from.
  public enum Leases: Equatable, Sendable {
    /// dnsmasq's or OpenWrt's lease file, whichever there is.
    case auto
    /// The lease file at this path.
    case path(String)
  }

  /// The usage store.
  public struct Store: Equatable, Sendable {
    /// The database file.
    public var path = "/var/lib/imgate/usage.db"
    /// Seconds between two writes.
    public var interval: UInt64 = 15 * 60
    /// Seconds for which hourly rows are kept.
    public var hours: UInt64 = 35 * 86400
    /// Seconds for which daily rows are kept.
    public var days: UInt64 = 400 * 86400
  }

  /// What is logged.
  public struct Log: Equatable, Sendable {
    /// How much of the gateway's own doings.
    public enum Level: String, CaseIterable, Sendable {
      /// Only what failed.
      case error
      /// And what is doubtful.
      case warning
      /// And what changed.
      case info
      /// And what it does meanwhile.
      case debug
    }

    /// Which flows get a line each.
    public enum Flows: String, CaseIterable, Sendable {
      /// None.
      case none
      /// The refused ones.
      case denied
      /// All.
      case all
    }

    /// How much of the gateway's own doings.
    public var level = Level.info
    /// Which flows get a line each.
    public var flows = Flows.denied
  }

  /// The interfaces of the LAN; at least one.
  public var lan: [String]
  /// The interfaces towards the Internet; at least one.
  public var wan: [String]
  /// Interfaces that forward and are not the gateway's business.
  public var ignore: [String] = []
  /// The addresses that LAN devices may have.
  public var prefixes = Prefixes.auto
  /// Which tool installs the rules.
  public var firewall = Firewall.auto
  /// The 3 adjacent bits of packet and connection marks that the gateway uses.
  public var mark: UInt32 = 0x0700_0000
  /// The kernel queues.
  public var queues = Queues()
  /// What happens while the gateway can't judge.
  public var onFailure = OnFailure.closed
  /// Whose DNS answers are trusted.
  public var resolver = Resolver.router
  /// Where the names of devices come from.
  public var leases = Leases.auto
  /// The usage store.
  public var store = Store()
  /// What is logged.
  public var log = Log()

  /// A configuration with every default; the interfaces have none.
  public init(lan: [String], wan: [String]) {
    self.lan = lan
    self.wan = wan
  }

  /// Whether the mapping at the top of a file is a configuration: it has a `lan:`, which no rules
  /// file has.
  public static func isConfiguration(_ root: YAMLNode) -> Bool { root["lan"] != nil }

  /// Reads and checks imgate.yaml; throws every error it has.
  public static func load(_ file: SourceFile) throws(Diagnostics) -> Configuration {
    var reader = ConfigurationReader()
    reader.read(try YAMLNode.parse(file))
    var diagnostics = reader.diagnostics
    diagnostics.sort()
    try diagnostics.throwIfErrors()
    return reader.configuration
  }
}
