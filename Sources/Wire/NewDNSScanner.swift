/// One walk over a newgetdns reply; see `NewDNSReply`.
struct NewDNSScanner: ~Copyable {
  /// The elements that mean something, by where they stand.
  private enum Element: UInt8 {
    case dns
    case domainList
    case domain
    case builtInList
    case address
    case other
  }

  private(set) var reply = NewDNSReply()

  // The open elements and their names, outermost first.
  private var open = InlineArray<8, Element>(repeating: .other)
  private var names = InlineArray<8, ASCIIWord>(repeating: ASCIIWord())
  private var depth = 0
  private var hasRoot = false

  // The current domain, or the list of servers, and the addresses that it has shown.
  private var name: WireName?
  private var timeout: UInt32 = 0
  private var addresses = InlineArray<64, IPAddress>(repeating: IPAddress(ipv4: 0))
  private var addressCount = 0
  // The text of the current address.
  private var text = WireName()
  private var isTextTooLong = false

  init() {}

  mutating func scan(_ bytes: RawSpan, _ body: (NewDNSReply.Entry) -> Void) throws(Stop) {
    var reader = Reader(bytes)
    while !reader.isEmpty {
      let byte = try reader.take(UInt8.self)
      if byte != UInt8(ascii: "<") {
        collect(byte)
        continue
      }
      switch try reader.peek(UInt8.self) {
      case UInt8(ascii: "?"): try skipDeclaration(&reader)
      case UInt8(ascii: "!"): try skipComment(&reader)
      case UInt8(ascii: "/"):
        try reader.skip(1)
        try close(&reader, body)
      default: try begin(&reader, body)
      }
    }
    guard depth == 0, hasRoot else { throw .needMore }
  }

  private mutating func collect(_ byte: UInt8) {
    guard depth > 0, open[depth - 1] == .address else { return }
    guard byte != 0x20, byte != 0x09, byte != 0x0a, byte != 0x0d else { return }
    if !text.append(byte) { isTextTooLong = true }
  }

  /// Skips a declaration, to `?>`.
  @_lifetime(reader: copy reader)
  private func skipDeclaration(_ reader: inout Reader) throws(Stop) {
    var last: UInt8 = 0
    while true {
      let byte = try reader.take(UInt8.self)
      if byte == UInt8(ascii: ">"), last == UInt8(ascii: "?") { return }
      last = byte
    }
  }

  /// Skips a comment, to `-->`; other things with `<!`, such as entities, no reply has.
  @_lifetime(reader: copy reader)
  private func skipComment(_ reader: inout Reader) throws(Stop) {
    guard try reader.has(0x212d as UInt16), try reader.has(0x2d as UInt8, at: 2) else {
      throw .malformed("declaration inside the reply")
    }
    try reader.skip(3)
    var hyphens = 0
    while true {
      let byte = try reader.take(UInt8.self)
      if byte == UInt8(ascii: ">"), hyphens >= 2 { return }
      hyphens = byte == UInt8(ascii: "-") ? hyphens + 1 : 0
    }
  }

  // MARK: Tags

  /// Takes a tag's or attribute's name: letters, digits, `_`, `-`, `.` and `:`.
  @_lifetime(reader: copy reader)
  private func takeName(_ reader: inout Reader) throws(Stop) -> ASCIIWord {
    var word = ASCIIWord()
    var count = 0
    while true {
      let byte = try reader.peek(UInt8.self)
      guard byte.isLetter || byte.isDigit || byte == 0x5f || 0x2d...0x2e ~= byte || byte == 0x3a
      else { break }
      guard count < 32 else { throw .malformed("name of an element longer than any") }
      word.append(byte)
      count += 1
      try reader.skip(1)
    }
    guard count > 0 else { throw .malformed("element without a name") }
    return word
  }

  /// Skips blanks; the byte after them, which is not taken.
  @_lifetime(reader: copy reader)
  private func skipBlanks(_ reader: inout Reader) throws(Stop) -> UInt8 {
    while true {
      let byte = try reader.peek(UInt8.self)
      guard byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d else { return byte }
      try reader.skip(1)
    }
  }

