import System
import Testing

@Suite struct PlainTextTests {
  @Test(arguments: [
    ("Pixel-7", "Pixel-7"),
    ("张伟的手机", "张伟的手机"),
    ("<b>&\"'", "<b>&\"'"),
    ("a\u{1b}[31mb", "a\\x1b[31mb"),
    ("a\tb\nc\u{7f}", "a\\x09b\\x0ac\\x7f"),
    ("a\u{9b}31m", "a\\x9b31m"),  // CSI in 8 bits
    ("a\u{202e}b\u{2066}c\u{200f}", "a\\u202eb\\u2066c\\u200f"),  // turn the text around
    ("a\u{2028}b\u{feff}c\u{e0041}", "a\\u2028b\\ufeffc\\ue0041"),
    ("a\u{200d}b\u{fe0f}", "ab"),  // invisible
    ("e\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}"),  // piles of accents
    ("\u{301}a", "a"),
    ("", ""),
  ])
  func whatIsNotPrintableIsEscaped(text: String, shown: String) {
    let clean = PlainText.clean(text)
    #expect(Array(clean.utf8) == Array(shown.utf8))
  }

  @Test func textIsCutAtItsLimit() {
    #expect(PlainText.clean("abcdef", limit: 6) == "abcdef")
    #expect(PlainText.clean("abcdef", limit: 5) == "abcde…")
    #expect(PlainText.clean("张伟的手机", limit: 2) == "张伟…")
  }

  @Test func bytesThatAreNotUTF8BecomeReplacements() {
    #expect(PlainText.clean([0x61, 0xc0, 0x80, 0x62]) == "a\u{fffd}\u{fffd}b")
  }

  @Test(arguments: [
    ("abc", 3), ("张伟", 4), ("ｶﾅ", 2), ("e\u{301}", 1), ("é", 1), ("한글", 4), ("😀", 2), ("…", 1),
  ])
  func columnsAreCountedAsATerminalDoes(text: String, columns: Int) {
    #expect(PlainText.columns(text) == columns)
  }
}
