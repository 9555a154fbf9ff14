import Flow
import Names
import PacketBuilder
import Policy
import Queue
import System
import Testing
import Wire

/// A media protocol, and the connection that vouches for it.
struct MediaCase: Sendable, CustomTestStringConvertible {
  let name: String
  let application: Application
  let bytes: [UInt8]
  let rule: String
  /// Where its server lives when that is known.
  let known: String
  /// What the server says, after which the client goes on.
  let answer: [UInt8]
  var testDescription: String { name }

  func hasCompanion(_ path: Path) throws -> TCPConversation {
    application == .highway ? try path.hasMSF() : try path.hasLongLink()
  }
  func hasWrongCompanion(_ path: Path) throws -> TCPConversation {
    application == .highway ? try path.hasLongLink() : try path.hasMSF()
  }

  static let all = [
    MediaCase(
      name: "media frames", application: .c2c, bytes: Chat.mediaFrame, rule: "wechat.pictures",
      known: "pictures.weixin.qq.com", answer: hex("ab 00*40")),
    MediaCase(
      name: "media forms", application: .c2cHTTP, bytes: Chat.mediaForm(),
      rule: "wechat.pictures", known: "pictures.weixin.qq.com", answer: httpResponse(body: "x")),
    MediaCase(
      name: "Highway", application: .highway, bytes: Chat.highway, rule: "qq.pictures",
      known: "htdata3.qq.com", answer: hex("28 00*20 29")),
  ]
}

@Suite("Chat media at an address that nobody knows")
struct MediaTests {
  static let server: Endpoint = "198.18.0.20:443"

  @Test(
    "passes while the device has a live chat connection, and is watched", arguments: MediaCase.all)
  func allowed(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    #expect(path.client(tcp.clientSends(media.bytes)) == .delivered)
    #expect(path.reason == .mediaCompanion)
    #expect(path.rule == media.rule)
    #expect(path.application == media.application)
    path.server(tcp.serverSends(media.answer))
    #expect(path.state(tcp.tuple) == .watched)
    for _ in 0..<5 {
      #expect(path.client(tcp.clientSends(media.bytes)) == .delivered)
      path.server(tcp.serverSends(media.answer))
      #expect(path.state(tcp.tuple) == .watched)
    }
    #expect(path.records.count == 2, "the companion and the media")
    #expect(path.companions.liveCount == 1, "media vouches for nothing")
    // A download visits no more.
    let visits = path.visits
    for _ in 0..<50 {
      path.server(tcp.serverSends([UInt8](repeating: 7, count: 1400)))
      path.client(tcp.clientACK())
    }
    #expect(path.visits == visits)
  }

  @Test("is refused without a companion", arguments: MediaCase.all)
  func alone(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    var tcp = opened(path, to: Self.server)
    path.client(tcp.clientSends(media.bytes))
    #expect(path.reason == .noCompanion)
    #expect(path.rule == media.rule)
    #expect(path.stream(tcp.tuple) == [])
  }

  @Test(
    "is refused with another service's companion, or another device's", arguments: MediaCase.all)
  func wrongCompanion(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasWrongCompanion(path)
    _ = try path.hasLongLink(HoldingTests.tablet)
    if media.application == .highway {
      var tcp = opened(
        path, from: "198.18.1.11:5", to: "198.18.0.8:8080", device: HoldingTests.tablet)
      path.client(tcp.clientSends(Chat.heartbeat), device: HoldingTests.tablet)
      path.server(tcp.serverACK())
    }
    var tcp = opened(path, to: Self.server)
    path.client(tcp.clientSends(media.bytes))
    #expect(path.reason == .noCompanion)
    #expect(path.stream(tcp.tuple) == [])
  }

  @Test(
    "is refused when the companion has ended, and goes on when it ends meanwhile",
    arguments: MediaCase.all)
  func ended(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    let companion = try media.hasCompanion(path)
    var live = opened(path, to: Self.server)
    path.client(live.clientSends(media.bytes))
    path.server(live.serverSends(media.answer))
    path.companions.ended(companion.tuple)
    #expect(path.client(live.clientSends(media.bytes)) == .delivered)
    var late = opened(path, from: "198.18.1.10:40002", to: Self.server)
    path.client(late.clientSends(media.bytes))
    #expect(path.reason == .noCompanion)
  }

