/// What an address is for (IANA's special-purpose address registries, RFC 6890).
extension IPAddress {
  /// 127.0.0.0/8, ::1.
  public var isLoopback: Bool { isIPv4 ? ipv4 >> 24 == 127 : bits == 1 }

  /// Nobody, or "this network": 0.0.0.0/8, ::.
  public var isUnspecified: Bool { isIPv4 ? ipv4 >> 24 == 0 : bits == 0 }

  /// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918); fc00::/7 (RFC 4193), fec0::/10.
  public var isPrivate: Bool {
    if isIPv4 { return ipv4 >> 24 == 10 || ipv4 >> 20 == 0xac1 || ipv4 >> 16 == 0xc0a8 }
    return bits >> 121 == 0x7e || bits >> 118 == 0x3fb
  }

  /// 169.254.0.0/16, fe80::/10.
  public var isLinkLocal: Bool { isIPv4 ? ipv4 >> 16 == 0xa9fe : bits >> 118 == 0x3fa }

  /// 100.64.0.0/10, between a carrier and its customers (RFC 6598).
  public var isCarrierGrade: Bool { isIPv4 && ipv4 >> 22 == 0x191 }

  /// 224.0.0.0/4, ff00::/8.
  public var isMulticast: Bool { isIPv4 ? ipv4 >> 28 == 0xe : bits >> 120 == 0xff }

  /// 240.0.0.0/4 with the broadcast address: never given out.
  public var isReserved: Bool { isIPv4 && ipv4 >> 28 == 0xf }
}
