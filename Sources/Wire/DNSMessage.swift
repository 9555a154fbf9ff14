/// The header and question of a DNS message (RFC 1035 §4.1).
///
/// ```
///  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
/// |                      ID                       |
/// |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
/// |        questions      |        answers        |
/// |       authority       |       additional      |
/// ```
public struct DNSMessage: Sendable {
  /// What joins a response to its query.
  public let id: UInt16
  /// Whether it is a response.
  public let isResponse: Bool
  /// Whether the message was cut to fit: the client will ask again over TCP.
  public let isTruncated: Bool
  /// RCODE: 0 no error, 2 server failure, 3 no such name, 5 refused.
  public let responseCode: UInt8
  /// The name that is asked for, labels joined by dots, without a dot at its end; the root is empty.
  public let question: WireName
  /// What is asked for: 1 A, 28 AAAA, 65 HTTPS.
  public let questionType: UInt16
  /// The question's class: 1 is the Internet.
  public let questionClass: UInt16

  let answerCount: Int
  let authorityCount: Int
  let additionalCount: Int
  // Where the answers begin.
  let answers: Int

  /// Records of all three sections.
  var recordCount: Int { answerCount + authorityCount + additionalCount }

  /// Bytes of the header.
  static let headerSize = 12
  /// Answers that are read at most; more are malformed.
  static let maximumAnswers = 512

  /// Parses a message; `needMore` when it ends within its question.
  ///
  /// It must be a standard query or its response, with exactly one question.
  public static func parse(_ message: RawSpan) -> Parsed<DNSMessage> {
    do throws(Stop) {
      return .done(try DNSMessage(Reader(message)))
    } catch {
      return error.outcome()
    }
  }

  init(_ reader: borrowing Reader) throws(Stop) {
    id = try reader.peek(UInt16.self, at: 0)
    let flags = try reader.peek(UInt16.self, at: 2)
    isResponse = flags & 0x8000 != 0
    guard flags & 0x7800 == 0 else { throw .malformed("not a standard query") }
    isTruncated = flags & 0x0200 != 0
    responseCode = UInt8(flags & 0x000f)
    guard try reader.peek(UInt16.self, at: 4) == 1 else { throw .malformed("not one question") }
    answerCount = Int(try reader.peek(UInt16.self, at: 6))
    authorityCount = Int(try reader.peek(UInt16.self, at: 8))
    additionalCount = Int(try reader.peek(UInt16.self, at: 10))
    guard isResponse || answerCount == 0 else { throw .malformed("query with answers") }
    var offset = Self.headerSize
    question = try DNSName.read(reader, at: &offset)
    questionType = try reader.peek(UInt16.self, at: offset)
    questionClass = try reader.peek(UInt16.self, at: offset + 2)
    answers = offset + 4
  }
}
