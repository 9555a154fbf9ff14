/// The header of a UDP datagram (RFC 768).
///
/// ```
/// source port (2)  destination port (2)  length with header (2)  checksum (2)
/// ```
public struct UDPHeader: Sendable {
  /// The sender's port.
  public let sourcePort: UInt16
  /// The receiver's port.
  public let destinationPort: UInt16
  /// Bytes of header and payload together.
  public let length: Int

  /// Bytes of the header: the payload is `datagram[8...]`.
  public static let size = 8

  /// Parses a datagram (`IPHeader.payload`); `needMore` when it was cut short.
  ///
  /// Bytes of the packet behind the datagram (RFC 9868) are malformed: a receiver ignores them, so
  /// they could carry anything.
  public static func parse(_ datagram: RawSpan) -> Parsed<UDPHeader> {
    do throws(Stop) {
      return .done(try UDPHeader(Reader(datagram)))
    } catch {
      return error.outcome()
    }
  }

  private init(_ reader: borrowing Reader) throws(Stop) {
    sourcePort = try reader.peek(UInt16.self, at: 0)
    destinationPort = try reader.peek(UInt16.self, at: 2)
    length = Int(try reader.peek(UInt16.self, at: 4))
    guard length >= Self.size else { throw .malformed("UDP datagram shorter than its header") }
    guard reader.count >= length else { throw .needMore }
    guard reader.count == length else { throw .malformed("bytes follow the UDP datagram") }
  }
}
