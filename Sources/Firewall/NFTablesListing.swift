/// What `nft list table inet imgate` wrote.
struct NFTablesListing: Equatable, Sendable {
  /// One chain.
  struct Chain: Equatable, Sendable {
    let name: String
    var hook: String?
    /// The rules in nft's words, comments included.
    var rules: [String] = []

    /// The comments by which rules are known; a rule without one is its whole text.
    var marks: [String] { rules.map { NFTablesListing.mark(of: $0) ?? $0 } }
  }

  private(set) var chains: [Chain] = []
  /// Whether the whole table is switched off (`flags dormant`).
  private(set) var isDormant = false

  /// Reads the text; lines of a kind that is not known (sets, say) are passed over.
  init(_ text: String) {
    var isInChain = false
    for raw in Text.lines(text) {
      let line = Text.trimmed(raw)
      let words = Text.words(line)
      if words.count == 3, words[0] == "chain", words[2] == "{" {
        chains.append(Chain(name: words[1]))
        isInChain = true
      } else if line == "}" {
        isInChain = false
      } else if isInChain, words.first == "type" {
        chains[chains.count - 1].hook = line
      } else if isInChain, !line.isEmpty {
        chains[chains.count - 1].rules.append(line)
      } else if words.first == "flags", words.contains("dormant") {
        isDormant = true
      }
    }
  }

  // nft writes a rule's comment last.
  private static func mark(of rule: String) -> String? {
    let words = Text.words(rule)
    guard words.count >= 3, words[words.count - 3] == "comment",
      words[words.count - 2] == "\"imgate", let digest = words.last
    else { return nil }
    return "imgate "
      + String(decoding: digest.utf8.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
  }
}
