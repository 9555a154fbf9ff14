public import System

/// What a capture says of a packet beside its bytes.
public struct CapturedPacket: Equatable, Sendable {
  /// Its number in the file, the first is 1.
  public let number: UInt64
  /// When it was seen, as nanoseconds since 1970; of a block without a time, the time before it.
  public let time: Instant
  /// What its bytes begin with: the LINKTYPE_ value of its interface (tcpdump.org/linktypes.html).
  public let linkType: UInt32
  /// Bytes that it had on the link.
  public let originalLength: Int
  /// Where its bytes stand in the reader's buffer.
  public let bytes: Range<Int>

  /// Whether the capture has only its beginning.
  public var isCut: Bool { bytes.count < originalLength }
}
