internal import System

/// Reads pcap and pcapng from bytes that come in pieces of any size.
///
/// ```
/// var reader = CaptureReader()
/// reader.append(piece)             // whenever next() says needMore; an empty piece is the end
/// while case .packet(let packet) = try reader.next() { reader.buffer[packet.bytes] }
/// ```
/// It keeps no more than one packet and one piece. What it doesn't know (names, statistics,
/// secrets) is passed over without being kept.
public struct CaptureReader: Sendable {
  /// What `next` found.
  public enum Step: Equatable, Sendable {
    /// A packet, whose bytes stand in `buffer` until the next call.
    case packet(CapturedPacket)
    /// The pieces so far end here or within a packet.
    case needMore
    /// The file is at its end.
    case end
  }

  /// Bytes that a packet has at most; a record that claims more is broken.
  public static let maximumPacket = 1 << 20

  /// The bytes that `CapturedPacket.bytes` points into.
  public internal(set) var buffer: [UInt8] = []

  enum Format {
    case unknown
    case pcap(PcapHeader)
    case pcapng
  }

  var format = Format.unknown
  // pcapng: the current section.
  var isBigEndian = false
  var interfaces: [CaptureInterface] = []

  /// Where the next record begins in `buffer`.
  var position = 0
  private var bufferOffset: UInt64 = 0
  private var isComplete = false
  // Bytes of a block that are passed over and have not come yet.
  private var skipping = 0
  private var packets: UInt64 = 0
  private var lastTime = Instant(nanoseconds: 0)

  /// A reader at the beginning of a file.
  public init() {}

  /// Adds what comes next in the file; an empty piece says that nothing does.
  public mutating func append(_ piece: [UInt8]) {
    if piece.isEmpty { isComplete = true }
    if position > 0 {
      bufferOffset += UInt64(position)
      buffer.removeFirst(position)
      position = 0
    }
    // While bytes are passed over the buffer is empty.
    let passed = min(skipping, piece.count)
    skipping -= passed
    bufferOffset += UInt64(passed)
    buffer += piece[passed...]
  }

  /// The next packet of the pieces so far.
  ///
  /// After an error there is nothing more to be had: where the next record begins is not known.
  public mutating func next() throws(CaptureError) -> Step {
    while true {
      if skipping > 0 {
        guard isComplete else { return .needMore }
        throw broken("the file ends within a block")
      }
      switch format {
      case .unknown:
        guard try readMagic() else { return .needMore }
      case .pcap(let header):
        guard available > 0 else { return isComplete ? .end : .needMore }
        return try readRecord(header)
      case .pcapng:
        guard available > 0 else { return isComplete ? .end : .needMore }
        switch try readBlock() {
        case .packet(let packet): return .packet(packet)
        case .other: break
        case .needMore: return .needMore
        }
      }
    }
  }

  // MARK: For both formats

  var available: Int { buffer.count - position }

  func broken(_ what: String) -> CaptureError {
    .broken(offset: bufferOffset + UInt64(position), what)
  }

  /// Whether `count` bytes are there; throws when they never will be.
  func has(_ count: Int, of what: String) throws(CaptureError) -> Bool {
    if available >= count { return true }
    if isComplete { throw broken("the file ends within \(what)") }
    return false
  }

  /// Moves behind `count` bytes from `position` on, which need not have come yet.
  mutating func pass(_ count: Int) {
    let here = min(count, available)
    position += here
    skipping = count - here
    if skipping > 0 {
      bufferOffset += UInt64(position)
      buffer.removeAll(keepingCapacity: true)
      position = 0
    }
  }

  /// A 16-bit number, `offset` bytes behind `position`.
  func number16(_ offset: Int, bigEndian: Bool) -> UInt16 {
    let first = UInt16(buffer[position + offset])
    let second = UInt16(buffer[position + offset + 1])
    return bigEndian ? first << 8 | second : second << 8 | first
  }

  /// A 32-bit number.
  func number32(_ offset: Int, bigEndian: Bool) -> UInt32 {
    let first = UInt32(number16(offset, bigEndian: bigEndian))
    let second = UInt32(number16(offset + 2, bigEndian: bigEndian))
    return bigEndian ? first << 16 | second : second << 16 | first
  }

  /// The packet whose data is `count` bytes, `offset` behind `position`.
  mutating func packet(
    at offset: Int, count: Int, original: UInt32, time: Instant?, linkType: UInt32
  ) -> CapturedPacket {
    packets += 1
    if let time { lastTime = time }
    let start = position + offset
    return CapturedPacket(
      number: packets, time: lastTime, linkType: linkType,
      originalLength: max(count, Int(original)), bytes: start..<start + count)
  }

  /// The file's first four bytes say the format and its byte order.
  private mutating func readMagic() throws(CaptureError) -> Bool {
    if available == 0, isComplete { throw broken("the file is empty") }
    guard try has(4, of: "its first number") else { return false }
    if number32(0, bigEndian: true) == CaptureInterface.sectionHeader {
      format = .pcapng
      return true
    }
    guard let header = try readPcapHeader() else { return false }
    format = .pcap(header)
    return true
  }
}
