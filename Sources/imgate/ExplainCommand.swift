internal import Arguments
internal import Control
internal import Names
internal import Policy
internal import System
internal import Wire

/// `imgate explain`: what would become of a connection, found by the code that would judge it.
enum ExplainCommand {
  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let policy: Policy
    let question: Question
    do throws(UsageError) { question = try Question(invocation) } catch { throw Failure(error) }
    policy = try Inputs.policy(paths)
    do throws(UsageError) { try question.check(policy, invocation) } catch { throw Failure(error) }
    let device = try device(question.device, policy)
    let known = question.address.flatMap { names(at: $0, paths) }
    let explanation = explain(
      question, device: device, by: policy, rules: paths.rules, known: known)
    Console.out(invocation.has(.json) ? explanation.json : explanation.text)
    return .ok
  }

  /// The answer; `known` are the names that the running gateway knows at the question's address,
  /// nil when it was not asked.
  static func explain(
    _ question: Question, device: MACAddress, by policy: Policy, rules: String, known: [HostName]?
  ) -> Explanation {
    let trial = Trial(question, device: device, policy, known: known)
    let decision = trial.decision
    var explanation = Explanation(
      question: question, port: trial.subject.port, decision: decision, policy: policy,
      rules: rules)
    explanation.addressNote = trial.addressNote(decision)
    explanation.isAddressKnown = trial.isAddressKnown(decision)
    if decision.reason == .requestAllowed, let host = question.host {
      explanation.requests = policy.requests(to: host)
    }
    return explanation
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

  /// The names that the running gateway knows at an address; nil when it can't be asked, since it
  /// need not run for an explanation.
  private static func names(at address: IPAddress, _ paths: Paths) -> [HostName]? {
    do throws(Failure) {
      let lines = try GatewayClient(paths).ask(.addresses(json: false))
      var names: [HostName] = []
      for line in lines.split(separator: UInt8(ascii: "\n")) {
        let fields = line.split(separator: UInt8(ascii: " "))
        if fields.count >= 2, fields[0].elementsEqual(address.text.utf8),
          let name = HostName(String(decoding: fields[1], as: UTF8.self))
        {
          names.append(name)
        }
      }
      return names
    } catch {
      return nil
    }
  }
}
