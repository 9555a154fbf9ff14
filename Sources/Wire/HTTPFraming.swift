/// The fields that say whom a request is for and where a body ends (RFC 9112 §6).
struct HTTPFraming {
  var host: HTTPAuthority?
  private(set) var contentLength: UInt64?
  private(set) var isChunked = false

  mutating func readContentLength(_ value: consuming Reader) throws(Stop) {
    guard contentLength == nil else { throw .malformed("two Content-Length fields") }
    // 18 digits stay far below 2^64.
    guard 1...18 ~= value.count else { throw .malformed("Content-Length is not a number") }
    var length: UInt64 = 0
    while !value.isEmpty {
      let byte = try value.take(UInt8.self)
      guard byte.isDigit else { throw .malformed("Content-Length is not a number") }
      length = length * 10 + UInt64(byte - 0x30)
    }
    contentLength = length
  }

  mutating func readTransferEncoding(_ value: consuming Reader) throws(Stop) {
    guard !isChunked else { throw .malformed("two Transfer-Encoding fields") }
    guard try value.takeWord() == .chunked else {
      throw .malformed("transfer coding is not chunked")
    }
    isChunked = true
  }

  /// Two ways to find a body's end are one too many, and HTTP/1.0 has but one.
  func check(isHTTP10: Bool) throws(Stop) {
    guard isChunked else { return }
    guard contentLength == nil else {
      throw .malformed("Content-Length beside Transfer-Encoding")
    }
    guard !isHTTP10 else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
  }
}

extension Reader {
  /// Takes all that is left as a word in lower case.
  @_lifetime(self: copy self)
  mutating func takeWord() throws(Stop) -> ASCIIWord {
    var word = ASCIIWord()
    while !isEmpty { word.append(try take(UInt8.self).lowercasedASCII) }
    return word
  }
}
