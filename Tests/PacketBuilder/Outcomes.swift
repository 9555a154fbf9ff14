public import Wire

/// A parse's outcome for `#expect`.
extension Parsed {
  /// The value, when it is done.
  public var value: Value? {
    if case .done(let value) = self { value } else { nil }
  }

  /// Whether more bytes are needed.
  public var needsMore: Bool {
    if case .needMore = self { true } else { false }
  }

  /// Why the bytes are malformed, if they are.
  public var malformation: String? {
    if case .malformed(let malformation) = self {
      malformation.explanation.description
    } else {
      nil
    }
  }
}

/// A recogniser's outcome for `#expect`.
extension Recognition {
  /// The value, when it is done.
  public var value: Value? {
    if case .done(let value) = self { value } else { nil }
  }

  /// Whether more bytes are needed.
  public var needsMore: Bool {
    if case .needMore = self { true } else { false }
  }

  /// Whether it is another protocol.
  public var isOther: Bool {
    if case .other = self { true } else { false }
  }

  /// Why the bytes are malformed, if they are.
  public var malformation: String? {
    if case .malformed(let malformation) = self {
      malformation.explanation.description
    } else {
      nil
    }
  }
}