  @Test("needs no companion where its address is known", arguments: MediaCase.all)
  func knownAddress(_ media: MediaCase) throws {
    for lines in ["", "media: bound"] {
      let path = try ChatFixtures.path(lines)
      try path.learn("198.18.0.20", media.known)
      var tcp = opened(path, to: Self.server)
      #expect(path.client(tcp.clientSends(media.bytes)) == .delivered)
      #expect(path.reason == .signatureAllowed)
      path.server(tcp.serverSends(media.answer))
      #expect(path.state(tcp.tuple) == (media.application == .c2cHTTP ? .watched : .allowed))
      #expect(path.companions.spent(by: Path.phone) == 0)
    }
  }

  @Test("is refused under media: bound and media: off", arguments: MediaCase.all)
  func switches(_ media: MediaCase) throws {
    for (line, reason) in [("media: bound", Reason.addressNotLearned), ("media: off", .mediaOff)] {
      let path = try ChatFixtures.path(line)
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      path.client(tcp.clientSends(media.bytes))
      #expect(path.reason == reason)
    }
  }

  @Test("is refused when its feature is off", arguments: MediaCase.all)
  func featureOff(_ media: MediaCase) throws {
    let path = try ChatFixtures.path("services: {wechat: {pictures: off}, qq: {pictures: off}}")
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    path.client(tcp.clientSends(media.bytes))
    #expect(path.reason == .featureOff)
  }

  @Test("may be split anywhere, its second frame too", arguments: MediaCase.all)
  func split(_ media: MediaCase) throws {
    for offset in 1..<media.bytes.count {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      for piece in media.bytes.split(at: offset) { path.client(tcp.clientSends(piece)) }
      path.server(tcp.serverSends(media.answer))
      for piece in media.bytes.split(at: offset) { path.client(tcp.clientSends(piece)) }
      path.server(tcp.serverSends(media.answer))
      #expect(path.stream(tcp.tuple).count == 2 * media.bytes.count, "split at \(offset)")
      #expect(path.state(tcp.tuple) == .watched)
      #expect(path.heldCount == 0)
    }
  }

  @Test("may come byte by byte, the last one first", arguments: MediaCase.all)
  func singleBytes(_ media: MediaCase) throws {
    let path = try ChatFixtures.path(limits: FlowLimits().with { $0.packets = 256 })
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    for _ in 0..<2 {
      for packet in media.bytes.map({ tcp.clientSends([$0]) }).reversed() {
        path.client(packet)
      }
      path.server(tcp.serverSends(media.answer))
    }
    #expect(path.stream(tcp.tuple) == media.bytes + media.bytes)
    #expect(path.state(tcp.tuple) == .watched)
  }

