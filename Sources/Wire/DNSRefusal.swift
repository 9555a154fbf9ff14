/// Writes answers to questions that the gateway does not let through (RFC 1035 §4.1, RFC 8914).
///
/// A client that gets one asks no further; without an answer, or with an ICMP error, it would take
/// the resolver for dead.
public enum DNSRefusal {
  /// What the answer says.
  public enum Code: UInt8, Sendable {
    /// The question can't be read.
    case formatError = 1
    /// The resolver could not find out.
    case serverFailure = 2
    /// There is no such name: what the names say by which a network tells phones and browsers not to
    /// use relays and resolvers of their own.
    case noSuchName = 3
    /// This kind of request is not known.
    case notImplemented = 4
    /// The resolver won't say; with the reason "blocked", where the client knows EDNS.
    case refused = 5
  }

  /// The answer to a query, as a DNS message.
  ///
  /// It has the query's id and question, as they were written; "recursion desired" and "checking
  /// disabled" are copied, "recursion available" is set. A query with EDNS gets an answer with EDNS. A
  /// question that can't be read gets a format error, another kind of request "not implemented". Empty
  /// for what gets no answer at all: less than a header, and responses.
  public static func message(_ query: RawSpan, _ code: Code) -> [UInt8] {
    do throws(Stop) {
      return try message(Reader(query), code)
    } catch {
      return []
    }
  }

  /// The answer to a query that came in a datagram from the tuple's source, as a whole IP packet from
  /// the server to the client; empty when there is none.
  public static func packet(_ query: RawSpan, from tuple: FiveTuple, _ code: Code) -> [UInt8] {
    let message = message(query, code)
    return message.isEmpty ? [] : UDPDatagram.packet(tuple.reversed, payload: message)
  }

  /// The answer to a query that came in a TCP stream, as bytes of the stream: its length and the
  /// message; empty when there is none.
  public static func stream(_ query: RawSpan, _ code: Code) -> [UInt8] {
    let message = message(query, code)
    guard !message.isEmpty else { return [] }
    var bytes: [UInt8] = []
    bytes.append(bigEndian: UInt16(truncatingIfNeeded: message.count))
    return bytes + message
  }

  private static func message(_ query: borrowing Reader, _ code: Code) throws(Stop) -> [UInt8] {
    let flags = try query.peek(UInt16.self, at: 2)
    guard query.count >= DNSMessage.headerSize, flags & 0x8000 == 0 else { return [] }
    let isStandard = flags & 0x7800 == 0
    let question = isStandard ? question(query) : nil
    var code = code
    if !isStandard { code = .notImplemented } else if question == nil { code = .formatError }

    var answer: [UInt8] = []
    answer.append(bigEndian: try query.peek(UInt16.self))
    // A response; opcode, RD and CD copied; RA.
    answer.append(bigEndian: 0x8080 | flags & 0x7910 | UInt16(code.rawValue))
    answer.append(bigEndian: UInt16(question == nil ? 0 : 1))
    answer.append(bigEndian: UInt32(0))
    // Of what is too long for a question no records are read: a client could have us follow thousands
    // of pointers a packet.
    guard let question, query.count <= DNSQuestion.maximumLength,
      case .done(let edns?) = EDNS.parse(query.bytes)
    else {
      answer.append(bigEndian: UInt16(0))
      if let question { answer.append(query.bytes.extracting(question)) }
      return answer
    }
    answer.append(bigEndian: UInt16(1))
    answer.append(query.bytes.extracting(question))
    answer.append(0)  // of the root
    answer.append(bigEndian: DNSRecord.opt)
    answer.append(bigEndian: UInt16(1_232))  // bytes that we take
    answer.append(bigEndian: UInt16(0))  // upper part of the code, version
    answer.append(bigEndian: UInt16(edns.wantsSignatures ? 0x8000 : 0))
    guard code == .refused else {
      answer.append(bigEndian: UInt16(0))
      return answer
    }
    answer.append(bigEndian: UInt16(6))
    answer.append(bigEndian: EDNS.extendedError)
    answer.append(bigEndian: UInt16(2))
    answer.append(bigEndian: EDNS.blocked)
    return answer
  }

  /// Where the only question stands, when its name is labels that end, whatever their bytes.
  private static func question(_ query: borrowing Reader) -> Range<Int>? {
    do throws(Stop) {
      guard try query.peek(UInt16.self, at: 4) == 1 else { return nil }
      var offset = DNSMessage.headerSize
      while true {
        let length = Int(try query.peek(UInt8.self, at: offset))
        offset += 1 + length
        // 255 bytes with the root's (RFC 1035 §2.3.4).
        guard length < 64, offset <= DNSMessage.headerSize + 255 else { return nil }
        if length == 0 { break }
      }
      guard query.count >= offset + 4 else { return nil }
      return DNSMessage.headerSize..<offset + 4
    } catch {
      return nil
    }
  }
}
