import Testing

@testable import Netfilter

struct InterfaceSetTests {
  @Test(arguments: [1, 63, 64, 1000, .max] as [UInt32])
  func `An index is in the set that was made with it`(index: UInt32) {
    #expect(InterfaceSet([5, index]).contains(index))
    #expect(!InterfaceSet([5]).contains(index))
  }

  @Test func `Index 0 (no interface) is in no set`() {
    #expect(!InterfaceSet([0, 1]).contains(0))
    #expect(!InterfaceSet([]).contains(0))
  }

  @Test func `The loopback interface has its name, index and prefix`() throws {
    let loopback = try #require(try Interfaces.all().first { $0.name == "lo" })
    #expect(Interfaces.index(of: "lo") == loopback.index)
    #expect(InterfaceSet(names: ["lo", "no-such-name"]).contains(loopback.index))
  }
}
