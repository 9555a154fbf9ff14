internal import Wire

/// The answers of resolvers over TCP (RFC 1035 §4.2.2), each behind its length of two bytes.
///
/// Only what comes in order is followed; a stream with a gap teaches nothing more.
struct AnswerStreams {
  private struct Stream {
    /// The sequence number of the next byte.
    var next: UInt32
    let number: UInt64
    var bytes: [UInt8] = []
  }

  private var streams: [FiveTuple: Stream] = [:]
  private var opened: UInt64 = 0
  /// Streams that are followed at most; the oldest gives way.
  private static let maximumStreams = 256

  /// Bytes that wait for the rest of their message.
  var waiting: Int { streams.values.reduce(0) { $0 + $1.bytes.count } }

  /// Takes a segment of a resolver's; `body` gets each message that it completes.
  mutating func add(_ payload: RawSpan, _ packet: PacketOutline, _ body: (RawSpan) -> Void) {
    if packet.isSYNACK {
      opened += 1
      streams[packet.tuple] = Stream(next: packet.end, number: opened)
      if streams.count > Self.maximumStreams,
        let oldest = streams.min(by: { $0.value.number < $1.value.number })
      {
        streams[oldest.key] = nil
      }
      return
    }
    guard var stream = streams.removeValue(forKey: packet.tuple) else { return }
    let known = Int(Int32(bitPattern: stream.next &- packet.sequence))
    if known < 0 || packet.isReset { return }
    if known < payload.byteCount {
      for i in known..<payload.byteCount {
        // Within bounds: the loop ends at the span's.
        unsafe stream.bytes.append(payload.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))
      }
      stream.next = packet.end
    }
    var start = 0
    while stream.bytes.count - start >= 2 {
      let length = Int(stream.bytes[start]) << 8 | Int(stream.bytes[start + 1])
      let end = start + 2 + length
      guard end <= stream.bytes.count else { break }
      // Span.bytes of an array's own span.
      unsafe body(stream.bytes.span.bytes.extracting(start + 2..<end))
      start = end
    }
    stream.bytes.removeFirst(start)
    // What is left is less than one message: 64 KiB.
    if !packet.isFIN { streams[packet.tuple] = stream }
  }
}
