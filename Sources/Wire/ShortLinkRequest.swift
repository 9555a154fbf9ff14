/// The head of a WeChat short link request: `POST /mmtls/<8 lower-case hex>`, mmtls in the body.
///
/// The body begins with a hello (`MMTLSHello`, carrier `body`), and its records add up to its length
/// (`MMTLSRecords`). Anyone can write such a head: body and address must be judged too.
public struct ShortLinkRequest: Sendable {
  /// The request's head; its host is a name, or an address literal (`WireName.address`).
  public let head: HTTPRequestHead
  /// Bytes of the body, which follow the head.
  public let bodyLength: UInt64

  /// Recognises the beginning of a request; an upper-case id is `other`, to be judged as plain HTTP.
  public static func recognise(_ stream: RawSpan) -> Recognition<ShortLinkRequest> {
    do throws(Stop) {
      return try read(stream)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> Recognition<ShortLinkRequest> {
    let reader = Reader(stream)
    // "POST /mmtls/"
    guard try reader.has(0x504f_5354_202f_6d6d as UInt64),
      try reader.has(0x746c_732f as UInt32, at: 8)
    else { return .other }
    for i in 0..<8 {
      let byte = try reader.peek(UInt8.self, at: 12 + i)
      guard byte.hexValue != nil, byte == byte.lowercasedASCII else { return .other }
    }
    guard try reader.has(0x20 as UInt8, at: 20) else { return .other }
    switch HTTPRequestHead.parse(stream) {
    case .needMore: return .needMore
    case .malformed(let malformation): return .malformed(malformation)
    case .done(let head):
      guard head.host != nil else { throw .malformed("short link without a host") }
      guard case .length(let length) = head.body else {
        throw .malformed("short link without a body of known length")
      }
      return .done(ShortLinkRequest(head: head, bodyLength: length))
    }
  }
}
