import Testing

@testable import YAML

/// The typed accessors: what they take, and what they say when they don't.
@Suite struct ValueTests {
  enum Colour: String, CaseIterable { case red, green, blue }

  @Test(arguments: [
    ("on", true), ("off", false), ("true", true), ("false", false), ("yes", true), ("no", false),
    ("'on'", true),
  ])
  func togglesAreOnOrOff(_ text: String, _ isOn: Bool) throws {
    #expect(try read(text) { $0.toggle(&$1) }.0 == isOn)
  }

  @Test(arguments: [
    ("On", "expected on or off, found \"On\""), ("1", "expected on or off, found \"1\""),
    ("", "expected on or off, found nothing"), ("[on]", "expected on or off, found a list"),
    ("{a: b}", "expected on or off, found a mapping"),
  ])
  func otherTogglesAreRefused(_ text: String, _ error: String) throws {
    let (value, errors) = try read(text) { $0.toggle(&$1) }
    #expect(value == nil)
    #expect(errors == ["f:1:\(text.isEmpty ? 3 : 4): error: \(error)"])
  }

  @Test(
    arguments: [
      ("red", Colour.red, nil), ("blue", .blue, nil),
      ("gren", nil, "expected red, green or blue, found \"gren\"; did you mean \"green\"?"),
      ("yellow", nil, "expected red, green or blue, found \"yellow\""),
      ("[red]", nil, "expected red, green or blue, found a list"),
    ] as [(String, Colour?, String?)])
  func choicesNameTheNearest(_ text: String, _ colour: Colour?, _ error: String?) throws {
    let (value, errors) = try read(text) { $0.choice(Colour.self, &$1) }
    #expect(value == colour)
    #expect(errors == (error.map { ["f:1:4: error: \($0)"] } ?? []))
  }

  @Test(
    arguments: [
      ("0", 0), ("7", 7), ("0x1F", 31), ("100", 100), ("007", 7),
      ("101", nil), ("-1", nil), ("1.0", nil), ("0x", nil), ("1e1", nil), ("", nil),
      ("99999999999999999999", nil),
    ] as [(String, Int?)])
  func integersStayInTheirRange(_ text: String, _ expected: Int?) throws {
    let (value, errors) = try read(text) { $0.integer("a number", in: 0...100, &$1) }
    #expect(value == expected)
    #expect(errors.isEmpty == (expected != nil))
  }

  @Test(
    arguments: [
      ("300MB", 300_000_000), ("1kB", 1000), ("1KiB", 1024), ("2GiB", 2 << 30), ("0B", 0),
      ("300", nil), ("300 MB", nil), ("MB", nil), ("300mb", nil), ("1.5GB", nil),
      ("99999999999GB", nil),
    ] as [(String, UInt64?)])
  func sizesHaveAUnit(_ text: String, _ expected: UInt64?) throws {
    let (value, errors) = try read(text) { $0.byteCount(&$1) }
    #expect(value == expected)
    let error = "f:1:4: error: expected a size such as 300MB, found \"\(text)\""
    #expect(errors == (expected == nil ? [error] : []))
  }

  @Test(
    arguments: [
      ("30s", 30), ("15m", 900), ("6h", 21600), ("35d", 3_024_000), ("400d", nil), ("0s", nil),
      ("15", nil), ("15min", nil), ("m", nil), ("-1s", nil),
    ] as [(String, UInt64?)])
  func durationsHaveAUnitAndARange(_ text: String, _ expected: UInt64?) throws {
    let (value, errors) = try read(text) { $0.seconds(in: 1...100 * 86400, &$1) }
    #expect(value == expected)
    #expect(errors.isEmpty == (expected != nil))
  }

  @Test func aDurationOutOfItsRangeNamesTheRange() throws {
    let (_, errors) = try read("2h") { $0.seconds(in: 90...3600, &$1) }
    #expect(errors == ["f:1:4: error: expected a length of time from 90s to 1h, found \"2h\""])
  }

  @Test func unknownKeysNameTheNearestKnownOne() throws {
    let text = "{prots: 1, hots: 2, colour: 3, ports: 4}"
    let (_, errors) = try read(text) { node, diagnostics in
      node.checkMapping("a line", keys: ["host", "ports", "note"], &diagnostics)
    }
    #expect(
      errors == [
        "f:1:5: error: unknown key \"prots\"; did you mean \"ports\"?",
        "f:1:15: error: unknown key \"hots\"; did you mean \"host\"?",
        "f:1:24: error: unknown key \"colour\"; expected host, ports or note",
      ])
  }

  @Test func aKeyWithNothingAfterItIsAnEmptyListAndAnEmptyMapping() throws {
    let (value, errors) = try read("  # all lines are commented out") { node, diagnostics in
      node.list("a list", &diagnostics).map { Array($0).count } == 0
        && node.checkMapping("a mapping", keys: [], &diagnostics)
    }
    #expect(value == true)
    #expect(errors.isEmpty)
  }

  @Test func longTextIsCutInMessagesBetweenCharacters() throws {
    let (_, errors) = try read(String(repeating: "微", count: 100)) { $0.toggle(&$1) }
    #expect(
      errors == [
        "f:1:4: error: expected on or off, found \"\(String(repeating: "微", count: 21))…\""
      ])
  }

  @Test func afterAHundredDiagnosticsTheRestIsCounted() {
    var diagnostics = Diagnostics()
    for line in 1...130 {
      diagnostics.append(
        Diagnostic(path: "f", line: line, column: 1, severity: .error, message: "x"))
    }
    #expect(diagnostics.list.count == 100)
    #expect(diagnostics.text.hasSuffix("f:100:1: error: x\nand 30 more\n"))
  }

  /// Reads the value of `k: <text>`, which begins at column 4.
  private func read<Value>(
    _ text: String, _ body: (YAMLNode, inout Diagnostics) -> Value?
  ) throws -> (Value?, [String]) {
    let root = try YAMLNode.parse(SourceFile(path: "f", text: "k: \(text)\n"))
    let node = try #require(root["k"])
    var diagnostics = Diagnostics()
    let value = body(node, &diagnostics)
    return (value, diagnostics.list.map { $0.text })
  }
}
