/// A parsed file: all nodes in one array and all text in another.
///
/// A rules file may have 100,000 lines; one allocation per node would cost more than the parse.
final class YAMLDocument: Sendable {
  /// One node; children are a linked list through `next` (in a mapping key, value, key, value …).
  struct Record: Sendable {
    enum Kind: UInt8, Sendable { case plain, quoted, sequence, mapping }

    let kind: Kind
    let line: UInt32
    let column: UInt32
    /// Where a scalar's text begins in `text`.
    var start: UInt32 = 0
    /// Bytes of a scalar, children of the others.
    var count: UInt32 = 0
    var firstChild: UInt32 = Record.none
    var next: UInt32 = Record.none

    /// No such node.
    static let none = UInt32.max
  }

  let path: String
  let records: [Record]
  let text: [UInt8]

  init(path: String, records: [Record], text: [UInt8]) {
    self.path = path
    self.records = records
    self.text = text
  }
}
