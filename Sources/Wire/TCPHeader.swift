/// The control bits of a TCP segment (RFC 9293 §3.1).
public struct TCPFlags: OptionSet, Hashable, Sendable {
  /// The bits as they stand in byte 13 of the header.
  public let rawValue: UInt8
  /// The flags with these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No more data from the sender.
  public static let fin = TCPFlags(rawValue: 0x01)
  /// Synchronise sequence numbers.
  public static let syn = TCPFlags(rawValue: 0x02)
  /// Reset the connection.
  public static let rst = TCPFlags(rawValue: 0x04)
  /// Push the data to the application.
  public static let psh = TCPFlags(rawValue: 0x08)
  /// The acknowledgement field counts.
  public static let ack = TCPFlags(rawValue: 0x10)
  /// The urgent pointer counts.
  public static let urg = TCPFlags(rawValue: 0x20)
  /// ECN echo (RFC 3168 §6.1).
  public static let ece = TCPFlags(rawValue: 0x40)
  /// Congestion window reduced (RFC 3168 §6.1).
  public static let cwr = TCPFlags(rawValue: 0x80)
}

/// The timestamps option (RFC 7323 §3.2).
public struct TCPTimestamp: Hashable, Sendable {
  /// TSval: the sender's clock.
  public let value: UInt32
  /// TSecr: the clock of the other end, echoed.
  public let echo: UInt32

  /// Both fields.
  public init(value: UInt32, echo: UInt32) {
    self.value = value
    self.echo = echo
  }
}

/// The header of a TCP segment with its options (RFC 9293 §3.1).
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |          Source port          |       Destination port        |
/// |                        Sequence number                        |
/// |                    Acknowledgement number                     |
/// | Offset| Rsrvd |C|E|U|A|P|R|S|F|            Window             |
/// |            Checksum           |        Urgent pointer         |
/// |                            Options ...                        |
/// ```
public struct TCPHeader: Sendable {
  /// The sender's port.
  public let sourcePort: UInt16
  /// The receiver's port.
  public let destinationPort: UInt16
  /// Number of the first payload byte, or of the SYN.
  public let sequence: UInt32
  /// The next number that the sender expects; counts with the ACK flag only.
  public let acknowledgement: UInt32
  /// The control bits.
  public let flags: TCPFlags
  /// Bytes that the sender takes, before scaling.
  public let window: UInt16
  /// Counts with the URG flag only.
  public let urgentPointer: UInt16
  /// Bytes of the header with its options: the payload is `segment[headerLength...]`.
  public let headerLength: Int
  /// The timestamps option, if there is one.
  public private(set) var timestamp: TCPTimestamp?
  /// Whether there is an MD5 signature (RFC 2385) or authentication (RFC 5925) option.
  ///
  /// A server without the key drops such a segment.
  public private(set) var hasAuthenticationOption = false
  /// The largest payload that the sender takes in a segment; SYNs only (RFC 9293 §3.7.1).
  public private(set) var maximumSegmentSize: UInt16?
  /// How far the sender's windows are to be shifted; SYNs only (RFC 7323 §2.2).
  public private(set) var windowScale: UInt8?
  /// Whether there is a Fast Open option (RFC 7413 §4.1), also in its experimental form.
  public private(set) var hasFastOpen = false

  /// Parses the beginning of a segment (`IPHeader.payload`); `needMore` when its header was cut short.
  ///
  /// An option list is malformed when an option runs past the header, has not the length that its
  /// kind calls for, or occurs twice: receivers differ in what they make of such a list.
  public static func parse(_ segment: RawSpan) -> Parsed<TCPHeader> {
    do throws(Stop) {
      return .done(try TCPHeader(Reader(segment)))
    } catch {
      return error.outcome()
    }
  }

  private init(_ reader: borrowing Reader) throws(Stop) {
    headerLength = Int(try reader.peek(UInt8.self, at: 12) >> 4) * 4
    guard headerLength >= 20 else { throw .malformed("TCP header shorter than 20 bytes") }
    guard reader.count >= headerLength else { throw .needMore }
    sourcePort = try reader.peek(UInt16.self, at: 0)
    destinationPort = try reader.peek(UInt16.self, at: 2)
    sequence = try reader.peek(UInt32.self, at: 4)
    acknowledgement = try reader.peek(UInt32.self, at: 8)
    flags = TCPFlags(rawValue: try reader.peek(UInt8.self, at: 13))
    window = try reader.peek(UInt16.self, at: 14)
    urgentPointer = try reader.peek(UInt16.self, at: 18)
    if headerLength > 20 {
      try readOptions(Reader(reader.bytes.extracting(20..<headerLength)))
    }
  }

  /// Reads the options: `kind (1)`, for kinds above 1 also `length of both and data (1)  data`.
  private mutating func readOptions(_ reader: consuming Reader) throws(Stop) {
    while !reader.isEmpty {
      let kind = try reader.take(UInt8.self)
      if kind == 0 { return }
      if kind == 1 { continue }
      guard !reader.isEmpty else { throw .malformed("TCP option without a length") }
      let length = Int(try reader.take(UInt8.self))
      guard length >= 2, length - 2 <= reader.count else {
        throw .malformed("TCP option runs past the header")
      }
      try readOption(kind, reader.split(upTo: length - 2))
    }
  }

  private mutating func readOption(_ kind: UInt8, _ data: borrowing Reader) throws(Stop) {
    switch kind {
    case 2:
      guard data.count == 2, maximumSegmentSize == nil else { throw Self.badOption }
      maximumSegmentSize = try data.peek(UInt16.self)
    case 3:
      guard data.count == 1, windowScale == nil else { throw Self.badOption }
      windowScale = try data.peek(UInt8.self)
    case 4:
      guard data.count == 0 else { throw Self.badOption }
    case 5:
      guard data.count >= 8, data.count % 8 == 0 else { throw Self.badOption }
    case 8:
      guard data.count == 8, timestamp == nil else { throw Self.badOption }
      timestamp = TCPTimestamp(
        value: try data.peek(UInt32.self), echo: try data.peek(UInt32.self, at: 4))
    case 19, 29:
      // The MD5 signature has 16 bytes, authentication at least two; whatever it has, it is one.
      hasAuthenticationOption = true
    case 34:
      hasFastOpen = true
    case 254 where data.count >= 2:
      // Shared experimental kinds begin with an identifier (RFC 6994).
      if try data.peek(UInt16.self) == 0xf989 { hasFastOpen = true }
    default:
      break
    }
  }

  private static var badOption: Stop { .malformed("TCP option of a wrong length, or twice") }
}
