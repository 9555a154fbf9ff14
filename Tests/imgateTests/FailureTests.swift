import Control
import Testing

@testable import imgate

@Suite struct FailureTests {
  @Test(arguments: [
    ("rules.yaml:1:1: error: a", "rules.yaml:1:1: error: a\nimgate: the old rules stay in force"),
    ("one\ntwo\n", "one\ntwo\nimgate: the old rules stay in force"),
    ("", "imgate: the old rules stay in force"),
  ])
  func `the gateway's message begins a line of its own`(details: String, text: String) {
    let failure = Failure(
      .failure(1, "the old rules stay in force", body: Array(details.utf8)))
    #expect(failure.text == text)
    #expect(failure.status == .badInput)
  }
}
