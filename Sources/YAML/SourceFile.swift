/// A file that a person wrote, read whole: the rules, a service pack, imgate.yaml.
public struct SourceFile: Sendable {
  /// Its path as the person knows it; every diagnostic begins with it.
  public let path: String
  /// Its content.
  public let bytes: [UInt8]

  /// A file with its content.
  public init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  /// A file whose content is `text`.
  public init(path: String, text: String) {
    self.init(path: path, bytes: Array(text.utf8))
  }
}
