/// Reads handshake messages from the TLS records that carry them.
///
/// A message may span any number of records (RFC 8446 §5.1), at any byte. Lengths inside the message
/// set a limit (`enter`), and reading past it is malformed at once, however much of the stream is
/// still to come: only the end of the stream itself is `needMore`.
///
/// ```
/// record:  type (1)  version (2)  length (2)  fragment (length)
/// ```
struct HandshakeReader: ~Escapable {
  private var stream: Reader
  // What is left of the current record, as far as it has come.
  private var fragment: Reader
  // Bytes of the current record that are still to come.
  private var missing = 0
  // Handshake bytes taken so far, and how many may be taken.
  private var position = 0
  private var limit = Int.max

  @_lifetime(copy stream)
  init(_ stream: RawSpan) {
    self.stream = Reader(stream)
    fragment = Reader(stream.extracting(first: 0))
  }

  /// Reads messages that stand in no records (RFC 9001 §4.1.3).
  @_lifetime(copy messages)
  init(messages: RawSpan) {
    stream = Reader(messages.extracting(first: 0))
    fragment = Reader(messages)
    // The one record has no end, and never another one after it.
    missing = Int.max
  }

  /// Bytes of the stream after all that was taken, including an unfinished record's.
  var remaining: Int { stream.count + fragment.count }

  /// Whether the current structure has been read to its end.
  var isAtLimit: Bool { position == limit }

  /// Bytes from here to the end of the current structure.
  var left: Int { limit - position }

  /// Begins a structure of `length` bytes; `leave` ends it with what this returns.
  @_lifetime(self: copy self)
  mutating func enter(_ length: Int) throws(Stop) -> Int {
    guard length <= limit - position else {
      throw .malformed("a length runs past the structure around it")
    }
    let outer = limit
    limit = position + length
    return outer
  }

  /// Ends a structure, which must have been read whole.
  @_lifetime(self: copy self)
  mutating func leave(_ outer: Int) throws(Stop) {
    guard position == limit else { throw .malformed("bytes are left over inside a structure") }
    limit = outer
  }

  @inline(__always)
  @_lifetime(self: copy self)
  mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) throws(Stop) -> T {
    let size = MemoryLayout<T>.size
    // Neither overflows: position never exceeds limit, nor the stream's length.
    guard limit &- position >= size else {
      throw .malformed("a field runs past the structure around it")
    }
    if fragment.count >= size {
      position &+= size
      return try fragment.take(T.self)
    }
    return try takeAcrossRecords(T.self)
  }

  @inline(never)
  @_lifetime(self: copy self)
  private mutating func takeAcrossRecords<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type
  ) throws(Stop) -> T {
    var value: T = 0
    for _ in 0..<MemoryLayout<T>.size {
      try refill()
      value = value << 8 | T(truncatingIfNeeded: try fragment.take(UInt8.self))
      position += 1
    }
    return value
  }

  @_lifetime(self: copy self)
  mutating func skip(_ length: Int) throws(Stop) {
    guard length <= limit - position else {
      throw .malformed("a field runs past the structure around it")
    }
    var length = length
    while length > 0 {
      try refill()
      let step = min(length, fragment.count)
      try fragment.skip(step)
      position += step
      length -= step
    }
  }

  /// Takes a name of `length` bytes into the empty `name`.
  @_lifetime(self: copy self)
  mutating func takeName(_ length: Int, into name: inout WireName) throws(Stop) {
    guard length <= limit - position else {
      throw .malformed("a field runs past the structure around it")
    }
    if fragment.count >= length {
      position += length
      try name.fill(visible: fragment.split(upTo: length))
      return
    }
    for _ in 0..<length {
      let byte = try take(UInt8.self)
      guard byte.isVisibleASCII, name.append(byte) else {
        throw .malformed("name is not visible ASCII, or longer than 255")
      }
    }
  }

  /// The message is over: nothing may follow it in its record.
  func endMessage() throws(Stop) {
    guard fragment.isEmpty, missing == 0 || missing == Int.max else {
      throw .malformed("bytes follow the handshake message in its record")
    }
  }

  /// Goes to the next record when the current one is used up.
  @_lifetime(self: copy self)
  private mutating func refill() throws(Stop) {
    guard fragment.isEmpty else { return }
    guard missing == 0 else { throw .needMore }
    let length = try TLSRecord.header(&stream, expecting: TLSRecord.handshake)
    fragment = stream.split(upTo: length)
    missing = length - fragment.count
    if fragment.isEmpty { throw .needMore }
  }
}

// What the parsers of handshakes want of a record.
extension TLSRecord {
  static let alert: UInt8 = 21
  static let handshake: UInt8 = 22

  /// Takes the five bytes of a record's header; the length of its fragment.
  ///
  /// A server ignores the version's minor number; the major number must be 3, and 5 and above were
  /// never given out.
  @_lifetime(stream: copy stream)
  static func header(_ stream: inout Reader, expecting type: UInt8) throws(Stop) -> Int {
    guard try stream.take(UInt8.self) == type else { throw .malformed("not the expected record") }
    guard try stream.take(UInt8.self) == 3 else { throw .malformed("record version is not 3") }
    guard try stream.take(UInt8.self) <= 4 else { throw .malformed("record version above 3.4") }
    let length = Int(try stream.take(UInt16.self))
    guard 1...16_384 ~= length else { throw .malformed("record length not within 1 to 16384") }
    return length
  }
}
