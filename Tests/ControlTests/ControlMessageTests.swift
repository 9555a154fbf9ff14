import Testing

@testable import Control

@Suite struct ControlMessageTests {
  @Test(arguments: [
    ("status", ControlRequest.status(json: false)),
    ("status json", .status(json: true)),
    ("addresses", .addresses(json: false)),
    ("addresses json", .addresses(json: true)),
    ("rows 1700000000 1700003600", .rows(from: 1_700_000_000, to: 1_700_003_600)),
    ("reload", .reload),
    ("pause 1800", .pause(seconds: 1800, device: nil)),
    ("pause 60 02:00:5e:10:00:01", .pause(seconds: 60, device: "02:00:5e:10:00:01")),
    ("pause 60 Owner  laptop", .pause(seconds: 60, device: "Owner  laptop")),
    ("resume", .resume),
    ("firewall verify", .verifyFirewall),
  ])
  func `a request is written and read as this line`(line: String, request: ControlRequest) {
    #expect(request.line == line)
    #expect(ControlRequest(line: line) == request)
  }

  @Test(arguments: [
    "", " ", "Status", "status text", "status json json", "rows", "rows 1", "rows 2 1", "rows a b",
    "rows 1 2 3", "reload now", "pause", "pause 0", "pause -1", "pause 1 ", "pause x", "firewall",
    "firewall remove", "shutdown",
  ])
  func `anything else is no request`(line: String) {
    #expect(ControlRequest(line: line) == nil)
  }

  @Test func `an answer is read as it was written`() {
    for reply in [
      ControlReply.ok(), .ok("a\nb\n"), .failure(1, "rules.yaml:3:1: error: expected a list"),
      .failure(3, "", body: [0, 255, 10]),
    ] {
      #expect(ControlReply(reply.bytes) == reply)
    }
  }

  @Test func `a message stays on its line`() {
    #expect(ControlReply.failure(1, "a\nb").bytes == Array("error 1 a b\n".utf8))
  }

  @Test(arguments: ["", "ok", "o\n", "ok \n", "error\n", "error 1\n", "error 0 x\n", "error x y\n"])
  func `anything else is no answer`(text: String) {
    #expect(ControlReply(Array(text.utf8)) == nil)
  }
}
