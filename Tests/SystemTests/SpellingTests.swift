import Testing

@testable import System

@Suite struct SpellingTests {
  @Test(arguments: [
    ("check", "check", 0), ("chekc", "check", 1), ("chck", "check", 1), ("checkk", "check", 1),
    ("cheek", "check", 1), ("", "check", 5), ("run", "resume", 4), ("weixin", "wiexin", 1),
    ("Host", "host", 0), ("kitten", "sitting", 3),
  ])
  func `distance counts letters put in, left out, replaced or swapped`(
    a: String, b: String, distance: Int
  ) {
    #expect(Spelling.distance(Array(a.utf8), Array(b.utf8)) == distance)
    #expect(Spelling.distance(Array(b.utf8), Array(a.utf8)) == distance)
  }

  @Test(arguments: [
    ("prots", "ports"), ("conf", "config"), ("explan", "explain"), ("xyz", nil), ("", nil),
    (String(repeating: "a", count: 1_000_000), nil),
  ])
  func `the nearest word is near, or there is none`(typed: String, meant: String?) {
    let known = ["config", "explain", "ports"]
    #expect(Spelling.nearest(to: typed, in: known) == meant)
  }

  @Test(arguments: [
    ([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c"),
  ])
  func `a choice is listed as people say it`(words: [String], text: String) {
    #expect(Spelling.list(words) == text)
  }
}
