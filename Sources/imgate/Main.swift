internal import Arguments
internal import System

/// The program's entry.
///
/// SwiftPM renames an executable's `main` to `<target>_main`, and Embedded Swift has no
/// CommandLine: this signature gives both builds their arguments.
@safe @c(imgate_main)
public func start(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  var words: [String] = []
  for i in 1..<max(1, Int(count)) {
    // The kernel gives `count` C strings, which live as long as the process.
    if let word = unsafe arguments[i] { words.append(unsafe String(cString: word)) }
  }
  // `imgate report | head` ends quietly, and a caller that hangs up doesn't end the gateway.
  Signals.ignorePipe()
  do throws(Failure) {
    return try perform(words)
  } catch {
    Console.error(error.text)
    return error.status.rawValue
  }
}

private func perform(_ words: [String]) throws(Failure) -> CInt {
  let intent: Intent
  do throws(UsageError) { intent = try Intent(parsing: words) } catch { throw Failure(error) }
  switch intent {
  case .help(let command):
    Console.out(command.map { Help.of($0) } ?? Help.program)
    return ExitStatus.ok.rawValue
  case .version:
    Console.out("imgate \(Version.text)\n")
    return ExitStatus.ok.rawValue
  case .run(let invocation):
    let paths = Paths(invocation)
    return switch invocation.command {
    case .run: try Gateway.run(paths).rawValue
    case .check: try CheckCommand.run(invocation, paths).rawValue
    case .explain: try ExplainCommand.run(invocation, paths).rawValue
    case .replay: try ReplayCommand.run(invocation, paths).rawValue
    case .report: try ReportCommand.run(invocation, paths).rawValue
    case .status: try StatusCommand.run(invocation, paths).rawValue
    case .reload: try ReloadCommand.run(paths).rawValue
    case .pause: try PauseCommand.run(invocation, paths).rawValue
    case .resume: try ResumeCommand.run(paths).rawValue
    case .firewall: try FirewallCommand.run(invocation, paths).rawValue
    }
  }
}
