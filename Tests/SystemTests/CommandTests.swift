import Testing

@testable import System

@Suite struct CommandTests {
  @Test func `output, errors and exit status come back`() throws {
    let outcome = try Command(["sh", "-c", "cat; echo oops >&2; exit 7"])
      .run(input: Array("in".utf8))
    #expect(outcome.outputText == "in")
    #expect(outcome.errorText == "oops\n")
    #expect(outcome.status == 7)
  }

  @Test func `much input and much output at a time don't lock each other up`() throws {
    let megabyte = [UInt8](repeating: 65, count: 1 << 20)
    #expect(try Command(["cat"]).run(input: megabyte).output == megabyte)
  }

  @Test func `a signal's number is added to 128`() throws {
    #expect(try Command(["sh", "-c", "kill -KILL $$"]).run().status == 137)
  }

  @Test func `the child can die of SIGPIPE and SIGTERM though the gateway holds them off`() throws {
    Signals.ignorePipe()
    try Signals.block()
    #expect(try Command(["sh", "-c", "kill -PIPE $$"]).run().status == 141)
    #expect(try Command(["sh", "-c", "kill -TERM $$"]).run().status == 143)
  }

  @Test func `the environment is PATH, the C locale, and what is given`() throws {
    let output = try Command(["env"], environment: ["A=b"]).run().outputText
    let names = output.split(separator: "\n").map { $0.prefix { $0 != "=" } }.sorted()
    #expect(names == ["A", "LC_ALL", "PATH"])
  }

  @Test(arguments: ["sleep 120", "exec >&- 2>&-; exec sleep 120", "sleep 120 & exec sleep 120"])
  func `a program that doesn't end is killed`(script: String) {
    let start = Instant.now
    expectFailure(110) { () throws(SystemError) in
      _ = try Command(["sh", "-c", script]).run(patience: .milliseconds(100))
    }
    // Long before its own end, also on a busy machine.
    #expect(Instant.now.since(start) < .seconds(60))
  }

  @Test func `a program that isn't there is ENOENT`() {
    expectFailure(2) { () throws(SystemError) in
      _ = try Command(["/nonexistent/program"]).run()
    }
  }
}
