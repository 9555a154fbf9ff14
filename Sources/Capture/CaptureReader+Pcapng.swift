internal import System

/// An interface of a pcapng section (draft-ietf-opsawg-pcapng §4.2).
struct CaptureInterface: Sendable {
  /// The type of a section header block, the same in both byte orders.
  static let sectionHeader: UInt32 = 0x0a0d_0d0a
  /// Interfaces that a section has at most.
  static let maximum = 1 << 16

  let linkType: UInt32
  /// Bytes of a packet that are kept; 0 means all.
  let snapLength: UInt32
  /// if_tsresol: with its highest bit a negative power of 2, else of 10.
  var resolution: UInt8 = 6
  /// if_tsoffset: seconds to add.
  var offset: Int64 = 0

  /// The time of `ticks`, at most the year 2116.
  func time(_ ticks: UInt64) -> Instant {
    let exponent = Int(resolution & 0x7f)
    var nanoseconds: UInt64
    if resolution & 0x80 != 0 {
      guard exponent < 64 else { return Instant(nanoseconds: 0) }
      let seconds = ticks >> UInt64(exponent)
      let rest = ticks & (1 << UInt64(exponent) - 1)
      let fraction = rest.multipliedFullWidth(by: 1_000_000_000)
      nanoseconds = Self.product(seconds, 1_000_000_000)
      nanoseconds = Self.sum(
        nanoseconds,
        exponent == 0
          ? 0 : fraction.high << UInt64(64 - exponent) | fraction.low >> UInt64(exponent))
    } else if exponent <= 9 {
      nanoseconds = Self.product(ticks, Self.powerOfTen(9 - exponent))
    } else {
      nanoseconds = exponent - 9 <= 19 ? ticks / Self.powerOfTen(exponent - 9) : 0
    }
    let shift = Self.product(offset.magnitude, 1_000_000_000)
    if offset >= 0 {
      nanoseconds = Self.sum(nanoseconds, shift)
    } else {
      nanoseconds = nanoseconds > shift ? nanoseconds - shift : 0
    }
    return Instant(nanoseconds: nanoseconds)
  }

  // Far from the end of the numbers, so that the sum with any span of time is a number, too.
  private static let latest = UInt64.max / 4

  private static func product(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? latest : min(product, latest)
  }

  private static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? latest : min(sum, latest)
  }

  private static func powerOfTen(_ exponent: Int) -> UInt64 {
    var power: UInt64 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
  }
}

extension CaptureReader {
  enum Block {
    case packet(CapturedPacket)
    case other
    case needMore
  }

  private enum BlockType {
    static let interface: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let enhancedPacket: UInt32 = 6
  }

  /// Bytes of a block beside its packet: its header, and options.
  private static let maximumExtra = 1 << 20

  /// Reads a block.
  ///
  /// ```
  /// type (4)  total length (4)  body, padded to 4 bytes  total length (4)
  /// ```
  mutating func readBlock() throws(CaptureError) -> Block {
    guard try has(12, of: "a block") else { return .needMore }
    if number32(0, bigEndian: true) == CaptureInterface.sectionHeader {
      // Its own byte order says how its length is to be read.
      switch number32(8, bigEndian: true) {
      case 0x1a2b_3c4d: isBigEndian = true
      case 0x4d3c_2b1a: isBigEndian = false
      default: throw broken("a section header without its byte-order magic")
      }
    }
    let type = number32(0, bigEndian: isBigEndian)
    let length = Int(number32(4, bigEndian: isBigEndian))
    guard length >= 12, length % 4 == 0 else {
      throw broken("a block of \(length) bytes, a multiple of 4 from 12 on is expected")
    }
    switch type {
    case CaptureInterface.sectionHeader, BlockType.interface, BlockType.obsoletePacket,
      BlockType.simplePacket, BlockType.enhancedPacket:
      break
    default:
      pass(length)
      return .other
    }
    guard length <= Self.maximumPacket + Self.maximumExtra else {
      throw broken("a block of \(length) bytes, too long for what it should hold")
    }
    guard try has(length, of: "a block") else { return .needMore }
    guard number32(length - 4, bigEndian: isBigEndian) == UInt32(length) else {
      throw broken("a block whose two lengths differ")
    }
    var packet: CapturedPacket?
    switch type {
    case CaptureInterface.sectionHeader: try readSection(length)
    case BlockType.interface: try readInterface(length)
    case BlockType.simplePacket: packet = try readSimplePacket(length)
    default: packet = try readPacket(length, isEnhanced: type == BlockType.enhancedPacket)
    }
    position += length
    return packet.map { .packet($0) } ?? .other
  }

