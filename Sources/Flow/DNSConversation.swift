internal import Wire

/// What is remembered of a TCP connection to the trusted resolver, beside its bytes.
final class DNSConversation {
  /// The question of a stream that is refused: it is answered in the resolver's name.
  struct Refusal {
    /// The answer as it goes into the stream.
    let bytes: [UInt8]
    /// Where in the client's stream the question ends.
    let end: Int
  }

  /// Bytes of an answer that is read; of a longer one nothing is learned.
  static let answerLimit = 16 << 10

  /// Questions that were let through, and answers that have come.
  var asked = 0
  var answered = 0
  /// The refused question, once there is one: nothing behind it is judged.
  var refusal: Refusal?
  /// The client's latest timestamp: what is sent in the resolver's name has to go on from it.
  var timestamp: TCPTimestamp?
  /// The end, in the resolver's stream, of what it was seen to send.
  var serverEnd = 0
  /// The end, in the resolver's stream, of what was read.
  var readEnd = 0
  /// Whether the resolver's stream can't be followed any more; it teaches nothing then.
  var isLost = false
  /// The interface of the client, for its link-local addresses.
  let interface: UInt32

  init(interface: UInt32) { self.interface = interface }
}
