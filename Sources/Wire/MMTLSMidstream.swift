/// The bytes by which a stream shows that it is mmtls, and that its beginning was not seen: a record
/// that is no handshake comes first.
public enum MMTLSMidstream {
  /// Recognises application data, or an alert, in one of `versions`.
  public static func recognise(_ stream: RawSpan, versions: MMTLSVersions) -> Recognition<Void> {
    do throws(Stop) {
      let isUnderWay = try MMTLSRecord.begins(
        Reader(stream), versions, type: MMTLSRecord.application, or: MMTLSRecord.alert)
      return isUnderWay ? .done(()) : .other
    } catch {
      return error.recognition()
    }
  }
}
