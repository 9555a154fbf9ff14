internal import Names
internal import Queue
internal import Wire

/// Puts the reply to a newgetdns request together: the first response of a connection.
final class NewDNSCollector {
  /// What is there.
  enum Progress {
    case more
    /// The reply is whole: where its body stands, and what was done to that.
    case whole(Range<Int>, HTTPResponseHead.Coding)
    /// It will teach nothing.
    case useless
  }

  /// The most bytes that a reply's body may have before it is inflated.
  static let maximumBody = 64 << 10

  /// The name that was asked; nil when an address was.
  let host: HostName?
  // Sequence number of the server's first byte.
  private let origin: UInt32
  private(set) var stream = StreamBuffer(
    base: 0, limit: maximumBody + HTTPResponseHead.maximumLength)
  private var head: HTTPResponseHead?
  // Where the server's stream ends, once its FIN has come.
  private var streamEnd: Int?

  init(host: HostName?, origin: UInt32) {
    self.host = host
    self.origin = origin
  }

  /// The connection's state that brings what is needed: of a reply that ends with the connection, and
  /// until it is known not to, also the FIN, which may have no payload.
  var state: ConnectionState {
    if case .length = head?.body { .watchedBothWays } else { .awaiting }
  }

  /// Takes a segment of the server's.
  func take(_ payload: RawSpan, _ tcp: TCPHeader) -> Progress {
    if tcp.flags.contains(.rst) { return .useless }
    let offset = Int(Int32(bitPattern: tcp.sequence &- origin))
    if tcp.flags.contains(.fin) {
      let end = offset + payload.byteCount
      guard end >= 0, streamEnd == nil || streamEnd == end else { return .useless }
      streamEnd = end
    }
    if !payload.isEmpty {
      switch stream.insert(payload, at: offset) {
      case .new, .known: break
      case .mismatch, .beyondLimit: return .useless
      }
    }
    return progress()
  }

  private func progress() -> Progress {
    let present = stream.end(ofRunAt: 0)
    if head == nil {
      switch stream.withRun(at: 0, HTTPResponseHead.parse) {
      case .needMore: return present == streamEnd ? .useless : .more
      case .malformed: return .useless
      case .done(let parsed):
        guard parsed.status == 200, parsed.coding != .other else { return .useless }
        head = parsed
      }
    }
    guard let head else { return .useless }
    let end: Int
    switch head.body {
    case .none, .chunked: return .useless
    case .length(let length):
      guard length <= Self.maximumBody else { return .useless }
      end = head.length + Int(length)
    case .untilClose:
      guard present - head.length <= Self.maximumBody else { return .useless }
      guard let streamEnd else { return .more }
      end = streamEnd
    }
    if present >= end, end >= head.length { return .whole(head.length..<end, head.coding) }
    return present == streamEnd ? .useless : .more
  }
}
