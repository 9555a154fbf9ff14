internal import CYAML

extension YAMLNode {
  /// Parses a file that holds one YAML document, and returns its root.
  ///
  /// Anchors, aliases, tags and further documents are refused: a rules file says what it means in
  /// one place. So are files over 16 MiB, more than 2,000,000 nodes or 32 levels, keys that are not
  /// scalars, duplicate keys, and an empty file.
  public static func parse(_ file: SourceFile) throws(Diagnostics) -> YAMLNode {
    guard file.bytes.count <= YAMLParser.sizeLimit else {
      throw Diagnostics.one(
        file, 1, 1, "the file has \(file.bytes.count) bytes, more than \(YAMLParser.sizeLimit)")
    }
    var parser = YAMLParser(file)
    return try parser.parse()
  }
}

extension Diagnostics {
  static func one(_ file: SourceFile, _ line: Int, _ column: Int, _ message: String) -> Diagnostics
  {
    var diagnostics = Diagnostics()
    diagnostics.append(
      Diagnostic(
        path: file.path, line: line, column: column, severity: .error, message: message))
    return diagnostics
  }
}

/// Builds a document from libyaml's events.
private struct YAMLParser {
  static let sizeLimit = 16 << 20
  static let nodeLimit = 2_000_000
  static let depthLimit = 32

  private typealias Record = YAMLDocument.Record

  /// A list or mapping whose end has not come yet.
  private struct Open {
    let index: UInt32
    var lastChild: UInt32 = YAMLDocument.Record.none
  }

  private let file: SourceFile
  private var records: [Record] = []
  private var text: [UInt8] = []
  private var open: [Open] = []
  private var diagnostics = Diagnostics()

  init(_ file: SourceFile) { self.file = file }

