import CSystem
import Queue
import System
import Testing
import Wire

@testable import Netfilter

extension NetfilterKernelTests {
  /// Everything that is shown, with events waited for until `count` are there (up to 5 s for each).
  func events(_ count: Int, from conntrack: Conntrack) throws -> [ConntrackEntry] {
    var entries: [ConntrackEntry] = []
    while entries.count < count {
      var entry = pollfd(fd: conntrack.descriptor, events: Int16(POLLIN), revents: 0)
      try #require(unsafe poll(&entry, 1, 5000) == 1, "no event came")
      _ = try conntrack.receive { entries.append($0) }
    }
    return entries
  }

  func list(
    _ conntrack: Conntrack, mask: MarkMask? = nil, state: ConnectionState? = nil, port: UInt16
  ) throws -> [ConntrackEntry] {
    var entries: [ConntrackEntry] = []
    let dump = try conntrack.dump(mask: mask, state: state) { entry in
      if entry.original.destinationPort == port { entries.append(entry) }
    }
    #expect(!dump.isInterrupted)
    return entries
  }

  /// A masqueraded connection, counted: three packets of 20 + 8 + 5 bytes up, one of 20 + 8 + 2 down.
  @Test func `A masqueraded connection is listed with both tuples and its counts`() throws {
    let conntrack = try Conntrack()
    let (client, server) = try path(5100)
    for _ in 0..<3 { client.send("hello") }
    #expect(server.receive() == .success("hello"))
    let entry = try #require(try list(conntrack, port: 5100).first)
    #expect(entry.occasion == .listed)
    #expect(
      entry.original
        == FiveTuple(
          proto: .udp, source: Lab.clientIPv4, sourcePort: client.localPort,
          destination: Lab.serverIPv4, destinationPort: 5100))
    #expect(entry.reply.source == Lab.serverIPv4)
    #expect(entry.reply.destination == Lab.routerIPv4)
    #expect(entry.reply.sourcePort == 5100)
    #expect(entry.id != 0)
    #expect(entry.isCounted)
    #expect((entry.packetsUp, entry.bytesUp) == (3, 99))
    #expect((entry.packetsDown, entry.bytesDown) == (0, 0))
    #expect(entry.began > 1_600_000_000_000_000_000)
    #expect(entry.ended == 0)

