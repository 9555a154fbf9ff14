/// What an mmtls server says first.
///
/// ```
/// ServerHello: record 16, section length (4), type 02, version reversed, suite (2), random (32),
///   extensions as in the client's hello; encrypted records follow
/// alert: record 15, section length (4), level (1), description (2)
/// ```
public enum MMTLSAnswer: Sendable {
  /// A ServerHello, with the bytes of its record.
  case hello(length: Int)
  /// An alert in clear, with the bytes of its record: the server refuses and closes.
  case alert(length: Int)

  /// Recognises the beginning of a server's bytes, in one of `versions`.
  public static func recognise(
    _ bytes: RawSpan, versions: MMTLSVersions
  ) -> Recognition<MMTLSAnswer> {
    do throws(Stop) {
      return try read(bytes, versions)
    } catch {
      return error.recognition()
    }
  }

  private static func read(
    _ bytes: RawSpan, _ versions: MMTLSVersions
  ) throws(Stop) -> Recognition<MMTLSAnswer> {
    var reader = Reader(bytes)
    guard
      try MMTLSRecord.begins(
        reader, versions, type: MMTLSRecord.handshake, or: MMTLSRecord.alert)
    else { return .other }
    let isAlert = try reader.take(UInt8.self) == MMTLSRecord.alert
    let version = try reader.take(UInt16.self)
    let body = Int(try reader.take(UInt16.self))
    guard isAlert ? body == 7 : 46...1024 ~= body else {
      throw .malformed("neither a ServerHello's length nor an alert's")
    }
    guard reader.count >= body else { throw .needMore }
    var section = BoundedReader(reader.split(upTo: body).bytes)
    guard try section.take(UInt32.self) == UInt32(body - 4) else {
      throw .malformed("section does not fill its record")
    }
    if isAlert { return .done(.alert(length: MMTLSRecord.headerLength + body)) }
    guard try section.take(UInt8.self) == 2 else { throw .malformed("not a ServerHello") }
    guard try section.take(UInt16.self) == version.byteSwapped else {
      throw .malformed("version of hello and record disagree")
    }
    try section.skip(2 + 32)
    var extensions = try section.structure(Int(try section.take(UInt32.self)))
    try section.end()
    for _ in 0..<(try extensions.take(UInt8.self)) {
      try extensions.skip(Int(try extensions.take(UInt32.self)))
    }
    try extensions.end()
    return .done(.hello(length: MMTLSRecord.headerLength + body))
  }
}
