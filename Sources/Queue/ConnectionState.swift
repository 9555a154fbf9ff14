/// What the gateway has decided of a connection, as the kernel keeps it: 3 bits of the connection
/// mark.
///
/// The firewall's rules send packets to the queue by this state (docs/ARCHITECTURE.md has the table
/// of what visits in each).
public enum ConnectionState: UInt32, CaseIterable, Sendable {
  /// Nothing is known: every packet visits. Only a connection whose SYN was not judged is in it.
  case unknown = 0
  /// Allowed: the kernel carries it alone. Every SYN visits.
  case allowed = 1
  /// Denied: the kernel refuses every packet, to its sender. Every SYN visits.
  case denied = 2
  /// Judged for life (plain HTTP, UDP): from the client, every packet with payload visits.
  case watched = 3
  /// Allowed, not yet acknowledged: packets with payload visit, and the server's bare ACKs.
  case awaiting = 4
  /// Judged for life both ways: every packet with payload visits.
  case watchedBothWays = 5
  /// Its SYN was judged and let through: every packet with payload visits.
  case opened = 6
  /// Cut by a change of the rules, and its ends don't know yet: every packet visits, the first one
  /// draws a reset for both ends.
  case cut = 7
}

/// The bits of packet and connection marks that belong to the gateway: 3 adjacent bits.
public struct MarkMask: Equatable, Sendable {
  /// The mask, `0x07000000` by default.
  public let bits: UInt32
  /// How far the 3 bits are from bit 0.
  public let shift: UInt32

  /// A mask of exactly 3 adjacent bits; nil for any other.
  public init?(bits: UInt32) {
    guard bits != 0, bits >> UInt32(bits.trailingZeroBitCount) == 0b111 else { return nil }
    self.bits = bits
    shift = UInt32(bits.trailingZeroBitCount)
  }

  /// The default: `0x07000000`.
  public static let standard = MarkMask(shift: 24)

  private init(shift: UInt32) {
    bits = 0b111 << shift
    self.shift = shift
  }

  /// `mark` with our bits set to `state` and every other bit as it was.
  public func mark(_ mark: UInt32, with state: ConnectionState) -> UInt32 {
    mark & ~bits | state.rawValue << shift
  }

  /// The state that stands in `mark`.
  public func state(of mark: UInt32) -> ConnectionState {
    // All 8 values of 3 bits are states, so the default is never taken.
    ConnectionState(rawValue: (mark & bits) >> shift) ?? .unknown
  }
}
