import PacketBuilder
import Testing
import Wire

private func pieces(_ payload: [UInt8]) -> (Parsed<Int>, [String]) {
  var pieces: [String] = []
  let outcome = QUICFrames.forEachPiece(in: payload.raw) { offset, bytes in
    pieces.append("\(offset): \(payload[bytes].map { String($0, radix: 16) }.joined())")
  }
  return (outcome, pieces)
}

private let all = hex(
  """
  00 00 01 ; padding, ping
  02 05 4001 01 00 01 02 ; acknowledgement up to 5, delay 1, one more range
  03 05 00 00 00 01 02 03 ; with counts of congestion
  06 00 03 aabbcc 06 4400 02 ddee ; pieces at 0 and at 1,024
  1c 0a 06 02 6869 ; close
  06 03 00 ; an empty piece
  """)

@Suite("Frames of a QUIC Initial")
struct QUICFramesTests {
  @Test("give the pieces of the handshake")
  func frames() {
    let (outcome, found) = pieces(all)
    #expect(outcome.value == 3)
    #expect(found == ["0: aabbcc", "1024: ddee", "3: "])
  }

  @Test(
    "that an Initial does not have are malformed, and tell nothing",
    arguments: [
      "", "06 00 01 aa 08 00", "06 00 01 aa 1d 00 00", "06 00 01 aa 1e", "06 00 01 aa 4006 00 00",
      "06 00 01 aa 06 00 02 bb", "06 00 01 aa ff", "06 ffffffffffffffff 01 aa",
      "02 00 00 ffffffffffffffff 00", "1c 00 00 05 61", "06 00 ffffffffffffffff aa", "06", "06 40",
    ])
  func malformed(_ text: String) {
    let (outcome, found) = pieces(hex(text))
    #expect(outcome.malformation != nil)
    #expect(found == [])
  }

  @Test("may be cut nowhere within a frame, and never crash the parser")
  func nonsense() {
    for count in 0...all.count { _ = pieces(Array(all[..<count])) }
    for bit in 0..<all.count * 8 { _ = pieces(all.flippingBit(bit)) }
    let inside = Array(all[..<24])
    #expect(pieces(inside).0.malformation != nil)
  }
}

@Suite("A QUIC packet")
struct QUICPacketTests {
  /// What a datagram begins with, in a word.
  private func kind(_ bytes: [UInt8]) -> String {
    switch QUICPacket.recognise(bytes.raw) {
    case .done(.initial(let header)): "initial to \(header.payload.upperBound)"
    case .done(.long(.zeroRTT, let end)): "0-RTT to \(end)"
    case .done(.long(.handshake, let end)): "handshake to \(end)"
    case .done(.long(.retry, let end)): "retry to \(end)"
    case .done(.otherVersion(let version)): "version \(version)"
    case .done(.short): "short"
    case .needMore: "more"
    case .malformed: "malformed"
    case .other: "other"
    }
  }

  @Test(
    "is told by its first bytes",
    arguments: [
      ("c0 00000001 08 c7*8 00 00 4040 00*64 99", "initial to 82"),
      ("d0 6b3343cf 08 c7*8 00 00 4040 00*64 99", "initial to 82"),
      ("d0 00000001 02 c7*2 01 aa 05 00*5 99", "0-RTT to 16"),
      ("e0 6b3343cf 02 c7*2 01 aa 05 00*5 99", "0-RTT to 16"),
      ("e0 00000001 00 00 00", "handshake to 8"), ("f0 6b3343cf 00 00 00", "handshake to 8"),
      ("f0 00000001 00 00 aabb", "retry to 9"), ("c0 6b3343cf 00 00 aabb", "retry to 9"),
      ("80 00000000 00 00 00000001", "version 0"), ("c0 ff00001d 00 00", "version 4278190109"),
      ("c0 1a2a3a4a", "version 438975050"), ("c3 51303436 50", "version 1362113590"),
      ("c3 54303530", "version 1412445488"), ("c0 faceb002", "version 4207849474"),
      ("c0 12345678 00 00", "other"), ("80 00000001 00 00 00", "other"),
      ("40 00*20", "short"), ("7f 00*20", "short"), ("40 00*19", "other"), ("3f 00*30", "other"),
      ("00", "other"), ("", "more"), ("c0", "more"), ("c0 000000", "more"),
      ("d0 00000001 15 00*30", "malformed"), ("d0 00000001 00 00 05 00*4", "more"),
    ])
  func kinds(_ text: String, _ expected: String) { #expect(kind(hex(text)) == expected) }

  @Test("cut or with one bit wrong never crashes the parser")
  func nonsense() {
    let packet = hex("d0 00000001 02 c7*2 01 aa 4005 00*5")
    for count in 0..<packet.count { #expect(kind(Array(packet[..<count])) == "more") }
    for bit in 0..<packet.count * 8 { _ = kind(packet.flippingBit(bit)) }
  }
}

@Suite("A hello without records")
struct HelloMessageTests {
  private func parse(_ message: [UInt8]) -> Parsed<ClientHello> {
    ClientHello.parseMessage(message.raw)
  }

  private let message = ClientHelloBuilder.postQuantum(name: "short.weixin.qq.com").message

  @Test("gives its name")
  func name() throws {
    let hello = try #require(parse(message).value)
    #expect(hello.serverName?.text == "short.weixin.qq.com")
    #expect(hello.length == message.count)
    #expect(hello.offersTLS13)
  }

  @Test("cut anywhere needs more")
  func prefixes() {
    for count in 0..<message.count { #expect(parse(Array(message[..<count])).needsMore) }
  }

  @Test("has nothing behind it, and is no record")
  func ends() {
    #expect(parse(message + [0]).malformation != nil)
    let record = ClientHelloBuilder(name: "short.weixin.qq.com").bytes
    #expect(parse(record).malformation != nil)
    #expect(parse(ServerHelloBuilder().message).malformation != nil)
  }

  @Test("with one bit wrong never crashes the parser")
  func bitFlips() {
    let message = ClientHelloBuilder(name: "short.weixin.qq.com").message
    for bit in 0..<message.count * 8 { _ = parse(message.flippingBit(bit)) }
  }
}