  mutating func parse() throws(Diagnostics) -> YAMLNode {
    // Filled in by yaml_parser_initialize before any other use, and freed by yaml_parser_delete.
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { unsafe parser.deallocate() }
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      throw .one(file, 1, 1, "out of memory")
    }
    defer { unsafe yaml_parser_delete(parser) }
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)

    // Room that is not used costs no memory; growing would copy and, for a moment, double it.
    records.reserveCapacity(min(file.bytes.count / 4 + 16, Self.nodeLimit))
    text.reserveCapacity(file.bytes.count)
    let bytes = file.bytes
    var failure: Diagnostics?
    // libyaml reads from the array only within this closure.
    unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
      do throws(Diagnostics) {
        try unsafe readEvents(parser)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    try diagnostics.throwIfErrors()
    guard !records.isEmpty else { throw .one(file, 1, 1, "the file is empty") }
    return YAMLNode(
      document: YAMLDocument(path: file.path, records: records, text: text), index: 0)
  }

  private mutating func readEvents(
    _ parser: UnsafeMutablePointer<yaml_parser_t>
  ) throws(Diagnostics) {
    var documents = 0
    while true {
      var event = unsafe yaml_event_t()
      guard unsafe yaml_parser_parse(parser, &event) == 1 else {
        throw unsafe syntaxError(parser)
      }
      // libyaml filled the event; it is freed once, here.
      defer { unsafe yaml_event_delete(&event) }
      let line = unsafe event.start_mark.line + 1
      let column = unsafe event.start_mark.column + 1
      switch unsafe event.type {
      case YAML_STREAM_END_EVENT:
        return
      case YAML_DOCUMENT_START_EVENT:
        documents += 1
        if documents > 1 {
          throw .one(file, line, column, "a second document begins here; a file holds one")
        }
      case YAML_ALIAS_EVENT:
        throw .one(file, line, column, "aliases (*name) are not supported; write the value out")
      case YAML_SCALAR_EVENT:
        let scalar = unsafe event.data.scalar
        try unsafe refuse(anchor: scalar.anchor, tag: scalar.tag, line, column)
        let kind = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE ? Record.Kind.plain : .quoted
        var record = Record(kind: kind, line: UInt32(line), column: UInt32(column))
        record.start = UInt32(text.count)
        record.count = UInt32(unsafe scalar.length)
        // The value has `length` bytes for as long as the event lives.
        unsafe text.append(
          contentsOf: UnsafeBufferPointer(start: scalar.value, count: scalar.length))
        try append(record)
      case YAML_SEQUENCE_START_EVENT:
        let start = unsafe event.data.sequence_start
        try unsafe refuse(anchor: start.anchor, tag: start.tag, line, column)
        try begin(.sequence, line, column)
      case YAML_MAPPING_START_EVENT:
        let start = unsafe event.data.mapping_start
        try unsafe refuse(anchor: start.anchor, tag: start.tag, line, column)
        try begin(.mapping, line, column)
      case YAML_SEQUENCE_END_EVENT:
        open.removeLast()
      case YAML_MAPPING_END_EVENT:
        checkKeys(of: open.removeLast().index)
      default:
        break
      }
    }
  }

  private func refuse(
    anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?,
    _ line: Int, _ column: Int
  ) throws(Diagnostics) {
    if unsafe anchor != nil {
      throw .one(file, line, column, "anchors (&name) are not supported; write the value out")
    }
    if unsafe tag != nil {
      throw .one(file, line, column, "tags (!name) are not supported; leave the tag out")
    }
  }

  private mutating func append(_ record: Record) throws(Diagnostics) {
    guard records.count < Self.nodeLimit else {
      throw .one(
        file, Int(record.line), Int(record.column), "more than \(Self.nodeLimit) values in a file")
    }
    let index = UInt32(records.count)
    records.append(record)
    guard let parent = open.last else { return }
    if parent.lastChild == Record.none {
      records[Int(parent.index)].firstChild = index
    } else {
      records[Int(parent.lastChild)].next = index
    }
    records[Int(parent.index)].count += 1
    open[open.count - 1].lastChild = index
  }

  private mutating func begin(
    _ kind: Record.Kind, _ line: Int, _ column: Int
  ) throws(Diagnostics) {
    guard open.count < Self.depthLimit else {
      throw .one(file, line, column, "nested more than \(Self.depthLimit) levels deep")
    }
    try append(Record(kind: kind, line: UInt32(line), column: UInt32(column)))
    open.append(Open(index: UInt32(records.count - 1)))
  }

  // MARK: Keys

  private mutating func checkKeys(of mapping: UInt32) {
    var seen: [[UInt8]: UInt32] = [:]
    let isLarge = records[Int(mapping)].count > 64
    var key = records[Int(mapping)].firstChild
    while key != Record.none {
      let record = records[Int(key)]
      if record.kind == .sequence || record.kind == .mapping {
        report(key, "expected a key, found a \(record.kind == .mapping ? "mapping" : "list")")
      } else if let first = isLarge
        ? seen[Array(bytes(of: key))] : firstKey(of: mapping, equalTo: key)
      {
        let place = records[Int(first)]
        report(
          key,
          "duplicate key \(YAMLNode.quote(bytes(of: key))); "
            + "the first is on line \(place.line), column \(place.column)")
      } else if isLarge {
        seen[Array(bytes(of: key))] = key
      }
      let value = record.next
      guard value != Record.none else { return }
      key = records[Int(value)].next
    }
  }

  // For the few keys of a usual mapping comparing is cheaper than hashing.
  private func firstKey(of mapping: UInt32, equalTo key: UInt32) -> UInt32? {
    var other = records[Int(mapping)].firstChild
    while other != key {
      let record = records[Int(other)]
      if record.kind == .plain || record.kind == .quoted,
        bytes(of: other).elementsEqual(bytes(of: key))
      {
        return other
      }
      other = records[Int(record.next)].next
    }
    return nil
  }

  private func bytes(of index: UInt32) -> ArraySlice<UInt8> {
    let record = records[Int(index)]
    return text[Int(record.start)..<Int(record.start) + Int(record.count)]
  }

  private mutating func report(_ index: UInt32, _ message: String) {
    let record = records[Int(index)]
    diagnostics.append(
      Diagnostic(
        path: file.path, line: Int(record.line), column: Int(record.column), severity: .error,
        message: message))
  }

  // MARK: Syntax errors

  private func syntaxError(_ parser: UnsafeMutablePointer<yaml_parser_t>) -> Diagnostics {
    // The problem and its context are static strings of libyaml.
    let problem =
      unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "unknown problem"
    if unsafe parser.pointee.error == YAML_READER_ERROR {
      let offset = unsafe parser.pointee.problem_offset
      let (line, column) = place(ofByte: offset)
      return .one(file, line, column, "not YAML: \(problem)")
    }
    if unsafe parser.pointee.error == YAML_MEMORY_ERROR { return .one(file, 1, 1, "out of memory") }
    let mark = unsafe parser.pointee.problem_mark
    if isTab(line: mark.line, column: mark.column) {
      return .one(file, mark.line + 1, mark.column + 1, "a tab; indent with spaces")
    }
    var message = "not YAML: \(problem)"
    if let context = unsafe parser.pointee.context {
      let start = unsafe parser.pointee.context_mark
      message += unsafe " \(String(cString: context))"
      message += " that begins on line \(start.line + 1), column \(start.column + 1)"
    }
    return .one(file, mark.line + 1, mark.column + 1, message)
  }

  private func place(ofByte offset: Int) -> (Int, Int) {
    var line = 1
    var column = 1
    for byte in file.bytes.prefix(offset) {
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else if byte & 0xc0 != 0x80 {
        column += 1
      }
    }
    return (line, column)
  }

  // Whether the character at a place (from 0) is a tab; only lines of ASCII are looked at.
  private func isTab(line: Int, column: Int) -> Bool {
    var current = 0
    var start = 0
    while current < line {
      guard let end = file.bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else { return false }
      start = end + 1
      current += 1
    }
    let index = start + column
    return index < file.bytes.count && file.bytes[index] == UInt8(ascii: "\t")
  }
}
