/// The packets that begin the stream of an old WeChat client's long link, whose header is in clear.
///
/// ```
/// total length (4)  header length 0010 (2)  version 0001 (2)  command (4)  sequence (4)  body
/// ```
public struct LongLinkPackets: Sendable {
  /// Bytes of all packets, headers included.
  public private(set) var length = 0
  /// How many packets there are.
  public private(set) var count = 0
  /// The command of the first: 6 noop, 121 new sync, 237 new message, 253 and 254 login.
  public private(set) var command: UInt32 = 0

  /// The longest packet that is taken for one.
  public static let maximumPacketLength = 1 << 20

  private static let headerLength = 16

  /// Recognises the packets that a stream begins with: all that are there, so `needMore` while the
  /// last of them is not whole.
  public static func recognise(_ stream: RawSpan) -> Recognition<LongLinkPackets> {
    var reader = Reader(stream)
    var packets = LongLinkPackets()
    do throws(Stop) {
      repeat {
        guard let total = try readHeader(reader) else {
          if packets.count == 0 { return .other }
          throw .malformed("no packet follows a packet")
        }
        if packets.count == 0 { packets.command = try reader.peek(UInt32.self, at: 8) }
        try reader.skip(total)
        packets.count += 1
      } while !reader.isEmpty
      packets.length = stream.byteCount
      return .done(packets)
    } catch {
      return error.recognition()
    }
  }

  /// The packet's total length; nil when it is none.
  private static func readHeader(_ reader: borrowing Reader) throws(Stop) -> Int? {
    guard try reader.peek(UInt8.self) == 0 else { return nil }
    let total = Int(try reader.peek(UInt32.self))
    guard headerLength...maximumPacketLength ~= total else { return nil }
    guard try reader.has(0x0010_0001 as UInt32, at: 4) else { return nil }
    return total
  }
}
