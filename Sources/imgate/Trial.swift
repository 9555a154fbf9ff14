internal import Names
internal import Policy
internal import System
internal import Wire

/// A question put to the policy as the engine would put a flow.
struct Trial {
  private let question: Question
  private let policy: Policy
  let subject: Subject
  private let pattern: PatternID?
  /// The names that the running gateway knows at the address; nil: it was not asked.
  private let known: [HostName]?

  init(_ question: Question, device: MACAddress, _ policy: Policy, known: [HostName]?) {
    self.question = question
    self.policy = policy
    self.known = known
    var application = Application.unknown
    var transport = Transport.tcp
    var pattern: PatternID?
    switch question.speech {
    case .application(let spoken): (application, transport) = (spoken, spoken.transport)
    case .tcp: break
    case .udp: transport = .udp
    case .pattern(let name):
      pattern = policy.pattern(named: name)
      application = .pattern
      transport = pattern.map { policy.transport(of: $0) } ?? .tcp
    }
    self.pattern = pattern
    let usual = pattern.flatMap { policy.port(of: $0) } ?? question.speech.usualPort
    subject = Subject(
      application: application, host: Self.hasName(application) ? question.host : nil,
      // Without an address, one that no address line can mean.
      address: question.address ?? IPAddress(ipv6: 1 << 125), port: question.typedPort ?? usual,
      transport: transport, device: device)
  }

  private static func hasName(_ application: Application) -> Bool {
    switch application {
    case .tls, .http, .quic, .gquic, .shortLink, .newgetdns: true
    default: false
    }
  }

  // MARK: The answer

  var decision: Decision {
    if subject.application == .dns, let name = question.host {
      return policy.decide(query: name, device: subject.device)
    }
    // A port that is open for QUIC is open for UDP: only its bytes tell QUIC.
    let opening = policy.opening(
      address: subject.address, port: subject.port,
      transport: subject.transport == .tcp ? .tcp : .udp, device: subject.device)
    if case .decided(let decision) = opening, subject.transport != .quic || decision.isAllowed {
      // The engine says no more of a closed port; a person wants to know what would open it.
      let nameless = namelessDecision
      let isOff = decision.reason == .portNotAllowed && nameless.reason == .featureOff
      return isOff ? nameless : decision
    }
    switch subject.application {
    case .unknown where subject.transport == .udp:
      return Decision(reason: .udp, rule: .none)
    case .quic, .gquic:
      // What is no more than "not allowed so" is called by what it is.
      var decision = policy.decide(subject)
      switch decision.reason {
      case .portNotAllowed, .hostNotAllowed: decision.reason = .quic
      case .noServerName where !policy.opens(subject.port, .quic): decision.reason = .quic
      default: break
      }
      return decision
    case .http:
      return policy.decideListedRequest(subject) ?? policy.decide(subject)
    case .unknown, .dns, .tls: return policy.decide(subject)
    default: return subject.host == nil ? namelessDecision : policy.decide(subject)
    }
  }

  private var namelessDecision: Decision {
    let learned = LearnedAddresses()
    // Time doesn't pass here.
    let now = Instant(nanoseconds: 0)
    for name in names {
      learned.learn(subject.address, for: name, timeToLive: 600, from: .resolver, now: now)
    }
    return policy.decide(nameless: subject, pattern: pattern, learned: learned, now: now)
  }

  /// Who is taken to live at the address.
  private var names: [HostName] {
    if let known { return known }
    // Nobody can say: then what HOST claims is taken for true.
    return question.host.flatMap { policy.mayTeach($0) ? [$0] : [] } ?? []
  }

  func isAddressKnown(_ decision: Decision) -> Bool? {
    guard decision.needsKnownAddress, let host = question.host, let address = question.address
    else {
      return nil
    }
    if policy.isBuiltIn(address, port: subject.port, for: decision.rule) { return true }
    return known.map { $0.contains(host) }
  }

  /// What the address has to prove.
  func addressNote(_ decision: Decision) -> String? {
    switch decision.reason {
    case .mediaCompanion:
      let vouchers = decision.vouchers.applications.names.joined(separator: " or ")
      return "any, while the same device has a live \(vouchers) connection"
    case .signatureAllowed where policy.binding == .off: return "any (binding: off)"
    case .signatureAllowed where question.address == nil || known == nil && question.host != nil:
      return "must be one that the resolver or HTTP DNS gives for this name, or a pack's"
    case .signatureAllowed:
      return "known: a name of the feature lives there, or its pack lists it"
    case .addressNotLearned where question.host == nil && known == nil:
      return "no pack lists it; what the resolver taught is known only while imgate runs"
    case .addressNotLearned where known == nil:
      return "the server of this name is none of those that speak \(question.speech.text)"
    case .addressNotLearned: return "no server that speaks \(question.speech.text) lives there"
    default: break
    }
    guard decision.needsKnownAddress else { return nil }
    if policy.binding == .observe {
      return "any; the report says when the resolver didn't give it (binding: observe)"
    }
    switch isAddressKnown(decision) {
    case true: return "known: the resolver gave it for this name"
    case false:
      return "not known now: looked up when the connection comes, "
        + "refused (address-not-learned) if the resolver doesn't give it"
    case nil: return "must be one that the resolver gives for this name (binding: strict)"
    }
  }
}
