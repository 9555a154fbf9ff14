import CSystem
import Queue
import System
import Testing

@testable import Netfilter

/// The queue over a socket pair, whose other end plays the kernel.
struct PacketQueueTests {
  let kernel: FakeKernel
  let queue: PacketQueue

  init() throws {
    let mask = try #require(MarkMask(bits: 0x0700_0000))
    let (kernel, descriptor) = try FakeKernel.pair()
    self.kernel = kernel
    queue = PacketQueue(
      socket: try NetlinkSocket(adopting: descriptor), number: 40, mask: mask, onFailure: .drop)
  }

  /// A packet message with this id and nothing else.
  func packet(_ id: UInt32) -> [UInt8] {
    hex(
      """
      20000000 0003 0000 00000000 00000000 // a packet message of 32 bytes
      02 00 0028                           // nfgenmsg
      0b00 0100                            // NFQA_PACKET_HDR
      """) + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: id >> $0) } + hex("0800 02 00")
  }

  /// A reply (NLMSG_ERROR) to the request `sequence` with -`code`.
  func reply(_ code: CInt, to sequence: UInt8) -> [UInt8] {
    let error = UInt32(bitPattern: -code)
    return hex("14000000 0200 0000") + [sequence, 0, 0, 0] + hex("00000000")
      + [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: error >> $0) }
  }

  func configure() throws {
    try queue.configure(QueueConfiguration(number: 40, length: 8192, failOpen: false))
  }

  // MARK: Configuration

  @Test func `A queue is configured by two requests, each with its reply`() throws {
    kernel.send(reply(0, to: 1))
    kernel.send(reply(0, to: 2))
    try configure()
    let configuration = QueueConfiguration(number: 40, length: 8192, failOpen: false)
    #expect(kernel.receive() == configuration.probe(sequence: 1))
    #expect(kernel.receive() == configuration.bind(sequence: 2))
  }

  @Test(
    arguments: [
      (EPERM, 0, .useQueues, EPERM),  // no CAP_NET_ADMIN
      (EINVAL, 0, .useQueues, EINVAL),  // no nfnetlink_queue
      (0, EBUSY, .bindQueue(40, holder: 0), EBUSY),  // this very socket has it
      (0, EPERM, .bindQueue(40, holder: 0), EBUSY),  // another socket has it
      (0, ENOMEM, .bindQueue(40, holder: 0), ENOMEM),
      (0, EOPNOTSUPP, .configureQueue(40), EOPNOTSUPP),
    ] as [(CInt, CInt, NetfilterError.Operation, CInt)])
  func `A refused configuration is an error that tells the cause`(
    probe: CInt, bind: CInt, operation: NetfilterError.Operation, code: CInt
  ) {
    kernel.send(reply(probe, to: 1))
    kernel.send(reply(bind, to: 2))
    #expect(throws: NetfilterError(operation, code: code)) { try configure() }
  }

  @Test func `Packets that come before the reply are delivered first`() throws {
    kernel.send(reply(0, to: 1))
    kernel.send(packet(1))
    kernel.send(packet(2))
    kernel.send(reply(0, to: 2))
    kernel.send(packet(3))
    try configure()
    var ids: [UInt32] = []
    let count = try queue.receive { packet, queued in
      ids.append(queued.id)
      packet.settle(.drop)
    }
    #expect(ids == [1, 2, 3])
    #expect(count == 3)
  }

  // MARK: Packets

  @Test func `Nothing there is no error`() throws {
    let count = try queue.receive { _, _ in Issue.record("a packet out of nothing") }
    #expect(count == 0)
  }

  @Test func `One receive takes at most 64 packets, the next one goes on`() throws {
    for id in 1...100 as ClosedRange<UInt32> { kernel.send(packet(id)) }
    var ids: [UInt32] = []
    let settle: (consuming HeldPacket, borrowing QueuedPacket) -> Void = { packet, _ in
      ids.append(packet.id)
      packet.settle(.drop)
    }
    let counts = try [queue.receive(settle), queue.receive(settle), queue.receive(settle)]
    #expect(counts == [64, 36, 0])
    #expect(ids == Array(1...100))
  }

  @Test func `A packet that nobody settles gets the fail verdict`() throws {
    kernel.send(packet(9))
    _ = try queue.receive { _, _ in }
    #expect(queue.batch.failures == 1)
    #expect(queue.batch.entries.map(\.id) == [9])
    #expect(queue.batch.entries.map(\.verdict) == [.drop])
  }

  @Test func `Replies to verdicts are counted: gone packets apart from refusals`() throws {
    for code in [ENOENT, ENOENT, EINVAL, 0] { kernel.send(reply(code, to: 0)) }
    kernel.send(hex("10000000 0300 0000 00000000 00000000"))  // NLMSG_DONE: not expected
    kernel.send([1, 2, 3])
    let count = try queue.receive { _, _ in Issue.record("a reply is no packet") }
    #expect(count == 0)
    #expect(queue.vanished == 2)
    #expect(queue.refused == 1)
    #expect(queue.unintelligible == 1)
  }

  @Test func `A packet message without an id is counted, and its neighbours are delivered`() throws
  {
    kernel.send(packet(1) + hex("14000000 0003 0000 00000000 00000000 02000028") + packet(2))
    var ids: [UInt32] = []
    _ = try queue.receive { packet, _ in
      ids.append(packet.id)
      packet.settle(.drop)
    }
    #expect(ids == [1, 2])
    #expect(queue.unintelligible == 1)
  }

  // MARK: Verdicts

  @Test func `All verdicts go in one send, in order, and leave the batch empty`() throws {
    for id in 1...64 as ClosedRange<UInt32> { queue.batch.append(id: id, mark: 0, .pass(.allowed)) }
    try queue.flush()
    let datagram = kernel.receive()
    #expect(datagram.count == 64 * 40)
    // The id is in the last byte of the verdict's attribute: 16 + 4 + 4 + 4 + 3.
    #expect((0..<64).map { datagram[$0 * 40 + 31] } == Array(1...64))
    #expect(kernel.isEmpty)
    #expect(queue.batch.entries.isEmpty)
  }

  @Test func `More than a page of verdicts is split between messages`() throws {
    for id in 1...200 as ClosedRange<UInt32> {
      queue.batch.append(id: id, mark: 0, .pass(.allowed))
    }
    try queue.flush()
    let sizes = (0..<3).map { _ in kernel.receive().count }
    #expect(sizes == [3600, 3600, 800])
    #expect(kernel.isEmpty)
  }

  @Test func `A large replacement travels alone`() throws {
    let bytes = [UInt8](repeating: 0x45, count: 60_000)
    queue.batch.append(id: 1, mark: 0, .drop)
    let range = unsafe queue.batch.store(bytes.span.bytes)
    queue.batch.append(id: 2, mark: 0, .replace(.opened, arenaRange: range))
    queue.batch.append(id: 3, mark: 0, .drop)
    try queue.flush()
    let sizes = (0..<3).map { _ in kernel.receive().count }
    #expect(sizes == [32, 60_044, 32])
  }

  @Test func `An empty batch sends nothing`() throws {
    try queue.flush()
    #expect(kernel.isEmpty)
  }

  @Test func `A full socket loses no verdict: flush waits until there is room`() throws {
    // More datagrams than the socket pair holds; a thread takes them after the first is refused.
    let total = 90 * 600
    for id in 0..<UInt32(total) { queue.batch.append(id: id, mark: 0, .drop) }
    let kernel = kernel
    let received = Locked<[UInt32]>([])
    let thread = try Thread(name: "kernel") {
      var ids: [UInt32] = []
      while ids.count < total {
        let datagram = kernel.receive()
        for start in stride(from: 0, to: datagram.count, by: 32) {
          ids.append(datagram[start + 28..<start + 32].reduce(0) { $0 << 8 | UInt32($1) })
        }
      }
      received.withLock { $0 = ids }
    }
    try queue.flush()
    thread.join()
    #expect(received.withLock { $0 } == Array(0..<UInt32(total)))
  }

  @Test func `When a send fails for good, what was not sent stays for the next flush`() throws {
    let mask = try #require(MarkMask(bits: 0x0700_0000))
    let (kernel, descriptor) = try FakeKernel.pair()
    let queue = PacketQueue(
      socket: try NetlinkSocket(adopting: descriptor), number: 40, mask: mask, onFailure: .drop,
      patience: 0)
    let total: UInt32 = 90 * 600
    for id in 0..<total { queue.batch.append(id: id, mark: 0, .drop) }
    // Nobody takes anything: the socket fills up.
    #expect(throws: NetfilterError(.send, code: EAGAIN)) { try queue.flush() }
    var ids: [UInt32] = []
    while ids.count < total {
      while !kernel.isEmpty {
        let datagram = kernel.receive()
        for start in stride(from: 0, to: datagram.count, by: 32) {
          ids.append(datagram[start + 28..<start + 32].reduce(0) { $0 << 8 | UInt32($1) })
        }
      }
      do { try queue.flush() } catch { #expect(error.code == EAGAIN) }
    }
    #expect(ids == Array(0..<total))
    #expect(queue.batch.entries.isEmpty)
  }
}
