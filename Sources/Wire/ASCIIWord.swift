/// Up to 32 bytes as one number, to compare header names and values exactly, without a String.
///
/// Longer words push their first bytes out. Such a word equals none of fewer than 32 bytes, since no
/// byte that is appended is zero.
struct ASCIIWord: Equatable {
  private var high: UInt128 = 0
  private var low: UInt128 = 0

  init() {}

  private init(_ low: UInt128) { self.low = low }

  private init(_ high: UInt128, _ low: UInt128) {
    self.high = high
    self.low = low
  }

  /// Adds a byte, which must not be zero.
  mutating func append(_ byte: UInt8) {
    high = high << 8 | low >> 120
    low = low << 8 | UInt128(byte)
  }

  static let get = ASCIIWord(0x67_6574)
  static let head = ASCIIWord(0x6865_6164)
  static let connect = ASCIIWord(0x63_6f6e_6e65_6374)
  static let options = ASCIIWord(0x6f_7074_696f_6e73)
  static let host = ASCIIWord(0x686f_7374)
  static let upgrade = ASCIIWord(0x75_7067_7261_6465)
  static let contentLength = ASCIIWord(0x636f_6e74_656e_742d_6c65_6e67_7468)
  static let transferEncoding = ASCIIWord(0x74, 0x7261_6e73_6665_722d_656e_636f_6469_6e67)
  static let contentEncoding = ASCIIWord(0x636f_6e74_656e_742d_656e_636f_6469_6e67)
  static let deflate = ASCIIWord(0x64_6566_6c61_7465)
  static let identity = ASCIIWord(0x6964_656e_7469_7479)
  static let http2Settings = ASCIIWord(0x6874_7470_322d_7365_7474_696e_6773)
  static let chunked = ASCIIWord(0x63_6875_6e6b_6564)
  static let httpScheme = ASCIIWord(0x68_7474_703a_2f2f)

  // The reply of newgetdns.
  static let dns = ASCIIWord(0x64_6e73)
  static let domainList = ASCIIWord(0x646f_6d61_696e_6c69_7374)
  static let domain = ASCIIWord(0x646f_6d61_696e)
  static let builtInList = ASCIIWord(0x62_7569_6c74_696e_6970_6c69_7374)
  static let ip = ASCIIWord(0x6970)
  static let ipv6 = ASCIIWord(0x6970_7636)
  static let name = ASCIIWord(0x6e61_6d65)
  static let timeout = ASCIIWord(0x74_696d_656f_7574)
}
