internal import YAML

extension PortSet {
  /// Reads `[443, 5228-5230]`.
  static func read(_ node: YAMLNode, _ diagnostics: inout Diagnostics) -> PortSet? {
    let expected = "a port from 1 to 65535 or a range such as 5228-5230"
    guard node.isSequence else {
      node.report(expected: "a list of ports such as [443]", &diagnostics)
      return nil
    }
    var ranges: [Range] = []
    var isGood = true
    for item in node.items {
      if let range = range(item.text) {
        ranges.append(range)
      } else {
        item.report(expected: expected, &diagnostics)
        isGood = false
      }
    }
    if isGood, ranges.isEmpty {
      diagnostics.error("expected at least one port, found an empty list", at: node)
      return nil
    }
    return isGood ? PortSet(ranges) : nil
  }

  private static func range(_ text: String) -> Range? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 1 || parts.count == 2, let first = port(parts[0]),
      let last = port(parts[parts.count - 1]), first <= last
    else { return nil }
    return Range(first: first, last: last)
  }

  // Decimal digits only: UInt16(_:) would take a sign, too.
  static func port(_ text: Substring) -> UInt16? {
    for byte in text.utf8 where byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") { return nil }
    guard let port = UInt16(text), port > 0 else { return nil }
    return port
  }
}
