public import Wire

/// An address and a port, in tests written as text: `let client: Endpoint = "198.18.1.7:40001"`,
/// `let server: Endpoint = "[2001:2::7]:443"`.
public struct Endpoint: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The address.
  public var address: IPAddress
  /// The port.
  public var port: UInt16

  /// An endpoint from its parts.
  public init(_ address: IPAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  /// An endpoint from an address's text and a port.
  public init(_ address: String, _ port: UInt16) {
    self.init(PacketBuilder.address(address), port)
  }

  /// An endpoint from `address:port` or `[address]:port`.
  public init(stringLiteral text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { preconditionFailure("not an endpoint: \(text)") }
    var address = text[..<colon]
    if address.first == "[", address.last == "]" { address = address.dropFirst().dropLast() }
    self.init(String(address), port)
  }
}

/// An address from its text; a mistake in the test stops it.
public func address(_ text: String) -> IPAddress {
  guard let address = IPAddress(text) else { preconditionFailure("not an address: \(text)") }
  return address
}

extension FiveTuple {
  /// The tuple of packets between two endpoints.
  public init(_ proto: IPProtocol = .tcp, from source: Endpoint, to destination: Endpoint) {
    self.init(
      proto: proto, source: source.address, sourcePort: source.port,
      destination: destination.address, destinationPort: destination.port)
  }
}
