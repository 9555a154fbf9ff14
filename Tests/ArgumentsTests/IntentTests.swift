import Testing

@testable import Arguments

/// getopt keeps its place in globals, so the tests take turns.
@Suite(.serialized) struct IntentTests {
  private func invocation(_ line: String) throws -> Invocation {
    guard case .run(let invocation) = try Intent(parsing: words(line)) else {
      throw UsageError(nil, "no command to run")
    }
    return invocation
  }

  private func words(_ line: String) -> [String] { line.split(separator: " ").map { String($0) } }

  @Test(arguments: [
    "check --rules r.yaml a b", "check --rules=r.yaml a b", "check a --rules r.yaml b",
    "check a b --rules r.yaml", "--rules r.yaml check a b", "check --rules r.yaml -- a b",
    "check --rul r.yaml a b",
  ])
  func `options may stand anywhere, with their value behind = or a space, and be cut short`(
    line: String
  ) throws {
    let check = try invocation(line)
    #expect(check.command == .check)
    #expect(check.value(.rules) == "r.yaml")
    #expect(check.operands == ["a", "b"])
    #expect(!check.has(.effective))
  }

  @Test func `paths that are not given have their defaults`() throws {
    let paths = Paths(try invocation("status --socket /s"))
    #expect(paths.configuration == "/etc/imgate/imgate.yaml")
    #expect(paths.rules == "/etc/imgate/rules.yaml")
    #expect(paths.socket == "/s")
    #expect(paths.state == nil)
    #expect(paths.packs == nil)
  }

  @Test(arguments: CommandName.allCases)
  func `every command takes the four paths, and help in three forms`(command: CommandName) throws {
    let operand =
      switch command {
      case .explain, .replay: "word"
      case .firewall: "show"
      default: ""
      }
    let paths = Paths(
      try invocation(
        "\(command.rawValue) \(operand) --config c --rules r --state u --socket s"))
    #expect(
      [paths.configuration, paths.rules, paths.state, paths.socket] == ["c", "r", "u", "s"])
    for line in [
      "\(command.rawValue) --help", "\(command.rawValue) -h", "help \(command.rawValue)",
    ] {
      guard case .help(command) = try Intent(parsing: words(line)) else {
        Issue.record("no help for \(line)")
        continue
      }
    }
  }

  @Test func `help and version of the program`() throws {
    for line in ["--help", "-h", "help"] {
      guard case .help(nil) = try Intent(parsing: words(line)) else {
        Issue.record("no help for \(line)")
        continue
      }
    }
    guard case .version = try Intent(parsing: ["--version"]) else {
      Issue.record("no version")
      return
    }
  }

  @Test(
    arguments: [
      (
        "", nil,
        "a command is missing: run, check, explain, replay, report, status, reload, pause, resume, firewall"
      ),
      ("chekc", nil, "there is no command 'chekc'; did you mean 'check'?"),
      ("stat", nil, "there is no command 'stat'; did you mean 'status'?"),
      (
        "dance", nil,
        "there is no command 'dance'; there are run, check, explain, replay, report, status, reload, pause, resume, firewall"
      ),
      ("help chekc", nil, "there is no command 'chekc'; did you mean 'check'?"),
      ("check --efective", .check, "there is no option '--efective'; did you mean '--effective'?"),
      ("check --adress=1", .check, "there is no option '--adress'"),
      (
        "explain h --adress 1", .explain, "there is no option '--adress'; did you mean '--address'?"
      ),
      ("explain h --p 1", .explain, "'--p' may mean --port or --protocol or --packs"),
      ("explain h --port", .explain, "--port needs a value: N"),
      ("explain h --json=1", .explain, "--json takes no value, but got '--json=1'"),
      ("explain h -x", .explain, "there is no option '-x'"),
      ("explain h --port 1 --port 2", .explain, "--port is given twice"),
      ("--config a run --config b", .run, "--config is given twice"),
      ("explain", .explain, "HOST is missing"),
      ("explain a b", .explain, "'b' is one word too many"),
      ("status all", .status, "'all' is one word too many"),
      ("firewall", .firewall, "show|verify|remove is missing"),
    ] as [(String, CommandName?, String)])
  func `a wrong command line is told with what was meant or expected`(
    line: String, command: CommandName?, message: String
  ) {
    do throws(UsageError) {
      _ = try Intent(parsing: words(line))
      Issue.record("taken as right")
    } catch {
      #expect(error.command == command)
      #expect(error.message == message)
    }
  }

  @Test func `an error names the command and where to read on`() {
    #expect(
      UsageError(.check, "no").text == "imgate check: no\nTry 'imgate check --help'.")
    #expect(UsageError(nil, "no").text == "imgate: no\nTry 'imgate --help'.")
  }

  @Test(
    arguments: [
      ("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800),
    ] as [(String, UInt64)])
  func `a length of time is a number and a unit`(text: String, seconds: UInt64) throws {
    #expect(
      try invocation("pause --for \(text)").seconds(.span, atMost: 604_800) == seconds)
  }

  @Test(arguments: [
    ("30", "--for takes a number with s, m, h or d, such as 30m, not '30'"),
    ("m", "--for takes a number with s, m, h or d, such as 30m, not 'm'"),
    ("0m", "--for takes a number with s, m, h or d, such as 30m, not '0m'"),
    ("1w", "--for takes a number with s, m, h or d, such as 30m, not '1w'"),
    ("8d", "--for is at most 7d, not '8d'"),
    ("999999999999999999d", "--for is at most 7d, not '999999999999999999d'"),
  ])
  func `no other length of time is taken`(text: String, message: String) throws {
    let pause = try invocation("pause --for \(text)")
    #expect(throws: UsageError(.pause, message)) {
      try pause.seconds(.span, atMost: 604_800)
    }
  }

  @Test(arguments: ["0", "65536", "-1", "http", ""])
  func `a port is a number from 1 to 65535`(text: String) throws {
    let explain = try invocation("explain h --port=\(text)")
    #expect(throws: UsageError(.explain, "--port takes a port from 1 to 65535, not '\(text)'")) {
      try explain.port(.port)
    }
  }

  private enum Part: String, CaseIterable {
    case show
    case verify
    case remove
  }

  @Test func `a word out of several is told with all of them`() throws {
    #expect(try invocation("firewall verify").operand(as: Part.self) == .verify)
    let wrong = try invocation("firewall delete")
    #expect(throws: UsageError(.firewall, "say show, verify or remove, not 'delete'")) {
      try wrong.operand(as: Part.self)
    }
  }
}