  /// A section header: byte-order magic, version, section length, options.
  private mutating func readSection(_ length: Int) throws(CaptureError) {
    guard length >= 28 else { throw broken("a section header of \(length) bytes") }
    let major = number16(12, bigEndian: isBigEndian)
    guard major == 1 else { throw broken("pcapng version \(major), 1 is expected") }
    interfaces.removeAll(keepingCapacity: true)
  }

  /// An interface description: link type (2), reserved (2), snap length (4), options.
  private mutating func readInterface(_ length: Int) throws(CaptureError) {
    guard length >= 20 else { throw broken("an interface description of \(length) bytes") }
    guard interfaces.count < CaptureInterface.maximum else {
      throw broken("more than \(CaptureInterface.maximum) interfaces")
    }
    var interface = CaptureInterface(
      linkType: UInt32(number16(8, bigEndian: isBigEndian)),
      snapLength: number32(12, bigEndian: isBigEndian))
    // Options: code (2), length (2), value padded to 4 bytes; code 0 ends them.
    var offset = 16
    let end = length - 4
    while offset + 4 <= end {
      let code = number16(offset, bigEndian: isBigEndian)
      let size = Int(number16(offset + 2, bigEndian: isBigEndian))
      offset += 4
      if code == 0 { break }
      guard offset + size <= end else { throw broken("an option that runs past its block") }
      if code == 9, size == 1 { interface.resolution = buffer[position + offset] }
      if code == 14, size == 8 {
        let first = UInt64(number32(offset, bigEndian: isBigEndian))
        let second = UInt64(number32(offset + 4, bigEndian: isBigEndian))
        interface.offset = Int64(
          bitPattern: isBigEndian ? first << 32 | second : second << 32 | first)
      }
      offset += (size + 3) & ~3
    }
    interfaces.append(interface)
  }

  /// An enhanced packet: interface (4), time (4 high, 4 low), captured and original length, data.
  ///
  /// The obsolete packet block has an interface of 2 bytes and 2 bytes of drops in its place.
  private mutating func readPacket(
    _ length: Int, isEnhanced: Bool
  ) throws(CaptureError) -> CapturedPacket {
    guard length >= 32 else { throw broken("a packet block of \(length) bytes") }
    let index =
      isEnhanced
      ? Int(number32(8, bigEndian: isBigEndian)) : Int(number16(8, bigEndian: isBigEndian))
    guard index < interfaces.count else {
      throw broken("a packet of interface \(index), which was not described")
    }
    let count = Int(number32(20, bigEndian: isBigEndian))
    guard count <= length - 32 else { throw broken("a packet that runs past its block") }
    let ticks =
      UInt64(number32(12, bigEndian: isBigEndian)) << 32
      | UInt64(number32(16, bigEndian: isBigEndian))
    return packet(
      at: 28, count: count, original: number32(24, bigEndian: isBigEndian),
      time: interfaces[index].time(ticks), linkType: interfaces[index].linkType)
  }

  /// A simple packet: original length (4), data; it is of the first interface, and has no time.
  private mutating func readSimplePacket(_ length: Int) throws(CaptureError) -> CapturedPacket {
    guard length >= 16 else { throw broken("a packet block of \(length) bytes") }
    guard let interface = interfaces.first else {
      throw broken("a packet of interface 0, which was not described")
    }
    let original = number32(8, bigEndian: isBigEndian)
    let snapped =
      interface.snapLength == 0 ? original : min(original, interface.snapLength)
    guard Int(snapped) <= length - 16 else { throw broken("a packet that runs past its block") }
    return packet(
      at: 12, count: Int(snapped), original: original, time: nil, linkType: interface.linkType)
  }
}
