internal import System

/// What a command line asks for.
public enum Intent: Sendable {
  /// Run a command.
  case run(Invocation)
  /// Print the help of a command, or of the program.
  case help(CommandName?)
  /// Print the version.
  case version

  /// Reads a command line; `arguments` come without the program's own name.
  ///
  /// Options may stand before and after operands, `--` ends them, a value may be its own word or
  /// follow `=`, and an option may be cut short as long as it stays unmistakable (getopt_long(3)).
  public init(parsing arguments: [String]) throws(UsageError) {
    // Before the command only what every command takes; they are handed on to it.
    var before = Scanner(
      CommandDescription.commonOptions + [.init(.version, "print the version")],
      stopsAtOperand: true, command: nil)
    let rest = try before.scan(arguments)
    if before.options.contains(where: { $0.name == .help }) {
      self = .help(nil)
      return
    }
    if before.options.contains(where: { $0.name == .version }) {
      self = .version
      return
    }
    guard let word = rest.first else {
      throw UsageError(nil, "a command is missing: \(Self.commands)")
    }
    if word == "help" {
      guard let topic = rest.dropFirst().first else {
        self = .help(nil)
        return
      }
      self = .help(try Self.command(topic))
      return
    }
    let command = try Self.command(word)
    let description = CommandDescription.of(command)
    var scanner = Scanner(
      description.options + CommandDescription.commonOptions, stopsAtOperand: false,
      command: command)
    scanner.options = before.options
    let operands = try scanner.scan(Array(rest.dropFirst()))
    if scanner.options.contains(where: { $0.name == .help }) {
      self = .help(command)
      return
    }
    let count = description.operandCount
    if operands.count < count.lowerBound {
      throw UsageError(command, "\(description.operands[operands.count]) is missing")
    }
    if operands.count > count.upperBound {
      throw UsageError(command, "'\(operands[count.upperBound])' is one word too many")
    }
    self = .run(Invocation(command, options: scanner.options, operands: operands))
  }

  private static func command(_ word: String) throws(UsageError) -> CommandName {
    if let command = CommandName(rawValue: word) { return command }
    let known = CommandName.allCases.map { $0.rawValue }
    if let near = Spelling.nearest(to: word, in: known) {
      throw UsageError(nil, "there is no command '\(word)'; did you mean '\(near)'?")
    }
    throw UsageError(nil, "there is no command '\(word)'; there are \(commands)")
  }

  private static var commands: String {
    CommandName.allCases.map { $0.rawValue }.joined(separator: ", ")
  }
}
