import PacketBuilder
import Testing
import Wire

/// A named stream, so that a failing test says which one.
struct Fixture: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  var testDescription: String { name }

  init(_ name: String, _ bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }
}

/// Checksum.isTransportValid over an array: `#expect` can't take a span.
func transportIsValid(_ packet: [UInt8], _ header: IPHeader) -> Bool {
  Checksum.isTransportValid(packet.raw, header)
}

/// Whether an IPv4 packet's header checksum is right (RFC 791 §3.1); true for IPv6, which has none.
func headerIsValid(_ packet: [UInt8], _ header: IPHeader) -> Bool {
  !header.source.isIPv4 || Checksum.of(Array(packet[..<header.payload.lowerBound]).raw) == 0
}
