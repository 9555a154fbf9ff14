/// A frame of Highway, QQ's upload of pictures and files.
///
/// ```
/// 28  head length (4)  body length (4)  head (protobuf, begins 0a)  body  29
/// ```
public struct HighwayFrame: Sendable {
  /// Bytes of the frame; mostly more than there are.
  public let length: Int

  /// A frame's last byte.
  public static let end: UInt8 = 0x29
  /// The longest head that is taken for one.
  public static let maximumHead = 64 << 10
  /// The longest body that is taken for one.
  public static let maximumBody = 1 << 20

  /// Recognises the beginning of a stream: ten bytes decide, and the end too when it is there.
  public static func recognise(_ stream: RawSpan) -> Recognition<HighwayFrame> {
    do throws(Stop) {
      return try read(stream)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> Recognition<HighwayFrame> {
    let reader = Reader(stream)
    // Both limits leave the highest byte zero.
    guard try reader.has(0x2800 as UInt16) else { return .other }
    let head = Int(try reader.peek(UInt32.self, at: 1))
    guard 1...maximumHead ~= head else { return .other }
    guard try reader.has(0 as UInt8, at: 5) else { return .other }
    let body = Int(try reader.peek(UInt32.self, at: 5))
    guard body <= maximumBody else { return .other }
    guard try reader.has(0x0a as UInt8, at: 9) else { return .other }
    let end = 9 + head + body
    if reader.count > end, try reader.peek(UInt8.self, at: end) != Self.end {
      throw .malformed("frame without its end byte")
    }
    return .done(HighwayFrame(length: end + 1))
  }
}
