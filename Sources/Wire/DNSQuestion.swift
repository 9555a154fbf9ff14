/// The question of a query as a client's resolver library sends it, and nothing else.
///
/// Resolvers read more kinds of messages than that. What a message carries beside its question could
/// be a tunnel, so it is not let through.
public struct DNSQuestion: Sendable {
  /// Types that clients of allowed names ask for: addresses, what HTTPS and other services say of
  /// themselves, aliases, and the zone's own record.
  ///
  /// TXT, NULL, ANY and whatever else carries data of any length are not among them.
  private static let types: [UInt16] = [1, 5, 6, 28, 33, 64, 65]

  /// The most bytes that a query may have (RFC 1035 §2.3.4).
  ///
  /// A question has up to 271; the rest is room for a cookie, a client's subnet and padding.
  public static let maximumLength = 512

  /// What joins the answer to its query.
  public let id: UInt16
  /// The name that is asked for; the root is empty.
  public let name: WireName
  /// What is asked for: 1 A, 28 AAAA, 65 HTTPS.
  public let type: UInt16

  /// Whether clients ask for this type.
  public var isOfUsualType: Bool { Self.types.contains(type) }

  /// Parses a query, which must fill `message`.
  ///
  /// It is a standard query with one question of class Internet, no records but an OPT record of
  /// version 0, no flags but RD, AD and CD, and 512 bytes at most. Anything else is malformed, also one
  /// that was cut.
  public static func parse(_ message: RawSpan) -> Parsed<DNSQuestion> {
    do throws(Stop) {
      return .done(try DNSQuestion(message))
    } catch {
      return error.outcome()
    }
  }

  private init(_ bytes: RawSpan) throws(Stop) {
    let reader = Reader(bytes)
    guard reader.count <= Self.maximumLength else { throw .malformed("question of over 512 bytes") }
    let message = try DNSMessage(reader)
    // Recursion desired, authentic data, checking disabled.
    guard try reader.peek(UInt16.self, at: 2) & ~0x0130 == 0 else {
      throw .malformed("flags that no question has")
    }
    guard message.questionClass == 1 else { throw .malformed("class other than Internet") }
    guard try reader.peek(UInt32.self, at: 6) == 0, try reader.peek(UInt16.self, at: 10) <= 1 else {
      throw .malformed("question with records")
    }
    let additional = try reader.peek(UInt16.self, at: 10)
    switch EDNS.parse(bytes) {
    case .done(let edns?):
      guard edns.version == 0, edns.responseCode == 0 else {
        throw .malformed("EDNS of an unknown version")
      }
    case .done(nil):
      guard additional == 0 else { throw .malformed("question with records") }
    case .needMore, .malformed: throw .malformed("records that can't be read")
    }
    id = message.id
    name = message.question
    type = message.questionType
  }
}
