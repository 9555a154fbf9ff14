internal import System

/// Typed values: each accessor reports `expected X, found Y` at its node and returns nil when the
/// node holds something else.
extension YAMLNode {
  /// Reports that something else was expected here.
  public func report(expected: String, _ diagnostics: inout Diagnostics) {
    diagnostics.error("expected \(expected), found \(found)", at: self)
  }

  /// The text of a scalar that is not empty.
  public func string(_ expected: String, _ diagnostics: inout Diagnostics) -> String? {
    guard isScalar, !isEmpty, record.count > 0 else {
      report(expected: expected, &diagnostics)
      return nil
    }
    return text
  }

  /// The items of a list.
  ///
  /// A key with nothing after it is an empty list: an owner who comments out every line of one
  /// leaves that.
  public func list(_ expected: String, _ diagnostics: inout Diagnostics) -> YAMLItems? {
    guard isSequence || isEmpty else {
      report(expected: expected, &diagnostics)
      return nil
    }
    return items
  }

  /// Checks that this is a mapping (or nothing) with no key but the `known` ones, and reports every
  /// other key with the nearest known one.
  ///
  /// False when it is no mapping at all.
  public func checkMapping(
    _ expected: String, keys known: [String], _ diagnostics: inout Diagnostics
  ) -> Bool {
    guard isMapping || isEmpty else {
      report(expected: expected, &diagnostics)
      return false
    }
    for entry in entries where !known.contains(where: { entry.key.hasText($0) }) {
      entry.key.reportUnknown("key", known, &diagnostics)
    }
    return true
  }

  /// Reports that this scalar is none of the `known` words.
  ///
  /// For example `unknown key "prots"; did you mean "ports"?`
  public func reportUnknown(
    _ what: String, _ known: [String], _ diagnostics: inout Diagnostics
  ) {
    if let nearest = Spelling.nearest(to: text, in: known) {
      diagnostics.error("unknown \(what) \(found); did you mean \"\(nearest)\"?", at: self)
    } else if known.isEmpty {
      diagnostics.error("unknown \(what) \(found); there is none", at: self)
    } else {
      diagnostics.error(
        "unknown \(what) \(found); expected \(Spelling.list(known))", at: self)
    }
  }

  /// One of the cases of an enumeration, by raw value.
  public func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ type: Choice.Type, _ diagnostics: inout Diagnostics
  ) -> Choice? {
    for value in Choice.allCases where hasText(value.rawValue) { return value }
    reportNoChoice(Choice.allCases.map { $0.rawValue }, &diagnostics)
    return nil
  }

  /// Reports that this is none of the `words`.
  ///
  /// Apart from `choice`, which is compiled anew for every enumeration.
  @export(interface) @inline(never)
  func reportNoChoice(_ words: [String], _ diagnostics: inout Diagnostics) {
    let nearest = isScalar ? Spelling.nearest(to: text, in: words) : nil
    let hint = nearest.map { "; did you mean \"\($0)\"?" } ?? ""
    diagnostics.error("expected \(Spelling.list(words)), found \(found)\(hint)", at: self)
  }

  /// `on` or `off`.
  ///
  /// Other YAML programs write these as true, false, yes and no.
  public func toggle(_ diagnostics: inout Diagnostics) -> Bool? {
    for word in ["on", "true", "yes"] where hasText(word) { return true }
    for word in ["off", "false", "no"] where hasText(word) { return false }
    report(expected: "on or off", &diagnostics)
    return nil
  }

  /// The value of a scalar that is a whole number, decimal or `0x` hexadecimal.
  public var number: Int? { isScalar ? Self.number(textBytes) : nil }

  /// A whole number within `range`, decimal or `0x` hexadecimal.
  public func integer(
    _ what: String, in range: ClosedRange<Int>, _ diagnostics: inout Diagnostics
  ) -> Int? {
    if let value = number, range.contains(value) { return value }
    report(
      expected: "\(what) from \(range.lowerBound) to \(range.upperBound)", &diagnostics)
    return nil
  }

  /// A number of bytes: `300MB`, with the units B, kB, MB, GB (powers of 1000) and KiB, MiB, GiB.
  public func byteCount(_ diagnostics: inout Diagnostics) -> UInt64? {
    let units: [(String, UInt64)] = [
      ("B", 1), ("kB", 1000), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
      ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]
    if let value = quantity(units) { return value }
    report(expected: "a size such as 300MB", &diagnostics)
    return nil
  }

  /// A length of time in seconds: `15m`, with the units s, m, h, d; within `range`.
  public func seconds(
    in range: ClosedRange<UInt64>, _ diagnostics: inout Diagnostics
  ) -> UInt64? {
    let units: [(String, UInt64)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]
    guard let value = quantity(units) else {
      report(expected: "a length of time such as 30s, 15m, 6h or 35d", &diagnostics)
      return nil
    }
    guard range.contains(value) else {
      let least = Self.duration(range.lowerBound)
      let most = Self.duration(range.upperBound)
      report(expected: "a length of time from \(least) to \(most)", &diagnostics)
      return nil
    }
    return value
  }

  /// `90s` as `90s`, `5400s` as `90m`: the largest unit that divides it.
  static func duration(_ seconds: UInt64) -> String {
    for (unit, size) in [("d", 86400), ("h", 3600), ("m", 60)] as [(String, UInt64)]
    where seconds > 0 && seconds % size == 0 {
      return "\(seconds / size)\(unit)"
    }
    return "\(seconds)s"
  }

  private func quantity(_ units: [(String, UInt64)]) -> UInt64? {
    guard isScalar else { return nil }
    let digits = textBytes.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    let unit = textBytes.dropFirst(digits.count)
    guard let count = Self.number(digits) else { return nil }
    for (name, size) in units where unit.elementsEqual(name.utf8) {
      let (value, overflow) = UInt64(count).multipliedReportingOverflow(by: size)
      return overflow ? nil : value
    }
    return nil
  }

  /// The value of decimal digits, or of hexadecimal ones after `0x`; nil for anything else and for
  /// more than 62 bits.
  static func number(_ text: ArraySlice<UInt8>) -> Int? {
    var digits = text
    var radix = 10
    if text.starts(with: "0x".utf8) {
      digits = text.dropFirst(2)
      radix = 16
    }
    guard !digits.isEmpty else { return nil }
    var value = 0
    for byte in digits {
      let digit: Int
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = Int(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = Int(byte - UInt8(ascii: "a")) + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = Int(byte - UInt8(ascii: "A")) + 10
      default: return nil
      }
      guard digit < radix, value < 1 << 57 else { return nil }
      value = value * radix + digit
    }
    return value
  }
}
