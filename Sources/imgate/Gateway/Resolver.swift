internal import CSystem
internal import Flow
internal import Names
internal import Policy
internal import System
internal import Wire

/// Asks the trusted resolver for names that clients use at addresses nobody has learned, and ahead
/// of that for those that the rules name exactly.
///
/// A and AAAA from the main loop; it waits for nobody. What a client waits for goes first, once a
/// name and minute; names ahead are asked for at a slow pace, and again before their addresses are
/// forgotten. Sockets are connected, so the kernel drops datagrams of anyone but the resolver.
final class Resolver {
  private struct Question {
    let name: HostName
    let ids: (UInt16, UInt16)
    /// Whether no client waits for it.
    var isAhead: Bool
    /// Which server is asked ahead; for a client all of them are.
    let server: Int
    var asked: Instant
    var answered: (Bool, Bool) = (false, false)
    /// Whether an answer said that the resolver could not find out.
    var isRefused = false
    /// The least time to live of the addresses so far.
    var timeToLive: UInt32?
  }

  private let loop: EventLoop
  private let learned: LearnedAddresses
  private var servers: [(address: IPAddress, socket: Socket?)]
  private var questions: [Question] = []
  private var recent: [HostName: Instant] = [:]
  /// The names that are looked up ahead.
  private(set) var ahead = AheadNames()
  private var isAheadReported = false
  // The server that is asked ahead, until it says nothing.
  private var aheadServer = 0
  /// The rules in force: only names that they allow are learned.
  var policy: Policy
  private let log: Log
  private let done: (HostName) -> Void

  /// Asks the resolvers at `servers` (port 53); `done` hears of each name when it is answered or
  /// given up.
  ///
  /// It must live as long as `loop` runs.
  init(
    servers: [IPAddress], loop: EventLoop, learned: LearnedAddresses, policy: Policy, log: Log,
    done: @escaping (HostName) -> Void
  ) {
    self.servers = servers.map { ($0, nil) }
    self.loop = loop
    self.log = log
    self.learned = learned
    self.policy = policy
    self.done = done
    connect()
    // The resolver lives as long as the loop runs, here and in `connect`.
    loop.every(.milliseconds(100)) { [unowned(unsafe) self] in
      unsafe self.expire()
      unsafe self.askAhead()
    }
  }

  /// How many names may be asked for at a time, and within a minute.
  private static let questionLimit = 256
  private static let recentLimit = 4096
  /// Names that are asked for ahead in a tenth of a second, each with two questions to one server.
  private static let pace = 3

  /// Looks up ahead the names that the rules name exactly.
  func lookAhead() {
    ahead.follow(policy.exactNames(atMost: AheadNames.limit), now: .now)
    isAheadReported = false
  }

  /// Asks for `name`, unless it was asked for within the last minute.
  func ask(_ name: HostName) {
    let now = Instant.now
    // A client can think of any number of names below an allowed suffix: what it gets of our time
    // and memory, and of the resolver's, has an end.
    if let index = questions.firstIndex(where: { $0.name == name }) {
      // Asked for ahead, and now in earnest: it gets all of the time that a client's question has.
      guard questions[index].isAhead else { return }
      questions[index].isAhead = false
      questions[index].asked = now
      _ = pose(questions[index])
      return
    }
    guard questions.count < Self.questionLimit else {
      done(name)
      return
    }
    if let last = recent[name], now.since(last) < .seconds(60) {
      done(name)
      return
    }
    if recent.count >= Self.recentLimit {
      recent = recent.filter { now.since($0.value) < .seconds(60) }
      guard recent.count < Self.recentLimit else {
        done(name)
        return
      }
    }
    recent[name] = now
    begin(name, isAhead: false, now)
  }

  private func askAhead() {
    let now = Instant.now
    for name in ahead.next(Self.pace, now: now)
    where !questions.contains(where: { $0.name == name }) {
      begin(name, isAhead: true, now)
    }
    guard !isAheadReported, ahead.count > 0, ahead.isOnceThrough else { return }
    isAheadReported = true
    log(.info, "\(ahead.knownCount) of \(ahead.count) names of the rules looked up ahead")
  }

  private func begin(_ name: HostName, isAhead: Bool, _ now: Instant) {
    let question = Question(
      name: name, ids: (UInt16.random(in: .min ... .max), UInt16.random(in: .min ... .max)),
      isAhead: isAhead, server: aheadServer, asked: now)
    questions.append(question)
    if !pose(question) { finish(name) }
  }

  /// Sends both questions to every server; false when none is within reach.
  private func pose(_ question: Question) -> Bool {
    let a = DNSQuery.bytes(id: question.ids.0, name: question.name.wire, type: DNSQuery.a)
    let aaaa = DNSQuery.bytes(id: question.ids.1, name: question.name.wire, type: DNSQuery.aaaa)
    connect()
    var isAsked = false
    for (index, server) in servers.enumerated() {
      guard let socket = server.socket, !question.isAhead || index == question.server else {
        continue
      }
      isAsked = true
      // A resolver that isn't there is found out by the time-out.
      if socket.ask(a) {
        _ = socket.ask(aaaa)
      } else {
        // The socket has the address that the line had when it was connected.
        disconnect(index)
        connect()
        guard let socket = servers[index].socket else { continue }
        _ = socket.ask(a)
        _ = socket.ask(aaaa)
      }
    }
    return isAsked
  }

