internal import CNetfilter
internal import CSystem
public import Queue
public import Wire

/// The kernel's connection tracking, over ctnetlink: events, lists, marks.
///
/// It has two sockets, so that events and replies never mix, and belongs to one thread. Destroyed
/// connections are reported reliably: what finds no room in the socket's buffer is reported again
/// later by the kernel (NETLINK_BROADCAST_ERROR), so that no bytes are missing in the accounts.
///
/// With net.netfilter.nf_conntrack_events = 2 (the default) the kernel only reports connections that
/// began after somebody listened: those from before a restart end unseen, unless it is 1.
public final class Conntrack {
  /// Which events are wanted.
  public struct Events: OptionSet, Sendable {
    /// Bits of the netlink groups.
    public let rawValue: UInt32
    /// The events with these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Connections that begin (NFNLGRP_CONNTRACK_NEW).
    public static let created = Events(rawValue: 1)
    /// Connections that change (NFNLGRP_CONNTRACK_UPDATE).
    public static let updated = Events(rawValue: 2)
    /// Connections that end (NFNLGRP_CONNTRACK_DESTROY).
    public static let destroyed = Events(rawValue: 4)
  }

  /// What a `dump` brought.
  public struct Dump: Equatable, Sendable {
    /// How many connections were shown.
    public internal(set) var entries = 0
    /// Whether the table changed so that some may be missing or shown twice (NLM_F_DUMP_INTR, or
    /// a lost message); the caller may ask again.
    public internal(set) var isInterrupted = false
  }

  /// How often events found no room in the socket's buffer (ENOBUFS).
  ///
  /// Ends of connections are reported again, other events are lost.
  public private(set) var overruns: UInt64 = 0
  /// Messages that were no connection: 0 unless there is a bug.
  public private(set) var unintelligible: UInt64 = 0

  private let events: NetlinkSocket
  private let requests: NetlinkSocket
  private let buffer: MessageBuffer
  private var writer = MessageWriter(capacity: 512)
  private var sequence: UInt32 = 0

  /// How many datagrams one `receive` takes at most.
  private static let datagramsPerReceive = 256
  /// How long a reply may take, in milliseconds; the kernel answers within the request's send.
  private static let patience: CInt = 5000

  /// Opens the sockets and subscribes to `events`; `receiveBuffer` is the event socket's, in bytes.
  public convenience init(
    events: Events = .destroyed, receiveBuffer: Int = 4 << 20
  ) throws(NetfilterError) {
    let eventSocket = try NetlinkSocket(groups: events.rawValue)
    eventSocket.setReceiveBuffer(receiveBuffer)
    eventSocket.set(CInt(SOL_NETLINK), CInt(NETLINK_BROADCAST_ERROR), 1)
    try self.init(events: eventSocket, requests: NetlinkSocket())
  }

  /// Over any sockets.
  init(events: consuming NetlinkSocket, requests: consuming NetlinkSocket) {
    self.events = events
    self.requests = requests
    // Lists come in datagrams of up to 32 KiB.
    buffer = MessageBuffer(capacity: 64 << 10)
  }

  /// The event socket's file descriptor, for epoll.
  public var descriptor: CInt { events.descriptor }

  /// Takes the events that are there (at most 256 datagrams, each mostly one event); returns how
  /// many connections were shown.
  public func receive(_ body: (ConntrackEntry) -> Void) throws(NetfilterError) -> Int {
    var shown = 0
    for _ in 0..<Self.datagramsPerReceive {
      switch try events.receive(into: buffer) {
      case .bytes(let count):
        shown += buffer.withBytes(count) { datagram in show(datagram, body) }
      case .overrun: overruns += 1
      case .nothing: return shown
      }
    }
    return shown
  }

  private func show(_ datagram: RawSpan, _ body: (ConntrackEntry) -> Void) -> Int {
    var shown = 0
    var messages = MessageReader(datagram)
    while let message = messages.next() {
      if let entry = ConntrackEntry(message, isListed: false) {
        body(entry)
        shown += 1
      } else {
        unintelligible += 1
      }
    }
    return shown
  }

  // MARK: Lists

