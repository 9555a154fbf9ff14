internal import CZlib

/// Raw DEFLATE (RFC 1951), with an end to what it may become.
public enum Inflate {
  /// Why nothing came out.
  public enum Failure: Error, Equatable {
    /// The bytes are no DEFLATE stream, or something follows it.
    case malformed
    /// The stream does not end in these bytes.
    case truncated
    /// More than the limit would come out.
    case tooLong
  }

  /// What comes out in one step, before it is known to be within the limit.
  private static let step = 16 << 10

  /// Inflates a whole stream to at most `limit` bytes.
  ///
  /// Whatever the stream would become, no more than `limit` bytes and a step of 16 KiB are kept, and
  /// nothing is worked out past them.
  public static func raw(_ bytes: RawSpan, limit: Int) throws(Failure) -> [UInt8] {
    // zlib counts in 32 bits.
    guard bytes.byteCount <= Int(UInt32.max) else { throw .tooLong }
    var stream = unsafe z_stream()
    // Negative: no header and no checksum; 15: the largest window, 32 KiB.
    guard
      unsafe inflateInit2_(&stream, -15, zlibVersion(), CInt(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw .malformed }
    let outcome = unsafe inflate(bytes, &stream, limit)
    _ = unsafe inflateEnd(&stream)
    return try outcome.get()
  }

  private static func inflate(
    _ bytes: RawSpan, _ stream: inout z_stream, _ limit: Int
  ) -> Result<[UInt8], Failure> {
    var output: [UInt8] = []
    // Text becomes four to six times as long again.
    output.reserveCapacity(max(0, min(limit, bytes.byteCount * 6)))
    var buffer = [UInt8](repeating: 0, count: step)
    // zlib reads within `input` and writes within `room`, by the counts that it is given; neither
    // pointer is kept past its closure.
    return unsafe bytes.withUnsafeBytes { input in
      unsafe stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe stream.avail_in = UInt32(input.count)
      while true {
        let status = unsafe buffer.withUnsafeMutableBufferPointer { room in
          unsafe stream.next_out = room.baseAddress
          unsafe stream.avail_out = UInt32(room.count)
          return unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
        }
        let count = unsafe step - Int(stream.avail_out)
        guard output.count + count <= limit else { return .failure(.tooLong) }
        output.append(contentsOf: buffer[..<count])
        switch status {
        case Z_STREAM_END:
          return unsafe stream.avail_in == 0 ? .success(output) : .failure(.malformed)
        case Z_OK where count > 0: continue
        // No byte came out and none is left to go in.
        case Z_OK, Z_BUF_ERROR: return .failure(.truncated)
        default: return .failure(.malformed)
        }
      }
    }
  }
}
