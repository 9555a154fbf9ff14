import Inflate
import PacketBuilder
import Testing

/// The body of a newgetdns reply: raw DEFLATE of 489 bytes of XML.
private let reply = hex(
  """
  7d515d73c220107cefaf60782f041f346692f85b2292f43a70877c58db5f5f6c5adb58471e1876b9db5d8e767776969d4c88
  40d871252ace0c6a3a004e1dcf697caef9ae7f6a0f182f3bb901d0424c57c07070a6e3f1c3124ee2cdc019501c8f4293e32c
  81339453d1add7152f3de04febbe69c6b21ab5ad85aa452536adfce22fd7fd922d9c9c7d6e0d2de9c1be504c775d7ab5da14
  8d4aa8c72ace3f8ecca668f7e53cab321fc89b90de4be3f04a81ffa6ddfef3918b61ed33d80408fe1bff7de935e36d919ca7
  1e8dcec12ce4e41d6ecca853f9c59f9225fe04
  """)

/// 262,144 spaces, and one more.
private let spaces = hex("edc13101000000c2a02aeb9fd2db0e40 01 00*253 bc01")
private let oneMore = hex("edc13101000000c2a02aeb9fd2df0c40 01 00*253 9c01")

/// A last block whose codes for "258 bytes again" and "from one byte back" are a single 0 bit each:
/// behind a zero byte it makes 1,032 zeros of every zero byte.
private let bomb = hex("edc0810000000080a0fda917a900")

private func inflate(_ bytes: [UInt8], limit: Int = 256 << 10) -> Result<[UInt8], Inflate.Failure> {
  do throws(Inflate.Failure) {
    return .success(try Inflate.raw(bytes.raw, limit: limit))
  } catch {
    return .failure(error)
  }
}

@Suite("Raw DEFLATE")
struct InflateTests {
  @Test("gives what went in")
  func whole() throws {
    let text = try inflate(reply).get()
    #expect(text.count == 489)
    #expect(String(decoding: text.prefix(44), as: UTF8.self).hasSuffix("<dns>"))
    #expect(try inflate(hex("0300")).get() == [])
    #expect(try inflate(hex("010500fa ff 68656c6c6f")).get() == .ascii("hello"))
  }

  @Test("ends at the limit, and not a byte later")
  func limits() throws {
    #expect(try inflate(spaces).get() == [UInt8](repeating: 0x20, count: 262_144))
    #expect(oneMore.count == 272)
    #expect(inflate(oneMore) == .failure(.tooLong))
    #expect(try inflate(oneMore, limit: 262_145).get().count == 262_145)
    #expect(inflate(reply, limit: 488) == .failure(.tooLong))
    #expect(try inflate(reply, limit: 489).get().count == 489)
    #expect(inflate(reply, limit: 0) == .failure(.tooLong))
    #expect(try inflate(hex("0300"), limit: 0).get() == [])
  }

  @Test("that would become 10 GB becomes nothing")
  func bombs() {
    let ten = bomb + [UInt8](repeating: 0, count: 10 << 20)
    #expect(inflate(ten) == .failure(.tooLong))
    // It is one: this much of it goes in, and the stream goes on.
    #expect(inflate(Array(ten.prefix(200)), limit: 1 << 20) == .failure(.truncated))
    #expect(inflate(Array(ten.prefix(200)), limit: 100_000) == .failure(.tooLong))
  }

  @Test("must not be wrapped by zlib or gzip")
  func wrapped() {
    // Header, stream, Adler-32.
    #expect(inflate(hex("78da") + reply + hex("00000000")) == .failure(.malformed))
    #expect(inflate(hex("1f8b0800 00000000 0003") + reply) == .failure(.malformed))
  }

  @Test("must end where the bytes end")
  func ends() {
    #expect(inflate(reply + [0]) == .failure(.malformed))
    #expect(inflate(reply + reply) == .failure(.malformed))
    #expect(inflate(Array(reply.dropLast(9))) == .failure(.truncated))
    #expect(inflate([]) == .failure(.truncated))
  }

  @Test("cut at any byte is truncated")
  func prefixes() {
    for count in 0..<reply.count {
      #expect(inflate(Array(reply[..<count])) == .failure(.truncated), "first \(count) bytes")
    }
  }

  @Test("with one bit wrong never becomes more than the limit")
  func bitFlips() {
    for bit in 0..<reply.count * 8 {
      if case .success(let text) = inflate(reply.flippingBit(bit), limit: 4_096) {
        #expect(text.count <= 4_096)
      }
    }
  }

  @Test("of nonsense is malformed", arguments: [hex("ff"), hex("06"), hex("0100000000")])
  func nonsense(_ bytes: [UInt8]) { #expect(inflate(bytes) == .failure(.malformed)) }
}
