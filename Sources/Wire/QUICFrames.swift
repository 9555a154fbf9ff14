/// The frames of a client's QUIC Initial packet, in clear (RFC 9000 §12.4, §19; the same in version 2).
///
/// ```
/// 00 padding   01 ping
/// 02, 03 acknowledgement: largest, delay, count of ranges, first range; each range: gap, length;
///        03 also: three counts
/// 06 crypto: offset, length, bytes of the TLS handshake
/// 1c close: code, frame type, length of a reason, the reason
/// ```
///
/// All numbers are of variable length.
public enum QUICFrames {
  /// Reads all frames and reports the pieces of the handshake: the stream offset of each and where it
  /// stands in the payload.
  ///
  /// `done` with how many there were. A frame that may not be in an Initial packet makes it malformed,
  /// as do a piece past 2^62 and no frame at all; nothing is then reported, and `needMore` is never
  /// said, since a packet is whole.
  public static func forEachPiece(
    in payload: RawSpan, _ body: (_ offset: Int, _ bytes: Range<Int>) -> Void
  ) -> Parsed<Int> {
    do throws(Stop) {
      guard payload.byteCount > 0 else { throw .malformed("packet without a frame") }
      _ = try read(payload) { _, _ in }
      return .done(try read(payload, body))
    } catch .needMore {
      return .malformed(Malformation("frame runs past its packet"))
    } catch {
      return error.outcome()
    }
  }

  private static func read(
    _ payload: RawSpan, _ body: (Int, Range<Int>) -> Void
  ) throws(Stop) -> Int {
    var reader = Reader(payload)
    var pieces = 0
    while !reader.isEmpty {
      // Types are written as short as can be (§12.4), so one byte is enough for all of these.
      switch try reader.take(UInt8.self) {
      case 0x00, 0x01: break
      case 0x02: try skipAcknowledgement(&reader, counts: 0)
      case 0x03: try skipAcknowledgement(&reader, counts: 3)
      case 0x06:
        let offset = try reader.takeVariable()
        let length = try reader.takeVariable()
        guard offset <= 1 << 62 - 1 - length else { throw .malformed("piece past all streams") }
        let start = payload.byteCount - reader.count
        try reader.skip(length)
        pieces += 1
        body(offset, start..<start + length)
      case 0x1c:
        _ = try reader.takeVariable()
        _ = try reader.takeVariable()
        try reader.skip(try reader.takeVariable())
      default: throw .malformed("frame that no Initial packet has")
      }
    }
    return pieces
  }

  @_lifetime(reader: copy reader)
  private static func skipAcknowledgement(_ reader: inout Reader, counts: Int) throws(Stop) {
    for _ in 0..<2 { _ = try reader.takeVariable() }
    let ranges = try reader.takeVariable()
    _ = try reader.takeVariable()
    // Each range takes two bytes at least: the packet's end bounds the loop.
    for _ in 0..<ranges {
      _ = try reader.takeVariable()
      _ = try reader.takeVariable()
    }
    for _ in 0..<counts { _ = try reader.takeVariable() }
  }
}
