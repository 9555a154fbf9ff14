import PacketBuilder
import Testing
import Wire

@Suite("QQ's frames")
struct QQTests {
  @Test("OICQ gives version and command")
  func oicq() throws {
    let oicq = Chat.oicq
    let frame = try #require(OICQFrame.recognise(datagram: oicq.raw).value)
    #expect(frame.version == 0x3b0b)
    #expect(frame.command == 1)
  }

  @Test("OICQ has the commands of its table, whatever else may begin with 02 and end with 03")
  func commands() {
    var known: [UInt16] = []
    for command in UInt16.min...UInt16.max {
      var bytes = Chat.oicq
      bytes[3] = UInt8(command >> 8)
      bytes[4] = UInt8(command & 0xff)
      if OICQFrame.recognise(datagram: bytes.raw).value != nil { known.append(command) }
    }
    #expect(
      known == [
        0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0a, 0x0b, 0x0d, 0x12, 0x16, 0x17, 0x18, 0x1a, 0x1c,
        0x1d, 0x21, 0x22, 0x26, 0x27, 0x29, 0x30, 0x31, 0x3c, 0x3d, 0x3e, 0x58, 0x5c, 0x62, 0x65,
        0x67, 0x80, 0x81, 0x91, 0xa4, 0xb5, 0xba, 0xcd, 0xce, 0xdd, 0xe5, 0x3f7, 0x818, 0x825,
        0x836,
      ])
  }

  @Test("OICQ is never shorter than its header and a cipher's smallest output")
  func shortest() {
    for count in 0...16 {
      let bytes = hex("02 3b0b 0001 0017 00002711") + [UInt8](repeating: 0xc4, count: count) + [3]
      let stream = [0, UInt8(bytes.count + 2)] + bytes
      #expect((OICQFrame.recognise(datagram: bytes.raw).value != nil) == (count == 16))
      #expect((OICQFrame.recognise(stream: stream.raw).value != nil) == (count == 16))
    }
    let tiny = hex("02 03")
    #expect(OICQFrame.recognise(datagram: tiny.raw).isOther)
  }

  @Test("PC QQ's frames may share a segment: each says where it ends")
  func following() {
    let stream = Chat.oicqStream + Chat.oicqStream
    #expect(OICQFrame.recognise(stream: stream.raw).value?.length == 46)
  }

  @Test("MSF gives kind, encryption and whether it is a heartbeat")
  func msf() throws {
    let heartbeat = Chat.heartbeat
    let alive = try #require(MSFFrame.recognise(heartbeat.raw).value)
    #expect(alive.isHeartbeat)
    #expect(alive.kind == .ntSimple)
    #expect(alive.encryption == .none)
    let ntLogin = Chat.ntLogin
    let login = try #require(MSFFrame.recognise(ntLogin.raw).value)
    #expect(!login.isHeartbeat)
    #expect(login.kind.beginsSession)
    #expect(login.encryption == .zeroKey)
    let command = Chat.heartbeat.overwriting(at: 30, .ascii("heartbeat.Alive"))
    #expect(MSFFrame.recognise(command.raw).value?.isHeartbeat == false)
    let other = Chat.heartbeat.overwriting(at: 30, .ascii("Heartbeat.Alivf"))
    #expect(MSFFrame.recognise(other.raw).value?.isHeartbeat == false)
  }

  @Test(
    "MSF refuses what is inconsistent",
    arguments: [
      Fixture("account with a letter", Chat.ntLogin.overwriting(at: 20, .ascii("a"))),
      Fixture("account past the frame", Chat.ntLogin.overwriting(at: 14, hex("0000001f"))),
      Fixture("account's length below itself", Chat.ntLogin.overwriting(at: 14, hex("00000003"))),
      Fixture("no zero before the account", Chat.ntLogin.overwriting(at: 13, hex("01"))),
      Fixture("ticket past the frame", Chat.ntLogin.overwriting(at: 9, hex("00000040"))),
      Fixture("encrypted part of 15", Chat.ntLogin.overwriting(at: 3, hex("26"))),
      Fixture("head past the frame", Chat.heartbeat.overwriting(at: 18, hex("00000024"))),
      Fixture("command past the head", Chat.heartbeat.overwriting(at: 22, hex("00000020"))),
      Fixture("no command", Chat.heartbeat.overwriting(at: 22, hex("00000004"))),
      Fixture("command with a blank", Chat.heartbeat.overwriting(at: 30, .ascii(" "))),
    ])
  func inconsistent(_ fixture: Fixture) {
    #expect(MSFFrame.recognise(fixture.bytes.raw).malformation != nil)
  }

  @Test("MSF has accounts of up to 11 digits", arguments: 0...16)
  func account(_ count: Int) {
    let frame =
      hex("000000") + [UInt8(34 + count)] + hex("0000000b 01 00000007 00 000000")
      + [UInt8(4 + count)] + [UInt8](repeating: 0x31, count: count) + hex("c5*16")
    #expect((MSFFrame.recognise(frame.raw).value != nil) == (count <= 11))
  }

  @Test("MSF is another protocol past 10 MiB, or shorter than its header")
  func caps() {
    for total in ["00a00001", "0000000d", "ff000035", "00000000"] {
      let bytes = Chat.heartbeat.overwriting(at: 0, hex(total))
      #expect(MSFFrame.recognise(bytes.raw).isOther, "\(total)")
    }
  }

  @Test("a frame of more than 4 KiB is decided on the first 4 KiB")
  func long() {
    let frame =
      hex("00002027 0000000b 01 00000007 00 00000009 \"10001\"")
      + [UInt8](repeating: 0xc5, count: 4_073)
    #expect(frame.count == 4_096)
    #expect(MSFFrame.recognise(frame.raw).value?.length == 0x2027)
    let cut = Array(frame.dropLast())
    #expect(MSFFrame.recognise(cut.raw).needsMore)
  }

  @Test(
    "Highway is another protocol when a length or the head's first byte is not its own",
    arguments: [
      hex("28 00010001 00000004 0a"), hex("28 00000000 00000004 0a"),
      hex("28 00000004 00100001 0a"), hex("28 00000004 00000004 0b"), hex("28 00000000"),
    ])
  func highway(_ bytes: [UInt8]) {
    #expect(HighwayFrame.recognise(bytes.raw).isOther)
  }

  @Test("Highway's greatest frame is decided on ten bytes")
  func greatest() {
    let bytes = hex("28 00010000 00100000 0a")
    #expect(HighwayFrame.recognise(bytes.raw).value?.length == 9 + 65_536 + 1_048_576 + 1)
  }
}

