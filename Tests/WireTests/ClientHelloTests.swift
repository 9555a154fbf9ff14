import PacketBuilder
import Testing
import Wire

/// A small TLS 1.3 hello for short.weixin.qq.com (field by field).
private let smallHello = hex(
  """
  16 0301 0052 ; record: handshake, version 3.1, length 82
  01 00004e 0303 5a*32 00 ; ClientHello of 78 bytes, legacy version, random, no session id
  0002 1301 01 00 0023 ; one suite, null compression, extensions of 35 bytes
  0000 0018 0016 00 0013 "short.weixin.qq.com" ; server_name 24, list 22, host_name, 19
  002b 0003 02 0304 ; supported_versions: TLS 1.3
  """)

/// The same hello split over two records, in the middle of the random.
private let splitHello = hex(
  """
  16 0301 0014 01 00004e 0303 5a*14 ; 20 bytes
  16 0301 003e 5a*18 00 0002 1301 01 00 0023 0000 0018 0016 00 0013
  "short.weixin.qq.com" 002b 0003 02 0304
  """)

private let name = "short.weixin.qq.com"

@Suite("A ClientHello")
struct ClientHelloTests {
  @Test("gives its name, its versions and the length of its records")
  func small() throws {
    let hello = try #require(ClientHello.parse(smallHello.raw).value)
    #expect(hello.serverName?.text == name)
    #expect(hello.offersTLS13)
    #expect(!hello.offersEncryptedHello)
    #expect(hello.length == 87)
    #expect(smallHello == ClientHelloBuilder(name: name).bytes)
  }

  @Test("may be split over two records")
  func split() throws {
    let hello = try #require(ClientHello.parse(splitHello.raw).value)
    #expect(hello.serverName?.text == name)
    #expect(hello.length == 92)
  }

  @Test("may be split over records of any size", arguments: Array(1...90))
  func records(of size: Int) throws {
    let bytes = ClientHelloBuilder(name: name).bytes(recordsOf: size)
    let hello = try #require(ClientHello.parse(bytes.raw).value)
    #expect(hello.serverName?.text == name)
    #expect(hello.length == bytes.count)
  }

  @Test("of post-quantum size, with GREASE and an encrypted hello offered")
  func postQuantum() throws {
    let bytes = ClientHelloBuilder.postQuantum(name: name).bytes
    #expect(1750...1850 ~= bytes.count)
    let hello = try #require(ClientHello.parse(bytes.raw).value)
    #expect(hello.serverName?.text == name)
    #expect(hello.offersEncryptedHello)
    #expect(hello.offersTLS13)
    #expect(hello.length == bytes.count)
  }

  @Test("ends where its records end: what follows is not part of it")
  func following() throws {
    let stream = smallHello + hex("14 0303 0001 01  17 0303 0010 aa*16")
    #expect(ClientHello.parse(stream.raw).value?.length == 87)
  }

  @Test("without extensions or server_name has no name")
  func nameless() throws {
    let bare = ClientHelloBuilder(extensions: nil).bytes
    let hello = try #require(ClientHello.parse(bare.raw).value)
    #expect(hello.serverName == nil)
    #expect(!hello.offersTLS13)
    let empty = ClientHelloBuilder(extensions: []).bytes
    #expect(ClientHello.parse(empty.raw).value != nil)
    let other = ClientHelloBuilder(name: nil).bytes
    #expect(try #require(ClientHello.parse(other.raw).value).serverName == nil)
  }

  @Test("carries a name of up to 255 bytes")
  func longName() {
    let longest = String(repeating: "a", count: 255)
    let bytes = ClientHelloBuilder(name: longest).bytes
    #expect(ClientHello.parse(bytes.raw).value?.serverName?.text == longest)
  }

  @Test("has a name of visible ASCII, wherever a byte stands")
  func nameBytes() {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<name.utf8.count {
        let whole = smallHello.overwriting(at: 61 + place, [byte])
        let split = tlsRecord(22, Array(whole[5..<70])) + tlsRecord(22, Array(whole[70...]))
        let isGood = 0x21...0x7e ~= byte
        #expect((ClientHello.parse(whole.raw).value != nil) == isGood, "\(byte) at \(place)")
        #expect((ClientHello.parse(split.raw).value != nil) == isGood, "\(byte) at \(place)")
      }
    }
  }

  @Test("cut anywhere needs more", arguments: fixtures)
  func prefixes(_ fixture: Fixture) {
    for count in 0..<fixture.bytes.count {
      let prefix = Array(fixture.bytes[..<count])
      #expect(ClientHello.parse(prefix.raw).needsMore, "\(fixture.name), first \(count) bytes")
    }
    #expect(ClientHello.parse(fixture.bytes.raw).value != nil)
  }

  @Test("with one bit wrong is never read past its end", arguments: fixtures)
  func bitFlips(_ fixture: Fixture) {
    for bit in 0..<fixture.bytes.count * 8 {
      let flipped = fixture.bytes.flippingBit(bit)
      if let hello = ClientHello.parse(flipped.raw).value {
        #expect(hello.length <= flipped.count)
      }
    }
  }

  @Test("that a server would refuse or read in another way is malformed", arguments: nearMisses)
  func malformed(_ fixture: Fixture) {
    #expect(ClientHello.parse(fixture.bytes.raw).malformation != nil)
  }

  @Test("is refused as soon as a length is wrong, before the rest has come")
  func early() {
    // The name's length runs past its list.
    let bytes = Array(smallHello.overwriting(at: 59, hex("0014"))[..<61])
    #expect(ClientHello.parse(bytes.raw).malformation != nil)
  }
}

