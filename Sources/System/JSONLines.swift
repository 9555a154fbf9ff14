/// Objects in JSON (RFC 8259), one a line, each with its `type` first; members stand in the order in
/// which they are added.
public struct JSONLines: Sendable {
  /// What has been written.
  public private(set) var text = ""

  /// Nothing yet.
  public init() {}

  /// Begins an object.
  public mutating func begin(_ type: String) { text += "{\"type\":\"\(type)\"" }

  /// Ends the object, and its line.
  public mutating func end() { text += "}\n" }

  /// A string, or null.
  public mutating func add(_ name: String, _ value: String?) {
    add(name)
    if let value { append(value) } else { text += "null" }
  }

  /// A number, or null.
  public mutating func add(_ name: String, _ value: UInt64?) {
    add(name)
    text += value.map { String($0) } ?? "null"
  }

  /// A number, or null.
  public mutating func add(_ name: String, _ value: Int64?) {
    add(name)
    text += value.map { String($0) } ?? "null"
  }

  /// A truth value, or null.
  public mutating func add(_ name: String, _ value: Bool?) {
    add(name)
    text += value.map { $0 ? "true" : "false" } ?? "null"
  }

  /// A list of strings.
  public mutating func add(_ name: String, _ values: [String]) {
    add(name)
    text += "["
    for (place, value) in values.enumerated() {
      if place > 0 { text += "," }
      append(value)
    }
    text += "]"
  }

  private mutating func add(_ name: String) { text += ",\"\(name)\":" }

  // RFC 8259 section 7; what a terminal would obey is escaped too.
  private mutating func append(_ value: String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      default:
        if PlainText.isPrintable(scalar) {
          text.unicodeScalars.append(scalar)
        } else if scalar.value > 0xffff {
          let value = scalar.value - 0x10000
          text += unit(0xd800 + value >> 10) + unit(0xdc00 + value & 0x3ff)
        } else {
          text += unit(scalar.value)
        }
      }
    }
    text += "\""
  }

  // A UTF-16 code unit.
  private func unit(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
  }
}
