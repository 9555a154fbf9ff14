/// A host with an optional port, as in the Host field and in absolute request targets (RFC 9110 §7.2,
/// RFC 3986 §3.2).
struct HTTPAuthority {
  /// The host as written, an IPv6 literal with its brackets if it has them; nil when it is empty.
  var host: WireName?
  var port: UInt16?

  /// Reads all of `reader`.
  ///
  /// User information, percent-encoding, an empty port and everything but letters, digits, `.`, `-`
  /// and `_` in a name are malformed. `allowsBareLiteral` lets an IPv6 literal without brackets be
  /// the whole authority: WeChat's short link writes one into Host when it has no name.
  init(_ reader: consuming Reader, allowsBareLiteral: Bool = false) throws(Stop) {
    var name = WireName()
    if allowsBareLiteral, try Self.readBareLiteral(reader, into: &name) {
      host = name
      return
    }
    if !reader.isEmpty, try reader.peek(UInt8.self) == 0x5b {  // [
      try Self.readLiteral(&reader, into: &name)
    } else {
      while !reader.isEmpty, try reader.peek(UInt8.self) != 0x3a {
        let byte = try reader.take(UInt8.self)
        guard byte.isLetter || byte.isDigit || byte == 0x2d || byte == 0x2e || byte == 0x5f else {
          throw .malformed("byte in a host that no name has")
        }
        guard name.append(byte) else { throw .malformed("host longer than 255") }
      }
    }
    host = name.count > 0 ? name : nil
    if reader.isEmpty { return }
    guard name.count > 0, try reader.take(UInt8.self) == 0x3a else {
      throw .malformed("bytes after the host that are no port")
    }
    port = try Self.readPort(&reader)
  }

  @_lifetime(reader: copy reader)
  private static func readLiteral(_ reader: inout Reader, into name: inout WireName) throws(Stop) {
    var byte: UInt8
    repeat {
      guard !reader.isEmpty else { throw .malformed("IPv6 literal without its end") }
      byte = try reader.take(UInt8.self)
      guard
        byte.hexValue != nil || byte == 0x3a || byte == 0x2e || byte == 0x5d
          || (byte == 0x5b && name.count == 0)
      else { throw .malformed("byte in an IPv6 literal that it can't have") }
      // No literal is longer than [ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255].
      guard name.count < 48 else { throw .malformed("IPv6 literal too long") }
      _ = name.append(byte)
    } while byte != 0x5d
  }

  /// Fills `name` when all of `reader` is an IPv6 literal without brackets; such a literal is never
  /// cut at a colon, and has no port.
  private static func readBareLiteral(
    _ reader: borrowing Reader, into name: inout WireName
  ) throws(Stop) -> Bool {
    // Between `::` and eight groups, the last two perhaps as IPv4.
    guard 2...45 ~= reader.count else { return false }
    var literal = WireName()
    var colons = 0
    for i in 0..<reader.count {
      let byte = try reader.peek(UInt8.self, at: i)
      guard byte.hexValue != nil || byte == 0x3a || byte == 0x2e else { return false }
      if byte == 0x3a { colons += 1 }
      _ = literal.append(byte)
    }
    guard colons >= 2, IPAddress(literal, 0..<literal.count) != nil else { return false }
    name = literal
    return true
  }

  @_lifetime(reader: copy reader)
  private static func readPort(_ reader: inout Reader) throws(Stop) -> UInt16 {
    guard 1...5 ~= reader.count else { throw .malformed("port is not one to five digits") }
    var port: UInt32 = 0
    while !reader.isEmpty {
      let byte = try reader.take(UInt8.self)
      guard byte.isDigit else { throw .malformed("port is not one to five digits") }
      port = port * 10 + UInt32(byte - 0x30)
    }
    guard 1...65_535 ~= port else { throw .malformed("port not within 1 to 65535") }
    return UInt16(port)
  }
}
