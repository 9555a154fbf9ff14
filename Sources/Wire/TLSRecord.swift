/// TLS record headers: type, version, length (RFC 8446 §5.1).
public enum TLSRecord {
  /// Bytes of the header before a record's body.
  public static let headerSize = 5

  /// The type of the record that `stream` begins with: 20 change_cipher_spec, 21 alert,
  /// 22 handshake, 23 application_data; nil when there is no byte.
  public static func type(of stream: RawSpan) -> UInt8? {
    guard stream.byteCount > 0 else { return nil }
    // In bounds: there is at least one byte.
    return unsafe stream.unsafeLoad(fromUncheckedByteOffset: 0, as: UInt8.self)
  }

  /// The length, header and body, of the record that `stream` begins with; 0 when its header is not
  /// complete.
  public static func length(ofFirstIn stream: RawSpan) -> Int {
    guard stream.byteCount >= headerSize else { return 0 }
    // In bounds: the header's five bytes are there.
    let high = unsafe stream.unsafeLoad(fromUncheckedByteOffset: 3, as: UInt8.self)
    let low = unsafe stream.unsafeLoad(fromUncheckedByteOffset: 4, as: UInt8.self)
    return headerSize + Int(high) << 8 + Int(low)
  }

  /// The end of the complete records at the start of `stream` whose type passes `accept`.
  public static func end(ofRecordsIn stream: RawSpan, where accept: (UInt8) -> Bool) -> Int {
    var end = 0
    while true {
      let rest = stream.extracting(end...)
      guard let type = type(of: rest), accept(type) else { return end }
      let length = length(ofFirstIn: rest)
      guard length > 0, length <= rest.byteCount else { return end }
      end += length
    }
  }
}