  /// Reads a start tag, behind its `<`.
  @_lifetime(reader: copy reader)
  private mutating func begin(
    _ reader: inout Reader, _ body: (NewDNSReply.Entry) -> Void
  ) throws(Stop) {
    let word = try takeName(&reader)
    let element = element(word)
    guard depth < open.count else { throw .malformed("elements nest deeper than in any reply") }
    open[depth] = element
    names[depth] = word
    depth += 1
    switch element {
    case .domain, .builtInList:
      name = nil
      timeout = 0
      addressCount = 0
    case .address:
      text = WireName()
      isTextTooLong = false
    default: break
    }
    while true {
      switch try skipBlanks(&reader) {
      case UInt8(ascii: ">"):
        try reader.skip(1)
        try beginDomain(element)
        return
      case UInt8(ascii: "/"):
        guard try reader.has(0x2f3e as UInt16) else { throw .malformed("tag with a slash inside") }
        try reader.skip(2)
        try beginDomain(element)
        try end(body)
        return
      default: try readAttribute(&reader, of: element)
      }
    }
  }

  private mutating func beginDomain(_ element: Element) throws(Stop) {
    guard element == .domain else { return }
    guard name != nil else { throw .malformed("domain without a name") }
    reply.names += 1
    guard reply.names <= NewDNSReply.maximumNames else { throw .malformed("more than 512 names") }
  }

  private func element(_ word: ASCIIWord) -> Element {
    guard depth > 0 else { return word == .dns ? .dns : .other }
    switch open[depth - 1] {
    case .dns where word == .domainList: return .domainList
    case .dns where word == .builtInList: return .builtInList
    case .domainList where word == .domain: return .domain
    case .domain where word == .ip || word == .ipv6: return .address
    case .builtInList where word == .ip || word == .ipv6: return .address
    default: return .other
    }
  }

  /// Reads `name="value"`, in either kind of quotes.
  @_lifetime(reader: copy reader)
  private mutating func readAttribute(_ reader: inout Reader, of element: Element) throws(Stop) {
    let word = try takeName(&reader)
    guard try skipBlanks(&reader) == UInt8(ascii: "=") else {
      throw .malformed("attribute without a value")
    }
    try reader.skip(1)
    let quote = try skipBlanks(&reader)
    guard quote == 0x22 || quote == 0x27 else { throw .malformed("value without quotes") }
    try reader.skip(1)
    var length = 0
    while try reader.peek(UInt8.self, at: length) != quote {
      guard try reader.peek(UInt8.self, at: length) != UInt8(ascii: "<") else {
        throw .malformed("tag inside a value")
      }
      length += 1
    }
    let value = reader.split(upTo: length)
    try reader.skip(1)
    guard element == .domain else { return }
    if word == .name {
      guard name == nil, length > 0 else { throw .malformed("two names of a domain, or none") }
      var filled = WireName()
      try filled.fill(visible: value)
      name = filled
    } else if word == .timeout {
      timeout = try Self.number(value)
    }
  }

  /// A decimal number; 0 for what is none, or more than nine digits.
  private static func number(_ value: consuming Reader) throws(Stop) -> UInt32 {
    guard value.count <= 9 else { return 0 }
    var number: UInt32 = 0
    while !value.isEmpty {
      let byte = try value.take(UInt8.self)
      guard byte.isDigit else { return 0 }
      number = number * 10 + UInt32(byte - 0x30)
    }
    return number
  }

  /// Reads an end tag, behind its `</`.
  @_lifetime(reader: copy reader)
  private mutating func close(
    _ reader: inout Reader, _ body: (NewDNSReply.Entry) -> Void
  ) throws(Stop) {
    let word = try takeName(&reader)
    guard try skipBlanks(&reader) == UInt8(ascii: ">") else {
      throw .malformed("end tag with more than a name")
    }
    try reader.skip(1)
    guard depth > 0, names[depth - 1] == word else {
      throw .malformed("end tag of another element")
    }
    try end(body)
  }

  /// Ends the innermost element.
  private mutating func end(_ body: (NewDNSReply.Entry) -> Void) throws(Stop) {
    depth -= 1
    switch open[depth] {
    case .dns: hasRoot = true
    case .address: try endAddress(body)
    default: break
    }
  }

  private mutating func endAddress(_ body: (NewDNSReply.Entry) -> Void) throws(Stop) {
    guard !isTextTooLong, let address = IPAddress(text, 0..<text.count) else { return }
    for i in 0..<addressCount where addresses[i] == address { return }
    guard addressCount < NewDNSReply.maximumAddresses else {
      throw .malformed("more than 64 addresses of a name")
    }
    addresses[addressCount] = address
    addressCount += 1
    reply.entries += 1
    body(NewDNSReply.Entry(name: name, address: address, timeout: timeout))
  }
}
