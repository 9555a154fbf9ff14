/// The protocol that a flow's first bytes belong to.
///
/// The raw values stand in outputs and, for those that a pack may list, under `signatures`.
public enum Application: String, CaseIterable, Sendable {
  case unknown
  /// With a name: TLS's SNI, HTTP's Host.
  case tls
  case http
  /// WeChat's short link: mmtls in the body of an HTTP request.
  case shortLink = "short-link"
  /// WeChat's HTTP DNS.
  case newgetdns
  /// WeChat's media: pairs in the body of an HTTP request.
  case c2cHTTP = "c2c-http"
  /// WeChat's long link.
  case mmtls
  /// The long link of old clients, whose header is in clear.
  case longLink = "long-link"
  /// WeChat's media: frames that begin with 0xAB.
  case c2c
  /// QQ's service channel.
  case msf
  /// OICQ over TCP.
  case pcQQ = "pc-qq"
  /// QQ's upload of pictures and files.
  case highway
  /// OICQ over UDP.
  case oicq
  case quic
  case gquic
  case dns
  /// Bytes that a pack's pattern describes.
  case pattern

  /// Whether a pack may list it under `signatures`: it has a parser, and need not carry a name.
  public var isSignature: Bool {
    switch self {
    case .shortLink, .newgetdns, .c2cHTTP, .mmtls, .longLink, .c2c, .msf, .pcQQ, .highway, .oicq:
      true
    case .unknown, .tls, .http, .quic, .gquic, .dns, .pattern: false
    }
  }

  /// Whether its connections live as long as the chat does, so that they may vouch for others.
  public var mayVouch: Bool {
    switch self {
    case .mmtls, .longLink, .msf, .pcQQ: true
    default: false
    }
  }

  /// How it is carried, as the rules file says it.
  public var transport: Transport {
    switch self {
    case .oicq, .dns: .udp
    case .quic, .gquic: .quic
    default: .tcp
    }
  }
}

/// A set of protocols.
public struct ApplicationSet: OptionSet, Hashable, Sendable {
  /// A bit for each case of `Application`, in the order of its cases.
  public let rawValue: UInt32

  /// The set with these bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The set of one.
  public init(_ application: Application) {
    // Not by `allCases`, which would allocate an array.
    let place: UInt32 =
      switch application {
      case .unknown: 0
      case .tls: 1
      case .http: 2
      case .shortLink: 3
      case .newgetdns: 4
      case .c2cHTTP: 5
      case .mmtls: 6
      case .longLink: 7
      case .c2c: 8
      case .msf: 9
      case .pcQQ: 10
      case .highway: 11
      case .oicq: 12
      case .quic: 13
      case .gquic: 14
      case .dns: 15
      case .pattern: 16
      }
    self.init(rawValue: 1 << place)
  }
}

extension ApplicationSet {
  /// The names of its members, in the order of the cases.
  public var names: [String] {
    Application.allCases.filter { contains(ApplicationSet($0)) }.map { $0.rawValue }
  }
}

/// Which live connections of the same device vouch for a flow whose address nobody can know.
public struct Vouchers: Hashable, Sendable {
  /// Their service, by `Policy.serviceKey(of:)`.
  public var service: UInt32
  /// Their protocols; empty: nobody needs to vouch.
  public var applications: ApplicationSet

  /// All of it.
  public init(service: UInt32, applications: ApplicationSet) {
    self.service = service
    self.applications = applications
  }

  /// Nobody needs to vouch.
  public static let none = Vouchers(service: 0, applications: [])
}
