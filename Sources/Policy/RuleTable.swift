internal import Wire

/// All rules by number: features first, then the owner's lines in the order of the file, so that
/// the smaller number is the one to name when two say the same.
struct RuleTable: Sendable {
  enum Kind: UInt8, Sendable {
    case feature, host, suffix, regex, address, device
  }

  /// Kept small, since there may be 100,000; the text is put together when somebody asks.
  struct Record: Sendable {
    let kind: Kind
    let tier: Tier
    let line: UInt32
    /// Index of the feature, the host's entry, the regex, the prefix or the device.
    let index: UInt32
    /// Index of the note, or `none`.
    let note: UInt32
    let condition: UInt32
  }

  static let none = UInt32.max

  var records: [Record] = []
  var notes: [String] = []
  var features: [Feature] = []
  var prefixes: [IPPrefix] = []
  /// The owner's file.
  var path = ""

  var nextID: RuleID { RuleID(UInt32(records.count)) }

  func record(_ id: RuleID) -> Record? {
    Int(id.index) < records.count ? records[Int(id.index)] : nil
  }
}

/// A feature of a service pack, as the owner switched it.
struct Feature: Sendable {
  let service: String
  let serviceTitle: String
  let key: String
  let title: String
  let note: String
  let path: String
  let line: Int
  let isOn: Bool

  var name: String { "\(service).\(key)" }
}
