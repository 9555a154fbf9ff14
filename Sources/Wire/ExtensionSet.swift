/// The extension types that a hello has shown so far, without allocation.
///
/// Two of the same type make a hello malformed (RFC 8446 §4.2).
struct ExtensionSet {
  // Types below 64: nearly all that are registered.
  private var low: UInt64 = 0
  // The others: GREASE, vendors', encrypted_client_hello, renegotiation_info.
  private var high: InlineArray<32, UInt16> = .init(repeating: 0)
  private var highCount = 0

  mutating func insert(_ type: UInt16) throws(Stop) {
    if type < 64 {
      let bit = UInt64(1) << UInt64(type)
      guard low & bit == 0 else { throw .malformed("an extension occurs twice") }
      low |= bit
      return
    }
    for i in 0..<highCount where high[i] == type {
      throw .malformed("an extension occurs twice")
    }
    guard highCount < high.count else { throw .malformed("too many unusual extensions") }
    high[highCount] = type
    highCount += 1
  }
}
