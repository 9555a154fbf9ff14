/// A frame of OICQ, QQ's protocol of the desktop: a UDP datagram, or behind its length over TCP.
///
/// ```
/// 02  version (2)  command (2)  sequence (2)  QQ number (4)  body, encrypted  03
/// ```
///
/// The number is a person's: it is never given out.
public struct OICQFrame: Sendable {
  /// Bytes of the frame; over TCP with the two of its length.
  public let length: Int
  /// The client's version.
  public let version: UInt16
  /// The command; 0x0825, 0x0818 and 0x0836 are the login.
  public let command: UInt16

  /// The shortest frame: QQ's cipher gives at least 16 bytes.
  private static let minimumLength = 11 + 16 + 1

  /// Recognises a UDP datagram, all of which must be the frame.
  public static func recognise(datagram: RawSpan) -> Recognition<OICQFrame> {
    let reader = Reader(datagram)
    do throws(Stop) {
      // A datagram is whole, and many protocols begin with 02: without the end it is another's.
      guard reader.count >= minimumLength, try reader.has(0x02 as UInt8),
        try reader.has(0x03 as UInt8, at: reader.count - 1)
      else { return .other }
      let command = try reader.peek(UInt16.self, at: 3)
      guard isCommand(command) else { return .other }
      return .done(
        OICQFrame(
          length: reader.count, version: try reader.peek(UInt16.self, at: 1), command: command))
    } catch {
      return error.recognition()
    }
  }

  /// Recognises the beginning of a TCP stream: a length of two bytes that counts itself, and a frame;
  /// others may follow.
  public static func recognise(stream: RawSpan) -> Recognition<OICQFrame> {
    let reader = Reader(stream)
    do throws(Stop) {
      let total = Int(try reader.peek(UInt16.self))
      guard total >= 2 + minimumLength, try reader.has(0x02 as UInt8, at: 2) else { return .other }
      let command = try reader.peek(UInt16.self, at: 5)
      guard isCommand(command) else { return .other }
      guard try reader.has(0x03 as UInt8, at: total - 1) else { return .other }
      return .done(
        OICQFrame(length: total, version: try reader.peek(UInt16.self, at: 3), command: command))
    } catch {
      return error.recognition()
    }
  }

  private static func isCommand(_ command: UInt16) -> Bool {
    if command < 0x40 { return low >> UInt64(command) & 1 == 1 }
    if command < 0x100 {
      for i in middle.indices where middle[i] == UInt8(command) { return true }
      return false
    }
    return command == 0x03f7 || command == 0x0818 || command == 0x0825 || command == 0x0836
  }

  /// A bit for each command below 0x40: 01 02 04 05 06 09 0a 0b 0d 12 16 17 18 1a 1c 1d 21 22 26 27
  /// 29 30 31 3c 3d 3e.
  private static let low: UInt64 = 0x7003_02c6_35c4_2e76

  private static let middle: InlineArray<15, UInt8> = [
    0x58, 0x5c, 0x62, 0x65, 0x67, 0x80, 0x81, 0x91, 0xa4, 0xb5, 0xba, 0xcd, 0xce, 0xdd, 0xe5,
  ]
}
