/// What a TLS server says first (RFC 8446 §4.1.3, §4.1.4, §6).
public enum ServerFlight: Equatable, Sendable {
  /// A ServerHello: the server has read the client's hello and goes on with it.
  case serverHello
  /// A HelloRetryRequest: the client may send a second hello.
  case helloRetryRequest
  /// An alert: the server refuses.
  case alert

  /// Parses the beginning of a server's stream; 43 bytes are enough unless records are tiny.
  ///
  /// The warning unrecognized_name (RFC 6066 §3), which some servers send before their hello, is
  /// stepped over.
  public static func parse(_ stream: RawSpan) -> Parsed<ServerFlight> {
    do throws(Stop) {
      return .done(try read(stream))
    } catch {
      return error.outcome()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> ServerFlight {
    var rest = Reader(stream)
    // At most twice: a server has no reason for a second warning.
    for _ in 0..<2 {
      guard try rest.peek(UInt8.self) == TLSRecord.alert else { break }
      guard try TLSRecord.header(&rest, expecting: TLSRecord.alert) == 2 else {
        throw .malformed("alert is not two bytes")
      }
      let level = try rest.take(UInt8.self)
      guard 1...2 ~= level else { throw .malformed("alert level is neither 1 nor 2") }
      let description = try rest.take(UInt8.self)
      guard level == 1, description == 112 else { return .alert }
    }
    var reader = HandshakeReader(rest.bytes)
    guard try reader.take(UInt8.self) == 2 else { throw .malformed("not a ServerHello") }
    let length = Int(try reader.take(UInt8.self)) << 16 | Int(try reader.take(UInt16.self))
    _ = try reader.enter(length)
    guard 0x0301...0x0303 ~= (try reader.take(UInt16.self)) else {
      throw .malformed("legacy_version is not within 3.1 to 3.3")
    }
    let high = try reader.take(UInt128.self)
    let low = try reader.take(UInt128.self)
    // RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest".
    return high == 0xcf21_ad74_e59a_6111_be1d_8c02_1e65_b891
      && low == 0xc2a2_1116_7abb_8c5e_079e_09e2_c8a8_339c ? .helloRetryRequest : .serverHello
  }
}
