/// A request to WeChat's HTTP DNS: `GET /cgi-bin/micromsg-bin/newgetdns?...`, HTTP/1.0 on port 8080.
///
/// Its query names the account in clear, so nothing of it is given out, and the head neither.
public struct NewDNSRequest: Sendable {
  /// Bytes of the request.
  public let length: Int
  /// The host that is asked; it may be an address literal (`WireName.address`).
  public let host: WireName
  /// The port beside the host, when one is written.
  public let port: UInt16?

  /// Recognises the beginning of a request.
  public static func recognise(_ stream: RawSpan) -> Recognition<NewDNSRequest> {
    do throws(Stop) {
      return try read(stream)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> Recognition<NewDNSRequest> {
    let reader = Reader(stream)
    // "GET /cgi-bin/micromsg-bin/newgetdns?"
    guard try reader.has(0x4745_5420_2f63_6769 as UInt64),
      try reader.has(0x2d62_696e_2f6d_6963 as UInt64, at: 8),
      try reader.has(0x726f_6d73_672d_6269 as UInt64, at: 16),
      try reader.has(0x6e2f_6e65_7767_6574 as UInt64, at: 24),
      try reader.has(0x646e_733f as UInt32, at: 32)
    else { return .other }
    switch HTTPRequestHead.parse(stream) {
    case .needMore: return .needMore
    case .malformed(let malformation): return .malformed(malformation)
    case .done(let head):
      guard let host = head.host else { throw .malformed("newgetdns without a host") }
      guard !head.asksUpgrade else { throw .malformed("newgetdns asks for an upgrade") }
      return .done(NewDNSRequest(length: head.length, host: host, port: head.port))
    }
  }
}
