/// The header of an mmtls record: `type (1)  version (2)  length (2)`, then `length` bytes.
enum MMTLSRecord {
  static let alert: UInt8 = 0x15
  static let handshake: UInt8 = 0x16
  static let application: UInt8 = 0x17
  /// A handshake with data of a resumed session right behind it; only in HTTP bodies.
  static let early: UInt8 = 0x19

  static let headerLength = 5

  /// Whether the bytes begin with a record of a type that `types` has, in one of the versions.
  static func begins(
    _ reader: borrowing Reader, _ versions: MMTLSVersions, type expected: UInt8,
    or other: UInt8? = nil
  ) throws(Stop) -> Bool {
    let type = try reader.peek(UInt8.self)
    guard type == expected || type == other else { return false }
    guard versions.contains(first: try reader.peek(UInt8.self, at: 1)) else { return false }
    return versions.contains(try reader.peek(UInt16.self, at: 1))
  }

  /// Whether a record of the type can have a body of so many bytes.
  ///
  /// An encrypted body has a tag of 16 bytes and something before it; an alert in clear has 7.
  static func canHave(_ length: Int, type: UInt8) -> Bool {
    switch type {
    case alert: length >= 7
    case handshake, application, early: length >= 17
    default: false
    }
  }
}