    server.send("ok", to: Lab.routerIPv4, entry.reply.destinationPort)
    #expect(client.receive() == .success("ok"))
    let later = try #require(try list(conntrack, port: 5100).first { $0.id == entry.id })
    #expect((later.packetsDown, later.bytesDown) == (1, 30))
    try conntrack.delete(entry.original)
  }

  @Test(arguments: [false, true])
  func `A mark is set by the client's tuple, under the mask, and selects in a list`(ipv6: Bool)
    throws
  {
    let conntrack = try Conntrack()
    let (client, server) = try path(5101, ipv6: ipv6)
    client.send("hello")
    #expect(server.receive() == .success("hello"))
    let tuple = FiveTuple(
      proto: .udp, source: ipv6 ? Lab.clientIPv6 : Lab.clientIPv4, sourcePort: client.localPort,
      destination: ipv6 ? Lab.serverIPv6 : Lab.serverIPv4, destinationPort: 5101)
    let foreign = try #require(MarkMask(bits: 0x7))
    // Bits of somebody else, through a mask of theirs.
    #expect(try conntrack.setMark(tuple, .watchedBothWays, mask: foreign))
    #expect(try list(conntrack, mask: mask, port: 5101).isEmpty)

    #expect(try conntrack.setMark(tuple, .watched, mask: mask))
    #expect(try conntrack.setMark(tuple, .allowed, mask: mask))
    #expect(try list(conntrack, port: 5101).map(\.mark) == [0x0100_0005])
    #expect(try list(conntrack, mask: mask, port: 5101).map(\.original) == [tuple])
    #expect(try list(conntrack, mask: mask, state: .allowed, port: 5101).map(\.original) == [tuple])
    #expect(try list(conntrack, mask: mask, state: .watched, port: 5101).isEmpty)
    try conntrack.delete(tuple)
  }

  @Test func `A connection that was let in from outside is found by what the LAN sees`() throws {
    let conntrack = try Conntrack()
    // The router's port 5107 leads to port 5102 of the client (DNAT).
    let inside = LabSocket.udp(in: "nfk-client")
    inside.bind(port: 5102)
    let outside = LabSocket.udp(in: "nfk-server")
    outside.connect(Lab.routerIPv4, 5107)
    outside.send("hello")
    #expect(inside.receive() == .success("hello"))
    let seenInLAN = FiveTuple(
      proto: .udp, source: Lab.serverIPv4, sourcePort: outside.localPort,
      destination: Lab.clientIPv4, destinationPort: 5102)
    #expect(try conntrack.setMark(seenInLAN, .denied, mask: mask))
    let entry = try #require(try list(conntrack, mask: mask, state: .denied, port: 5107).first)
    #expect(entry.original.destination == Lab.routerIPv4)
    #expect(entry.reply == seenInLAN.reversed)
    #expect(try conntrack.delete(seenInLAN))
  }

  @Test func `A deleted connection ends with an event that has its counts and mark`() throws {
    let (client, server) = try path(5103)
    let conntrack = try Conntrack()
    client.send("hello")
    #expect(server.receive() == .success("hello"))
    let tuple = FiveTuple(
      proto: .udp, source: Lab.clientIPv4, sourcePort: client.localPort,
      destination: Lab.serverIPv4, destinationPort: 5103)
    #expect(try conntrack.setMark(tuple, .allowed, mask: mask))
    #expect(try conntrack.delete(tuple))
    var found: ConntrackEntry?
    while found == nil { found = try events(1, from: conntrack).first { $0.original == tuple } }
    let entry = try #require(found)
    #expect(entry.occasion == .destroyed)
    #expect(entry.mark == 0x0100_0000)
    #expect(entry.isCounted)
    #expect((entry.packetsUp, entry.bytesUp) == (1, 33))
    #expect(entry.ended >= entry.began && entry.began > 0)
    #expect(try conntrack.delete(tuple) == false, "it is gone")
    #expect(try conntrack.setMark(tuple, .denied, mask: mask) == false)
  }

  @Test func `Beginnings are events too, for who asks`() throws {
    let conntrack = try Conntrack(events: [.created, .updated, .destroyed])
    let (client, server) = try path(5104)
    client.send("hello")
    #expect(server.receive() == .success("hello"))
    let tuple = FiveTuple(
      proto: .udp, source: Lab.clientIPv4, sourcePort: client.localPort,
      destination: Lab.serverIPv4, destinationPort: 5104)
    #expect(try conntrack.setMark(tuple, .allowed, mask: mask))
    #expect(try conntrack.delete(tuple))
    var occasions: [ConntrackEntry.Occasion] = []
    while occasions.last != .destroyed {
      occasions += try events(1, from: conntrack).filter { $0.original == tuple }.map(\.occasion)
    }
    #expect(occasions == [.created, .updated, .destroyed])
  }

  @Test func `ICMP has no ports, and is listed all the same`() throws {
    let conntrack = try Conntrack()
    // An echo request from a raw socket of the client.
    let client = Lab.socket(in: "nfk-client", ipv6: false, type: 3, proto: 1)
    var request: [UInt8] = [8, 0, 0, 0, 0x12, 0x34, 0, 1]
    let checksum = ~onesComplementSum(request[...])
    (request[2], request[3]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
    client.send(request, to: Lab.serverIPv4, 0)
    _ = client.receive()
    let entry = try #require(try list(conntrack, port: 0).first { $0.original.proto == .icmp })
    #expect(entry.original.source == Lab.clientIPv4)
    #expect(entry.original.destination == Lab.serverIPv4)
    #expect(try conntrack.setMark(entry.original, .denied, mask: mask) == false)
  }

  /// The end of every connection is told, though the socket's buffer holds a fraction of them.
  @Test func `No end of a connection is lost when the buffer overflows`() throws {
    let conntrack = try Conntrack(receiveBuffer: 16 << 10)
    let server = LabSocket.udp(in: "nfk-server")
    server.bind(port: 5105)
    let client = LabSocket.udp(in: "nfk-client")
    client.bind(port: 30000)
    for port in UInt16(20000)..<20400 { client.send("x", to: Lab.serverIPv4, port) }
    var listed = Set<UInt16>()
    try conntrack.dump { entry in
      if (20000..<20400).contains(entry.original.destinationPort) {
        listed.insert(entry.original.destinationPort)
      }
    }
    #expect(listed.count == 400)
    for port in UInt16(20000)..<20400 {
      try conntrack.delete(
        FiveTuple(
          proto: .udp, source: Lab.clientIPv4, sourcePort: 30000, destination: Lab.serverIPv4,
          destinationPort: port))
    }
    var ended = Set<UInt16>()
    while ended.count < 400 {
      for entry in try events(1, from: conntrack) where entry.original.sourcePort == 30000 {
        ended.insert(entry.original.destinationPort)
      }
    }
    #expect(conntrack.overruns > 0)
    #expect(ended == listed)
  }

  @Test func `A hundred thousand connections are listed`() throws {
    let conntrack = try Conntrack()
    for source in 0..<2 {
      let client = LabSocket.udp(in: "nfk-client")
      client.bind(port: UInt16(31000 + source))
      for port in UInt16(6000)..<56000 { client.send("", to: Lab.serverIPv4, port) }
    }
    var (entries, bytes): (Set<FiveTuple>, UInt64) = ([], 0)
    let start = Instant.now
    let dump = try conntrack.dump { entry in
      guard (31000..<31002).contains(entry.original.sourcePort) else { return }
      entries.insert(entry.original)
      bytes += entry.bytesUp
    }
    let span = Instant.now.since(start).wholeMilliseconds
    print("listed \(dump.entries) connections in \(span) ms")
    #expect(entries.count == 100_000)
    #expect(bytes == 2_800_000)
    #expect(dump.entries >= 100_000)
  }
}
