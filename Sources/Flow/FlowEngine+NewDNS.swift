internal import Inflate
internal import Names
internal import Policy
internal import System
internal import Wire

// WeChat's HTTP DNS. The request is plain HTTP and is judged as such; its reply is read on the way, and
// teaches addresses before its last packet goes on.
extension FlowEngine {
  /// The most replies that are collected at a time, each of 80 KiB at most.
  private static var maximumReplies: Int { 64 }

  /// Has the reply to a request collected that was just let through, if its server can be believed.
  func expectReply(_ flow: TCPFlow, _ now: Instant) {
    guard let origin = flow.serverOrigin, replies < Self.maximumReplies, isBelieved(flow, now)
    else { return }
    replies += 1
    flow.needDetails().reply = NewDNSCollector(host: flow.host, origin: origin)
  }

  /// Whether the server is known to be one of WeChat's HTTP DNS, whatever the binding: who can choose
  /// the server could else teach any address.
  private func isBelieved(_ flow: TCPFlow, _ now: Instant) -> Bool {
    let address = flow.tuple.destination
    let port = flow.tuple.destinationPort
    guard policy.isProven(address, port: port, for: .newgetdns, learned: learned, now: now) else {
      return false
    }
    return flow.host.map { policy.serves(.newgetdns, $0, address: address, port: port) } ?? true
  }

  /// Takes a packet of the server's.
  func collect(
    _ reply: NewDNSCollector, _ payload: RawSpan, _ tcp: TCPHeader, _ flow: TCPFlow,
    _ now: Instant
  ) {
    switch reply.take(payload, tcp) {
    case .more: return
    case .useless: break
    case .whole(let body, let coding):
      reply.stream.withRun(at: 0) { run in
        learn(run.extracting(body), coding, askedFor: reply.host, now)
      }
    }
    endReply(flow)
  }

  /// Expects no reply any more.
  func endReply(_ flow: TCPFlow) {
    guard let details = flow.details, details.reply != nil else { return }
    details.reply = nil
    replies -= 1
  }

  private func learn(
    _ body: RawSpan, _ coding: HTTPResponseHead.Coding, askedFor host: HostName?, _ now: Instant
  ) {
    guard coding == .deflate else {
      learn(body, askedFor: host, now)
      return
    }
    do throws(Inflate.Failure) {
      let text = try Inflate.raw(body, limit: NewDNSReply.maximumLength)
      // Span.bytes of an array's own span.
      unsafe learn(text.span.bytes, askedFor: host, now)
    } catch {
      // No reply of WeChat's; it is the client's to complain.
    }
  }

  private func learn(_ text: RawSpan, askedFor host: HostName?, _ now: Instant) {
    _ = NewDNSReply.parse(text) { entry in
      // Without a name it is the next server to be asked.
      guard let name = entry.name.map({ HostName($0) }) ?? host, policy.mayTeach(name) else {
        return
      }
      learned.learn(
        entry.address, for: name, timeToLive: entry.timeout, from: .newgetdns, now: now)
    }
  }
}
