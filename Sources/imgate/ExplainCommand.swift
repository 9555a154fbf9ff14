internal import Arguments
internal import Control
internal import Names
internal import Policy
internal import System
internal import Wire

/// `imgate explain`: what would become of a connection, found by the code that would judge it.
enum ExplainCommand {
  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let question: Question
    do throws(UsageError) { question = try Question(invocation) } catch { throw Failure(error) }
    let policy = try Inputs.policy(paths)
    let device = try device(question.device, policy)
    var explanation = explain(question, device: device, by: policy, rules: paths.rules)
    if explanation.decision.needsKnownAddress, question.address != nil {
      explanation.isAddressKnown = isKnown(question, explanation.decision.rule, policy, paths)
    }
    Console.out(invocation.has(.json) ? explanation.json : explanation.text)
    return .ok
  }

  private static func explain(
    _ question: Question, device: MACAddress, by policy: Policy, rules: String
  ) -> Explanation {
    let transport: Transport = question.protocol == .udp ? .udp : .tcp
    // Without an address, one that no address line can mean.
    let address = question.address ?? IPAddress(ipv6: 0)
    let opening = policy.opening(
      address: address, port: question.port, transport: transport, device: device)
    let decision: Decision
    switch (opening, question.protocol) {
    case (.decided(let decided), _): decision = decided
    // No datagram's content is judged in this version: what no address line allows is refused.
    case (.undecided, .udp): decision = Decision(reason: .udp, rule: .none)
    case (.undecided, .tls), (.undecided, .http), (.undecided, .tcp):
      let application: Application =
        switch question.protocol {
        case .tls: .tls
        case .http: .http
        case .tcp, .udp: .unknown
        }
      decision = policy.decide(
        Subject(
          application: application, host: application == .unknown ? nil : question.host,
          address: address, port: question.port, transport: transport, device: device))
    }
    return Explanation(
      question: question, decision: decision, rule: policy.rule(decision.rule), rules: rules,
      binding: policy.binding, mode: policy.mode)
  }

  /// A device by its hardware address or the owner's label.
  private static func device(_ text: String?, _ policy: Policy) throws(Failure) -> MACAddress {
    guard let text else { return .unknown }
    if let address = MACAddress(text) { return address }
    for device in policy.labels where device.name == text { return device.device }
    throw Failure(
      .badInput,
      "imgate explain: no device is labelled '\(text)' in the rules; "
        + "a label or a MAC address is expected")
  }

  // Nil when the gateway can't be asked: it need not run for an explanation.
  private static func isKnown(
    _ question: Question, _ rule: RuleID, _ policy: Policy, _ paths: Paths
  ) -> Bool? {
    guard let address = question.address, let host = question.host else { return nil }
    if policy.isBuiltIn(address, port: question.port, for: rule) { return true }
    do throws(Failure) {
      let lines = try GatewayClient(paths).ask(.addresses(json: false))
      for line in lines.split(separator: UInt8(ascii: "\n")) {
        let fields = line.split(separator: UInt8(ascii: " "))
        if fields.count >= 2, fields[0].elementsEqual(address.text.utf8),
          fields[1].elementsEqual(host.text.utf8)
        {
          return true
        }
      }
      return false
    } catch {
      return nil
    }
  }
}