  private func disconnect(_ index: Int) {
    if let watch = servers[index].socket?.watch { loop.end(watch) }
    servers[index].socket = nil
  }

  /// Gives up the sockets that have said nothing since `question` was asked: not every kernel tells
  /// that the address is gone from which they ask.
  private func disconnectSilent(_ question: Question) {
    for (index, server) in servers.enumerated() {
      guard let socket = server.socket, !question.isAhead || index == question.server,
        socket.connected <= question.asked, (socket.heard ?? socket.connected) <= question.asked
      else { continue }
      disconnect(index)
    }
  }

  /// Connects to those servers that were out of reach until now: when the box starts, there may be
  /// no route to them yet.
  private func connect() {
    for index in servers.indices where servers[index].socket == nil {
      let server = servers[index].address
      do throws(SystemError) {
        let socket = try Socket(connectedTo: server)
        let number = socket.descriptor.number
        socket.watch = try loop.watch(number, .reading) { [unowned(unsafe) self] _ in
          unsafe self.receive(from: number)
        }
        servers[index].socket = socket
      } catch {
        log(.warning, limit: "resolver", "the resolver \(server.text): \(error.description)")
      }
    }
  }

  private func receive(from number: CInt) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // recv(2) gets the array's own length; a datagram a turn is enough, the watch is level-triggered.
    let count = unsafe recv(number, &buffer, buffer.count, CInt(MSG_DONTWAIT))
    guard count > 0 else { return }
    servers.first { $0.socket?.descriptor.number == number }?.socket?.heard = .now
    // Span.bytes of an array's own span.
    let message = unsafe buffer.span.bytes.extracting(0..<count)
    guard case .done(let header) = DNSMessage.parse(message), header.isResponse,
      let name = HostName(header.question),
      let index = questions.firstIndex(where: { $0.name == name })
    else { return }
    if header.id == questions[index].ids.0, header.questionType == 1 {
      questions[index].answered.0 = true
    } else if header.id == questions[index].ids.1, header.questionType == 28 {
      questions[index].answered.1 = true
    } else {
      return
    }
    // No error, or no such name.
    if header.responseCode != 0, header.responseCode != 3 { questions[index].isRefused = true }
    let timeToLive = DNSAnswers.learn(
      message, from: .resolver, by: policy, into: learned, now: .now)
    if let timeToLive {
      questions[index].timeToLive = min(questions[index].timeToLive ?? .max, timeToLive)
    }
    if questions[index].answered == (true, true) { finish(name) }
  }

  private func expire() {
    let now = Instant.now
    for question in questions where now.since(question.asked) >= .milliseconds(500) {
      finish(question.name)
    }
  }

  private func finish(_ name: HostName) {
    guard let index = questions.firstIndex(where: { $0.name == name }) else { return }
    let question = questions.remove(at: index)
    if !question.answered.0, !question.answered.1 { disconnectSilent(question) }
    if question.isAhead, !question.answered.0, !question.answered.1,
      aheadServer == question.server, !servers.isEmpty
    {
      aheadServer = (aheadServer + 1) % servers.count
    }
    // Half an answer is one: not every name's server has something to say of both families.
    let isAnswered = question.answered.0 || question.answered.1
    if isAnswered, question.timeToLive != nil || !question.isRefused {
      ahead.answered(name, timeToLive: question.timeToLive, now: .now)
    } else {
      ahead.failed(name, isSilent: !isAnswered, now: .now)
    }
    if !question.isAhead { done(name) }
  }
}

/// A UDP socket to a server's port 53; a class, since arrays take no noncopyable values.
private final class Socket {
  let descriptor: FileDescriptor
  let connected = Instant.now
  /// When the server last said something.
  var heard: Instant?
  var watch: EventLoop.Watch?

  /// False when it can't be sent from here.
  func ask(_ message: [UInt8]) -> Bool {
    // send(2) gets the array's own length.
    unsafe send(descriptor.number, message, message.count, 0) >= 0
      || imgate_errno() == ECONNREFUSED || imgate_errno() == EAGAIN
  }

  init(connectedTo server: IPAddress) throws(SystemError) {
    let family = server.isIPv4 ? AF_INET : AF_INET6
    let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let number = socket(family, type, 0)
    if number < 0 { throw SystemError("socket") }
    descriptor = FileDescriptor(owning: number)
    var v4 = sockaddr_in()
    v4.sin_family = sa_family_t(AF_INET)
    v4.sin_port = UInt16(53).bigEndian
    v4.sin_addr.s_addr = server.ipv4.bigEndian
    var v6 = sockaddr_in6()
    v6.sin6_family = sa_family_t(AF_INET6)
    v6.sin6_port = UInt16(53).bigEndian
    // Both sides are 16 bytes.
    unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { bytes in
      unsafe bytes.storeBytes(of: server.bits.bigEndian, as: UInt128.self)
    }
    // Each address goes with its own size.
    let status =
      server.isIPv4
      ? unsafe imgate_connect(number, &v4, UInt32(MemoryLayout<sockaddr_in>.size))
      : unsafe imgate_connect(number, &v6, UInt32(MemoryLayout<sockaddr_in6>.size))
    if status != 0 { throw SystemError("connect") }
  }
}
