/// The parts of a regex that a host name can need, parsed so that it can be judged and mended.
///
/// Letters, digits, hyphens, `\.`, `\-`, `\d`, `\w`, classes, groups, alternation and quantifiers.
/// Everything else of PCRE2's language is refused: it is not needed, and it hides what is admitted.
struct RegexSyntax {
  /// What this language doesn't have, for a message.
  struct Unsupported: Error {
    let message: String
  }

  typealias Sequence = [Item]

  /// An atom with its quantifier.
  struct Item {
    let atom: Atom
    /// As written, empty for none: `*`, `{2,3}?`.
    var quantifier: String = ""
    /// How often it occurs in a sample: at least once.
    var repeats = 1
  }

  indirect enum Atom {
    case start
    case end
    case literal(UInt8)
    /// A dot with its backslash, or one in a class of its own.
    case dot
    /// A dot without a backslash.
    case wildcard
    /// `[a-z]`, `\d`: as written, a byte that it takes, and whether it is a negated class that
    /// takes the dot.
    case set(text: String, sample: UInt8, takesDotSilently: Bool)
    /// `(a|b)` or `(?:a|b)`.
    case group(opening: String, alternatives: [Sequence])
  }

  /// The alternatives at the top: one, when the regex is as it should be.
  let alternatives: [Sequence]

  init(_ pattern: String) throws(Unsupported) {
    guard pattern.utf8.count <= 512 else {
      throw Unsupported(message: "it has more than 512 characters; use host lines")
    }
    var parser = Parser(pattern: Array(pattern.utf8))
    alternatives = try parser.alternatives(depth: 0)
    if parser.position < parser.pattern.count {
      throw Unsupported(message: "it has a ) without its (")
    }
  }

  private struct Parser {
    let pattern: [UInt8]
    var position = 0

    var next: UInt8? { position < pattern.count ? pattern[position] : nil }

    mutating func take(_ text: String) -> Bool {
      guard pattern[position...].starts(with: text.utf8) else { return false }
      position += text.utf8.count
      return true
    }

    mutating func alternatives(depth: Int) throws(Unsupported) -> [Sequence] {
      guard depth <= 8 else {
        throw Unsupported(message: "its groups are nested more than 8 levels deep")
      }
      var all: [Sequence] = [[]]
      while let byte = next, byte != UInt8(ascii: ")") {
        if take("|") {
          all.append([])
          continue
        }
        var item = Item(atom: try atom(depth: depth))
        try quantify(&item)
        all[all.count - 1].append(item)
      }
      return all
    }

    private mutating func atom(depth: Int) throws(Unsupported) -> Atom {
      let byte = pattern[position]
      position += 1
      switch byte {
      case UInt8(ascii: "^"): return .start
      case UInt8(ascii: "$"): return .end
      case UInt8(ascii: "."): return .wildcard
      case UInt8(ascii: "["): return try set()
      case UInt8(ascii: "("):
        var opening = "("
        if take("?:") {
          opening = "(?:"
        } else if next == UInt8(ascii: "?") || next == UInt8(ascii: "*") {
          throw Unsupported(message: "only plain groups, ( ) and (?: ), are allowed")
        }
        let alternatives = try alternatives(depth: depth + 1)
        guard take(")") else { throw Unsupported(message: "it has a ( without its )") }
        return .group(opening: opening, alternatives: alternatives)
      case UInt8(ascii: "\\"): return try escape()
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        return .literal(byte)
      case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"),
        UInt8(ascii: "}"), UInt8(ascii: "]"):
        throw Unsupported(message: "it has a \"\(character(byte))\" with nothing before it")
      default:
        throw Unsupported(message: "a host name never has a \"\(character(byte))\"")
      }
    }

    private mutating func escape() throws(Unsupported) -> Atom {
      guard let byte = next else { throw Unsupported(message: "it ends with a backslash") }
      position += 1
      switch byte {
      case UInt8(ascii: "."): return .dot
      case UInt8(ascii: "-"): return .literal(byte)
      case UInt8(ascii: "d"):
        return .set(text: "\\d", sample: UInt8(ascii: "1"), takesDotSilently: false)
      case UInt8(ascii: "w"):
        return .set(text: "\\w", sample: UInt8(ascii: "a"), takesDotSilently: false)
      default:
        throw Unsupported(message: "\\\(character(byte)) is not allowed, only \\. \\- \\d and \\w")
      }
    }

