internal import CNetfilter
internal import CSystem
public import Queue
internal import System

/// One queue of the kernel (NFQUEUE): packets come out of it, verdicts go back.
///
/// It belongs to one thread. Its socket is non-blocking: wait for `descriptor` to be readable, call
/// `receive`, give the verdicts (`HeldPacket.settle`), call `flush`. Between packets nothing is
/// allocated. When the queue is released, the kernel drops the packets that still wait in it.
public final class PacketQueue {
  /// How many packets one `receive` takes at most, so that verdicts don't wait for long.
  public static let packetsPerReceive = 64

  /// The queue's number.
  public let number: UInt16
  /// The verdicts that the next `flush` sends.
  public let batch: VerdictBatch
  /// How often the kernel found no room in the socket's receive buffer (ENOBUFS): packets were lost
  /// then, and `QueueStatistics.droppedSocketFull` tells how many.
  public private(set) var overruns: UInt64 = 0
  /// Verdicts for packets that were no longer in the queue (ENOENT): normal for packets that were
  /// held while the queue was flushed or an interface went away.
  public private(set) var vanished: UInt64 = 0
  /// Verdicts that the kernel refused for another reason: 0 unless there is a bug.
  public private(set) var refused: UInt64 = 0
  /// Messages that were neither a packet with an id nor a reply: 0 unless there is a bug.
  public private(set) var unintelligible: UInt64 = 0

  private let socket: NetlinkSocket
  private let mask: MarkMask
  // How many milliseconds a verdict may wait for the kernel's memory.
  private let patience: Int
  private let buffer: MessageBuffer
  private var writer: MessageWriter
  // How many of the batch's verdicts were sent, when a send failed amidst them.
  private var sent = 0
  // Packets that came before the reply to the configuration, and are delivered first.
  private var early: [UInt8] = []

  // One send carries at most so many bytes (90 verdicts), unless one verdict alone has more: within
  // a page, so that the kernel needs no large allocation (NLMSG_GOODSIZE).
  private static let bytesPerSend = 3600

  /// Binds queue `number`, whose `length` is how many packets may wait in it.
  ///
  /// With `failOpen` packets pass unseen when the queue is full; `mask` are the mark's bits that
  /// verdicts set; `receiveBuffer` is the size in bytes of the socket's receive buffer (8 MB keep
  /// 8,192 small packets); `onFailure` is the verdict of packets that were dropped on the floor.
  public convenience init(
    number: UInt16, length: UInt32, failOpen: Bool, mask: MarkMask, receiveBuffer: Int = 8 << 20,
    onFailure: PacketVerdict = .drop
  ) throws(NetfilterError) {
    let socket = try NetlinkSocket()
    socket.setReceiveBuffer(receiveBuffer)
    self.init(socket: socket, number: number, mask: mask, onFailure: onFailure)
    try configure(QueueConfiguration(number: number, length: length, failOpen: failOpen))
  }

  /// A queue over any socket, not yet configured.
  init(
    socket: consuming NetlinkSocket, number: UInt16, mask: MarkMask, onFailure: PacketVerdict,
    patience: Int = 5000
  ) {
    self.socket = socket
    self.number = number
    self.mask = mask
    self.patience = patience
    batch = VerdictBatch(onFailure: onFailure)
    // A packet of the copy range, its headers and its other attributes (less than 256 bytes).
    buffer = MessageBuffer(capacity: QueueConfiguration.copyRange + 4096)
    writer = MessageWriter(
      capacity: Self.bytesPerSend + MessageWriter.verdictSize + MessageWriter.maximumAttributeValue
        + 8)
  }

  /// The socket's file descriptor, for epoll.
  public var descriptor: CInt { socket.descriptor }

  /// The socket's netlink port, which `QueueStatistics.peerPort` shows while the queue is ours.
  public var port: UInt32 { socket.port }

  /// Takes packets until none is left, or `packetsPerReceive` were taken; returns how many.
  ///
  /// `body` settles each packet or keeps it; its bytes are gone when it returns.
  public func receive(
    _ body: (consuming HeldPacket, borrowing QueuedPacket) -> Void
  ) throws(NetfilterError) -> Int {
    var packets = deliverEarly(body)
    while packets < Self.packetsPerReceive {
      switch try socket.receive(into: buffer) {
      case .bytes(let count):
        packets += buffer.withBytes(count) { datagram in deliver(datagram, body) }
      case .overrun: overruns += 1
      case .nothing: return packets
      }
    }
    return packets
  }

