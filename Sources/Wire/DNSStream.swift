/// The messages of DNS over TCP (RFC 1035 §4.2.2): each behind its length of two bytes.
public enum DNSStream {
  /// A message of a stream.
  public struct Frame: Sendable {
    /// Bytes of the stream that it takes, with those of its length.
    public let length: Int
    /// Where the message stands in the stream.
    public let message: Range<Int>
  }

  /// Bytes of the stream that its first message takes, as its length says; nil before that has come.
  public static func length(ofFirstIn stream: RawSpan) -> Int? {
    do throws(Stop) {
      return 2 + Int(try Reader(stream).peek(UInt16.self))
    } catch {
      return nil
    }
  }

  /// The message that a stream begins with; others may follow.
  ///
  /// One that is shorter than a DNS header, or longer than `limit`, is malformed.
  public static func first(in stream: RawSpan, limit: Int = 65_535) -> Parsed<Frame> {
    do throws(Stop) {
      let reader = Reader(stream)
      let length = Int(try reader.peek(UInt16.self))
      guard length >= DNSMessage.headerSize else {
        throw .malformed("DNS message shorter than its header")
      }
      guard length <= limit else { throw .malformed("DNS message longer than any question") }
      guard reader.count >= 2 + length else { throw .needMore }
      return .done(Frame(length: 2 + length, message: 2..<2 + length))
    } catch {
      return error.outcome()
    }
  }
}
