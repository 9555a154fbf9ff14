/// The versions of mmtls that are taken for it: data, since the number moves with the app.
public struct MMTLSVersions: Equatable, Sendable {
  private var versions: UInt128 = 0

  /// The most versions that the set holds.
  public static let maximumCount = 8

  /// No version.
  public init() {}

  /// The versions that are known: `f1 03` (until 2020) and `f1 04`.
  public static let known: MMTLSVersions = {
    var set = MMTLSVersions()
    _ = set.insert(0xf104)
    _ = set.insert(0xf103)
    return set
  }()

  /// Adds a version, as its two bytes on the wire; false when the set is full, and for versions that
  /// are TLS's (`03 xx`) or zero.
  public mutating func insert(_ version: UInt16) -> Bool {
    guard version >> 8 != 0x03, version != 0 else { return false }
    if contains(version) { return true }
    guard versions >> 112 == 0 else { return false }
    versions = versions << 16 | UInt128(version)
    return true
  }

  /// The versions, the latest first.
  public var all: [UInt16] {
    var all: [UInt16] = []
    var rest = versions
    while rest != 0 {
      all.append(UInt16(truncatingIfNeeded: rest))
      rest >>= 16
    }
    return all
  }

  /// Whether a version is in the set.
  public func contains(_ version: UInt16) -> Bool {
    var rest = versions
    while rest != 0 {
      if UInt16(truncatingIfNeeded: rest) == version { return true }
      rest >>= 16
    }
    return false
  }

  /// Whether a version that begins with `byte` is in the set.
  func contains(first byte: UInt8) -> Bool {
    var rest = versions
    while rest != 0 {
      if UInt8(truncatingIfNeeded: rest >> 8) == byte { return true }
      rest >>= 16
    }
    return false
  }
}