  @Test("is refused on a port that is not its own", arguments: MediaCase.all)
  func wrongPort(_ media: MediaCase) throws {
    let path = try ChatFixtures.path("allow: [{host: a.example, ports: [5000]}]")
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: "198.18.0.20:5000")
    path.client(tcp.clientSends(media.bytes))
    #expect(path.reason == .portNotAllowed)
    #expect(path.stream(tcp.tuple) == [])
  }

  // MARK: For life

  @Test("is no tunnel: what follows a valid frame must be one", arguments: MediaCase.all)
  func tunnel(_ media: MediaCase) throws {
    for tunnel in [
      .ascii("SSH-2.0-OpenSSH_9.2\r\n"), Chat.tlsHello, hex("00*40"), hex("29"), [0xab],
      httpRequest(host: "www.example.com"), Chat.ticketHello,
    ] {
      for isAtOnce in [true, false] {
        let path = try ChatFixtures.path()
        _ = try media.hasCompanion(path)
        var tcp = opened(path, to: Self.server)
        if isAtOnce {
          path.client(tcp.clientSends(media.bytes + tunnel))
        } else {
          path.client(tcp.clientSends(media.bytes))
          path.server(tcp.serverSends(media.answer))
          let before = path.stream(tcp.tuple)
          path.client(tcp.clientSends(tunnel))
          #expect(path.stream(tcp.tuple) == before)
        }
        path.wait(.seconds(11))
        #expect(path.state(tcp.tuple) == .denied)
        #expect(
          [.malformedFrame, .malformedHTTP, .hostNotAllowed, .heldTooLong].contains(path.reason))
      }
    }
  }

  @Test("is refused when its first frame comes again with other bytes", arguments: MediaCase.all)
  func decoy(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    var decoy = tcp
    path.client(tcp.clientSends(media.bytes))
    #expect(path.client(decoy.clientSends(Chat.tlsHello)) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test("is refused when a later frame comes again with other bytes", arguments: MediaCase.all)
  func laterDecoy(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    path.client(tcp.clientSends(media.bytes))
    path.server(tcp.serverSends(media.answer))
    var decoy = tcp
    path.client(tcp.clientSends(media.bytes))
    #expect(path.client(decoy.clientSends(Array(Chat.tlsHello.prefix(18)))) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  static func largeFrame(_ size: Int) -> [UInt8] {
    // ver, and data of `size` bytes.
    var frame = hex("ab 00000000 2714 00*18 00000003 \"ver\" 00000001 \"1\" 00000004 \"data\"")
    frame += bigEndian(UInt32(size)) + [UInt8](repeating: 0x5a, count: size)
    return frame.overwriting(at: 1, bigEndian(UInt32(frame.count)))
  }

  static func largeHighway(_ size: Int) -> [UInt8] {
    hex("28 00000004") + bigEndian(UInt32(size)) + hex("0a020801")
      + [UInt8](repeating: 0x61, count: size) + [0x29]
  }

  @Test("may be large: what is in a frame is the chat's own", arguments: [5_000, 20_000, 300_000])
  func large(size: Int) throws {
    for (frame, media) in [
      (Self.largeFrame(size), MediaCase.all[0]), (Self.largeHighway(size), MediaCase.all[2]),
    ] {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      for _ in 0..<2 {
        for (i, piece) in frame.pieces(of: 1400).enumerated() {
          #expect([.delivered, .held].contains(path.client(tcp.clientSends(piece))))
          if i % 20 == 10 { path.server(tcp.serverACK()) }
        }
        path.server(tcp.serverSends(media.answer))
        #expect(path.heldCount == 0)
        #expect(path.state(tcp.tuple) == .watched)
      }
      #expect(path.companions.spent(by: Path.phone) == UInt64(2 * frame.count))
      path.client(tcp.clientSends(.ascii("GET / HTTP/1.1\r\n")))
      #expect(path.reason == .malformedFrame)
    }
  }

  @Test("may be one packet of 64 KiB")
  func joined() throws {
    for (frame, media) in [
      (Self.largeFrame(63_000), MediaCase.all[0]), (Self.largeHighway(63_000), MediaCase.all[2]),
    ] {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      for piece in media.bytes.split(at: 5) { path.client(tcp.clientSends(piece)) }
      path.server(tcp.serverACK())
      for _ in 0..<3 {
        #expect(path.client(tcp.clientSends(frame)) == .delivered)
        path.server(tcp.serverACK())
      }
      #expect(path.state(tcp.tuple) == .watched)
    }
  }

  @Test("ends when a Highway frame does not end as one", arguments: [0, 1, 5_000, 100_000])
  func highwayEnd(size: Int) throws {
    let path = try ChatFixtures.path()
    _ = try path.hasMSF()
    var tcp = opened(path, to: Self.server)
    var frame = Self.largeHighway(size)
    frame[frame.count - 1] = 0x2a
    for piece in frame.pieces(of: 1400) {
      path.client(tcp.clientSends(piece))
      path.server(tcp.serverACK())
    }
    #expect(path.reason == .malformedFrame)
    #expect(path.state(tcp.tuple) == .denied)
  }

  @Test("has the end of a Highway frame compared with its copies")
  func highwayEndDecoy() throws {
    let path = try ChatFixtures.path()
    _ = try path.hasMSF()
    var tcp = opened(path, to: Self.server)
    let frame = Self.largeHighway(10_000)
    for piece in Array(frame.dropLast()).pieces(of: 1400) { path.client(tcp.clientSends(piece)) }
    path.server(tcp.serverACK())
    #expect(path.state(tcp.tuple) == .watched)
    var decoy = tcp
    #expect(path.client(tcp.clientSends([0x29])) == .delivered)
    #expect(path.state(tcp.tuple) == .awaiting)
    #expect(path.client(decoy.clientSends([0x2a])) == .refused)
    #expect(path.reason == .overlapMismatch)
  }

  @Test("may send frames without waiting for answers")
  func pipelined() throws {
    for media in MediaCase.all where media.application != .c2cHTTP {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      for _ in 0..<500 {
        path.client(tcp.clientSends(media.bytes))
        if tcp.clientNext % 7 == 0 { path.server(tcp.serverACK()) }
      }
      #expect(path.stream(tcp.tuple).count == 500 * media.bytes.count)
      path.server(tcp.serverACK())
      #expect(path.state(tcp.tuple) == .watched)
    }
  }

  @Test("may send so fast that acknowledgements never catch up")
  func streaming() throws {
    for media in MediaCase.all where media.application != .c2cHTTP {
      let path = try ChatFixtures.path()
      _ = try media.hasCompanion(path)
      var tcp = opened(path, to: Self.server)
      path.client(tcp.clientSends(media.bytes))
      for _ in 0..<4000 {
        let behind = tcp
        #expect(path.client(tcp.clientSends(media.bytes + media.bytes)) == .delivered)
        path.server(behind.serverACK())
      }
      #expect(path.state(tcp.tuple) == .awaiting)
    }
  }

  // MARK: Forms

  /// A form with other words in its head.
  static func form(_ old: String, _ new: String) -> [UInt8] {
    let text = String(decoding: Chat.mediaForm(), as: UTF8.self)
    return .ascii(text.replacing(old, with: new))
  }

  static let badForms: [(String, [UInt8], Reason)] = [
    (
      "first key vex", Chat.mediaForm(body: Chat.mediaPairs.overwriting(at: 6, .ascii("x"))),
      Reason.noServerName
    ),
    (
      "a value past the body", Chat.mediaForm(body: Chat.mediaPairs.overwriting(at: 28, hex("06"))),
      .malformedFrame
    ),
    ("another path", Chat.mediaForm(path: "/uploadv4"), .noServerName),
    ("a query", Chat.mediaForm(path: "/uploadv3?a"), .noServerName),
    ("an empty body", httpRequest("POST", "/uploadv3", host: "198.18.0.20"), .noServerName),
    ("another address", form("198.18.0.20", "198.18.0.21"), .noServerName),
    ("a name", form("198.18.0.20", "www.example.com"), .hostNotAllowed),
    ("two hosts", form("User-Agent", "Host: 198.18.0.20\r\nUser-Agent"), .malformedHTTP),
  ]

  @Test(
    "in a form must have pairs in its body and the server's address in Host",
    arguments: Self.badForms)
  func forms(name: String, bytes: [UInt8], reason: Reason) throws {
    let path = try ChatFixtures.path()
    _ = try path.hasLongLink()
    var tcp = opened(path, to: Self.server)
    path.client(tcp.clientSends(bytes))
    #expect(path.reason == reason, "\(name)")
    #expect(path.stream(tcp.tuple) == [])
  }

  @Test("in forms of 64 KiB passes, each judged by its first pairs")
  func largeForms() throws {
    let path = try ChatFixtures.path()
    _ = try path.hasLongLink()
    var tcp = opened(path, to: Self.server)
    let body =
      Chat.mediaPairs + hex("00000008 \"filedata\" 00010000") + [UInt8](repeating: 9, count: 65_536)
    let form = Chat.mediaForm(path: "/download", body: body, length: body.count)
    for _ in 0..<3 {
      for piece in form.pieces(of: 1400) { path.client(tcp.clientSends(piece)) }
      path.server(tcp.serverSends(httpResponse(body: "x")))
    }
    #expect(path.stream(tcp.tuple).count == 3 * form.count)
    path.client(tcp.clientSends(httpRequest(host: "198.18.0.20")))
    #expect(path.reason == .noServerName)
    #expect(path.companions.spent(by: Path.phone) > UInt64(3 * form.count))
  }

  // MARK: The budget

  @Test("ends when the device has used up its budget of the day", arguments: MediaCase.all)
  func budget(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasCompanion(path)
    path.companions.spend(300_000_000 - UInt64(2 * media.bytes.count), by: Path.phone)
    var tcp = opened(path, to: Self.server)
    for _ in 0..<2 {
      #expect(path.client(tcp.clientSends(media.bytes)) == .delivered)
      path.server(tcp.serverSends(media.answer))
    }
    let before = path.stream(tcp.tuple)
    #expect(path.client(tcp.clientSends([media.bytes[0]])) == .refused)
    #expect(path.reason == .mediaBudget)
    #expect(path.rule == media.rule)
    #expect(path.stream(tcp.tuple) == before)
    var another = opened(path, from: "198.18.1.10:40002", to: Self.server)
    path.client(another.clientSends(media.bytes))
    #expect(path.reason == .mediaBudget)
    path.companions.newDay()
    var tomorrow = opened(path, from: "198.18.1.10:40003", to: Self.server)
    #expect(path.client(tomorrow.clientSends(media.bytes)) == .delivered)
  }

  @Test("spends its budget on copies too", arguments: MediaCase.all)
  func copies(_ media: MediaCase) throws {
    let path = try ChatFixtures.path()
    _ = try media.hasCompanion(path)
    var tcp = opened(path, to: Self.server)
    let before = tcp
    path.client(tcp.clientSends(media.bytes))
    path.server(tcp.serverSends(media.answer))
    for _ in 0..<9 {
      var again = before
      path.client(again.clientSends(media.bytes))
    }
    #expect(path.companions.spent(by: Path.phone) == UInt64(10 * media.bytes.count))
  }
}

