/// A few first bytes by which a protocol without a parser is known: data.
///
/// They prove little. The negative ones only give a refusal its reason, and the calls' are off unless
/// a rule asks for them.
public struct Signature: Sendable {
  /// Which end sends the bytes.
  public enum Direction: Sendable {
    /// The client.
    case up
    /// The server, or the other party.
    case down
    /// Either of them.
    case either
  }

  /// What carries the bytes.
  public enum Carrier: Sendable {
    /// The beginning of a TCP stream.
    case stream
    /// Each UDP datagram.
    case datagram
  }

  /// The name, for rules and reports: `wechat-call-media`.
  public let name: StaticString
  /// What carries it.
  public let carrier: Carrier
  /// Who sends it.
  public let direction: Direction
  /// The port of the server, when only that one counts.
  public let port: UInt16?
  // The first bytes, the first one highest, and how many of them count.
  private let pattern: UInt32
  private let patternLength: Int
  // How long a datagram is.
  private let lengths: ClosedRange<Int>

  private init(
    _ name: StaticString, _ carrier: Carrier, _ direction: Direction, _ pattern: UInt32,
    bytes: Int = 4, port: UInt16? = nil, lengths: ClosedRange<Int> = 1...65_535
  ) {
    self.name = name
    self.carrier = carrier
    self.direction = direction
    self.port = port
    self.pattern = pattern << UInt32(32 - 8 * bytes)
    patternLength = bytes
    self.lengths = lengths
  }

  /// Whether the bytes begin with the signature; carrier, direction and port are the caller's.
  public func recognise(_ bytes: RawSpan) -> Recognition<Void> {
    let reader = Reader(bytes)
    do throws(Stop) {
      for i in 0..<patternLength {
        let expected = UInt8(truncatingIfNeeded: pattern >> UInt32(24 - 8 * i))
        guard try reader.peek(UInt8.self, at: i) == expected else { return .other }
      }
    } catch {
      // Nothing more comes of a datagram.
      return carrier == .datagram ? .other : error.recognition()
    }
    if carrier == .datagram, !(lengths ~= reader.count) { return .other }
    return .done(())
  }

  /// Voice and video calls of old clients (seen until 2020).
  public static let calls: InlineArray<16, Signature> = [
    Signature("wechat-call-heartbeat", .datagram, .up, 0xd10a_2e0a),
    Signature("wechat-call-heartbeat", .datagram, .up, 0xd10a_2d0a),
    Signature("wechat-call-heartbeat", .datagram, .up, 0xd10a_2c0a),
    Signature("wechat-call-heartbeat", .datagram, .up, 0xd10a_1e0a),
    Signature("wechat-call-heartbeat", .datagram, .up, 0xd10a_1d0a),
    Signature("wechat-call-heartbeat", .datagram, .down, 0xd10a_2b0a),
    Signature("wechat-call-heartbeat", .datagram, .down, 0xd10a_2a0a),
    Signature("wechat-call-heartbeat", .datagram, .down, 0xd10a_290a),
    Signature("wechat-call-media", .datagram, .either, 0xa3, bytes: 1, lengths: 95...96),
    Signature("wechat-call-media", .datagram, .either, 0xd6, bytes: 1, lengths: 200...200),
    Signature("wechat-call-media", .datagram, .either, 0xd5, bytes: 1, lengths: 89...91),
    Signature("wechat-call-media", .datagram, .either, 0xd5, bytes: 1, lengths: 103...104),
    Signature("wechat-call-media", .datagram, .either, 0xa108, bytes: 2, lengths: 92...92),
    Signature("wechat-call-media", .datagram, .either, 0xa108, bytes: 2, lengths: 75...75),
    Signature("qq-call-video", .datagram, .up, 0x2800_0000, lengths: 39...65_535),
    Signature("qq-call-video", .datagram, .down, 0x2800_0000, lengths: 39...65_535),
  ]

  /// Protocols of the same companies that are no chat: refused with a reason of their own.
  public static let negatives: InlineArray<10, Signature> = [
    Signature("wns", .stream, .up, 0x776e_7300, port: 443),  // Qzone, Weiyun
    Signature("qq-pc-manager", .datagram, .up, 0x0002_00, bytes: 3, port: 8000),
    Signature("tencent-game", .stream, .up, 0x3366_0009),  // 王者荣耀, QQ飞车手游
    Signature("tencent-game", .stream, .up, 0x3366_0008),
    Signature("tencent-mmo", .stream, .up, 0xd85c, bytes: 2),
    Signature("tencent-mmo", .stream, .down, 0xd85d, bytes: 2),
    Signature("wegame", .stream, .up, 0x550e_0300),
    Signature("wegame", .stream, .up, 0x4455_230a),
    Signature("wegame", .datagram, .up, 0x7572_0010),
    Signature("wegame", .datagram, .up, 0x9403_0bb9),
  ]
}
