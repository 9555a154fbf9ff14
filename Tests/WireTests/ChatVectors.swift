import PacketBuilder
import Testing

/// Synthetic bytes of each protocol, and what its recogniser must say of them.
struct ChatVector: Sendable, CustomTestStringConvertible {
  let name: String
  let recogniser: Recogniser
  let bytes: [UInt8]
  let verdict: Verdict
  var testDescription: String { name }

  init(_ name: String, _ recogniser: Recogniser, _ bytes: [UInt8], _ verdict: Verdict) {
    self.name = name
    self.recogniser = recogniser
    self.bytes = bytes
    self.verdict = verdict
  }
}
