internal import System

/// The help texts, laid out for 80 columns.
public enum Help {
  private static let width = 80

  /// What `imgate --help` prints.
  public static var program: String {
    var text = """
      imgate lets phones on a Wi-Fi network use instant messaging, and nothing else.

      Usage: imgate COMMAND [OPTION...]

      Commands:

      """
    for command in CommandName.allCases {
      text += row(command.rawValue, CommandDescription.of(command).summary, column: 12)
    }
    text += "\nOptions of every command:\n"
    text += rows(CommandDescription.commonOptions)
    text += row("--version", "print the version", column: 18)
    text += """

      First steps:
        imgate check                   are the rules and the configuration right?
        imgate explain www.qq.com      would this pass, and why?
        imgate report --day today      who used what so far?
        imgate explain --help          more about one command

      Exit status: 0 done, 1 the input is bad, 2 wrong usage, 3 the system refused.
      Data goes to standard output, everything else to standard error.

      """
    return text
  }

  /// What `imgate COMMAND --help` prints.
  public static func of(_ command: CommandName) -> String {
    let description = CommandDescription.of(command)
    var text = "imgate \(command.rawValue): \(description.summary)\n\n"
    for (index, form) in description.forms.enumerated() {
      text += (index == 0 ? "Usage: imgate " : "       imgate ") + form + "\n"
    }
    for paragraph in description.paragraphs { text += "\n" + wrapped(paragraph, indent: 0) }
    if !description.options.isEmpty { text += "\nOptions:\n" + rows(description.options) }
    text += "\nOptions of every command:\n" + rows(CommandDescription.commonOptions)
    text += description.examples.count == 1 ? "\nExample:\n" : "\nExamples:\n"
    for example in description.examples {
      text += "  \(example.line)\n"
      if !example.meaning.isEmpty { text += wrapped(example.meaning, indent: 6) }
    }
    text += "\nExit status:\n"
    // Each begins with its number.
    for note in (description.exitNotes + ["2 wrong usage"]).ordered() { text += "  \(note)\n" }
    return text
  }

  private static func rows(_ options: [CommandDescription.Option]) -> String {
    var text = ""
    for option in options {
      let left = option.name.text + (option.placeholder.map { " " + $0 } ?? "")
      text += row(left, option.help, column: 18)
    }
    return text
  }

  // Two columns; what doesn't fit into the left one has a line of its own.
  private static func row(_ left: String, _ right: String, column: Int) -> String {
    let body = wrapped(right, indent: column)
    let gap = column - 2 - left.utf8.count
    if gap < 1 { return "  \(left)\n\(body)" }
    return "  \(left)" + String(repeating: " ", count: gap) + body.dropFirst(column)
  }

  private static func wrapped(_ text: String, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines = ""
    var line = margin
    for word in text.split(separator: " ") {
      if line.utf8.count > indent, line.utf8.count + 1 + word.utf8.count > width {
        lines += line + "\n"
        line = margin
      }
      line += line.utf8.count > indent ? " \(word)" : String(word)
    }
    return lines + line + "\n"
  }
}
