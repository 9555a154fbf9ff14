internal import Names
internal import Wire
internal import YAML

/// A host as the files name it: `short.weixin.qq.com`, or `.example.org` for a name and all below.
struct HostPattern: Sendable {
  let name: HostName
  let isSuffix: Bool

  /// Reads a host; a mistake is reported with the fix.
  static func read(_ node: YAMLNode, _ diagnostics: inout Diagnostics) -> HostPattern? {
    let expected = "a host name such as short.weixin.qq.com, or .example.org"
    guard let text = node.string(expected, &diagnostics) else { return nil }
    let isSuffix = text.utf8.first == UInt8(ascii: ".")
    let bare = isSuffix ? String(text.dropFirst()) : text
    if let name = HostName(bare), !name.endsInNumber {
      if isSuffix, !name.hasDot {
        diagnostics.warning("\(text) covers every name that ends in \(text)", at: node)
      }
      return HostPattern(name: name, isSuffix: isSuffix)
    }
    diagnostics.error(
      "expected \(expected), found \(node.found)\(hint(text))", at: node)
    return nil
  }

  private static func hint(_ text: String) -> String {
    if readPrefix(text) != nil { return "; write 'address: \(text)'" }
    if text.hasPrefix("*."), HostName(String(text.dropFirst(2))) != nil {
      return "; write '\(text.dropFirst(1))'"
    }
    let bytes = Array(text.utf8)
    for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
      let host = bytes.dropFirst(scheme.utf8.count)
        .prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
      return "; write only the name, '\(String(decoding: host, as: UTF8.self))'"
    }
    if bytes.contains(where: { $0 >= 0x80 }) {
      return "; write an international name in its ASCII form, xn--…"
    }
    for sign in bytes {
      switch sign {
      case UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "("), UInt8(ascii: "["),
        UInt8(ascii: "\\"), UInt8(ascii: "|"):
        return "; a pattern is written 'regex:'"
      case UInt8(ascii: "/"): return "; leave out the path"
      case UInt8(ascii: ":"): return "; ports are written 'ports: [443]'"
      case UInt8(ascii: "*"): return "; '.example.org' covers all names below example.org"
      default: continue
      }
    }
    return ""
  }

  /// An address or a prefix, with or without its length.
  static func readPrefix(_ text: String) -> IPPrefix? {
    if let address = IPAddress(text) {
      return IPPrefix(address, length: address.isIPv4 ? 32 : 128)
    }
    return text.utf8.contains(UInt8(ascii: "/")) ? IPPrefix(text) : nil
  }

  /// `short.weixin.qq.com`, `.example.org`.
  var text: String { (isSuffix ? "." : "") + name.text }
}

extension HostName {
  /// Whether it has more than one label.
  var hasDot: Bool {
    for i in 0..<count where self[i] == UInt8(ascii: ".") { return true }
    return false
  }

  /// Whether the last label is a number: then it is an address, whole or in part, and no name.
  var endsInNumber: Bool {
    var i = count - 1
    while i >= 0, self[i] != UInt8(ascii: ".") {
      if self[i] < UInt8(ascii: "0") || self[i] > UInt8(ascii: "9") { return false }
      i -= 1
    }
    return true
  }
}
