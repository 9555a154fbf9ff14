internal import Names

/// Judges a regex for host names: it must be anchored at both ends, with escaped dots.
///
/// `^(wx|weixin|res.wx).qq.com` looks like three names, and admits wxaqq.com, which anyone can
/// register.
enum RegexCheck {
  /// Why a regex is refused, with the fix and a name that it would admit where there is one.
  struct Refusal: Error {
    let message: String
  }

  /// The regex, compiled to match whole names only.
  static func compile(_ pattern: String) throws(Refusal) -> CompiledRegex {
    let given: CompiledRegex
    do throws(CompiledRegex.Failure) {
      given = try CompiledRegex(pattern, whole: false)
    } catch {
      throw Refusal(
        message: "not a regex: \(error.message) after character \(error.offset)")
    }
    let syntax: RegexSyntax
    do throws(RegexSyntax.Unsupported) {
      syntax = try RegexSyntax(pattern)
    } catch {
      throw Refusal(message: "the regex can't be used for host names: \(error.message)")
    }
    let faults = Faults(syntax)
    if let refusal = faults.refusal(given, syntax) { throw refusal }
    do throws(CompiledRegex.Failure) {
      return try CompiledRegex(pattern, whole: true)
    } catch {
      throw Refusal(message: "not a regex: \(error.message)")
    }
  }

  /// What is wrong with a regex.
  private struct Faults {
    var start = false
    var end = false
    var alternation = false
    var wildcard = false
    var silentDot = false
    var capital = false
    /// An anchor elsewhere than at the ends: no fix is offered.
    var innerAnchor = false

    init(_ syntax: RegexSyntax) {
      alternation = syntax.alternatives.count > 1
      for sequence in syntax.alternatives {
        var items = sequence[...]
        if case .start? = items.first?.atom { items.removeFirst() } else { start = true }
        if case .end? = items.last?.atom { items.removeLast() } else { end = true }
        for item in items { look(at: item) }
      }
    }

    private mutating func look(at item: RegexSyntax.Item) {
      switch item.atom {
      case .start, .end: innerAnchor = true
      case .wildcard: wildcard = true
      case .literal(let byte): if RegexCheck.fold(byte) != byte { capital = true }
      case .set(let text, _, let takesDot):
        if takesDot { silentDot = true }
        if text.utf8.contains(where: { RegexCheck.fold($0) != $0 }) { capital = true }
      case .dot: break
      case .group(_, let alternatives):
        for sequence in alternatives { for item in sequence { look(at: item) } }
      }
    }

    func refusal(_ given: CompiledRegex, _ syntax: RegexSyntax) -> Refusal? {
      var parts: [String] = []
      if start { parts.append("does not begin with ^") }
      if end { parts.append("does not end with $") }
      if alternation { parts.append("has a | outside of a group") }
      if wildcard { parts.append("has a dot without a backslash, which stands for any character") }
      if silentDot { parts.append("has a [^ ] that takes the dot, too") }
      if capital { parts.append("has capital letters, while names are compared in lower case") }
      if innerAnchor { parts.append("has a ^ or $ that is not at its end") }
      guard !parts.isEmpty else { return nil }
      var message = "the regex " + parts.joined(separator: ", and ")
      guard !innerAnchor else { return Refusal(message: message) }
      let fixed = RegexCheck.fixed(syntax)
      // The fix is shown only if it is one.
      guard let compiled = try? CompiledRegex(fixed, whole: false) else {
        return Refusal(message: message)
      }
      if let host = LookAlike.find(syntax, given: given, fixed: compiled) {
        message += "; it would admit \(host)"
      }
      return Refusal(message: message + "; write '\(fixed)'")
    }
  }

  fileprivate static func fold(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  // MARK: The fix

  /// The regex with its anchors, its dots escaped, and its alternatives in a group.
  private static func fixed(_ syntax: RegexSyntax) -> String {
    var bodies: [String] = []
    for sequence in syntax.alternatives {
      var items = sequence[...]
      if case .start? = items.first?.atom { items.removeFirst() }
      if case .end? = items.last?.atom { items.removeLast() }
      bodies.append(text(items))
    }
    let body = bodies.count == 1 ? bodies[0] : "(" + bodies.joined(separator: "|") + ")"
    return "^" + body + "$"
  }

  private static func text(_ items: ArraySlice<RegexSyntax.Item>) -> String {
    var result = ""
    for item in items {
      switch item.atom {
      case .start, .end: break
      case .literal(let byte): result += String(decoding: [fold(byte)], as: UTF8.self)
      case .dot: result += "\\."
      // `.*` was meant as "any letters": within one label, since dots part names.
      case .wildcard: result += item.quantifier.isEmpty ? "\\." : "[a-z0-9-]"
      case .set(let text, _, let takesDot):
        let lower = text.hasPrefix("\\") ? text : folded(text)
        result += takesDot ? "[^." + String(lower.dropFirst(2)) : lower
      case .group(let opening, let alternatives):
        result += opening + alternatives.map { text($0[...]) }.joined(separator: "|") + ")"
      }
      result += item.quantifier
    }
    return result
  }

  private static func folded(_ text: String) -> String {
    String(decoding: text.utf8.map { fold($0) }, as: UTF8.self)
  }
}
