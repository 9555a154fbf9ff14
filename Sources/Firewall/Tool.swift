internal import System

/// One of the firewall's own programs, by name.
struct Tool: Sendable {
  let program: String

  // Two programs that change iptables at once wait for each other on a lock file; whoever runs the
  // gateway in a network namespace gives that namespace a file of its own.
  private static let inherited = ["XTABLES_LOCKFILE"]

  init(_ program: String) { self.program = program }

  /// Runs it and gives its standard output; throws what it said when it ends with a status.
  @discardableResult func run(
    _ arguments: [String], input: String = ""
  ) throws(FirewallError) -> String {
    let command = ([program] + arguments).joined(separator: " ")
    let outcome: Command.Outcome
    do throws(SystemError) {
      outcome = try Command([program] + arguments, inheriting: Self.inherited)
        .run(input: Array(input.utf8))
    } catch {
      let said =
        error.isNoSuchFile
        ? FirewallError.notInstalled
        : error.isTimedOut ? "it did not end, and was killed" : error.description
      throw FirewallError(
        error.isNotPermitted ? .notPermitted : .toolFailed,
        [FirewallError.Attempt(command: command, said: said)])
    }
    if outcome.status == 0 { return outcome.outputText }
    let said = Self.oneLine(outcome.errorText)
    let attempt = FirewallError.Attempt(
      command: command, said: said.isEmpty ? "ended with status \(outcome.status)" : said)
    throw FirewallError(Self.isRefusal(said) ? .notPermitted : .toolFailed, [attempt])
  }

  // nft, iptables-nft and iptables-legacy each have their own words for EPERM.
  private static func isRefusal(_ said: String) -> Bool {
    Text.contains(said, "Operation not permitted") || Text.contains(said, "Permission denied")
      || Text.contains(said, "you must be root")
  }

  // Two lines say it: nft tells of each rule that fails, the error first and then the rule, and
  // underlines the place with carets.
  static func oneLine(_ text: String) -> String {
    Text.lines(text).map { Text.trimmed($0) }
      .filter { line in !line.utf8.allSatisfy { $0 == UInt8(ascii: "^") || $0 == 0x20 } }
      .prefix(2).joined(separator: "; ")
  }
}
