import Names
import System
import Testing
import Wire

private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

private func name(_ text: String) throws -> HostName { try #require(HostName(text)) }
private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

@Suite("Learned addresses")
struct LearnedAddressesTests {
  @Test("are known for the name that they were learned for, and no other")
  func knows() throws {
    let learned = LearnedAddresses()
    let short = try name("short.weixin.qq.com"), other = try name("www.example.com")
    let four = try address("198.18.0.7"), six = try address("2001:2::7")
    learned.learn(four, for: short, timeToLive: 60, from: .dns, now: at(0))
    learned.learn(six, for: short, timeToLive: 60, from: .dns, now: at(0))
    learned.learn(four, for: other, timeToLive: 60, from: .dns, now: at(0))
    #expect(learned.knows(short, at: four, now: at(1)))
    #expect(learned.knows(short, at: six, now: at(1)))
    #expect(learned.knows(other, at: four, now: at(1)))
    #expect(!learned.knows(other, at: six, now: at(1)))
    #expect(!learned.knows(short, at: try address("198.18.0.8"), now: at(1)))
    #expect(learned.count == 3)
  }

  @Test(
    "last their time to live, 10 minutes at least and 24 hours at most, and an hour more",
    arguments: [
      (0, 4_200), (599, 4_200), (601, 4_201), (7_200, 10_800), (86_400, 90_000), (.max, 90_000),
    ] as [(UInt32, UInt64)])
  func expiry(_ timeToLive: UInt32, _ lasts: UInt64) throws {
    let learned = LearnedAddresses()
    let host = try name("a.example"), server = try address("198.18.0.7")
    learned.learn(server, for: host, timeToLive: timeToLive, from: .dns, now: at(100))
    #expect(learned.entries(now: at(100)).first?.expiry == at(100 + lasts))
    #expect(learned.knows(host, at: server, now: at(99 + lasts)))
    let again = LearnedAddresses()
    again.learn(server, for: host, timeToLive: timeToLive, from: .dns, now: at(100))
    #expect(!again.knows(host, at: server, now: at(100 + lasts)))
  }

  @Test("tell the names that live there")
  func names() throws {
    let learned = LearnedAddresses()
    let server = try address("198.18.0.7")
    for text in ["long.example", "short.example", "extshort.example"] {
      learned.learn(server, for: try name(text), timeToLive: 60, from: .newgetdns, now: at(0))
    }
    learned.learn(
      try address("198.18.0.8"), for: try name("other.example"), timeToLive: 60, from: .dns,
      now: at(0))
    var seen: Set<String> = []
    #expect(
      !learned.hasName(at: server, now: at(1)) { name in
        seen.insert(name.text)
        return false
      })
    #expect(seen == ["long.example", "short.example", "extshort.example"])
    #expect(!learned.hasName(at: try address("198.18.0.9"), now: at(1)) { _ in true })
    #expect(!learned.hasName(at: server, now: at(4_200)) { _ in true })
  }

  @Test("last longer where a name that lives there is used, and only for that name")
  func useOfNames() throws {
    let learned = LearnedAddresses()
    let server = try address("198.18.0.7")
    let long = try name("long.example"), short = try name("short.example")
    for name in [long, short] {
      learned.learn(server, for: name, timeToLive: 60, from: .dns, now: at(0))
    }
    #expect(learned.hasName(at: server, now: at(4_000)) { $0 == long })
    #expect(learned.knows(long, at: server, now: at(8_000)))
    #expect(!learned.knows(short, at: server, now: at(4_200)))
  }

  @Test("are kept for 64 names at one address: a new one puts out the one that would expire first")
  func manyNames() throws {
    let learned = LearnedAddresses()
    let server = try address("198.18.0.7")
    for i in 0..<64 as Range<UInt32> {
      learned.learn(
        server, for: try name("n\(i).example"), timeToLive: 1_000 + (i + 7) % 64, from: .dns,
        now: at(0))
    }
    #expect(learned.count == 64)
    learned.learn(server, for: try name("new.example"), timeToLive: 600, from: .dns, now: at(0))
    #expect(learned.count == 64)
    // 57 is the one with the least time to live.
    #expect(!learned.knows(try name("n57.example"), at: server, now: at(1)))
    #expect(learned.knows(try name("new.example"), at: server, now: at(1)))
    var names = 0
    learned.hasName(at: server, now: at(1)) { _ in
      names += 1
      return false
    }
    #expect(names == 64)
  }

  @Test("are found by address and by name after room was made and entries expired")
  func afterMakingRoom() throws {
    let learned = LearnedAddresses(limit: 100)
    for i in 0..<1_000 as Range<UInt32> {
      learned.learn(
        IPAddress(ipv4: 0xc612_0000 + i % 10), for: try name("n\(i).example"),
        timeToLive: 600 + i, from: .dns, now: at(0))
    }
    #expect(learned.count <= 100)
    learned.expire(now: at(5_150))
    var byAddress: Set<String> = []
    for i in 0..<10 as Range<UInt32> {
      learned.hasName(at: IPAddress(ipv4: 0xc612_0000 + i), now: at(5_150)) { name in
        byAddress.insert(name.text)
        return false
      }
    }
    #expect(byAddress == Set(learned.entries(now: at(5_150)).map { $0.name.text }))
    #expect(byAddress.count == learned.count && byAddress.contains("n999.example"))
  }

  @Test("last longer while they are used")
  func use() throws {
    let learned = LearnedAddresses()
    let host = try name("a.example"), server = try address("198.18.0.7")
    learned.learn(server, for: host, timeToLive: 60, from: .dns, now: at(0))
    for hour in 1...48 { #expect(learned.knows(host, at: server, now: at(UInt64(hour) * 3_600))) }
    #expect(!learned.knows(host, at: server, now: at(48 * 3_600 + 4_200)))
  }

  @Test("are not shortened by use or by a shorter answer")
  func notShortened() throws {
    let learned = LearnedAddresses()
    let host = try name("a.example"), server = try address("198.18.0.7")
    learned.learn(server, for: host, timeToLive: 86_400, from: .dns, now: at(0))
    learned.learn(server, for: host, timeToLive: 1, from: .resolver, now: at(1))
    _ = learned.knows(host, at: server, now: at(2))
    let entry = try #require(learned.entries(now: at(2)).first)
    #expect(entry.expiry == at(90_000))
    #expect(entry.source == .resolver)
    #expect(learned.count == 1)
  }

  @Test(
    "are never those of the owner's own boxes",
    arguments: [
      "127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "169.254.1.1",
      "fe80::1", "100.64.0.1", "224.0.0.1",
      "ff02::1", "0.0.0.0", "::", "255.255.255.255",
    ])
  func unteachable(_ text: String) throws {
    let learned = LearnedAddresses()
    let host = try name("a.example"), server = try address(text)
    #expect(!learned.learn(server, for: host, timeToLive: 60, from: .dns, now: at(0)))
    #expect(!learned.knows(host, at: server, now: at(0)))
    #expect(learned.count == 0)
  }

  @Test("are forgotten when they have expired")
  func expire() throws {
    let learned = LearnedAddresses()
    learned.learn(
      try address("198.18.0.1"), for: try name("a.example"), timeToLive: 0, from: .dns, now: at(0))
    learned.learn(
      try address("198.18.0.2"), for: try name("a.example"), timeToLive: 9_000, from: .dns,
      now: at(0))
    #expect(learned.entries(now: at(5_000)).count == 1)
    #expect(learned.count == 2)
    learned.expire(now: at(5_000))
    #expect(learned.count == 1)
  }

  @Test("past the limit put out those that would expire first")
  func limit() throws {
    let learned = LearnedAddresses(limit: 160)
    let host = try name("a.example")
    for i in 0..<160 as Range<UInt32> {
      learned.learn(
        IPAddress(ipv4: 0xc612_0001 + i), for: host, timeToLive: 1_000 + i, from: .dns, now: at(0))
    }
    #expect(learned.count == 160)
    learned.learn(IPAddress(ipv4: 0xc613_0001), for: host, timeToLive: 600, from: .dns, now: at(0))
    #expect(learned.count == 151)
    for i in 0..<160 as Range<UInt32> {
      #expect(learned.knows(host, at: IPAddress(ipv4: 0xc612_0001 + i), now: at(0)) == (i >= 10))
    }
    #expect(learned.knows(host, at: IPAddress(ipv4: 0xc613_0001), now: at(0)))
  }

  @Test("with the same expiry make room too", arguments: [1, 2, 15, 100])
  func equalExpiries(_ limit: Int) throws {
    let learned = LearnedAddresses(limit: limit)
    let host = try name("a.example")
    for i in 0..<1_000 as Range<UInt32> {
      learned.learn(
        IPAddress(ipv4: 0xc612_0001 + i), for: host, timeToLive: 60, from: .dns, now: at(0))
      #expect(learned.count <= limit)
      #expect(learned.knows(host, at: IPAddress(ipv4: 0xc612_0001 + i), now: at(0)))
    }
    #expect(learned.count > limit / 2)
  }
}

@Suite("The state file of learned addresses")
struct LearnedAddressesLinesTests {
  @Test("is a line an entry, by name and address")
  func lines() throws {
    let learned = LearnedAddresses()
    learned.learn(
      try address("2001:2::7"), for: try name("b.example"), timeToLive: 0, from: .resolver,
      now: at(0))
    learned.learn(
      try address("198.18.0.8"), for: try name("a.example"), timeToLive: 0, from: .dns, now: at(0))
    learned.learn(
      try address("198.18.0.7"), for: try name("a.example"), timeToLive: 9_000, from: .resolver,
      now: at(0))
    let text = String(
      decoding: learned.serialised(now: at(200), wall: WallTime(seconds: 1_000_000)), as: UTF8.self)
    #expect(
      text == """
        a.example 198.18.0.7 resolver 1012400
        a.example 198.18.0.8 dns 1004000
        b.example 2001:2::7 resolver 1004000

        """)
  }

  @Test("survives a restart, where the clock since boot begins anew")
  func restart() throws {
    let before = LearnedAddresses()
    let host = try name("a.example"), server = try address("198.18.0.7")
    before.learn(server, for: host, timeToLive: 600, from: .dns, now: at(50_000))
    let bytes = before.serialised(now: at(50_000), wall: WallTime(seconds: 1_000_000))
    let after = LearnedAddresses()
    #expect(after.restore(from: bytes, now: at(10), wall: WallTime(seconds: 1_001_000)) == 1)
    #expect(after.entries(now: at(10)).first?.expiry == at(10 + 3_200))
    let late = LearnedAddresses()
    #expect(late.restore(from: bytes, now: at(10), wall: WallTime(seconds: 1_004_200)) == 0)
  }

  @Test("gives no entry more time than a new one has, whatever the clock said")
  func wrongClock() throws {
    let learned = LearnedAddresses()
    let bytes = Array(
      "a.example 198.18.0.7 dns 2000000000\na.example 198.18.0.8 dns 9223372036854775807\n".utf8)
    #expect(learned.restore(from: bytes, now: at(10), wall: WallTime(seconds: 100)) == 2)
    for entry in learned.entries(now: at(10)) { #expect(entry.expiry == at(10 + 90_000)) }
    let past = LearnedAddresses()
    let early = Array("a.example 198.18.0.7 dns -9223372036854775808\n".utf8)
    #expect(past.restore(from: early, now: at(10), wall: WallTime(seconds: 100)) == 0)
  }

  @Test("says what HTTP DNS taught")
  func newgetdns() throws {
    let learned = LearnedAddresses()
    let line = Array("long.example 198.18.0.7 newgetdns 5000\n".utf8)
    #expect(learned.restore(from: line, now: at(0), wall: WallTime(seconds: 0)) == 1)
    #expect(learned.hasName(at: try address("198.18.0.7"), now: at(1)) { _ in true })
    #expect(learned.serialised(now: at(0), wall: WallTime(seconds: 0)) == line)
  }

  @Test("costs what is damaged of it, no more")
  func damaged() throws {
    let learned = LearnedAddresses()
    let text = """
      a.example 198.18.0.7 dns 5000
      a.example 198.18.0.8 dns
      a.example 198.18.0.8 dns 5000 6000
      a..example 198.18.0.8 dns 5000
      a.example 198.18.0.300 dns 5000
      a.example 198.18.0.8 oracle 5000
      a.example 198.18.0.8 dns soon
      a.example 192.168.1.1 dns 5000
      \u{0}\u{1}\u{2}

      a.example  198.18.0.8 dns 5000
      b.example 2001:2::7 resolver 5000
      """
    #expect(learned.restore(from: Array(text.utf8), now: at(10), wall: WallTime(seconds: 100)) == 2)
    #expect(learned.entries(now: at(10)).map(\.name.text) == ["a.example", "b.example"])
  }
}
