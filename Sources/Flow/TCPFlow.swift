internal import Names
internal import Policy
internal import Queue
internal import System
internal import Wire

/// What the gateway remembers of one TCP connection that still visits it.
final class TCPFlow {
  /// Where a connection is on its way to a verdict.
  enum Phase {
    /// The SYN was let through; no payload yet.
    case opened
    /// The client's first bytes are held and don't decide yet.
    case collecting
    /// The name is allowed; its addresses are being looked up.
    case resolving
    /// TLS and mmtls: the hello was let through; the ServerHello is awaited.
    case helloReleased
    /// A protocol without a name: judged bytes were let through that the server has not acknowledged.
    case framesReleased
    /// HTTP: a request was let through that the server has not acknowledged.
    case requestReleased
    /// HTTP and media: between judged requests or frames, or in the body of one.
    case watching
    /// HTTP: in a body whose framing is judged as it comes: chunks, or mmtls records.
    case framedBody
    /// DNS: questions were let through; each further one is judged.
    case questions
    /// DNS: a question was refused and answered in the resolver's name; the stream is at its end.
    case answered
    /// Decided; lingers for packets that were queued before the kernel knew.
    case allowed
    case denied
  }

  /// From the client, which sent the SYN, to the server.
  let tuple: FiveTuple
  /// The client's hardware address.
  let device: DeviceFlows
  /// Sequence number of the client's first payload byte (offset 0).
  let origin: UInt32
  /// The timestamp of the SYN, if it had one.
  let openingTimestamp: TCPTimestamp?
  /// Whether the server is known to have answered this very SYN.
  ///
  /// A connection's first SYN needs no proof: conntrack lets no payload through before its SYN-ACK.
  /// A later one on the same ports may be a decoy, which moves `origin` away from where the server
  /// counts from.
  var isConfirmed: Bool

  var phase = Phase.opened
  /// When the phase ends by itself.
  var deadline: Instant
  /// How many packets were looked at.
  var packets: UInt32 = 0

  /// The client's bytes that are not known to have reached the server.
  var client: StreamBuffer
  /// The highest stream offset that the client has sent so far: sequence numbers are read near it.
  var highest = 0
  /// Everything before this stream offset has been judged and let through.
  var judgedEnd = 0
  /// Everything before this stream offset may be released: `judgedEnd`, and past it the rest of a
  /// body whose length is known.
  var releasableEnd = 0
  var held = HeldPackets()

  /// The acknowledgement number of the client's first payload: the server's first byte.
  var serverOrigin: UInt32?
  /// The server's first bytes, until the ServerHello is complete.
  var server: StreamBuffer
  /// Where in the server's stream the ServerHello is to begin (moves past a HelloRetryRequest).
  var serverHelloStart = 0

  var application = Application.unknown
  var host: HostName?
  var decision: Decision?
  /// The name whose addresses have been looked up for this flow.
  var lookedUp: HostName?
  /// The end of the framing (heads, chunk headers, frames' beginnings) that has been let through.
  var headsEnd = 0
  /// Whether the connection stands in the books, and for which name and rule.
  var isRecorded = false
  var recordedHost: HostName?
  var recordedRule: RuleID?
  /// Whether a HelloRetryRequest was seen: the next hello must carry the same name.
  var isRetry = false
  /// What most flows don't need.
  private(set) var details: FlowDetails?
  /// A connection to the trusted resolver.
  var dns: DNSConversation?

  // Links of the device's list, oldest first, and of the list of holding flows.
  var older: TCPFlow?
  var newer: TCPFlow?
  var isListed = false
  var nextHolding: TCPFlow?
  var previousHolding: TCPFlow?
  var isHolding = false

  init(
    tuple: FiveTuple, device: DeviceFlows, origin: UInt32, timestamp: TCPTimestamp?,
    isConfirmed: Bool, limits: FlowLimits, now: Instant
  ) {
    self.tuple = tuple
    self.device = device
    self.origin = origin
    openingTimestamp = timestamp
    self.isConfirmed = isConfirmed
    deadline = now + limits.openTime
    client = StreamBuffer(base: 0, limit: limits.bytes)
    server = StreamBuffer(base: 0, limit: 2 << 10)
  }

  /// The stream offset of a sequence number of the client's, taken as the one nearest to the
  /// highest seen (RFC 9293 §3.4: sequence numbers wrap).
  func offset(of sequence: UInt32) -> Int {
    let reference = origin &+ UInt32(truncatingIfNeeded: highest)
    return highest + Int(Int32(bitPattern: sequence &- reference))
  }

  /// The client's sequence number at a stream offset.
  func sequence(at offset: Int) -> UInt32 { origin &+ UInt32(truncatingIfNeeded: offset) }

  /// How packets of the current phase are marked.
  var state: ConnectionState {
    switch phase {
    // Awaiting brings the server's SYN-ACK, which has no payload, to us.
    case .opened: isConfirmed ? .opened : .awaiting
    case .collecting, .helloReleased: .opened
    case .resolving: headsEnd > 0 ? .watchedBothWays : .opened
    case .framesReleased, .framedBody: .awaiting
    case .requestReleased: details?.reply?.state ?? .watchedBothWays
    case .questions, .answered: .watchedBothWays
    case .watching: details?.reply?.state ?? .watched
    case .allowed: .allowed
    case .denied: .denied
    }
  }

  /// Whether its bytes are HTTP requests.
  var isHTTP: Bool {
    switch application {
    case .http, .shortLink, .newgetdns, .c2cHTTP: true
    default: false
    }
  }

  /// Whether it waits for no answer to its beginning, or for one that may take long.
  var isAnswered: Bool {
    switch phase {
    case .helloReleased: false
    case .framesReleased: isMedia
    default: true
    }
  }

  /// Whether a companion vouched for it: then it is watched for life.
  var isMedia: Bool { details?.isMedia ?? false }

  /// What most flows don't need, made when first asked for.
  func needDetails() -> FlowDetails {
    if let details { return details }
    let new = FlowDetails()
    details = new
    return new
  }

  /// Whether the bytes that come now are a beginning: nothing of it has been let through.
  var isBeginning: Bool {
    switch phase {
    case .opened, .collecting, .resolving: headsEnd == 0
    default: false
    }
  }
}

/// The connections of one device that visit us, oldest first, and how many packets it has waiting.
final class DeviceFlows {
  let address: MACAddress
  var heldPackets = 0
  private(set) var count = 0
  private(set) var oldest: TCPFlow?
  private var newest: TCPFlow?

  init(address: MACAddress) { self.address = address }

  func append(_ flow: TCPFlow) {
    flow.older = newest
    newest?.newer = flow
    newest = flow
    if oldest == nil { oldest = flow }
    flow.isListed = true
    count += 1
  }

  func remove(_ flow: TCPFlow) {
    guard flow.isListed else { return }
    if let older = flow.older { older.newer = flow.newer } else { oldest = flow.newer }
    if let newer = flow.newer { newer.older = flow.older } else { newest = flow.older }
    flow.older = nil
    flow.newer = nil
    flow.isListed = false
    count -= 1
  }
}