@Suite("Companions")
struct CompanionsTests {
  static let vouchers = Vouchers(
    service: 7, applications: [ApplicationSet(.mmtls), ApplicationSet(.longLink)])

  static func tuple(_ i: Int) -> FiveTuple {
    FiveTuple(
      from: Endpoint(IPAddress(ipv4: 0xc612_0100 + UInt32(i / 60_000)), UInt16(i % 60_000)),
      to: "198.18.0.7:8080")
  }

  @Test("vouch for their own device and service, while they live")
  func vouching() {
    let companions = Companions()
    #expect(!companions.vouch(for: Path.phone, Self.vouchers))
    companions.began(Self.tuple(1), device: Path.phone, service: 7, application: .msf)
    companions.began(Self.tuple(2), device: Path.phone, service: 8, application: .mmtls)
    companions.began(Self.tuple(3), device: Path.laptop, service: 7, application: .mmtls)
    #expect(!companions.vouch(for: Path.phone, Self.vouchers))
    companions.began(Self.tuple(4), device: Path.phone, service: 7, application: .longLink)
    #expect(companions.vouch(for: Path.phone, Self.vouchers))
    companions.ended(Self.tuple(4))
    companions.ended(Self.tuple(99))
    #expect(!companions.vouch(for: Path.phone, Self.vouchers))
    #expect(companions.liveCount == 3)
    // The same ports again, another device's now.
    companions.began(Self.tuple(3), device: Path.phone, service: 7, application: .mmtls)
    #expect(companions.vouch(for: Path.phone, Self.vouchers))
    #expect(!companions.vouch(for: Path.laptop, Self.vouchers))
    #expect(companions.liveCount == 3)
  }

