internal import Arguments
internal import Configuration
internal import Firewall
internal import Policy
internal import System
internal import YAML

/// `imgate check`: the files are read as the gateway would, and nothing else happens.
enum CheckCommand {
  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    var files = invocation.operands
    if files.isEmpty { files = [paths.configuration, paths.rules] }
    var status = ExitStatus.ok
    for path in files {
      do throws(Failure) {
        try check(path, paths, printsTable: invocation.has(.effective))
      } catch {
        // All files are checked, and all errors told.
        Console.error(error.text)
        status = error.status
      }
    }
    return status
  }

  private static func check(
    _ path: String, _ paths: Paths, printsTable: Bool
  ) throws(Failure) {
    let option: OptionName? =
      path == paths.configuration ? .config : path == paths.rules ? .rules : nil
    let file = try Inputs.source(path, "file", option: option)
    switch kind(of: file) {
    case .configuration:
      var paths = paths
      paths.configuration = path
      let configuration = try Inputs.configuration(paths)
      // What no single key shows: queue numbers and interfaces that the kernel would refuse.
      _ = try FirewallPlan.of(configuration, mode: .enforce)
      Console.error("\(path): the configuration is right")
    case .servicePack:
      let warnings: [Diagnostic]
      do throws(Diagnostics) { warnings = try Policy.check(pack: file) } catch {
        throw Failure(error)
      }
      for warning in warnings { Console.error(warning.text) }
      Console.error("\(path): the service pack is right")
    case .rules:
      var paths = paths
      paths.rules = path
      let policy = try Inputs.policy(paths)
      for warning in policy.warnings { Console.error(warning.text) }
      Console.error("\(path): the rules are right (mode: \(policy.mode.rawValue))")
      if printsTable { Console.out(policy.effectiveTable()) }
    }
  }

  private enum Kind {
    case configuration
    case servicePack
    case rules
  }

  // A file that is no YAML is taken as rules: the error is the same.
  private static func kind(of file: SourceFile) -> Kind {
    do throws(Diagnostics) {
      let root = try YAMLNode.parse(file)
      if Configuration.isConfiguration(root) { return .configuration }
      return Policy.isServicePack(root) ? .servicePack : .rules
    } catch {
      return .rules
    }
  }
}
