/// A scalar, a list or a mapping, with the place in the file where it begins.
public struct YAMLNode: Sendable {
  let document: YAMLDocument
  let index: UInt32

  var record: YAMLDocument.Record { document.records[Int(index)] }

  /// The line, from 1.
  public var line: Int { Int(record.line) }
  /// The column in characters, from 1.
  public var column: Int { Int(record.column) }
  /// The file.
  public var path: String { document.path }

  /// Whether this is a list.
  public var isSequence: Bool { record.kind == .sequence }
  /// Whether this is a mapping.
  public var isMapping: Bool { record.kind == .mapping }
  /// Whether this is a single value.
  public var isScalar: Bool { !isSequence && !isMapping }

  /// Whether nothing stands here: a key without a value, `~` or `null`.
  public var isEmpty: Bool {
    guard record.kind == .plain else { return false }
    return record.count == 0 || hasText("~") || hasText("null")
  }

  /// The text of a scalar; empty for lists and mappings.
  public var text: String {
    guard isScalar else { return "" }
    return String(decoding: textBytes, as: UTF8.self)
  }

  /// Whether this is a scalar whose text is `other`, byte by byte.
  public func hasText(_ other: String) -> Bool {
    guard isScalar, Int(record.count) == other.utf8.count else { return false }
    var index = Int(record.start)
    for byte in other.utf8 {
      if document.text[index] != byte { return false }
      index += 1
    }
    return true
  }

  var textBytes: ArraySlice<UInt8> {
    let start = Int(record.start)
    return document.text[start..<start + Int(record.count)]
  }

  /// The children of a list; of anything else none.
  public var items: YAMLItems {
    YAMLItems(
      document: document, upcoming: isSequence ? record.firstChild : YAMLDocument.Record.none)
  }

  /// How many items a list has; of anything else 0.
  public var count: Int { isSequence ? Int(record.count) : 0 }

  /// What stands here, for a message: `"text"`, `nothing`, `a list`, `a mapping`.
  public var found: String {
    switch record.kind {
    case .sequence: return "a list"
    case .mapping: return "a mapping"
    case .plain, .quoted: return isEmpty ? "nothing" : Self.quote(textBytes)
    }
  }

  /// A diagnostic about this place.
  public func diagnostic(_ severity: Diagnostic.Severity, _ message: String) -> Diagnostic {
    Diagnostic(path: path, line: line, column: column, severity: severity, message: message)
  }

  /// `text` in quotes, cut to what fits a line, without control characters.
  static func quote(_ text: ArraySlice<UInt8>) -> String {
    let limit = 64
    var end = min(text.endIndex, text.startIndex + limit)
    // Not within a character: continuation bytes of UTF-8 are 10xxxxxx.
    while end < text.endIndex, end > text.startIndex, text[end] & 0xc0 == 0x80 { end -= 1 }
    let kept = text[text.startIndex..<end].map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }
    return "\"" + String(decoding: kept, as: UTF8.self) + (end < text.endIndex ? "…\"" : "\"")
  }
}

/// The items of a list, in order.
public struct YAMLItems: Sequence, IteratorProtocol, Sendable {
  let document: YAMLDocument
  var upcoming: UInt32

  /// The next item.
  public mutating func next() -> YAMLNode? {
    guard upcoming != YAMLDocument.Record.none else { return nil }
    let node = YAMLNode(document: document, index: upcoming)
    upcoming = document.records[Int(upcoming)].next
    return node
  }
}

/// The keys of a mapping with their values, in order.
public struct YAMLEntries: Sequence, IteratorProtocol, Sendable {
  var items: YAMLItems

  /// The next key and its value.
  public mutating func next() -> (key: YAMLNode, value: YAMLNode)? {
    guard let key = items.next(), let value = items.next() else { return nil }
    return (key, value)
  }
}

extension YAMLNode {
  /// The entries of a mapping; of anything else none.
  public var entries: YAMLEntries {
    YAMLEntries(
      items: YAMLItems(
        document: document, upcoming: isMapping ? record.firstChild : YAMLDocument.Record.none))
  }

  /// The value of `key` in a mapping.
  public subscript(key: String) -> YAMLNode? {
    for entry in entries where entry.key.hasText(key) { return entry.value }
    return nil
  }
}
