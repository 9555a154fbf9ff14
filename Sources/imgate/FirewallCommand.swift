internal import Arguments
internal import Configuration
internal import Control
internal import Firewall
internal import Policy
internal import System

/// `imgate firewall`: the gateway's own rules in the kernel.
enum FirewallCommand {
  /// What to do with them.
  enum Action: String, CaseIterable {
    case show
    case verify
    case remove
  }

  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let action: Action
    do throws(UsageError) {
      action = try invocation.operand(as: Action.self)
    } catch {
      throw Failure(error)
    }
    switch action {
    case .show: return try show(paths)
    case .verify: return try verify(paths)
    case .remove: return try remove(paths)
    }
  }

  private static func show(_ paths: Paths) throws(Failure) -> ExitStatus {
    guard let firewall = try installed(paths) else {
      Console.error(nothing)
      return .ok
    }
    do throws(FirewallError) {
      Console.out(try firewall.show())
    } catch {
      throw Failure(error)
    }
    return .ok
  }

  // The running gateway knows what its rules should be now (a pause changes them); when it is down,
  // the files say it.
  private static func verify(_ paths: Paths) throws(Failure) -> ExitStatus {
    do throws(ControlError) {
      let reply = try ControlClient.ask(.verifyFirewall, socket: paths.socket)
      Console.out(String(decoding: reply.body, as: UTF8.self))
      if reply.status == 0 { return .ok }
      Console.error("imgate firewall verify: \(reply.message)")
      return reply.status == 1 ? .badInput : .refused
    } catch {
      guard error == .notRunning else { throw Failure(error, socket: paths.socket) }
    }
    guard let firewall = try installed(paths) else {
      Console.error(nothing)
      return .badInput
    }
    let found: [Mismatch]
    do throws(FirewallError) {
      found = try firewall.verify()
    } catch {
      throw Failure(error)
    }
    if found.isEmpty {
      Console.out("the firewall's rules are in place\n")
      return .ok
    }
    for mismatch in found { Console.out(mismatch.text + "\n") }
    Console.error("imgate firewall verify: the firewall's rules are not as they should be")
    return .badInput
  }

  private static func remove(_ paths: Paths) throws(Failure) -> ExitStatus {
    if GatewayClient(paths).isRunning {
      throw Failure(
        .refused,
        "imgate firewall remove: the gateway runs and would put its rules back; stop it first")
    }
    let removed: [String]
    do throws(FirewallError) {
      removed = try Firewall.remove()
    } catch {
      throw Failure(error)
    }
    for what in removed { Console.out("removed \(what)\n") }
    if removed.isEmpty { Console.error(nothing) }
    try restoreKernelSettings(paths)
    return .ok
  }

  private static func restoreKernelSettings(_ paths: Paths) throws(Failure) {
    let record = KernelSettingsRecord.path(store: Inputs.storePathOrDefault(paths))
    do throws(SystemError) {
      let outcome = try KernelSettings().restore(record: record)
      for change in outcome.changes {
        Console.out("set back \(change.name) to \(change.new)\n")
      }
      for problem in outcome.problems { Console.error("imgate: \(problem.text)") }
    } catch {
      throw Failure(.refused, "imgate: can't read \(record): \(error.description)")
    }
  }

  /// The firewall in which rules of ours stand, with what the files ask for.
  private static func installed(_ paths: Paths) throws(Failure) -> Firewall? {
    let configuration = try Inputs.configuration(paths)
    let policy = try Inputs.policy(paths)
    let plan = try FirewallPlan.of(configuration, mode: policy.mode)
    return Firewall.find(configuration.firewallPreference, plan)
  }

  private static let nothing = "imgate: no rule of the gateway is in the kernel"
}
