import PacketBuilder
import Testing
import Wire

private let vectors: [ChatVector] = [
  ChatVector("TLS hello", .tls, Chat.tlsHello, .good(87)),
  ChatVector("TLS hello over two records", .tls, Chat.tlsSplitHello, .good(92)),
  ChatVector(
    "TLS name past its list", .tls, Chat.tlsHello.overwriting(at: 59, hex("0014")), .malformed),
  ChatVector("TLS name with NUL", .tls, Chat.tlsHello.overwriting(at: 66, hex("00")), .malformed),
  ChatVector(
    "TLS with the version of mmtls", .tls, Chat.tlsHello.overwriting(at: 1, hex("f104")), .other),
  ChatVector("TLS cut inside the name", .tls, Array(Chat.tlsHello[..<60]), .more),

  ChatVector("mmtls hello with a ticket", .mmtls, Chat.ticketHello, .good(166)),
  ChatVector("mmtls hello with key shares", .mmtls, Chat.sharesHello, .good(228)),
  ChatVector("mmtls answer", .mmtlsAnswer, Chat.mmtlsAnswer, .good(51)),
  ChatVector("mmtls alert", .mmtlsAnswer, Chat.mmtlsAlert, .good(12)),
  ChatVector(
    "mmtls section shorter than its record", .mmtls,
    Chat.ticketHello.overwriting(at: 8, hex("9c")), .malformed),
  ChatVector(
    "mmtls with the version of TLS", .mmtls, Chat.ticketHello.overwriting(at: 1, hex("0301")),
    .other),
  ChatVector(
    "mmtls with nine suites", .mmtls, Chat.ticketHello.overwriting(at: 12, hex("09")), .malformed),
  ChatVector(
    "mmtls that begins with data", .mmtls, Chat.ticketHello.overwriting(at: 0, hex("17")), .other),

  ChatVector("short link", .shortLink, Chat.shortLink(), .good(493)),
  ChatVector(
    "short link, records longer than the body", .shortLink, Chat.shortLink(length: 263), .malformed),
  ChatVector(
    "short link with two hosts", .shortLink, Chat.shortLink(first: "Host: www.example.com"),
    .malformed),
  ChatVector("short link, capitals in the id", .shortLink, Chat.shortLink(id: "0A1B2C3D"), .other),

  ChatVector("old long link, two packets", .longLink, Chat.longLink, .good(218)),
  ChatVector(
    "old long link, header of 20", .longLink, Chat.longLink.overwriting(at: 5, hex("14")), .other),
  ChatVector(
    "old long link, no packet behind the first", .longLink,
    hex(
      """
      00000010 0010 0001 00000006 00000001 ; a whole packet
      0a "hello" ; the next length would be 0x0a68656c: past the cap
      """), .malformed),
  ChatVector(
    "old long link, total shorter than the header", .longLink,
    Chat.longLink.overwriting(at: 3, hex("0f")), .other),

  ChatVector("newgetdns", .newDNS, Chat.newDNS, .good(197)),
  ChatVector("newgetdns reply", .newDNSReply, .ascii(Chat.newDNSReply), .good(489)),

  ChatVector("media frame", .mediaFrame, Chat.mediaFrame, .good(59)),
  ChatVector(
    "media frame, first key vex", .mediaFrame, Chat.mediaFrame.overwriting(at: 31, .ascii("x")),
    .other),
  ChatVector(
    "media frame, first key xer", .mediaFrame, Chat.mediaFrame.overwriting(at: 29, hex("78")),
    .other),
  ChatVector(
    "media frame, total below 50", .mediaFrame, Chat.mediaFrame.overwriting(at: 4, hex("10")),
    .malformed),
  ChatVector("media form", .mediaForm, Chat.mediaForm(), .good(135)),
  ChatVector(
    "media form, first key vex", .mediaForm,
    Chat.mediaForm(body: Chat.mediaPairs.overwriting(at: 6, .ascii("x"))), .other),
  ChatVector(
    "media form, value past the body", .mediaForm,
    Chat.mediaForm(body: Chat.mediaPairs.overwriting(at: 28, hex("06"))), .malformed),

  ChatVector("OICQ", .oicq, Chat.oicq, .good(44)),
  ChatVector("OICQ without its end", .oicq, Chat.oicq.overwriting(at: 43, hex("04")), .other),
  ChatVector("OICQ, unknown command", .oicq, Chat.oicq.overwriting(at: 3, hex("00ff")), .other),
  ChatVector("QQ PC manager", .oicq, hex("0002 0040 00*8 03"), .other),
  ChatVector("PC QQ", .oicqStream, Chat.oicqStream, .good(46)),
  ChatVector(
    "PC QQ, length without itself", .oicqStream, Chat.oicqStream.overwriting(at: 0, hex("002c")),
    .other),
  ChatVector("TDS login of 512 bytes", .oicqStream, hex("0200 0200 00*508"), .other),

  ChatVector("MSF heartbeat", .msf, Chat.heartbeat, .good(53)),
  ChatVector("MSF login of QQNT", .msf, Chat.ntLogin, .good(39)),
  ChatVector("MSF after the login", .msf, Chat.simple, .good(39)),
  ChatVector("MSF of the server", .msfAnswer, Chat.serverFrame, .good(35)),
  ChatVector("MSF protocol 0E", .msf, Chat.heartbeat.overwriting(at: 7, hex("0e")), .other),
  ChatVector("MSF encryption 3", .msf, Chat.heartbeat.overwriting(at: 8, hex("03")), .other),
  ChatVector(
    "MSF account of 60 digits", .msf, Chat.ntLogin.overwriting(at: 14, hex("00000040")),
    .malformed),
  ChatVector(
    "MSF length without itself", .msf, Chat.heartbeat.overwriting(at: 3, hex("36")), .more),

  ChatVector("Highway", .highway, Chat.highway, .good(18)),
  ChatVector(
    "Highway without its end", .highway, Chat.highway.overwriting(at: 17, hex("2a")), .malformed),
  ChatVector(
    "Highway, head past the cap", .highway, Chat.highway.overwriting(at: 1, hex("28000000")),
    .other),

  ChatVector("gQUIC hello", .gquic, Chat.gquic, .good(90)),
  ChatVector(
    "gQUIC name past the hello", .gquic, Chat.gquic.overwriting(at: 50, hex("34")), .malformed),
  ChatVector("gQUIC recogniser on QUIC v1", .gquic, Chat.quic, .other),
  ChatVector("gQUIC without a version", .gquic, Chat.gquic.overwriting(at: 0, hex("0c")), .other),
  ChatVector("QUIC v1 Initial", .quic, Chat.quic, .good(82)),
]

