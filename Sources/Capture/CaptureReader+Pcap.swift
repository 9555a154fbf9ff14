internal import System

/// What the file header of a pcap file says (draft-ietf-opsawg-pcap).
struct PcapHeader: Sendable {
  let isBigEndian: Bool
  let isNanoseconds: Bool
  let linkType: UInt32
  /// Bytes before each packet's own.
  let recordHeader: Int
  /// Whether both lengths of a record stand the other way round.
  let lengthsAreSwapped: Bool

  static let size = 24
}

extension CaptureReader {
  /// Reads the file header; nil when it has not come whole.
  ///
  /// ```
  /// magic (4)  version (2, 2)  time zone (4)  accuracy (4)  snap length (4)  link type (4)
  /// ```
  mutating func readPcapHeader() throws(CaptureError) -> PcapHeader? {
    let isBigEndian: Bool
    let isNanoseconds: Bool
    var recordHeader = 16
    switch number32(0, bigEndian: true) {
    case 0xa1b2_c3d4: (isBigEndian, isNanoseconds) = (true, false)
    case 0xd4c3_b2a1: (isBigEndian, isNanoseconds) = (false, false)
    case 0xa1b2_3c4d: (isBigEndian, isNanoseconds) = (true, true)
    case 0x4d3c_b2a1: (isBigEndian, isNanoseconds) = (false, true)
    // Kuznetsov's libpcap of 1999 has interface, protocol and type behind the lengths.
    case 0xa1b2_cd34: (isBigEndian, isNanoseconds, recordHeader) = (true, false, 24)
    case 0x34cd_b2a1: (isBigEndian, isNanoseconds, recordHeader) = (false, false, 24)
    default: throw broken("neither pcap nor pcapng begins like this")
    }
    guard try has(PcapHeader.size, of: "the file header") else { return nil }
    guard number16(4, bigEndian: isBigEndian) == 2 else {
      throw broken("pcap version \(number16(4, bigEndian: isBigEndian)), 2 is expected")
    }
    let header = PcapHeader(
      isBigEndian: isBigEndian, isNanoseconds: isNanoseconds,
      // Above it stands how long a checksum at the end of each frame is.
      linkType: number32(20, bigEndian: isBigEndian) & 0xffff, recordHeader: recordHeader,
      lengthsAreSwapped: number16(6, bigEndian: isBigEndian) < 3)
    position += PcapHeader.size
    return header
  }

  /// Reads a record.
  ///
  /// ```
  /// seconds (4)  micro- or nanoseconds (4)  captured length (4)  original length (4)  data
  /// ```
  mutating func readRecord(_ header: PcapHeader) throws(CaptureError) -> Step {
    guard try has(header.recordHeader, of: "a packet's header") else { return .needMore }
    let bigEndian = header.isBigEndian
    var length = number32(8, bigEndian: bigEndian)
    var original = number32(12, bigEndian: bigEndian)
    if header.lengthsAreSwapped { swap(&length, &original) }
    guard length <= Self.maximumPacket else {
      throw broken("a packet of \(length) bytes, \(Self.maximumPacket) at most are expected")
    }
    let count = Int(length)
    guard try has(header.recordHeader + count, of: "a packet") else { return .needMore }
    let seconds = UInt64(number32(0, bigEndian: bigEndian))
    let fraction = UInt64(number32(4, bigEndian: bigEndian))
    let time = Instant(
      nanoseconds: seconds * 1_000_000_000 + fraction * (header.isNanoseconds ? 1 : 1000))
    let packet = packet(
      at: header.recordHeader, count: count, original: original, time: time,
      linkType: header.linkType)
    position += header.recordHeader + count
    return .packet(packet)
  }
}
