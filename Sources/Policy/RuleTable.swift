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
  /// What stands for the service in `Vouchers`.
  let serviceKey: UInt32

  init(_ pack: ServicePack, _ feature: ServicePack.Feature, isOn: Bool) {
    service = pack.service
    serviceTitle = pack.title
    key = feature.key
    title = feature.title
    note = feature.note
    path = pack.path
    line = feature.line
    self.isOn = isOn
    serviceKey = Self.key(of: pack.service)
  }

  var name: String { "\(service).\(key)" }

  /// The same over all reloads and restarts, and never 0.
  static func key(of service: String) -> UInt32 {
    var hash = CompiledTable.Hash()
    hash.add(service)
    return max(1, UInt32(truncatingIfNeeded: hash.value ^ hash.value >> 32))
  }
}