    private mutating func set() throws(Unsupported) -> Atom {
      let begin = position - 1
      var isIn = [Bool](repeating: false, count: 256)
      let isNegated = take("^")
      var isFirst = true
      while let byte = next, byte != UInt8(ascii: "]") || isFirst {
        isFirst = false
        let low = try member(&isIn)
        guard let low, next == UInt8(ascii: "-"), position + 1 < pattern.count,
          pattern[position + 1] != UInt8(ascii: "]")
        else { continue }
        position += 1
        guard let high = try member(&isIn), low <= high else {
          throw Unsupported(message: "a range in [ ] runs backwards")
        }
        if low < UInt8(ascii: "."), high > UInt8(ascii: ".") {
          throw Unsupported(
            message: "the range \(character(low))-\(character(high)) takes the dot, too")
        }
        for value in low...high { isIn[Int(value)] = true }
        _ = byte
      }
      guard take("]") else { throw Unsupported(message: "it has a [ without its ]") }
      let text = String(decoding: pattern[begin..<position], as: UTF8.self)
      let candidates = Array("abcdefghijklmnopqrstuvwxyz0123456789-.".utf8)
      guard let sample = candidates.first(where: { isIn[Int($0)] != isNegated }) else {
        throw Unsupported(message: "\(text) takes nothing that a host name has")
      }
      if sample == UInt8(ascii: ".") { return .dot }
      let takesDot = isNegated && !isIn[Int(UInt8(ascii: "."))]
      return .set(text: text, sample: sample, takesDotSilently: takesDot)
    }

    // One member of a class, marked in `isIn`; nil for \d and \w, which begin no range.
    private mutating func member(_ isIn: inout [Bool]) throws(Unsupported) -> UInt8? {
      guard var byte = next else { throw Unsupported(message: "it has a [ without its ]") }
      position += 1
      if byte == UInt8(ascii: "[") {
        throw Unsupported(message: "a [ within [ ] is not allowed")
      }
      if byte == UInt8(ascii: "\\") {
        guard let escaped = next else { throw Unsupported(message: "it ends with a backslash") }
        position += 1
        byte = escaped
        switch escaped {
        case UInt8(ascii: "d"), UInt8(ascii: "w"):
          for digit in UInt8(ascii: "0")...UInt8(ascii: "9") { isIn[Int(digit)] = true }
          if escaped == UInt8(ascii: "d") { return nil }
          for letter in UInt8(ascii: "a")...UInt8(ascii: "z") { isIn[Int(letter)] = true }
          return nil
        case UInt8(ascii: "."), UInt8(ascii: "-"): break
        default:
          throw Unsupported(
            message: "\\\(character(escaped)) is not allowed, only \\. \\- \\d and \\w")
        }
      }
      isIn[Int(byte)] = true
      return byte
    }

    private mutating func quantify(_ item: inout Item) throws(Unsupported) {
      let begin = position
      if take("{") {
        var low = 0
        var digits = 0
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 3 {
          low = low * 10 + Int(byte - UInt8(ascii: "0"))
          position += 1
          digits += 1
        }
        while let byte = next, byte != UInt8(ascii: "}") {
          guard
            byte == UInt8(ascii: ",") || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
          else { break }
          position += 1
        }
        guard digits > 0, take("}") else {
          throw Unsupported(message: "after a { a number was expected, as in {2} or {1,3}")
        }
        item.repeats = min(max(low, 1), 63)
      } else {
        guard take("*") || take("+") || take("?") else { return }
      }
      if !take("?") { _ = take("+") }
      switch item.atom {
      case .start, .end: throw Unsupported(message: "^ and $ take no * or ?")
      default: break
      }
      item.quantifier = String(decoding: pattern[begin..<position], as: UTF8.self)
    }

    private func character(_ byte: UInt8) -> String {
      byte > 0x20 && byte < 0x7f ? String(decoding: [byte], as: UTF8.self) : "special character"
    }
  }
}