  @Test("of one device push out only its own, the oldest first")
  func limits() {
    let companions = Companions()
    companions.began(Self.tuple(0), device: Path.laptop, service: 7, application: .mmtls)
    companions.began(Self.tuple(1), device: Path.phone, service: 7, application: .mmtls)
    for i in 2..<34 {
      companions.began(Self.tuple(i), device: Path.phone, service: 7, application: .msf)
    }
    #expect(companions.liveCount == 33)
    #expect(!companions.vouch(for: Path.phone, Self.vouchers))
    #expect(companions.vouch(for: Path.laptop, Self.vouchers))
    for i in 0..<40 { companions.ended(Self.tuple(i)) }
    #expect(companions.liveCount == 0)
    #expect(companions.liveTuples == [])
  }

  @Test("are bounded in number, and so are the devices that spend")
  func bounded() {
    let companions = Companions()
    for i in 0..<70_000 {
      let device = MACAddress(bits: UInt64(i))
      companions.began(Self.tuple(i), device: device, service: 7, application: .mmtls)
      companions.spend(1, by: device)
    }
    #expect(companions.liveCount == 65_536)
    #expect(companions.spentToday.count == 65_536)
    #expect(companions.spend(1, by: MACAddress(bits: 69_999)) == .max)
    #expect(companions.spend(.max, by: MACAddress(bits: 1)) == .max)
    #expect(companions.spend(1, by: MACAddress(bits: 1)) == .max)
  }
}
