/// An IPv4 or IPv6 address.
///
/// IPv4 is kept as its IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), so that `::ffff:198.51.100.9`,
/// which newgetdns replies contain, equals `198.51.100.9`.
public struct IPAddress: Hashable, Comparable, Sendable {
  /// The 128 bits, most significant first as on the wire.
  public let bits: UInt128

  /// An IPv6 address (or an IPv4-mapped one) from its 128 bits.
  public init(ipv6 bits: UInt128) { self.bits = bits }

  /// An IPv4 address from its 32 bits, host order: 198.51.100.9 is `0xc6336409`.
  public init(ipv4: UInt32) { bits = UInt128(0xffff) << 32 | UInt128(ipv4) }

  /// Whether this is an IPv4 address.
  public var isIPv4: Bool { bits >> 32 == 0xffff }

  /// The 32 bits of an IPv4 address; meaningless for IPv6.
  public var ipv4: UInt32 { UInt32(truncatingIfNeeded: bits) }

  /// By number.
  public static func < (a: IPAddress, b: IPAddress) -> Bool { a.bits < b.bits }
}

/// A range of addresses: an address and how many of its leading bits count.
public struct IPPrefix: Hashable, Sendable {
  /// The first address; host bits are zero.
  public let address: IPAddress
  /// Leading bits of the 128 that count; an IPv4 prefix of length n has 96 + n.
  public let length: UInt8

  /// A prefix of `length` leading bits (IPv4: 0 to 32; IPv6: 0 to 128); nil when out of range.
  public init?(_ address: IPAddress, length: Int) {
    let offset = address.isIPv4 ? 96 : 0
    guard length >= 0, length + offset <= 128 else { return nil }
    self.length = UInt8(length + offset)
    self.address = IPAddress(ipv6: address.bits & Self.mask(self.length))
  }

  /// Whether this is a prefix of IPv4 addresses.
  public var isIPv4: Bool { length >= 96 && address.isIPv4 }

  /// Whether `other` lies in this prefix.
  ///
  /// An IPv6 prefix holds no IPv4 address: `::/0` is not everything.
  public func contains(_ other: IPAddress) -> Bool {
    other.isIPv4 == isIPv4 && other.bits & Self.mask(length) == address.bits
  }

  private static func mask(_ length: UInt8) -> UInt128 {
    length == 0 ? 0 : UInt128.max << (128 - UInt128(length))
  }
}

/// An Ethernet (or Wi-Fi) hardware address, 48 bits.
public struct MACAddress: Hashable, Comparable, Sendable {
  /// The 48 bits, first byte on the wire highest.
  public let bits: UInt64

  /// An address from its 48 bits.
  public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

  /// No address is known.
  public static let unknown = MACAddress(bits: 0)

  /// Whether the device made this address up (phones do, one for each Wi-Fi network): the bit for
  /// "locally administered" is set (IEEE 802, second lowest bit of the first byte).
  public var isPrivate: Bool { bits >> 41 & 1 == 1 }

  /// By number.
  public static func < (a: MACAddress, b: MACAddress) -> Bool { a.bits < b.bits }
}
