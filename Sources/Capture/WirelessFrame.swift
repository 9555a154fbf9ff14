internal import Wire

/// Data frames of a wireless LAN (IEEE 802.11-2020 §9.3.2), with or without a radiotap header.
enum WirelessFrame {
  private enum Control {
    static let toDistribution: UInt8 = 0x01
    static let fromDistribution: UInt8 = 0x02
    static let moreFragments: UInt8 = 0x04
    static let protected: UInt8 = 0x40
    static let order: UInt8 = 0x80
  }

  /// A radiotap header (radiotap.org): version, padding, length (2), what is present (4 and more).
  ///
  /// All of it is little-endian. Of its fields only the flags matter, the second one: whether the
  /// frame's header is padded to 4 bytes, and whether the frame arrived damaged.
  static func radiotap(_ frame: borrowing Frame) throws(FrameCut) -> LinkLayer.Content {
    guard try frame.number8(at: 0) == 0 else { return .other }
    let length = Int(try frame.number16(at: 2).byteSwapped)
    let present = try frame.number8(at: 4)
    var offset = 4
    while try frame.number8(at: offset + 3) & 0x80 != 0 { offset += 4 }
    offset += 4
    var flags: UInt8 = 0
    if present & 0x02 != 0 {
      // The first field is a time of 8 bytes, aligned to 8.
      if present & 0x01 != 0 { offset = (offset + 7) & ~7 + 8 }
      flags = try frame.number8(at: offset)
    }
    if flags & 0x40 != 0 { return .other }
    return try content(frame, at: length, isPadded: flags & 0x20 != 0)
  }

  /// A frame: control (2), duration (2), three addresses (18), sequence (2), a fourth address
  /// between access points, quality of service (2), HT control (4), then the payload with its SNAP
  /// header.
  static func content(
    _ frame: borrowing Frame, at start: Int, isPadded: Bool
  ) throws(FrameCut) -> LinkLayer.Content {
    let kind = try frame.number8(at: start)
    let flags = try frame.number8(at: start + 1)
    // Version 0, a data frame, not one of those without data.
    guard kind & 0x0f == 0x08, kind & 0x40 == 0 else { return .other }
    guard flags & (Control.protected | Control.moreFragments) == 0 else { return .other }
    // The low four bits count fragments.
    guard try frame.number8(at: start + 22) & 0x0f == 0 else { return .other }
    let isFrom = flags & Control.fromDistribution != 0
    let isTo = flags & Control.toDistribution != 0
    var length = isFrom && isTo ? 30 : 24
    let sender = try frame.hardwareAddress(at: start + (!isFrom ? 10 : isTo ? 24 : 16))
    if kind & 0x80 != 0 {
      // Several packets in one frame.
      if try frame.number8(at: start + length) & 0x80 != 0 { return .other }
      length += flags & Control.order != 0 ? 6 : 2
    }
    if isPadded { length = (length + 3) & ~3 }
    return try LinkLayer.snap(frame, at: start + length, sender: sender)
  }
}
