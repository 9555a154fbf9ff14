import System
import Testing
import Wire

@testable import imgate

/// What a device has moved of media today is not given back by a restart.
@Suite struct MediaBookTests {
  let path = "/tmp/imgate-media-\(UInt64.random(in: .min ... .max))"
  static let noon = WallTime(seconds: 1_735_815_600)
  static let phone = MACAddress(bits: 0x0200_5e10_0001)
  static let tablet = MACAddress(bits: 0x0200_5e10_0002)

  @Test func whatWasWrittenIsRead() throws {
    var book = MediaBook(path: path, now: Self.noon)
    try book.write([Self.phone: 123, Self.tablet: 4_000_000_000_000])
    var next = MediaBook(path: path, now: Self.noon)
    let spent = next.read()
    #expect(spent == [Self.phone: 123, Self.tablet: 4_000_000_000_000])
    try File.remove(path)
  }

  @Test func anotherDayBeginsWithNothing() throws {
    var book = MediaBook(path: path, now: Self.noon)
    try book.write([Self.phone: 123])
    let tomorrow = WallTime(seconds: Self.noon.seconds + 86_400)
    let isSameDay = !book.turn(to: Self.noon)
    #expect(isSameDay)
    let isAnotherDay = book.turn(to: tomorrow)
    #expect(isAnotherDay)
    var next = MediaBook(path: path, now: tomorrow)
    let nothing = next.read()
    #expect(nothing.isEmpty)
    // The same figures on another day are another file.
    try book.write([Self.phone: 123])
    let spent = next.read()
    #expect(spent == [Self.phone: 123])
    try File.remove(path)
  }

  @Test func aLineThatIsCutShortIsPassedOver() throws {
    var book = MediaBook(path: path, now: Self.noon)
    try book.write([Self.phone: 123, Self.tablet: 77])
    let whole = try File.read(path)
    for length in 0..<whole.count {
      try File.replace(path, with: Array(whole.prefix(length)))
      var next = MediaBook(path: path, now: Self.noon)
      let spent = next.read()
      #expect(spent.count <= 2)
    }
    try File.remove(path)
  }

  @Test func withoutAFileNothingIsKnown() {
    var book = MediaBook(path: "/nonexistent/media", now: Self.noon)
    let spent = book.read()
    #expect(spent.isEmpty)
  }
}
