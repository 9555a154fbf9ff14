/// A command line that makes no sense: exit status 2.
public struct UsageError: Error, Equatable, Sendable {
  /// The command whose help has the answer; nil when not even that is known.
  public let command: CommandName?
  /// What is wrong and what was expected, without a full stop.
  public let message: String

  /// An error in the words of `command`.
  public init(_ command: CommandName?, _ message: String) {
    self.command = command
    self.message = message
  }

  /// Two lines for standard error.
  public var text: String {
    let program = command.map { "imgate \($0.rawValue)" } ?? "imgate"
    return "\(program): \(message)\nTry '\(program) --help'."
  }
}
