import Testing

@testable import YAML

/// What a file is refused for, and where the finger points.
@Suite struct ParserTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let text: String
    let error: String
    var testDescription: String { name }
  }

  static let refused: [Case] = [
    Case(name: "an empty file", text: "", error: "f:1:1: error: the file is empty"),
    Case(name: "only comments", text: "# a\n\n# b\n", error: "f:1:1: error: the file is empty"),
    Case(
      name: "a tab as indentation", text: "a:\n\tb: 1\n",
      error: "f:2:1: error: a tab; indent with spaces"),
    Case(
      name: "a list that is not closed", text: "a: [1, 2\nb: 3\n",
      error: "f:2:2: error: not YAML: did not find expected ',' or ']' while parsing a flow "
        + "sequence that begins on line 1, column 4"),
    Case(
      name: "a quote that is not closed", text: "a: 'x\n",
      error: "f:2:1: error: not YAML: found unexpected end of stream while scanning a quoted "
        + "scalar that begins on line 1, column 4"),
    Case(
      name: "bytes that are not UTF-8", text: "a: 1\nä: \u{0}",
      error: "f:2:4: error: not YAML: control characters are not allowed"),
    Case(
      name: "an anchor", text: "a: &x 1\n",
      error: "f:1:4: error: anchors (&name) are not supported; write the value out"),
    Case(
      name: "an anchor on a mapping", text: "a: &x {b: 1}\n",
      error: "f:1:4: error: anchors (&name) are not supported; write the value out"),
    Case(
      name: "an alias", text: "a: *x\n",
      error: "f:1:4: error: aliases (*name) are not supported; write the value out"),
    Case(
      name: "a tag", text: "a: !!str 1\n",
      error: "f:1:4: error: tags (!name) are not supported; leave the tag out"),
    Case(
      name: "a second document", text: "a: 1\n---\nb: 2\n",
      error: "f:2:1: error: a second document begins here; a file holds one"),
    Case(
      name: "a duplicate key", text: "a: 1\nbb: {x: 1, 'x': 2}\n",
      error: "f:2:12: error: duplicate key \"x\"; the first is on line 2, column 6"),
    Case(
      name: "a key that is a list", text: "[a, b]: 1\n",
      error: "f:1:1: error: expected a key, found a list"),
    Case(
      name: "33 levels", text: String(repeating: "[", count: 33),
      error: "f:1:33: error: nested more than 32 levels deep"),
  ]

  @Test(arguments: refused)
  func fileIsRefusedAtItsPlace(_ c: Case) {
    #expect(errors(c.text) == [c.error])
  }

  @Test func columnsCountCharactersAndNotBytes() throws {
    let root = try YAMLNode.parse(SourceFile(path: "f", text: "微信: {键: x}\n"))
    let inner = try #require(root["微信"]?["键"])
    #expect(inner.line == 1 && inner.column == 9)
  }

  @Test func everyDuplicateKeyIsReported() {
    #expect(
      errors("a: 1\na: 2\nb: 3\na: 4\n") == [
        "f:2:1: error: duplicate key \"a\"; the first is on line 1, column 1",
        "f:4:1: error: duplicate key \"a\"; the first is on line 1, column 1",
      ])
  }

  @Test func duplicateKeysAreFoundInLargeMappingsToo() {
    let keys = (0..<500).map { "k\($0): 1\n" }.joined() + "k77: 2\n"
    #expect(
      errors(keys) == ["f:501:1: error: duplicate key \"k77\"; the first is on line 78, column 1"])
  }

  @Test func aFileThatIsTooLargeIsNotParsed() {
    let file = SourceFile(path: "f", bytes: [UInt8](repeating: 35, count: 16 << 20 + 1))
    #expect(throws: Diagnostics.self) { try YAMLNode.parse(file) }
  }

  /// Mutations of a real file and random bytes: every one ends in a node or in diagnostics.
  @Test func garbageNeverCrashes() {
    var random = Random(seed: 20_240_601)
    let seed = Array(
      "version: 1\nallow:\n  - {host: .example.org, ports: [80, 443], note: 'a\"b'}\n- \"x\\u00e9\"\n"
        .utf8)
    let signs = Array("{}[],:-&*!|>'\"%@`#?\n\t \\~\u{fe}".utf8)
    for _ in 0..<5_000 {
      var bytes = seed
      for _ in 0..<random.next(upTo: 8) {
        let at = random.next(upTo: bytes.count)
        switch random.next(upTo: 4) {
        case 0: bytes[at] = UInt8(random.next(upTo: 256))
        case 1: bytes.insert(signs[random.next(upTo: signs.count)], at: at)
        case 2: bytes.remove(at: at)
        default: bytes.insert(contentsOf: bytes[..<at], at: at)
        }
        if bytes.isEmpty { bytes = [0] }
      }
      if let root = try? YAMLNode.parse(SourceFile(path: "f", bytes: bytes)) { walk(root) }
    }
  }

  private func walk(_ node: YAMLNode) {
    #expect(node.line >= 1 && node.column >= 1)
    _ = node.found
    for item in node.items { walk(item) }
    for entry in node.entries {
      walk(entry.key)
      walk(entry.value)
    }
  }
}

/// What a file with `text` is refused for.
func errors(_ text: String) -> [String] {
  do {
    _ = try YAMLNode.parse(SourceFile(path: "f", text: text))
    return []
  } catch {
    return error.list.map { $0.text }
  }
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Random {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next(upTo bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(bound))
  }
}
