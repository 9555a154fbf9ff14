internal import System

/// Text fitted into columns of a terminal, where some characters are two columns wide and others
/// none.
enum Columns {
  /// Which part of a text that is too long is worth most.
  enum Keep {
    /// Its beginning, as of a name.
    case start
    /// Its end, as of a host, whose last labels say whose it is.
    case end
  }

  /// `text` in exactly `width` columns, its rest blank, or cut with `…`.
  static func left(_ text: String, _ width: Int, keep: Keep = .start) -> String {
    let fitted = fit(text, width, keep)
    return fitted + blanks(width - PlainText.columns(fitted))
  }

  /// `text` at the right end of `width` columns.
  static func right(_ text: String, _ width: Int) -> String {
    let fitted = fit(text, width, .start)
    return blanks(width - PlainText.columns(fitted)) + fitted
  }

  /// `text` in at most `width` columns, cut with `…` when it is longer.
  static func fit(_ text: String, _ width: Int, _ keep: Keep = .start) -> String {
    if PlainText.columns(text) <= width { return text }
    var kept: [Unicode.Scalar] = []
    var used = 1
    let scalars = Array(text.unicodeScalars)
    for place in scalars.indices {
      let scalar = keep == .start ? scalars[place] : scalars[scalars.count - 1 - place]
      used += PlainText.width(scalar)
      if used > width { break }
      kept.append(scalar)
    }
    var result = ""
    if keep == .start {
      for scalar in kept { result.unicodeScalars.append(scalar) }
      result += "…"
    } else {
      result += "…"
      for place in kept.indices.reversed() { result.unicodeScalars.append(kept[place]) }
    }
    return result
  }

  /// `count` blanks.
  static func blanks(_ count: Int) -> String {
    String(repeating: " ", count: max(0, count))
  }

  /// `text` broken at blanks into lines of at most `width` columns; a longer word has its own line.
  static func wrap(_ text: String, _ width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      let word = String(word)
      if line.isEmpty {
        line = word
      } else if PlainText.columns(line) + 1 + PlainText.columns(word) <= width {
        line += " " + word
      } else {
        lines.append(line)
        line = word
      }
    }
    if !line.isEmpty { lines.append(line) }
    return lines
  }
}
