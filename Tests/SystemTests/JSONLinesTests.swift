import System
import Testing

@Suite struct JSONLinesTests {
  @Test func `an object is a line, with its members in order`() {
    var lines = JSONLines()
    lines.begin("device")
    lines.add("name", "Front desk")
    lines.add("bytes", UInt64.max)
    lines.add("start", Int64(-1))
    lines.add("private", true)
    lines.add("addresses", ["198.18.1.10", "2001:2::10"])
    lines.end()
    lines.begin("total")
    lines.end()
    #expect(
      lines.text == """
        {"type":"device","name":"Front desk","bytes":18446744073709551615,"start":-1,\
        "private":true,"addresses":["198.18.1.10","2001:2::10"]}
        {"type":"total"}

        """)
  }

  @Test func `what is not there is null`() {
    var lines = JSONLines()
    lines.begin("x")
    lines.add("a", nil as String?)
    lines.add("b", nil as UInt64?)
    lines.add("c", nil as Bool?)
    lines.add("d", [])
    lines.end()
    #expect(lines.text == "{\"type\":\"x\",\"a\":null,\"b\":null,\"c\":null,\"d\":[]}\n")
  }

  @Test(arguments: [
    ("a\"b\\c", #"a\"b\\c"#), ("微信", "微信"), ("\n\t\u{0}", #"\u000a\u0009\u0000"#),
    ("\u{1b}[31m", #"\u001b[31m"#), ("\u{202e}x", #"\u202ex"#), ("\u{f0000}", #"\udb80\udc00"#),
  ])
  func `a string is escaped where JSON asks for it and where a terminal would obey`(
    value: String, written: String
  ) {
    var lines = JSONLines()
    lines.begin("x")
    lines.add("s", value)
    lines.end()
    #expect(lines.text == "{\"type\":\"x\",\"s\":\"\(written)\"}\n")
  }
}
