/// A capture file of the classic format: `CaptureBuilder(packets: [syn.bytes, ack.bytes]).bytes`.
public struct CaptureBuilder: Sendable {
  /// A packet and when it was seen, in milliseconds of 2025-11-21.
  public struct Packet: Sendable {
    /// The frame's bytes.
    public var bytes: [UInt8]
    /// Milliseconds since the capture began.
    public var time: Int
    /// Bytes on the link, if the capture has fewer.
    public var originalLength: Int?
  }

  /// What the frames begin with; raw IP by default.
  public var linkType: UInt32
  /// What stands before each packet.
  public var header: [UInt8]
  /// The frames.
  public var packets: [Packet] = []

  /// A capture of IP packets, a millisecond apart, each with `header` before it.
  public init(linkType: UInt32 = 101, header: [UInt8] = [], packets: [[UInt8]] = []) {
    self.linkType = linkType
    self.header = header
    for packet in packets { add(packet) }
  }

  /// Adds a packet, `wait` milliseconds after the last.
  public mutating func add(_ packet: [UInt8], after wait: Int = 1, cutTo length: Int? = nil) {
    let frame = header + packet
    self.packets.append(
      Packet(
        bytes: length.map { Array(frame.prefix($0)) } ?? frame,
        time: (packets.last?.time ?? 0) + wait, originalLength: frame.count))
  }

  /// The file: big-endian, microseconds.
  public var bytes: [UInt8] {
    var file = hex("a1b2c3d4 0002 0004 00000000 00000000 00040000")
    file.append(bigEndian: linkType)
    for packet in packets {
      file.append(bigEndian: UInt32(1_763_683_200 + packet.time / 1000))
      file.append(bigEndian: UInt32(packet.time % 1000 * 1000))
      file.append(bigEndian: UInt32(packet.bytes.count))
      file.append(bigEndian: UInt32(packet.originalLength ?? packet.bytes.count))
      file += packet.bytes
    }
    return file
  }
}
