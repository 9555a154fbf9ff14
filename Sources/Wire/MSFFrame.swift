/// A frame of MSF, the service channel of QQ on phones and of QQNT.
///
/// ```
/// total length with itself (4)  protocol (4)  encryption (1)
/// client only: 0a and 0c: length with itself (4) and a key's ticket; 0b and 0d: sequence (4)
/// 00  length with itself (4) and the account in decimal, or "0", or nothing
/// encrypted: blocks of 8 bytes
/// in clear: head length with itself (4), in it length with itself (4) and a command; then the body
/// ```
///
/// The account is a person's number: it is never given out.
public struct MSFFrame: Sendable {
  /// Who has sent the frame: a server's has neither ticket nor sequence.
  public enum Sender: Sendable {
    /// The client.
    case client
    /// The server.
    case server
  }

  /// The kind of frame, by its protocol number.
  public enum Kind: UInt8, Sendable {
    /// A login, with the ticket in clear.
    case login = 0x0a
    /// Anything after it.
    case simple = 0x0b
    /// QQNT's login.
    case ntLogin = 0x0c
    /// QQNT's anything after it.
    case ntSimple = 0x0d

    /// Whether a connection begins with it; the others do so only when a session is resumed.
    public var beginsSession: Bool { self == .login || self == .ntLogin }
  }

  /// How the rest is encrypted.
  public enum Encryption: UInt8, Sendable {
    /// Not at all.
    case none = 0
    /// By the session's key.
    case session = 1
    /// By a key of zeros, that anyone has.
    case zeroKey = 2
  }

  /// Bytes of the frame, its length field included.
  public private(set) var length = 0
  /// The kind.
  public let kind: Kind
  /// The encryption.
  public let encryption: Encryption
  /// Whether it is a heartbeat, `Heartbeat.Alive` in clear.
  public private(set) var isHeartbeat = false

  /// The longest frame that is taken for one: 10 MiB.
  public static let maximumLength = 10 << 20

  private static let longestAccount = 11

  /// Recognises the beginning of a stream, or of the next frame; a frame of more than 4 KiB is
  /// decided on these.
  public static func recognise(
    _ stream: RawSpan, from sender: Sender = .client
  ) -> Recognition<MSFFrame> {
    do throws(Stop) {
      return try read(stream, sender)
    } catch {
      return error.recognition()
    }
  }

  private static func read(
    _ stream: RawSpan, _ sender: Sender
  ) throws(Stop) -> Recognition<MSFFrame> {
    var reader = Reader(stream)
    guard try reader.has(0 as UInt8) else { return .other }
    let total = Int(try reader.take(UInt32.self))
    // length, protocol, encryption, 00, account
    guard 4 + 4 + 1 + 1 + 4...maximumLength ~= total else { return .other }
    guard try reader.has(0 as UInt16), try reader.has(0 as UInt8, at: 2),
      let kind = Kind(rawValue: try reader.peek(UInt8.self, at: 3)),
      let encryption = Encryption(rawValue: try reader.peek(UInt8.self, at: 4))
    else { return .other }
    try reader.skip(5)

    var frame = MSFFrame(kind: kind, encryption: encryption)
    frame.length = total
    var left = total - 9
    if sender == .client {
      if kind.beginsSession {
        // Tickets have up to a few hundred bytes.
        _ = try field(&reader, &left, upTo: 2_048)
      } else {
        try reader.skip(4)
        left -= 4
      }
    }
    // Until here another protocol's numbers could stand; what follows is this one's alone.
    guard try reader.take(UInt8.self) == 0 else { throw .malformed("no zero before the account") }
    left -= 1
    var account = try field(&reader, &left, upTo: longestAccount)
    while !account.isEmpty {
      guard try account.take(UInt8.self).isDigit else { throw .malformed("account is no number") }
    }
    if encryption != .none {
      guard left >= 16, left & 7 == 0 else {
        throw .malformed("encrypted part is not in blocks of 8")
      }
    } else {
      frame.isHeartbeat = try readHead(&reader, left, sender)
    }
    guard stream.byteCount >= min(total, Recognition<MSFFrame>.window) else { throw .needMore }
    return .done(frame)
  }

  /// Takes `length with itself (4)` and as many bytes.
  @_lifetime(reader: copy reader)
  @_lifetime(copy reader)
  private static func field(
    _ reader: inout Reader, _ left: inout Int, upTo limit: Int
  ) throws(Stop) -> Reader {
    guard left >= 4 else { throw .malformed("a length runs past the frame") }
    let length = Int(try reader.take(UInt32.self))
    guard length >= 4 else { throw .malformed("a length that does not hold itself") }
    guard length <= left else { throw .malformed("a length runs past the frame") }
    guard length - 4 <= limit else { throw .malformed("a field longer than any") }
    guard reader.count >= length - 4 else { throw .needMore }
    left -= length
    return reader.split(upTo: length - 4)
  }

  /// Reads a head in clear; whether its command is the heartbeat's.
  ///
  /// A server's head begins with more numbers before the command: it is searched for none.
  @_lifetime(reader: copy reader)
  private static func readHead(
    _ reader: inout Reader, _ left: Int, _ sender: Sender
  ) throws(Stop) -> Bool {
    guard left >= 4 else { throw .malformed("no head") }
    let head = Int(try reader.take(UInt32.self))
    guard 4...left ~= head else { throw .malformed("head runs past the frame") }
    guard sender == .client else { return false }
    var inside = head - 4
    let command = try field(&reader, &inside, upTo: 128)
    guard !command.isEmpty else { throw .malformed("no command") }
    for i in 0..<command.count {
      guard try command.peek(UInt8.self, at: i).isVisibleASCII else {
        throw .malformed("command is not visible ASCII")
      }
    }
    guard command.count == 15 else { return false }
    // "Heartbeat.Alive", in two words that share a byte.
    guard try command.has(0x4865_6172_7462_6561 as UInt64) else { return false }
    return try command.has(0x6174_2e41_6c69_7665 as UInt64, at: 7)
  }
}