  /// Shows every connection of IPv4 and IPv6; with `mask` only those with a state (our bits of the
  /// mark are not 0), with `mask` and `state` those in that state (the kernel selects them).
  ///
  /// The list is no snapshot: connections that come and go meanwhile may or may not be in it.
  @discardableResult
  public func dump(
    mask: MarkMask? = nil, state: ConnectionState? = nil, _ body: (ConntrackEntry) -> Void
  ) throws(NetfilterError) -> Dump {
    var selection: (value: UInt32, mask: UInt32)? = nil
    if let mask, let state { selection = (mask.mark(0, with: state), mask.bits) }
    let unwanted: MarkMask? = state == nil ? mask : nil

    sequence &+= 1
    writer.removeAll()
    writer.putConntrackDump(sequence: sequence, mark: selection)
    try writer.withBytes { bytes throws(NetfilterError) in try requests.send(bytes) }
    var dump = Dump()
    while true {
      switch try nextReply() {
      case .overrun: dump.isInterrupted = true
      case .bytes(let count):
        let code = buffer.withBytes(count) { datagram in
          list(datagram, into: &dump) { entry in
            if let unwanted, unwanted.state(of: entry.mark) == .unknown { return false }
            body(entry)
            return true
          }
        }
        guard let code else { continue }
        guard code == 0 else { throw NetfilterError(.listConnections, code: code) }
        return dump
      case .nothing: throw NetfilterError(.awaitReply, code: ETIMEDOUT)
      }
    }
  }

  // Returns the code that ended the list; nil while it goes on.
  private func list(
    _ datagram: RawSpan, into dump: inout Dump, _ body: (ConntrackEntry) -> Bool
  ) -> CInt? {
    var messages = MessageReader(datagram)
    while let message = messages.next() {
      // An answer to an earlier request, which was given up.
      guard message.sequence == sequence else { continue }
      if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { dump.isInterrupted = true }
      if let code = message.replyCode ?? message.doneCode { return code }
      if let entry = ConntrackEntry(message, isListed: true) {
        if body(entry) { dump.entries += 1 }
      } else {
        unintelligible += 1
      }
    }
    return nil
  }

  // MARK: Changes

  /// Sets the bits of `mask` in the mark of the connection that `tuple` names to `state`.
  ///
  /// `tuple` is the connection as its opener's packets have it, before NAT or after it. The result
  /// is false when there is no such connection (any more), and for ICMP, which a `FiveTuple`
  /// doesn't name.
  @discardableResult
  public func setMark(
    _ tuple: FiveTuple, _ state: ConnectionState, mask: MarkMask
  ) throws(NetfilterError) -> Bool {
    try change(tuple, .setMark) { writer, tuple, sequence in
      writer.putConntrackMark(tuple, state, mask: mask, sequence: sequence)
    }
  }

  /// Makes conntrack forget the connection that `tuple` names (as in `setMark`); false when there
  /// is none.
  @discardableResult
  public func delete(_ tuple: FiveTuple) throws(NetfilterError) -> Bool {
    try change(tuple, .deleteConnection) { writer, tuple, sequence in
      writer.putConntrackDelete(tuple, sequence: sequence)
    }
  }

  // The kernel finds a connection by the tuple of either direction, before that direction's NAT. A
  // masqueraded connection from the LAN has the client's tuple as its original; of one that was let
  // in to a LAN host (DNAT) the LAN sees the reverse of the reply.
  private func change(
    _ tuple: FiveTuple, _ operation: NetfilterError.Operation,
    _ put: (inout MessageWriter, FiveTuple, UInt32) -> Void
  ) throws(NetfilterError) -> Bool {
    guard tuple.proto != .icmp, tuple.proto != .icmpv6 else { return false }
    for candidate in [tuple, tuple.reversed] {
      sequence &+= 1
      writer.removeAll()
      put(&writer, candidate, sequence)
      try writer.withBytes { bytes throws(NetfilterError) in try requests.send(bytes) }
      switch try replyCode() {
      case 0: return true
      case ENOENT: continue
      case let code: throw NetfilterError(operation, code: code)
      }
    }
    return false
  }

  private func replyCode() throws(NetfilterError) -> CInt {
    while true {
      switch try nextReply() {
      case .overrun: continue
      case .nothing: throw NetfilterError(.awaitReply, code: ETIMEDOUT)
      case .bytes(let count):
        let code = buffer.withBytes(count) { datagram -> CInt? in
          var messages = MessageReader(datagram)
          while let message = messages.next() {
            if message.sequence == sequence, let code = message.replyCode { return code }
          }
          return nil
        }
        if let code { return code }
      }
    }
  }

  // Waits for a reply; `.nothing` when the time is over.
  private func nextReply() throws(NetfilterError) -> NetlinkSocket.Received {
    while true {
      let received = try requests.receive(into: buffer)
      guard received == .nothing else { return received }
      guard requests.wait(for: CInt(POLLIN), milliseconds: Self.patience) else { return .nothing }
    }
  }
}
