/// The protocol that the first bytes of a client's stream belong to.
public enum FirstBytes: Equatable, Sendable {
  /// TLS: `16 03` (a handshake record, version 3).
  case tls
  /// HTTP/1: a method of RFC 9110 §9.1 or PATCH, and a space; also the preface of HTTP/2 (`PRI `),
  /// which the head's parser then refuses.
  case http
  /// None of them.
  case unknown

  /// Classifies the beginning of a stream: `needMore` while it could still become TLS or HTTP, never
  /// `malformed`.
  public static func classify(_ stream: RawSpan) -> Parsed<FirstBytes> {
    let reader = Reader(stream)
    do throws(Stop) {
      if try reader.peek(UInt8.self) == TLSRecord.handshake {
        return .done(try reader.peek(UInt8.self, at: 1) == 3 ? .tls : .unknown)
      }
      return try classifyMethod(reader)
    } catch {
      return error.outcome()
    }
  }

  private static func classifyMethod(_ reader: borrowing Reader) throws(Stop) -> Parsed<FirstBytes>
  {
    // Up to eight bytes, the first one highest.
    let count = min(8, reader.count)
    var word: UInt64 = 0
    for i in 0..<count { word = word << 8 | UInt64(try reader.peek(UInt8.self, at: i)) }
    word <<= UInt64(8 - count) * 8

    var outcome = Parsed.done(FirstBytes.unknown)
    for i in methods.indices {
      let length = methods[i].leadingBytes
      let compared = UInt64.max << (UInt64(8 - min(length, count)) * 8)
      guard word & compared == methods[i] & compared else { continue }
      if count >= length { return .done(.http) }
      outcome = .needMore
    }
    return outcome
  }

  /// The methods and the space after them, first byte highest.
  private static let methods: InlineArray<10, UInt64> = [
    0x4745_5420_0000_0000,  // GET
    0x504f_5354_2000_0000,  // POST
    0x4845_4144_2000_0000,  // HEAD
    0x5055_5420_0000_0000,  // PUT
    0x4f50_5449_4f4e_5320,  // OPTIONS
    0x434f_4e4e_4543_5420,  // CONNECT
    0x4445_4c45_5445_2000,  // DELETE
    0x5041_5443_4820_0000,  // PATCH
    0x5452_4143_4520_0000,  // TRACE
    0x5052_4920_0000_0000,  // PRI
  ]
}

extension UInt64 {
  /// Bytes before the zero bytes at the low end.
  fileprivate var leadingBytes: Int { 8 - trailingZeroBitCount / 8 }
}
