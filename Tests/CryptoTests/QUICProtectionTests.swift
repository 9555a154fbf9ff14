import Crypto
import PacketBuilder
import Testing
import Wire

/// The client's first packet of RFC 9001, appendix A.2, in clear: a hello for example.com.
private let frames = hex(
  """
  06 00 40f1 010000ed 0303 ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c 00
  0004 1301 1302 01 00 00c0 0000 0010 000e 00 000b 6578616d706c652e636f6d ff01 0001 00
  000a 0008 0006 001d 0017 0018 0010 0007 0005 04 616c706e 0005 0005 0100000000
  0033 0026 0024 001d 0020 9370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748
  002b 0003 02 0304 000d 0010 000e 0403 0503 0603 0203 0804 0805 0806 002d 0002 0101
  001c 0002 4001 0039 0032 0408ffffffffffffffff 05048000ffff 07048000ffff 080110
  0104800075300901100f088394c8f03e515708 06048000ffff
  """)
private let packet = QUICInitialBuilder(frames).with { $0.number = 2 }
private let packet2 = packet.with { $0.version = QUICInitialHeader.version2 }

private func open(_ datagram: [UInt8], keys other: QUICInitialKeys? = nil) -> [UInt8]? {
  guard case .done(let header) = QUICInitialHeader.recognise(datagram.raw) else { return nil }
  let keys = other ?? QUICInitialKeys(header, datagram.raw)
  return keys.open(header, datagram.raw)
}

@Suite("QUIC Initial protection")
struct QUICProtectionTests {
  @Test("is that of RFC 9001, appendix A.2, and of RFC 9369, appendix A.2")
  func vectors() throws {
    // The tests' packets are the RFCs', by their beginning, their end and their tag.
    #expect(frames.count == 245)
    let one = packet.bytes
    #expect(one.count == 1_200)
    #expect(
      one.prefix(38)
        == hex("c000000001088394c8f03e5157080000449e7b9aec34 d1b1c98dd7689fb8ec11d242b123dc9b")[...]
    )
    #expect(one.suffix(16) == hex("e221af44860018ab0856972e194cd934")[...])
    let two = packet2.bytes
    #expect(
      two.prefix(38)
        == hex("d76b3343cf088394c8f03e5157080000449ea0c95e82 ffe67b6abcdb4298b485dd04de806071")[...]
    )
    #expect(two.suffix(16) == hex("a18b2faa745b6fe189cf772a9f84cbfc")[...])
    for datagram in [one, two] {
      let clear = try #require(open(datagram))
      #expect(clear == frames + [UInt8](repeating: 0, count: 917))
    }
  }

  @Test("is taken off packet numbers of any size, whatever else is in the packet")
  func numbers() throws {
    for size in 1...4 {
      let built = packet.with {
        $0.numberSize = size
        $0.number = 0x0102_0304 >> UInt32(32 - 8 * size)
        $0.token = hex("aa*70")
        $0.sourceID = hex("bb*20")
        $0.destinationID = hex("cc*20")
        $0.size = 900
      }
      #expect(built.bytes.count == 900)
      #expect(try #require(open(built.bytes)).starts(with: frames))
    }
    // The shortest that can be.
    let ping = QUICInitialBuilder([1, 0, 0]).with {
      $0.size = 0
      $0.numberSize = 1
    }
    #expect(open(ping.bytes) == [1, 0, 0])
  }

  @Test("ends with the packet, not with the datagram")
  func coalesced() throws {
    #expect(try #require(open(packet.bytes + hex("e0 00*40"))).starts(with: frames))
  }

  @Test("needs the keys of the client's first packet")
  func otherKeys() throws {
    let id = packet.destinationID
    let keys = QUICInitialKeys(version: QUICInitialHeader.version1, destinationID: id.raw)
    let answered = packet.with { $0.destinationID = hex("01020304") }
    #expect(open(packet.bytes, keys: keys) != nil)
    #expect(open(answered.bytes, keys: keys) == nil)
    #expect(open(packet2.bytes, keys: keys) == nil)
  }

  @Test("is whole: no bit may be another")
  func bitFlips() {
    let small = QUICInitialBuilder(frames).with { $0.size = 0 }.bytes
    for bit in 0..<small.count * 8 { #expect(open(small.flippingBit(bit)) == nil, "bit \(bit)") }
  }

  @Test("is off only with reserved bits that are 0")
  func reserved() {
    for bits in 1...3 as ClosedRange<UInt8> {
      #expect(open(packet.with { $0.reservedBits = bits }.bytes) == nil)
    }
  }

  @Test("of a packet cut anywhere stays on")
  func prefixes() {
    let small = QUICInitialBuilder(frames).with { $0.size = 0 }.bytes
    for count in 0..<small.count { #expect(open(Array(small[..<count])) == nil) }
  }

  @Test("of a header that is not of these bytes stays on")
  func shorter() throws {
    let datagram = packet.bytes
    guard case .done(let header) = QUICInitialHeader.recognise(datagram.raw) else { return }
    let keys = QUICInitialKeys(header, datagram.raw)
    let short = Array(datagram.prefix(1_199))
    #expect(keys.open(header, short.raw) == nil)
  }
}
