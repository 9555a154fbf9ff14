/// A frame of WeChat's media protocol over TCP: pictures, files, voice and video messages.
///
/// ```
/// ab  total length (4)  command (2)  undocumented to offset 25  pairs: C2CPairs
/// ```
public struct C2CFrame: Sendable {
  /// Bytes of the frame, its header included; more than there are when it carries data.
  public let length: Int
  /// The command.
  public let command: UInt16

  /// The shortest frame: its header, the pair "ver" and one more.
  public static let minimumLength = 50
  private static let headerLength = 25

  /// Recognises the beginning of a stream; a frame of more than 4 KiB is decided on these.
  public static func recognise(_ stream: RawSpan) -> Recognition<C2CFrame> {
    do throws(Stop) {
      return try read(stream)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ stream: RawSpan) throws(Stop) -> Recognition<C2CFrame> {
    let reader = Reader(stream)
    // The highest byte of the length: no frame has 16 MiB.
    guard try reader.has(0xab00 as UInt16) else { return .other }
    let total = Int(try reader.peek(UInt32.self, at: 1))
    guard total >= minimumLength else { throw .malformed("frame shorter than any") }
    let command = try reader.peek(UInt16.self, at: 5)
    let pairs = stream.extracting(droppingFirst: headerLength)
    guard
      try C2CPairs.walk(
        pairs, length: UInt64(total - headerLength),
        window: Recognition<C2CFrame>.window - headerLength)
    else { return .other }
    return .done(C2CFrame(length: total, command: command))
  }
}
