import System
import Testing
import Wire

@testable import imgate

/// A pause ends when its time is over, also over a restart, and nothing else keeps it alive.
@Suite struct PausesTests {
  static let now = WallTime(seconds: 1_700_000_000)
  static let later = WallTime(seconds: 1_700_001_800)
  static let phone = MACAddress(bits: 0x0200_5e10_0001)
  static let laptop = MACAddress(bits: 0x0200_5e10_0002)

  let path = "/tmp/imgate-pauses-\(UInt64.random(in: .min ... .max))"

  @Test func `a restart takes up the pauses that are not over`() throws {
    var pauses = Pauses(path: path, now: Self.now)
    #expect(pauses.isEmpty)
    try pauses.begin(nil, until: Self.later)
    try pauses.begin(Self.phone, until: Self.later)
    let again = Pauses(path: path, now: Self.now)
    #expect(again.all == Self.later)
    #expect(again.devices == [Self.phone: Self.later])
    try File.remove(path)
  }

  @Test func `one that ended meanwhile is not taken up`() throws {
    var pauses = Pauses(path: path, now: Self.now)
    try pauses.begin(nil, until: Self.later)
    try pauses.begin(Self.phone, until: Self.later)
    #expect(Pauses(path: path, now: Self.later).isEmpty)
    try File.remove(path)
  }

  @Test func `a line that can't be read pauses nobody`() throws {
    try File.replace(path, with: Array("all\nall soon\nx 1800000000\n\u{0}\n".utf8))
    #expect(Pauses(path: path, now: Self.now).isEmpty)
    try File.remove(path)
  }

  @Test func `each pause ends on its own second`() throws {
    var pauses = Pauses(path: path, now: Self.now)
    try pauses.begin(Self.phone, until: Self.later)
    try pauses.begin(Self.laptop, until: WallTime(seconds: Self.later.seconds + 1))
    let endsTooSoon = pauses.expire(now: WallTime(seconds: Self.later.seconds - 1))
    let endsInTime = pauses.expire(now: Self.later)
    #expect(!endsTooSoon)
    #expect(endsInTime)
    #expect(Array(pauses.devices.keys) == [Self.laptop])
    #expect(Array(Pauses(path: path, now: Self.now).devices.keys) == [Self.laptop])
    try File.remove(path)
  }

  @Test func `ending all of them leaves nothing for the next start`() throws {
    var pauses = Pauses(path: path, now: Self.now)
    try pauses.begin(nil, until: Self.later)
    try pauses.begin(Self.phone, until: Self.later)
    try pauses.endAll()
    #expect(pauses.isEmpty)
    #expect(Pauses(path: path, now: Self.now).isEmpty)
    try pauses.endAll()
  }

  @Test func `one that can't be written does not begin`() {
    var pauses = Pauses(path: "/nonexistent/pauses", now: Self.now)
    #expect(throws: SystemError.self) { try pauses.begin(nil, until: Self.later) }
    #expect(pauses.isEmpty)
  }

  @Test func `they end even when the file can't be removed`() throws {
    // A directory in its place: unlink(2) refuses it, for root too.
    var pauses = Pauses(path: path, now: Self.now)
    try pauses.begin(nil, until: Self.later)
    try File.remove(path)
    try Directory.make(path)
    #expect(throws: SystemError.self) { try pauses.endAll() }
    #expect(pauses.isEmpty)
    _ = try Command(["rmdir", path]).run()
  }
}