private let good = vectors.filter(\.verdict.isGood)

/// Where a shorter beginning is enough, by what it is: everything else must be there whole.
private func isEnough(_ vector: ChatVector, _ count: Int) -> Bool {
  switch vector.recogniser {
  // The first of two packets.
  case .longLink: count == 16
  // The ServerHello; what follows is encrypted.
  case .mmtlsAnswer: count >= 51
  // Ten bytes decide, since frames are longer than what is held.
  case .highway: count >= 10
  // Between its roots a reply could end.
  case .newDNSReply: String(decoding: vector.bytes[..<count], as: UTF8.self).isBetweenRoots
  default: false
  }
}

extension String {
  fileprivate var isBetweenRoots: Bool {
    let text = last == "\n" ? String(dropLast()) : self
    return ["</dns>", "</securedomainlist>", "</functionlist>"].contains { text.hasSuffix($0) }
  }
}

@Suite("A recogniser")
struct RecognitionTests {
  @Test("says of each vector what it must", arguments: vectors)
  func verdict(_ vector: ChatVector) {
    #expect(vector.recogniser.verdict(vector.bytes) == vector.verdict)
  }

  @Test("never takes a beginning for the whole", arguments: good)
  func truncated(_ vector: ChatVector) {
    for count in 0..<vector.bytes.count {
      let verdict = vector.recogniser.verdict(Array(vector.bytes[..<count]))
      if isEnough(vector, count) {
        #expect(verdict.isGood, "first \(count) bytes")
      } else if vector.recogniser == .oicq {
        // A datagram is whole, and without its last byte it is another protocol's.
        #expect(verdict == .other, "first \(count) bytes")
      } else {
        #expect(verdict == .more, "first \(count) bytes")
      }
    }
  }

  @Test("survives any flipped bit, whole and cut", arguments: good)
  func flipped(_ vector: ChatVector) {
    for bit in 0..<vector.bytes.count * 8 {
      let bytes = vector.bytes.flippingBit(bit)
      _ = vector.recogniser.verdict(bytes)
      _ = vector.recogniser.verdict(Array(bytes.dropLast(bytes.count / 3)))
    }
  }

  @Test("survives lengths of 0, 1 and the greatest anywhere", arguments: good)
  func lengths(_ vector: ChatVector) {
    for value in [hex("00000000"), hex("00000001"), hex("ff*4"), hex("7f ff*3"), hex("80 00*3")] {
      for offset in 0...vector.bytes.count - 4 {
        _ = vector.recogniser.verdict(vector.bytes.overwriting(at: offset, value))
      }
    }
  }

  @Test("survives any part that comes again and again", arguments: good)
  func repeated(_ vector: ChatVector) {
    let bytes = vector.bytes
    for size in [1, 4, 16, bytes.count] where size <= bytes.count {
      for offset in stride(from: 0, through: bytes.count - size, by: max(1, size / 2)) {
        let many = (0..<32).flatMap { _ in bytes[offset..<offset + size] }
        _ = vector.recogniser.verdict(bytes[..<offset] + many + bytes[offset...])
      }
    }
  }

  @Test("takes of a stream what is its own, whatever follows", arguments: good)
  func followed(_ vector: ChatVector) {
    guard case .good(let length) = vector.verdict, vector.recogniser.isOfStream else { return }
    for rest in [vector.bytes, hex("00*64"), hex("ff*64")] {
      #expect(vector.recogniser.verdict(vector.bytes + rest) == .good(length))
    }
  }

  @Test("takes no other protocol for its own", arguments: good)
  func confusion(_ vector: ChatVector) {
    for other in Recogniser.allCases where other != vector.recogniser {
      // Both read the same frame when it comes from a client or a server.
      if other == .msf || other == .msfAnswer { continue }
      #expect(!other.verdict(vector.bytes).isGood, "\(other)")
    }
  }

  @Test("needs at least a byte", arguments: Recogniser.allCases)
  func empty(_ recogniser: Recogniser) {
    #expect(recogniser.verdict([]) == (recogniser == .oicq ? .other : .more))
  }

  @Test("knows what other protocols begin with", arguments: Recogniser.allCases)
  func strangers(_ recogniser: Recogniser) {
    let strangers = [
      hex(#""SSH-2.0-OpenSSH_9.2\r\n""#), hex("ff*64"), hex("00*64"), hex("05 01 00"),
      hex("13 \"BitTorrent protocol\" 00*48"),
      hex("0013 02 00*61"), hex("01 0101 06 00*60"), hex("02*64"),
    ]
    for bytes in strangers where recogniser != .newDNSReply {
      let verdict = recogniser.verdict(bytes)
      #expect(verdict == .other, "\(bytes.prefix(4))")
    }
  }
}