  /// Sends all verdicts of the batch, joined: one system call for up to 90 of them.
  ///
  /// When it throws, the verdicts that were not sent stay in the batch for the next call.
  public func flush() throws(NetfilterError) {
    try send(batch.entries, batch.arena)
    sent = 0
    batch.removeAll()
  }

  private func send(_ entries: [VerdictBatch.Entry], _ arena: [UInt8]) throws(NetfilterError) {
    // The array outlives the span.
    let arena = unsafe arena.span.bytes
    while sent < entries.count {
      writer.removeAll()
      var next = sent
      repeat {
        writer.putVerdict(entries[next], queue: number, mask: mask, arena: arena)
        next += 1
      } while next < entries.count
        && writer.count + MessageWriter.size(of: entries[next]) <= Self.bytesPerSend
      try writer.withBytes { bytes throws(NetfilterError) in
        try socket.send(bytes, patience: patience)
      }
      sent = next
    }
  }

  private func deliver(
    _ datagram: RawSpan, _ body: (consuming HeldPacket, borrowing QueuedPacket) -> Void
  ) -> Int {
    var packets = 0
    var messages = MessageReader(datagram)
    while let message = messages.next() {
      if let code = message.replyCode {
        count(reply: code)
      } else if message.type == Self.packetType, let packet = QueuedPacket(message) {
        body(HeldPacket(id: packet.id, mark: packet.mark, batch: batch), packet)
        packets += 1
      } else {
        unintelligible += 1
      }
    }
    return packets
  }

  private func count(reply code: CInt) {
    switch code {
    case 0: break
    case ENOENT: vanished += 1
    default: refused += 1
    }
  }

  private static let packetType =
    UInt16(NFNL_SUBSYS_QUEUE) << 8 | UInt16(NFQNL_MSG_PACKET.rawValue)

  // Packets may come right after the queue is bound, before the reply to that is read.
  private func deliverEarly(
    _ body: (consuming HeldPacket, borrowing QueuedPacket) -> Void
  ) -> Int {
    guard !early.isEmpty else { return 0 }
    let datagrams = early
    early = []
    // The array outlives the span.
    return unsafe deliver(datagrams.span.bytes, body)
  }

  // MARK: Configuration

  /// Binds and configures the queue, checking the kernel's replies.
  func configure(_ configuration: QueueConfiguration) throws(NetfilterError) {
    let probe = try exchange(configuration.probe(sequence: 1), sequence: 1)
    guard probe == 0 else { throw NetfilterError(.useQueues, code: probe) }
    switch try exchange(configuration.bind(sequence: 2), sequence: 2) {
    case 0: return
    case EBUSY, EPERM:
      // A queue of another socket: the kernel says EPERM before it looks at the command, and the
      // probe has shown that it isn't for want of CAP_NET_ADMIN.
      throw NetfilterError(.bindQueue(number, holder: Self.holder(of: number)), code: EBUSY)
    case EOPNOTSUPP: throw NetfilterError(.configureQueue(number), code: EOPNOTSUPP)
    case let code: throw NetfilterError(.bindQueue(number, holder: 0), code: code)
    }
  }

  // Sends a request and returns its reply's code. Packets that come meanwhile are kept.
  private func exchange(
    _ request: [UInt8], sequence: UInt32
  ) throws(NetfilterError) -> CInt {
    // The array outlives the call.
    unsafe try socket.send(request.span.bytes)
    while true {
      switch try socket.receive(into: buffer) {
      case .bytes(let count):
        let code = buffer.withBytes(count) { datagram in
          replyOrKeep(datagram, sequence: sequence)
        }
        if let code { return code }
      case .overrun: overruns += 1
      case .nothing:
        guard socket.wait(for: CInt(POLLIN), milliseconds: 2000) else {
          throw NetfilterError(.awaitReply, code: ETIMEDOUT)
        }
      }
    }
  }

  private func replyOrKeep(_ datagram: RawSpan, sequence: UInt32) -> CInt? {
    var messages = MessageReader(datagram)
    while let message = messages.next() {
      if let code = message.replyCode, message.sequence == sequence { return code }
    }
    for offset in datagram.byteOffsets { early.append(datagram.byte(at: offset)) }
    // The next message begins at a multiple of 4.
    while early.count & 3 != 0 { early.append(0) }
    return nil
  }

  private static func holder(of queue: UInt16) -> UInt32 {
    do throws(SystemError) {
      return try QueueStatistics.read(queue: queue)?.peerPort ?? 0
    } catch {
      return 0
    }
  }
}
