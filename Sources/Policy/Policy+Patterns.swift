public import Wire

/// A pattern of the packs, by its place among them.
public struct PatternID: Hashable, Sendable {
  /// The index.
  public let index: UInt16
  /// The pattern at `index`.
  public init(_ index: UInt16) { self.index = index }
}

// What the packs say of first bytes.
extension Policy {
  /// The versions of mmtls that the packs list.
  public var mmtlsVersions: MMTLSVersions { table.signatures.mmtlsVersions }

  /// The pattern of the packs that the first bytes of a stream, or a datagram, have; allocates
  /// nothing.
  ///
  /// Patterns of what is refused come first.
  public func pattern(
    in bytes: RawSpan, transport: Transport, port: UInt16
  ) -> Recognition<PatternID> {
    var needsMore = false
    var found: Int?
    for i in table.signatures.patterns.indices {
      guard table.signatures.patterns[i].transport == transport,
        table.signatures.patterns[i].ports?.contains(port) ?? true
      else { continue }
      switch table.signatures.patterns[i].bytes.recognise(bytes) {
      case .done:
        if table.signatures.patterns[i].isRefused { return .done(PatternID(UInt16(i))) }
        if found == nil { found = i }
      case .needMore: needsMore = true
      case .malformed, .other: break
      }
    }
    if let found { return .done(PatternID(UInt16(found))) }
    return needsMore ? .needMore : .other
  }

  /// A pattern's name, as its pack has it.
  public func name(of pattern: PatternID) -> String {
    let patterns = table.signatures.patterns
    return Int(pattern.index) < patterns.count ? patterns[Int(pattern.index)].name : ""
  }

  /// The pattern with a name.
  public func pattern(named name: String) -> PatternID? {
    table.signatures.patterns.firstIndex { $0.name == name }.map { PatternID(UInt16($0)) }
  }

  /// The first port on which a pattern is looked for; nil: any.
  public func port(of pattern: PatternID) -> UInt16? {
    table.signatures.patterns[Int(pattern.index)].ports?.ranges.first?.first
  }

  /// How a pattern is carried.
  public func transport(of pattern: PatternID) -> Transport {
    table.signatures.patterns[Int(pattern.index)].transport
  }

  /// The names of all patterns.
  public var patternNames: [String] { table.signatures.patterns.map { $0.name } }
}
