internal import Names

/// Finds a name that a faulty regex admits and its author surely did not mean.
///
/// The name is tried: PCRE2 must match it with the regex as given, and not with the mended one.
enum LookAlike {
  /// A byte of a sample, and whether it came from a dot without a backslash.
  private struct Byte {
    let value: UInt8
    let isWildcard: Bool
  }

  static func find(
    _ syntax: RegexSyntax, given: CompiledRegex, fixed: CompiledRegex
  ) -> String? {
    for candidate in candidates(syntax) {
      let text = String(decoding: candidate, as: UTF8.self)
      guard let host = HostName(text), let scratch = CompiledRegex.Scratch() else { continue }
      scratch.set(host)
      guard scratch.match(given) == .match, scratch.match(fixed) == .noMatch else { continue }
      return host.text
    }
    return nil
  }

  // The names that anyone can register come first.
  private static func candidates(_ syntax: RegexSyntax) -> [[UInt8]] {
    var all: [[UInt8]] = []
    for preferWildcards in [false, true] {
      for sequence in syntax.alternatives {
        let sample = sample(sequence, preferWildcards)
        guard sample.contains(where: { $0.isWildcard }) else { continue }
        let last = sample.lastIndex { $0.value == UInt8(ascii: ".") }
        // wx.qq.com as wxaqq.com: every dot but the last, since that one makes the domain.
        all.append(sample.indices.map { replaced(sample[$0], unless: $0 == last) })
        all.append(sample.map { replaced($0, unless: false) })
      }
    }
    for sequence in syntax.alternatives {
      let plain = sample(sequence, false).map { $0.value }
      // As it is, for a wildcard that takes more than a label: `.*` as `any.name`.
      all.append(plain)
      all.append(
        plain + Array((plain.last == UInt8(ascii: ".") ? "" : ".").utf8)
          + Array("evil.example".utf8))
      all.append(Array("evil".utf8) + plain)
      all.append(Array("evil".utf8) + plain + Array(".example".utf8))
    }
    return all
  }

  private static func replaced(_ byte: Byte, unless isKept: Bool) -> UInt8 {
    byte.isWildcard && !isKept ? UInt8(ascii: "a") : byte.value
  }

  // The first alternative of each group, and what may be left out is there once.
  private static func sample(
    _ sequence: RegexSyntax.Sequence, _ preferWildcards: Bool
  ) -> [Byte] {
    var bytes: [Byte] = []
    for item in sequence {
      // Once, and not once a repetition: groups within groups would multiply.
      let piece = sample(item, preferWildcards)
      for _ in 0..<item.repeats where bytes.count < 253 { bytes += piece }
    }
    return bytes
  }

  private static func sample(_ item: RegexSyntax.Item, _ preferWildcards: Bool) -> [Byte] {
    switch item.atom {
    case .start, .end: return []
    case .literal(let byte): return [Byte(value: byte, isWildcard: false)]
    case .dot: return [Byte(value: UInt8(ascii: "."), isWildcard: false)]
    case .wildcard:
      if item.quantifier.isEmpty { return [Byte(value: UInt8(ascii: "."), isWildcard: true)] }
      return "any.name".utf8.map { Byte(value: $0, isWildcard: false) }
    case .set(_, let sample, _): return [Byte(value: sample, isWildcard: false)]
    case .group(_, let alternatives):
      var chosen = alternatives.first ?? []
      if preferWildcards, let other = alternatives.first(where: { hasWildcard($0) }) {
        chosen = other
      }
      return sample(chosen, preferWildcards)
    }
  }

  private static func hasWildcard(_ sequence: RegexSyntax.Sequence) -> Bool {
    sequence.contains { item in
      switch item.atom {
      case .wildcard: true
      case .group(_, let alternatives): alternatives.contains { hasWildcard($0) }
      default: false
      }
    }
  }
}
