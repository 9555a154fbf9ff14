extension WireName {
  /// The address that this is, when it is an address and no name: IPv4, or IPv6 with or without
  /// brackets.
  ///
  /// HTTP clients put one into Host when a person types an address (RFC 9110 §7.2); WeChat's short
  /// link does when it has no name for a server.
  public var address: IPAddress? {
    guard count > 2, self[0] == UInt8(ascii: "["), self[count - 1] == UInt8(ascii: "]") else {
      return IPAddress(self, 0..<count)
    }
    // Brackets are for IPv6 only.
    let inside = 1..<count - 1
    guard inside.contains(where: { self[$0] == UInt8(ascii: ":") }) else { return nil }
    return IPAddress(self, inside)
  }

  /// Whether this is an address and no name.
  public var isAddressLiteral: Bool { address != nil }
}
