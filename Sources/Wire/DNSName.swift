/// Reads names of DNS messages (RFC 1035 §3.1, §4.1.4).
enum DNSName {
  /// Reads the name at `offset` and moves `offset` behind it.
  ///
  /// The name is text, labels joined by dots; the root is the empty name. A pointer must lead to
  /// before the labels that it ends, so that none leads in a circle. A label with a dot, a blank or a
  /// byte that is not visible ASCII is malformed: its text would be another name's.
  static func read(_ message: borrowing Reader, at offset: inout Int) throws(Stop) -> WireName {
    var name = WireName()
    var position = offset
    // Where the labels that are being read began, and whether `offset` is settled.
    var start = offset
    var jumps = 0
    while true {
      let length = try message.peek(UInt8.self, at: position)
      if length == 0 {
        if jumps == 0 { offset = position + 1 }
        return name
      }
      if length >= 0xc0 {
        let target = Int(try message.peek(UInt16.self, at: position) & 0x3fff)
        guard target >= DNSMessage.headerSize, target < start else {
          throw .malformed("compression pointer that does not lead back")
        }
        if jumps == 0 { offset = position + 2 }
        jumps += 1
        // One pointer a label is as many as any writer sets.
        guard jumps <= 127 else { throw .malformed("pointers that lead to pointers") }
        position = target
        start = target
        continue
      }
      guard length < 64 else { throw .malformed("label of a reserved type") }
      if name.count > 0, !name.append(0x2e) { throw Self.tooLong }
      for i in 1...Int(length) {
        let byte = try message.peek(UInt8.self, at: position + i)
        guard byte.isVisibleASCII, byte != 0x2e else {
          throw .malformed("byte in a label that no host name has")
        }
        guard name.append(byte) else { throw Self.tooLong }
      }
      // The wire form has one byte more before the first label, and the root behind the last.
      guard name.count <= 253 else { throw Self.tooLong }
      position += 1 + Int(length)
    }
  }

  private static var tooLong: Stop { .malformed("name longer than 253") }
}
