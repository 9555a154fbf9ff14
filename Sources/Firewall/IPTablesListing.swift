/// What iptables-save wrote: every chain and rule of one family.
struct IPTablesListing: Equatable, Sendable {
  /// One chain, ours or not.
  struct Chain: Equatable, Sendable {
    let name: String
    /// The rules without `-A <chain>`.
    var rules: [String]
  }

  /// One table.
  struct Table: Equatable, Sendable {
    let name: String
    var chains: [Chain]
  }

  private(set) var tables: [Table] = []

  /// Reads the text; lines of a kind that is not known are passed over.
  init(_ text: String) {
    for line in Text.lines(text) {
      if let name = Text.after("*", in: line) {
        tables.append(Table(name: Text.trimmed(name), chains: []))
      } else if let chain = Text.after(":", in: line) {
        guard let name = Text.words(chain).first, !tables.isEmpty else { continue }
        tables[tables.count - 1].chains.append(Chain(name: name, rules: []))
      } else if let rule = Text.after("-A ", in: line) {
        add(rule)
      }
    }
  }

  private mutating func add(_ rule: String) {
    guard let chain = Text.words(rule).first, let table = tables.indices.last,
      let index = tables[table].chains.firstIndex(where: { $0.name == chain }),
      let body = Text.after(chain, in: rule)
    else { return }
    tables[table].chains[index].rules.append(Text.trimmed(body))
  }

  /// The chains of a table; none when the table isn't there.
  func chains(of table: String) -> [Chain] {
    tables.first { $0.name == table }?.chains ?? []
  }

  /// Whether anything of ours stands in any table.
  var hasOwn: Bool {
    tables.contains { $0.chains.contains { Self.isOwn($0.name) } }
  }

  /// What of a table is ours: our chains, and each jump to one of them from a chain that isn't.
  func own(in table: String) -> IPTablesTable {
    var own = IPTablesTable(name: table, jumps: [], chains: [])
    for chain in chains(of: table) {
      if Self.isOwn(chain.name) {
        own.chains.append(IPTablesTable.Chain(name: chain.name, rules: chain.rules))
        continue
      }
      for (index, rule) in chain.rules.enumerated() where Self.leadsToOwn(rule) {
        own.jumps.append(
          IPTablesTable.Jump(chain: chain.name, rule: rule, position: index + 1))
      }
    }
    return own
  }

  /// Whether a chain's name says that it is ours.
  static func isOwn(_ chain: String) -> Bool { Text.starts(chain, with: IPTablesRules.prefix) }

  // Whether a rule jumps or goes to a chain of ours.
  private static func leadsToOwn(_ rule: String) -> Bool {
    let words = Text.words(rule)
    return words.indices.dropLast().contains { index in
      (words[index] == "-j" || words[index] == "-g") && isOwn(words[index + 1])
    }
  }
}

/// A rule's text in a form in which two versions of iptables agree.
struct IPTablesRule: Equatable {
  private let words: [String]

  init(_ text: String) {
    var words: [String] = []
    let all = Text.words(text)
    var index = 0
    while index < all.count {
      // `-p tcp` implies the match of the same name; some versions write it out, some don't.
      if all[index] == "-m", index + 1 < all.count, ["tcp", "udp"].contains(all[index + 1]) {
        index += 2
        continue
      }
      words.append(Self.decimal(all[index]))
      index += 1
    }
    self.words = words
  }

  // Every hexadecimal number in a word becomes a decimal one, and quotes go: u32's expression comes
  // in both forms.
  private static func decimal(_ word: String) -> String {
    let bytes = Array(word.utf8)
    var out: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "0"), index + 1 < bytes.count,
        bytes[index + 1] == UInt8(ascii: "x")
      {
        let digits = bytes[(index + 2)...].prefix { hexDigit($0) != nil }
        if !digits.isEmpty && digits.count <= 8 {
          let value = digits.reduce(UInt64(0)) { $0 << 4 | UInt64(hexDigit($1) ?? 0) }
          out += Array(String(value).utf8)
          index = digits.endIndex
          continue
        }
      }
      if bytes[index] != UInt8(ascii: "\"") { out.append(bytes[index]) }
      index += 1
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
