/// A rule as people know it.
public struct RuleDescription: Equatable, Sendable {
  /// Its name, which stands in every output.
  ///
  /// `wechat.messaging`, `allow .example.org`, `deny 198.51.100.0/28`, `devices Owner laptop`.
  public let name: String
  /// The service for the report: `wechat`, or `own rules` for what the owner wrote.
  public let service: String
  /// The feature's key: `messaging`; nil for what the owner wrote.
  public let feature: String?
  /// The note of the line, or what the feature's pack says of it; empty when there is none.
  public let note: String
  /// The file that holds it.
  public let path: String
  /// Its line in that file.
  public let line: Int

  /// For flows that no rule decided.
  static let none = RuleDescription(
    name: "default", service: "none", feature: nil, note: "", path: "", line: 0)
}