@Suite("WeChat's media")
struct MediaTests {
  @Test("comes by three paths", arguments: ["/uploadv3", "/download", "/uploadcheckmd5"])
  func paths(_ path: String) {
    let bytes = Chat.mediaForm(path: path)
    #expect(C2CForm.recognise(bytes.raw).value?.head.host?.address?.text == "198.18.0.20")
    #expect(C2CForm.recognise(bytes.raw).value?.bodyLength == 34)
  }

  @Test(
    "is plain HTTP on others",
    arguments: ["/upload", "/uploadv4", "/downloads", "/uploadv3?x", "/uploadcheckmd", "/"])
  func otherPaths(_ path: String) {
    let bytes = Chat.mediaForm(path: path)
    #expect(C2CForm.recognise(bytes.raw).isOther)
  }

  @Test("is decided on 4 KiB when a value is longer, which must not run past the end")
  func long() {
    let head = hex("ab 00010000 2714 00*18 00000003 \"ver\" 00000001 \"1\" 00000008 \"filedata\"")
    let data = [UInt8](repeating: 0x77, count: 4_096)
    // 65,536 bytes, of which 25 + 12 + 12 + 4 come before the value.
    let fits = head + hex("0000ffcb") + data, tooLong = head + hex("0000ffcc") + data
    #expect(C2CFrame.recognise(fits.raw).value?.length == 65_536)
    #expect(C2CFrame.recognise(fits.raw).value?.command == 0x2714)
    #expect(C2CFrame.recognise(tooLong.raw).malformation != nil)
    let early = Array(fits[..<2_000])
    #expect(C2CFrame.recognise(early.raw).needsMore)
  }

  @Test("has keys of 1 to 64 bytes, and no bytes behind the last pair")
  func keys() {
    for (pair, isWhole) in [
      ("00000000 00000009 \"abcdefghi\" 00*5", false),
      ("00000041 \"abcdefghi\" 00000005 \"10001\"", false),
      ("00000008 \"abcdefgh\" 00000005 \"10001\" 00", false),
      ("00000009 \"abcdefghi\" 00000005 \"10001\"", true),
    ] {
      let bytes = hex("ab 0000003b 2714 00*18 00000003 \"ver\" 00000001 \"1\"" + pair)
      #expect((C2CFrame.recognise(bytes.raw).value != nil) == isWhole, "\(pair)")
    }
  }
}
