/// Reads the lines of an HTTP head and keeps count of the offset.
struct HTTPLineReader: ~Escapable {
  private let stream: RawSpan
  private var rest: Reader

  @_lifetime(copy stream)
  init(_ stream: RawSpan) {
    self.stream = stream
    rest = Reader(stream)
  }

  /// Bytes read so far.
  var offset: Int { stream.byteCount - rest.count }

  @_lifetime(self: copy self)
  mutating func byte() throws(Stop) -> UInt8 { try rest.take(UInt8.self) }

  /// A part of what has been read.
  @_lifetime(copy self)
  func slice(_ range: Range<Int>) throws(Stop) -> Reader { Reader(stream.extracting(range)) }

  /// Reads CR LF; nothing else ends a line.
  @_lifetime(self: copy self)
  mutating func lineEnd() throws(Stop) {
    guard try byte() == 0x0d, try byte() == 0x0a else { throw .malformed("line without CR LF") }
  }

  /// Reads `HTTP/1.0` or `HTTP/1.1`; whether it is the first.
  @_lifetime(self: copy self)
  mutating func version() throws(Stop) -> Bool {
    // "HTTP/1.", first byte highest.
    let prefix: UInt64 = 0x48_5454_502f_312e
    for i in 0..<7 {
      guard try byte() == UInt8(truncatingIfNeeded: prefix >> UInt64(48 - 8 * i)) else {
        throw .malformed("version is not HTTP/1")
      }
    }
    let minor = try byte()
    guard minor == 0x31 || minor == 0x30 else {
      throw .malformed("version is neither HTTP/1.0 nor HTTP/1.1")
    }
    return minor == 0x30
  }

  /// Reads the rest of a status line: nothing, or a space and a reason.
  @_lifetime(self: copy self)
  mutating func reason() throws(Stop) {
    var length = 0
    while true {
      let byte = try rest.peek(UInt8.self, at: length)
      if byte == 0x0d { break }
      guard length > 0 || byte == 0x20 else { throw .malformed("status of more than 3 digits") }
      guard byte >= 0x20 && byte != 0x7f || byte == 0x09 else {
        throw .malformed("control byte in a reason")
      }
      length += 1
    }
    try rest.skip(length)
    try lineEnd()
  }

  /// A field line: its name in lower case, and where its value stands, without the blanks around it.
  struct Field {
    var name: ASCIIWord
    var value: Range<Int>
  }

  /// Reads a field line (RFC 9112 §5); nil for the empty line that ends the head.
  @_lifetime(self: copy self)
  mutating func field() throws(Stop) -> Field? {
    let first = try rest.peek(UInt8.self)
    if first == 0x0d {
      try lineEnd()
      return nil
    }
    if first == 0x20 || first == 0x09 { throw .malformed("folded field") }
    let name = try fieldName()
    return Field(name: name, value: try fieldValue())
  }

  /// Reads a field's name and the colon.
  @_lifetime(self: copy self)
  private mutating func fieldName() throws(Stop) -> ASCIIWord {
    var name = ASCIIWord()
    var length = 0
    while true {
      let byte = try rest.peek(UInt8.self, at: length)
      if byte == 0x3a, length > 0 { break }
      guard byte.isTokenASCII else { throw .malformed("field name is not a token") }
      name.append(byte.lowercasedASCII)
      length += 1
    }
    try rest.skip(length + 1)
    return name
  }

  /// Reads a field's value and the end of its line; where the value stands, without the blanks around.
  @_lifetime(self: copy self)
  private mutating func fieldValue() throws(Stop) -> Range<Int> {
    var length = 0
    while true {
      while rest.count - length >= 8, try rest.peek(UInt64.self, at: length).isPrintableASCII {
        length += 8
      }
      let byte = try rest.peek(UInt8.self, at: length)
      if byte == 0x0d { break }
      // Bytes above 0x7f occur in honest values; control bytes but the tab don't.
      guard byte >= 0x20 && byte != 0x7f || byte == 0x09 else {
        throw .malformed("control byte in a field")
      }
      length += 1
    }
    var range = 0..<length
    while !range.isEmpty, try rest.peek(UInt8.self, at: range.lowerBound).isBlank {
      range = range.lowerBound + 1..<length
    }
    while !range.isEmpty, try rest.peek(UInt8.self, at: range.upperBound - 1).isBlank {
      range = range.lowerBound..<range.upperBound - 1
    }
    let start = offset
    try rest.skip(length)
    try lineEnd()
    return start + range.lowerBound..<start + range.upperBound
  }
}

extension UInt8 {
  /// A space or a tab.
  fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }

  /// A byte of a token (RFC 9110 §5.6.2): letters, digits and ``!#$%&'*+-.^_`|~``.
  var isTokenASCII: Bool {
    // A bit a byte value, of 0x00 to 0x3f and of 0x40 to 0x7f.
    let table: UInt64 = self < 0x40 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
    return self < 0x80 && table >> UInt64(self & 0x3f) & 1 == 1
  }
}
