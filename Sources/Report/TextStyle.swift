internal import CSystem

/// How text is set off: by terminal colours, or not at all.
public struct TextStyle: Sendable {
  /// Whether escape sequences for colours are written.
  public let hasColours: Bool

  /// A style with or without colours.
  public init(hasColours: Bool) { self.hasColours = hasColours }

  /// No colours: for files, pipes and mail.
  public static let plain = TextStyle(hasColours: false)

  /// Colours when `descriptor` is a terminal that can show them and NO_COLOR (no-color.org) is
  /// not set.
  public static func suited(to descriptor: CInt) -> TextStyle {
    // getenv's texts are compared at once, before anything could change the environment.
    if let no = unsafe getenv("NO_COLOR"), unsafe no.pointee != 0 { return plain }
    guard let terminal = unsafe getenv("TERM"), unsafe String(cString: terminal) != "dumb" else {
      return plain
    }
    return TextStyle(hasColours: isatty(descriptor) == 1)
  }

  func heading(_ text: String) -> String { wrap(text, "1") }
  func faint(_ text: String) -> String { wrap(text, "2") }
  func warning(_ text: String) -> String { wrap(text, "33") }
  func refused(_ text: String) -> String { wrap(text, "31") }

  private func wrap(_ text: String, _ code: String) -> String {
    hasColours && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }
}
