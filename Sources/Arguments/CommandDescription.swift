/// All that is known of a command before it runs: what it takes, and what its help says.
public struct CommandDescription: Sendable {
  /// An option as one command takes it.
  public struct Option: Sendable {
    /// Its name.
    public let name: OptionName
    /// What stands for its value in the help; nil when it takes none.
    public let placeholder: String?
    /// What it does.
    public let help: String

    init(_ name: OptionName, _ placeholder: String? = nil, _ help: String) {
      self.name = name
      self.placeholder = placeholder
      self.help = help
    }
  }

  /// A command line, and what it is good for.
  public struct Example: Sendable {
    /// What to type.
    public let line: String
    /// What it does.
    public let meaning: String

    init(_ line: String, _ meaning: String) {
      self.line = line
      self.meaning = meaning
    }
  }

  /// The command.
  public let name: CommandName
  /// One line for the list of commands.
  public let summary: String
  /// Its forms, without `imgate`.
  public let forms: [String]
  /// What it does, in paragraphs.
  public let paragraphs: [String]
  /// Its own options; `commonOptions` come on top.
  public let options: [Option]
  /// What operands it takes, one name each; the last may be repeated if it ends in `...`, and may
  /// be absent if it is in brackets.
  public let operands: [String]
  /// Command lines to copy.
  public let examples: [Example]
  /// What exit statuses mean here, where that needs words of its own.
  public let exitNotes: [String]

  init(
    _ name: CommandName, _ summary: String, forms: [String], _ paragraphs: [String],
    options: [Option] = [], operands: [String] = [], examples: [Example], exitNotes: [String] = []
  ) {
    self.name = name
    self.summary = summary
    self.forms = forms
    self.paragraphs = paragraphs
    self.options = options
    self.operands = operands
    self.examples = examples
    self.exitNotes = exitNotes
  }

  /// Options that every command takes.
  public static var commonOptions: [Option] {
    [
      Option(.config, "FILE", "how the router is wired (\(Paths.defaultConfiguration))"),
      Option(.rules, "FILE", "what may pass (\(Paths.defaultRules))"),
      Option(.state, "FILE", "the usage store (store.path of the configuration)"),
      Option(.socket, "PATH", "where the gateway listens for commands (\(Paths.defaultSocket))"),
      Option(.help, "print this text"),
    ]
  }

  /// How many operands fit.
  var operandCount: ClosedRange<Int> {
    var least = 0
    var most = 0
    for operand in operands {
      if operand.utf8.first != UInt8(ascii: "[") { least += 1 }
      most = operand.hasSuffix("...]") || operand.hasSuffix("...") ? 1000 : most + 1
    }
    return least...most
  }
}

extension CommandDescription.Option {
  init(_ name: OptionName, _ help: String) { self.init(name, nil, help) }
}