private let fixtures = [
  Fixture("one record", smallHello),
  Fixture("two records", splitHello),
  Fixture("records of one byte", ClientHelloBuilder(name: name).bytes(recordsOf: 1)),
  Fixture("records of seven bytes", ClientHelloBuilder(name: name).bytes(recordsOf: 7)),
  Fixture(
    "post-quantum in two records",
    ClientHelloBuilder.postQuantum(name: name).bytes(recordsOf: 900)),
]

private let good = ClientHelloBuilder(name: name)

private func hello(_ extensions: TLSExtension...) -> [UInt8] {
  ClientHelloBuilder(extensions: extensions).bytes
}

private let nearMisses: [Fixture] = [
  // The record layer.
  Fixture("mmtls version bytes", smallHello.overwriting(at: 1, hex("f104"))),
  Fixture("record version 3.5", smallHello.overwriting(at: 2, [5])),
  Fixture("record version 3.255", smallHello.overwriting(at: 2, [0xff])),
  Fixture("record of type application data", smallHello.overwriting(at: 0, [0x17])),
  Fixture("empty record", hex("16 0301 0000") + smallHello),
  Fixture("record of 16,385 bytes", smallHello.overwriting(at: 3, hex("4001"))),
  Fixture("alert between the records", Array(splitHello[..<25]) + tlsAlert() + splitHello[25...]),
  Fixture("second record of version 3.255", splitHello.overwriting(at: 27, [0xff])),
  Fixture(
    "empty second record", Array(splitHello[..<25]) + hex("16 0301 0000") + splitHello[25...]),
  Fixture("a byte after the message in its record", tlsRecord(22, good.message + [0])),
  Fixture("two hellos in one record", tlsRecord(22, good.message + good.message)),
  // The message.
  Fixture("ServerHello", smallHello.overwriting(at: 5, [2])),
  Fixture("message of 16 MiB", smallHello.overwriting(at: 6, hex("ffffff"))),
  Fixture("message shorter than its fields", smallHello.overwriting(at: 6, hex("00004d"))),
  Fixture("message longer than its fields", tlsRecord(22, good.with { $0.trailer = [0] }.message)),
  Fixture("legacy version 2.0", smallHello.overwriting(at: 9, hex("0200"))),
  Fixture("legacy version 3.0", smallHello.overwriting(at: 9, hex("0300"))),
  Fixture("legacy version 3.255", smallHello.overwriting(at: 9, hex("03ff"))),
  Fixture(
    "session id of 33 bytes", good.with { $0.sessionID = [UInt8](repeating: 1, count: 33) }.bytes),
  Fixture("no cipher suite", good.with { $0.cipherSuites = [] }.bytes),
  Fixture("cipher suites of odd length", smallHello.overwriting(at: 44, hex("0003"))),
  Fixture("no compression method", good.with { $0.compression = [] }.bytes),
  Fixture("compression without null", good.with { $0.compression = [1] }.bytes),
  // The extensions.
  Fixture("extensions longer than the message", smallHello.overwriting(at: 50, hex("0024"))),
  Fixture("extensions shorter than the message", smallHello.overwriting(at: 50, hex("0022"))),
  Fixture("two server_name extensions", hello(.serverName(name), .serverName(name))),
  Fixture("an extension twice", hello(.serverName(name), .encryptedHello, .encryptedHello)),
  Fixture("a GREASE value twice", hello(TLSExtension(0x1a1a, []), TLSExtension(0x1a1a, []))),
  Fixture(
    "33 unknown extensions",
    ClientHelloBuilder(extensions: (0..<33).map { TLSExtension(0x8000 + $0, []) }).bytes),
  Fixture("an extension after pre_shared_key", hello(TLSExtension(41, []), .serverName(name))),
  Fixture("supported_versions of odd length", hello(TLSExtension(43, hex("03 0304 03")))),
  Fixture("supported_versions empty", hello(TLSExtension(43, hex("00")))),
  Fixture("supported_versions with a rest", hello(TLSExtension(43, hex("02 0304 00")))),
  // The name.
  Fixture("name longer than its list", smallHello.overwriting(at: 59, hex("0014"))),
  Fixture("name shorter than its list", smallHello.overwriting(at: 59, hex("0012"))),
  Fixture("list longer than the extension", smallHello.overwriting(at: 56, hex("0017"))),
  Fixture("list shorter than the extension", smallHello.overwriting(at: 56, hex("0015"))),
  Fixture("two names in the list", hello(.serverName(.ascii(name), .ascii("www.example.com")))),
  Fixture("empty list", hello(TLSExtension(0, hex("0000")))),
  Fixture("empty extension", hello(TLSExtension(0, []))),
  Fixture("empty name", hello(.serverName(""))),
  Fixture("name type 1", smallHello.overwriting(at: 58, [1])),
  Fixture("NUL inside the name", smallHello.overwriting(at: 66, [0])),
  Fixture("line feed inside the name", smallHello.overwriting(at: 66, [0x0a])),
  Fixture("space inside the name", smallHello.overwriting(at: 66, [0x20])),
  Fixture("byte above ASCII inside the name", smallHello.overwriting(at: 66, [0xe9])),
  Fixture("name of 256 bytes", hello(.serverName(String(repeating: "a", count: 256)))),
]
