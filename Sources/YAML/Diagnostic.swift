internal import System

/// Something that is wrong, or doubtful, at one place of a file.
public struct Diagnostic: Equatable, Sendable {
  /// How bad it is.
  public enum Severity: Sendable {
    /// The file can't be used.
    case error
    /// The file can be used, but it doesn't do what it seems to say.
    case warning

    /// As it stands in the text.
    public var name: String {
      switch self {
      case .error: "error"
      case .warning: "warning"
      }
    }
  }

  /// The file.
  public let path: String
  /// The line, from 1.
  public let line: Int
  /// The column in characters, from 1.
  public let column: Int
  /// How bad it is.
  public let severity: Severity
  /// What was expected, what was found, and the fix where there is one.
  public let message: String

  /// All of it.
  public init(path: String, line: Int, column: Int, severity: Severity, message: String) {
    self.path = path
    self.line = line
    self.column = column
    self.severity = severity
    self.message = message
  }

  /// `file:line:column: error: message`, the form that editors know.
  public var text: String {
    "\(path):\(line):\(column): \(severity.name): \(message)"
  }
}

/// All that is wrong with the files that were read together; thrown when one of it is an error.
public struct Diagnostics: Error, Sendable {
  /// More than this are counted, not kept: nobody reads them.
  public static let limit = 100

  /// In the order of the files and of the lines within them.
  public private(set) var list: [Diagnostic] = []
  /// Whether there is an error among them (also among those that are not kept).
  public private(set) var hasErrors = false
  /// How many came after the limit.
  public private(set) var omitted = 0

  /// No diagnostics.
  public init() {}

  /// Adds one.
  public mutating func append(_ diagnostic: Diagnostic) {
    if diagnostic.severity == .error { hasErrors = true }
    if list.count < Self.limit { list.append(diagnostic) } else { omitted += 1 }
  }

  /// Adds all of `other`.
  public mutating func append(_ other: Diagnostics) {
    for diagnostic in other.list { append(diagnostic) }
    omitted += other.omitted
    hasErrors = hasErrors || other.hasErrors
  }

  /// Adds an error at `node`.
  public mutating func error(_ message: String, at node: YAMLNode) {
    append(node.diagnostic(.error, message))
  }

  /// Adds a warning at `node`.
  public mutating func warning(_ message: String, at node: YAMLNode) {
    append(node.diagnostic(.warning, message))
  }

  /// Puts those of one file into the order of its lines; files stay in the order in which they came.
  public mutating func sort() {
    var paths: [String] = []
    for diagnostic in list where !paths.contains(diagnostic.path) { paths.append(diagnostic.path) }
    var sorted: [Diagnostic] = []
    for path in paths {
      sorted += list.filter { $0.path == path }.ordered {
        $0.line != $1.line ? $0.line < $1.line : $0.column < $1.column
      }
    }
    list = sorted
  }

  /// Throws itself when there is an error.
  public func throwIfErrors() throws(Diagnostics) {
    if hasErrors { throw self }
  }

  /// One line each, for standard error.
  public var text: String {
    var lines = list.map { $0.text + "\n" }.joined()
    if omitted > 0 { lines += "and \(omitted) more\n" }
    return lines
  }
}
