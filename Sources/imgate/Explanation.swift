internal import Names
internal import Policy
internal import System
internal import Wire

/// An answer of `imgate explain`.
struct Explanation {
  let question: Question
  let port: UInt16
  let decision: Decision
  let rule: RuleDescription
  /// The rules file, for the remedy.
  let rules: String
  let mode: Policy.Mode
  /// Whether the running gateway knows the address for the name; nil when it was not asked.
  var isAddressKnown: Bool?
  /// What the address has to prove.
  var addressNote: String?
  /// The only requests that pass; empty: the answer holds for every one.
  var requests: [String] = []

  init(
    question: Question, port: UInt16, decision: Decision, policy: Policy, rules: String
  ) {
    self.question = question
    self.port = port
    self.decision = decision
    self.rules = rules
    rule = policy.rule(decision.rule)
    mode = policy.mode
  }

  private var verdict: String { decision.isAllowed ? "allow" : "deny" }
  private var ruleName: String { decision.rule == .none ? "none" : rule.name }

  /// A few lines for a person.
  var text: String {
    var text = "\(verdict): \(decision.reason.name)\n"
    func line(_ label: String, _ body: String) {
      text += "  \(label)" + String(repeating: " ", count: 9 - label.utf8.count) + body + "\n"
    }
    line("asked", asked)
    line("because", decision.reason.explanation)
    if decision.rule == .none {
      line("rule", "none: what no rule allows is refused")
    } else {
      line("rule", rule.path.isEmpty ? rule.name : "\(rule.name) (\(rule.path):\(rule.line))")
      // Of a feature the pack says what its owner misses without it.
      if !rule.note.isEmpty { line(rule.feature == nil ? "note" : "if off", rule.note) }
    }
    for request in requests { line("only", request + "; every other request is refused") }
    if let address = addressNote { line("address", address) }
    if mode == .audit && !decision.isAllowed {
      line("mode", "audit: it passes all the same, and is recorded")
    }
    if let remedy {
      line("remedy", remedy.advice + (remedy.line == nil ? "" : ":"))
      // On a line of its own, to be copied.
      if let yaml = remedy.line { line("", "  " + yaml) }
    }
    return text
  }

  /// One object on one line.
  var json: String {
    var object = JSONLines()
    object.begin("explanation")
    object.add("target", question.target)
    object.add("host", question.host?.text)
    object.add("address", question.address?.text)
    object.add("port", UInt64(port))
    object.add("protocol", question.speech.word)
    object.add("device", question.device)
    object.add("verdict", verdict)
    object.add("reason", decision.reason.name)
    object.add("explanation", decision.reason.explanation)
    object.add("rule", decision.rule == .none ? nil : rule.name)
    object.add("file", decision.rule == .none ? nil : rule.path)
    object.add("line", decision.rule == .none ? nil : UInt64(rule.line))
    object.add("needsKnownAddress", decision.needsKnownAddress)
    object.add("addressKnown", isAddressKnown)
    object.add("onlyRequests", requests.isEmpty ? nil : requests.joined(separator: ", "))
    object.add("mode", mode.rawValue)
    object.add("remedy", remedy?.advice)
    object.add("remedyLine", remedy?.line)
    object.end()
    return object.text
  }

  private var asked: String {
    var parts = ["\(question.target) port \(port), \(question.speech.text)"]
    if question.host != nil, let address = question.address { parts.append("at \(address.text)") }
    if let device = question.device { parts.append("from \(device)") }
    return parts.joined(separator: ", ")
  }

  /// What to change if it should be otherwise, and the line to write; nil where that is not up to
  /// the rules.
  private var remedy: (advice: String, line: String?)? {
    let place = "\(rule.path):\(rule.line)"
    switch decision.reason {
    case .hostAllowed:
      return ("to refuse it, add under \"deny:\" in \(rules)", "- {host: \(hostText)}")
    case .addressAllowed, .hostDenied, .addressDenied:
      return ("it is the line \(place): remove it, or make it narrower", nil)
    case .deviceUnrestricted:
      return ("to have the device judged, remove the line \(place)", nil)
    case .featureOff:
      guard let feature = rule.feature else { return nil }
      return (
        "to let it pass, switch it on under \"services:\" in \(rules)",
        "\(rule.service): {\(feature): on}"
      )
    case .quic:
      return (
        "programs fall back to TCP at once; to let it pass all the same, add under "
          + "\"allow:\" in \(rules)", allowLine
      )
    case .hostNotAllowed, .portNotAllowed:
      return ("to let it pass, add under \"allow:\" in \(rules)", allowLine)
    case .noServerName, .unknownProtocol, .udp:
      return (
        "if you trust the server with all that it does, add under \"allow:\" in \(rules)",
        addressLine
      )
    case .addressNotLearned where question.address == nil:
      // The name's own server speaks something else: no answer of a resolver would help.
      return nil
    default:
      return decision.reason.remedy.isEmpty ? nil : (decision.reason.remedy, nil)
    }
  }

  private var hostText: String { question.host?.text ?? question.target }

  // Only these carry a name that a host line could match; a question is about the name itself.
  private var allowLine: String {
    guard question.host != nil else { return addressLine }
    switch question.speech {
    case .application(.tls), .application(.http), .application(.shortLink),
      .application(.newgetdns):
      return "- {host: \(hostText)\(ports)}"
    case .application(.quic), .application(.gquic):
      return "- {host: \(hostText)\(ports), protocol: quic}"
    case .application(.dns): return "- {host: \(hostText)}"
    default: return addressLine
    }
  }

  private var addressLine: String {
    let address = question.address.map { "'\($0.text)'" } ?? "ADDRESS"
    let transport: Transport =
      switch question.speech {
      case .application(let application): application.transport
      case .udp: .udp
      case .tcp, .pattern: .tcp
      }
    let suffix = transport == .tcp ? "" : ", protocol: \(transport.rawValue)"
    return "- {address: \(address)\(ports)\(suffix)}"
  }

  // Without `ports` an allow line means 80 and 443.
  private var ports: String {
    port == 80 || port == 443 ? "" : ", ports: [\(port)]"
  }
}
