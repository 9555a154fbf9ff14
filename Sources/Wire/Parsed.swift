/// What a parser says of some bytes: the three outcomes that every parser in Wire has.
public enum Parsed<Value> {
  /// The value is complete.
  case done(Value)
  /// All bytes so far are as they should be, and more are needed to decide.
  case needMore
  /// No continuation can make these bytes valid.
  case malformed(Malformation)
}

extension Parsed: Sendable where Value: Sendable {}

/// Why bytes are malformed, for logs and tests; `explanation` in a few words.
public struct Malformation: Sendable {
  /// For a person: `server_name runs past its list`.
  public let explanation: StaticString
  /// A malformation with its explanation.
  public init(_ explanation: StaticString) { self.explanation = explanation }
}
