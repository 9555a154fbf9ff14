internal import CSystem
internal import Names
internal import Policy
internal import System
internal import Wire

/// Asks the trusted resolver for names that clients use at addresses nobody has learned.
///
/// A and AAAA, once a name and minute, from the main loop; it waits for nobody. Sockets are
/// connected, so the kernel drops datagrams of anyone but the resolver.
final class Resolver {
  private struct Question {
    let name: HostName
    let ids: (UInt16, UInt16)
    var answered: (Bool, Bool) = (false, false)
    let asked: Instant
  }

  private let loop: EventLoop
  private let learned: LearnedAddresses
  private var servers: [(address: IPAddress, socket: Socket?)]
  private var questions: [Question] = []
  private var recent: [HostName: Instant] = [:]
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
    loop.every(.milliseconds(100)) { [unowned(unsafe) self] in unsafe self.expire() }
  }

  /// How many names may be asked for at a time, and within a minute.
  private static let questionLimit = 256
  private static let recentLimit = 4096

  /// Asks for `name`, unless it was asked for within the last minute.
  func ask(_ name: HostName) {
    let now = Instant.now
    // A client can think of any number of names below an allowed suffix: what it gets of our time
    // and memory, and of the resolver's, has an end.
    guard questions.count < Self.questionLimit else {
      done(name)
      return
    }
    if questions.contains(where: { $0.name == name }) { return }
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
    let question = Question(
      name: name, ids: (UInt16.random(in: .min ... .max), UInt16.random(in: .min ... .max)),
      asked: now)
    questions.append(question)
    let a = DNSQuery.bytes(id: question.ids.0, name: name.wire, type: 1)
    let aaaa = DNSQuery.bytes(id: question.ids.1, name: name.wire, type: 28)
    connect()
    var isAsked = false
    for server in servers {
      guard let socket = server.socket else { continue }
      isAsked = true
      // A resolver that isn't there is found out by the time-out.
      unsafe send(socket.descriptor.number, a, a.count, 0)
      unsafe send(socket.descriptor.number, aaaa, aaaa.count, 0)
    }
    if !isAsked { finish(name) }
  }

  /// Connects to those servers that were out of reach until now: when the box starts, there may be
  /// no route to them yet.
  private func connect() {
    for index in servers.indices where servers[index].socket == nil {
      let server = servers[index].address
      do throws(SystemError) {
        let socket = try Socket(connectedTo: server)
        let number = socket.descriptor.number
        try loop.watch(number, .reading) { [unowned(unsafe) self] _ in
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
    NameLearner.learnAnswer(message, from: .resolver, by: policy, learned, now: .now)
    if questions[index].answered == (true, true) { finish(name) }
  }

  private func expire() {
    let now = Instant.now
    for question in questions where now.since(question.asked) >= .milliseconds(500) {
      finish(question.name)
    }
  }

  private func finish(_ name: HostName) {
    questions.removeAll { $0.name == name }
    done(name)
  }
}

/// A UDP socket to a server's port 53; a class, since arrays take no noncopyable values.
private final class Socket {
  let descriptor: FileDescriptor

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
