import Testing

@testable import System

@Suite struct OrderingTests {
  @Test(arguments: [
    [], [1], [1, 2], [2, 1], [3, 1, 2], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 1],
    [9, 3, 7, 1, 8, 2, 6, 4, 5], Array((0..<1000).reversed()), (0..<1000).map { $0 * 7919 % 1009 },
  ])
  func `numbers come out as the standard library sorts them`(numbers: [Int]) {
    #expect(numbers.ordered() == numbers.sorted())
    #expect(numbers.ordered(by: >) == numbers.sorted(by: >))
  }

  @Test func `equal elements stay as they stood`() {
    let words = ["pear", "fig", "kiwi", "nut", "plum", "apple", "date", "yam"]
    #expect(
      words.ordered { $0.utf8.count < $1.utf8.count } == [
        "fig", "nut", "yam", "pear", "kiwi", "plum", "date", "apple",
      ])
  }

  @Test func `an order that is none still gives every element once`() {
    #expect(Set((0..<100).ordered { _, _ in true }) == Set(0..<100))
  }
}
