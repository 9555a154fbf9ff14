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

/// Checksum.isHeaderValid over an array.
func headerIsValid(_ packet: [UInt8], _ header: IPHeader) -> Bool {
  Checksum.isHeaderValid(packet.raw, header)
}
