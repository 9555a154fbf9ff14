internal import Arguments
internal import Names
internal import Policy
internal import System
internal import Wire

/// What `imgate explain` is asked.
struct Question {
  /// What the client speaks.
  enum Speech: Equatable {
    case application(Application)
    /// Nothing that the gateway knows, over TCP or UDP.
    case tcp
    case udp
    /// Bytes that a pack describes.
    case pattern(String)

    init(_ word: String) {
      switch word {
      case "tcp": self = .tcp
      case "udp": self = .udp
      default:
        if let application = Application(rawValue: word), Self.applications.contains(application) {
          self = .application(application)
        } else {
          self = .pattern(word)
        }
      }
    }

    static let applications = Application.allCases.filter { $0 != .unknown && $0 != .pattern }

    /// The word for it on the command line.
    var word: String {
      switch self {
      case .application(let application): application.rawValue
      case .tcp: "tcp"
      case .udp: "udp"
      case .pattern(let name): name
      }
    }

    /// For a sentence.
    var text: String {
      switch self {
      case .application(.tls): "TLS"
      case .application(.http): "HTTP"
      case .application(.quic): "QUIC"
      case .application(.dns): "DNS"
      case .application(let application): application.rawValue
      case .tcp: "TCP, nothing that the gateway knows"
      case .udp: "UDP, nothing that the gateway knows"
      case .pattern(let name): name
      }
    }

    /// The port that it uses most.
    var usualPort: UInt16 {
      switch self {
      case .application(.http), .application(.shortLink): 80
      case .application(.newgetdns), .application(.mmtls), .application(.longLink),
        .application(.msf):
        8080
      case .application(.oicq), .application(.pcQQ): 8000
      case .application(.dns): 53
      case .application, .tcp, .udp, .pattern: 443
      }
    }
  }

  /// As it was typed.
  let target: String
  /// The name, unless HOST is an address.
  let host: HostName?
  /// The server's address, if one was given.
  let address: IPAddress?
  /// Nil: not given; a pattern may have its own.
  let typedPort: UInt16?
  let speech: Speech
  /// As it was typed.
  let device: String?
}

extension Question {
  init(_ invocation: Invocation) throws(UsageError) {
    target = invocation.operands.first ?? ""
    let given: IPAddress?
    if let text = invocation.value(.address) {
      guard let parsed = IPAddress(text) else {
        throw invocation.error("--address takes an IPv4 or IPv6 address, not '\(text)'")
      }
      given = parsed
    } else {
      given = nil
    }
    if let literal = IPAddress(target) {
      if given != nil {
        throw invocation.error("'\(target)' is an address already; leave --address out")
      }
      (host, address) = (nil, literal)
    } else {
      guard let name = HostName(target) else {
        throw invocation.error(
          "'\(target)' is no host name: letters, digits and hyphens between dots are expected")
      }
      (host, address) = (name, given)
    }
    typedPort = try invocation.port(.port)
    speech = Speech(invocation.value(.protocol) ?? (typedPort == 80 ? "http" : "tls"))
    device = invocation.value(.device)
  }

  /// Checks the protocol against those that the rules know.
  func check(_ policy: Policy, _ invocation: Invocation) throws(UsageError) {
    guard case .pattern(let name) = speech, policy.pattern(named: name) == nil else { return }
    let known = Speech.applications.map { $0.rawValue } + ["tcp", "udp"] + policy.patternNames
    let hint =
      Spelling.nearest(to: name, in: known).map { "did you mean '\($0)'?" }
      ?? "known are \(Spelling.list(known))"
    throw invocation.error("--protocol: there is no '\(name)'; \(hint)")
  }
}
