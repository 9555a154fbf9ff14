import CSystem
import Queue
import System
import Testing
import Wire

@testable import Netfilter

/// The module against the running kernel.
///
/// One after the other: they share queue 40 and the connection table of the namespace.
@Suite(
  .serialized,
  .enabled(
    if: Lab.isEnabled, "needs root and namespaces: run Tests/Lab/netfilter-kernel.sh"))
struct NetfilterKernelTests {
  static let mask = MarkMask(bits: 0x0700_0000)
  let mask: MarkMask

  init() throws { mask = try #require(Self.mask) }

  func queue(
    length: UInt32 = 1024, receiveBuffer: Int = 8 << 20
  ) throws -> PacketQueue {
    try PacketQueue(
      number: 40, length: length, failOpen: false, mask: mask, receiveBuffer: receiveBuffer)
  }

  /// Takes at least `count` packets, waiting up to 5 s for each.
  func take(
    _ count: Int, from queue: PacketQueue,
    _ body: (consuming HeldPacket, borrowing QueuedPacket) -> Void
  ) throws {
    var taken = 0
    while taken < count {
      var entry = pollfd(fd: queue.descriptor, events: Int16(POLLIN), revents: 0)
      try #require(unsafe poll(&entry, 1, 5000) == 1, "no packet came")
      taken += try queue.receive(body)
    }
  }

  @Test func `A bound queue stands in proc with its copy mode, and ends with its object`() throws {
    do {
      let queue = try queue()
      let statistics = try #require(try QueueStatistics.read(queue: 40))
      #expect(statistics.peerPort == queue.port)
      #expect(statistics.copyMode == 2)
      #expect(statistics.copyRange == 65531)
      #expect(statistics.droppedQueueFull == 0)
    }
    #expect(try QueueStatistics.read(queue: 40) == nil)
  }

  @Test func `A second instance is told who has the queue, and harms nothing`() throws {
    let first = try queue()
    let error = #expect(throws: NetfilterError.self) { _ = try queue() }
    #expect(error?.isQueueTaken == true)
    #expect(error?.operation == .bindQueue(40, holder: first.port))
    #expect(error?.description.contains("is another imgate running?") == true)

    let (client, server) = try path()
    client.send("still served")
    try take(1, from: first) { packet, _ in packet.settle(.pass(.allowed)) }
    try first.flush()
    #expect(server.receive() == .success("still served"))
  }

  @Test func `Without root it says what is missing`() throws {
    #expect(seteuid(65534) == 0)
    let error = #expect(throws: NetfilterError.self) { _ = try queue() }
    #expect(seteuid(0) == 0)
    #expect(error?.description == "using the netfilter queue needs root or CAP_NET_ADMIN")
  }

  /// A client socket towards port `port` of the server, and the server's socket.
  func path(_ port: UInt16 = 5000, ipv6: Bool = false) throws -> (LabSocket, LabSocket) {
    let server = LabSocket.udp(in: "nfk-server", ipv6: ipv6)
    server.bind(port: port)
    let client = LabSocket.udp(in: "nfk-client", ipv6: ipv6)
    client.connect(ipv6 ? Lab.serverIPv6 : Lab.serverIPv4, port)
    return (client, server)
  }

  @Test(arguments: [false, true])
  func `A packet comes with its interfaces, hardware address and bytes`(ipv6: Bool) throws {
    let queue = try queue()
    let lan = InterfaceSet(names: ["lan"])
    let wan = try #require(Interfaces.index(of: "wan"))
    let (client, server) = try path(ipv6: ipv6)
    client.send("hello")
    try take(1, from: queue) { packet, queued in
      #expect(lan.contains(queued.inputInterface))
      #expect(queued.outputInterface == wan)
      #expect(queued.hook == 2)
      #expect(queued.hardwareAddress == Lab.clientMAC)
      #expect(queued.isTruncated == false)
      #expect(queued.bytes.byteCount == (ipv6 ? 40 : 20) + 8 + 5)
      #expect(queued.bytes.byte(at: 0) >> 4 == (ipv6 ? 6 : 4))
      let metadata = queued.metadata(lan: lan, mask: mask)
      #expect(metadata.fromLAN)
      #expect(metadata.state == .unknown)
      packet.settle(.pass(.watched))
    }
    try queue.flush()
    #expect(server.receive() == .success("hello"))
    #expect(queue.refused == 0 && queue.vanished == 0 && queue.unintelligible == 0)
  }

  @Test func `The verdict's state is in the mark at the next hook, and other bits are kept`() throws
  {
    let queue = try queue()
    let (client, server) = try path(5001)
    let before = try #require(try Lab.packetsCounted(byRuleWith: "0x10000f0"))
    client.send("marked")
    try take(1, from: queue) { packet, queued in
      #expect(queued.mark == 0xf0)
      packet.settle(.pass(.allowed))
    }
    try queue.flush()
    #expect(server.receive() == .success("marked"))
    #expect(try Lab.packetsCounted(byRuleWith: "0x10000f0") == before + 1)
  }

  @Test func `A dropped packet does not arrive, nor one that was forgotten`() throws {
    let queue = try queue()
    let (client, server) = try path()
    for text in ["dropped", "forgotten", "passed"] { client.send(text) }
    var turn = 0
    try take(3, from: queue) { packet, _ in
      turn += 1
      switch turn {
      case 1: packet.settle(.drop)
      case 2: break
      default: packet.settle(.pass(.allowed))
      }
    }
    #expect(queue.batch.failures == 1)
    try queue.flush()
    #expect(server.receive() == .success("passed"))
    #expect(server.isEmpty)
    #expect(try QueueStatistics.read(queue: 40)?.waiting == 0)
  }

  @Test func `A replaced packet arrives as its new bytes`() throws {
    let queue = try queue()
    let (client, server) = try path()
    client.send("a payload that is cut")
    try take(1, from: queue) { packet, queued in
      var bytes = Array(array(queued.bytes)[..<33])  // 20 IPv4, 8 UDP, "a pay"
      bytes[3] = 33  // total length
      bytes[25] = 13  // UDP length
      bytes[26] = 0  // no UDP checksum
      bytes[27] = 0
      setIPv4Checksum(&bytes)
      packet.replace(with: unsafe bytes.span.bytes, .allowed)
    }
    try queue.flush()
    #expect(server.receive() == .success("a pay"))
    #expect(queue.refused == 0)
  }

  @Test func `Many verdicts are joined, and each packet gets its own, in order`() throws {
    let queue = try queue()
    let (client, server) = try path()
    for i in 0..<200 { client.send("\(i)") }
    // Held: answered only when all are here.
    var held: [UInt32] = []
    try take(200, from: queue) { packet, _ in
      held.append(packet.id)
      packet.settle(held.count % 2 == 0 ? .drop : .pass(.allowed))
    }
    try queue.flush()
    for i in stride(from: 0, to: 200, by: 2) { #expect(server.receive() == .success("\(i)")) }
    #expect(server.isEmpty)
    #expect(queue.batch.entries.isEmpty)
  }

  @Test func `Packets can be held and answered in any order`() throws {
    let queue = try queue()
    let (client, server) = try path()
    for text in ["one", "two", "three"] { client.send(text) }
    var ids: [UInt32] = []
    var marks: [UInt32] = []
    try take(3, from: queue) { packet, _ in
      ids.append(packet.id)
      marks.append(packet.mark)
      packet.settle(.drop)
    }
    queue.batch.removeAll()
    for i in [2, 0, 1] { queue.batch.append(id: ids[i], mark: marks[i], .pass(.allowed)) }
    try queue.flush()
    for text in ["three", "one", "two"] { #expect(server.receive() == .success(text)) }
  }

  @Test func `A verdict for an id that is not in the queue is counted, and no error`() throws {
    let queue = try queue()
    let (client, server) = try path()
    queue.batch.append(id: 999_999, mark: 0, .drop)
    try queue.flush()
    client.send("next")
    try take(1, from: queue) { packet, _ in packet.settle(.pass(.allowed)) }
    try queue.flush()
    #expect(server.receive() == .success("next"))
    #expect(queue.vanished == 1)
    #expect(queue.refused == 0)
  }

  @Test func `A full queue drops, and proc tells how many`() throws {
    let queue = try queue(length: 4)
    let (client, server) = try path()
    for i in 0..<10 { client.send("\(i)") }
    try take(4, from: queue) { packet, _ in packet.settle(.pass(.allowed)) }
    try queue.flush()
    #expect(server.receive() == .success("0"))
    #expect(try QueueStatistics.read(queue: 40)?.droppedQueueFull == 6)
  }

  @Test func `A full socket buffer is counted as an overrun, and proc tells how many`() throws {
    let queue = try queue(receiveBuffer: 4096)
    let (client, _) = try path()
    for i in 0..<100 { client.send("\(i)") }
    while try queue.receive({ packet, _ in packet.settle(.drop) }) > 0 { try queue.flush() }
    #expect(queue.overruns > 0)
    #expect(try #require(try QueueStatistics.read(queue: 40)).droppedSocketFull > 0)
    // And it works on.
    client.send("after")
    try take(1, from: queue) { packet, _ in packet.settle(.drop) }
    try queue.flush()
  }

  @Test func `A bulk transfer visits in packets larger than the link's, without final checksum`()
    throws
  {
    let queue = try queue()
    let server = LabSocket.tcp(in: "nfk-server")
    server.bind(port: 5002)
    server.listen()
    let client = LabSocket.tcp(in: "nfk-client")
    client.connect(Lab.serverIPv4, 5002, block: false)
    // SYN, then the ACK of the handshake.
    for _ in 0..<2 {
      try take(1, from: queue) { packet, _ in packet.settle(.pass(.opened)) }; try queue.flush()
    }
    let accepted = server.accept()
    client.send([UInt8](repeating: 0x61, count: 12_000))
    var (largest, payload, unfinished) = (0, 0, 0)
    while payload < 12_000 {
      try take(1, from: queue) { packet, queued in
        let header = 20 + Int(queued.bytes.byte(at: 32) >> 4) * 4
        payload += queued.bytes.byteCount - header
        largest = max(largest, queued.bytes.byteCount)
        if !queued.checksumIsFinal { unfinished += 1 }
        #expect(queued.isTruncated == false)
        packet.settle(.pass(.opened))
      }
      try queue.flush()
    }
    #expect(largest > 1500)
    #expect(unfinished > 0)
    var received = 0
    while received < 12_000 { received += try accepted.receive().get().utf8.count }
    #expect(received == 12_000)
  }
}

/// Writes the header checksum of the IPv4 packet (RFC 791), whose header has no options.
func setIPv4Checksum(_ packet: inout [UInt8]) {
  (packet[10], packet[11]) = (0, 0)
  let sum = onesComplementSum(packet[..<20])
  (packet[10], packet[11]) = (UInt8(~sum >> 8), UInt8(~sum & 0xff))
}

/// RFC 1071.
func onesComplementSum(_ bytes: ArraySlice<UInt8>, from start: UInt32 = 0) -> UInt16 {
  var sum = start
  for (i, byte) in bytes.enumerated() { sum += UInt32(byte) << (i % 2 == 0 ? 8 : 0) }
  while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
  return UInt16(sum)
}
