/// A packet of QUIC (RFC 9000 §17, RFC 9369 §3.2), as far as it can be told from outside.
///
/// ```
/// long header:   1 1 type (2 bits) ....  version (4)  both ids, each: length (1), bytes
///                but for a retry:  length (variable) of packet number and payload
/// short header:  0 1 ......  id, packet number, payload: to the datagram's end
/// ```
public enum QUICPacket: Sendable {
  /// What a packet with a long header is, beside an Initial.
  public enum Kind: Sendable {
    /// Data of a client that has been there before.
    case zeroRTT
    /// The handshake's second part.
    case handshake
    /// A server's "prove your address".
    case retry
  }

  /// An Initial packet of version 1 or 2.
  case initial(QUICInitialHeader)
  /// Another packet of version 1 or 2, and where it ends.
  case long(Kind, end: Int)
  /// A long header of another version; 0 is a server's version negotiation.
  case otherVersion(UInt32)
  /// A short header: the beginning was not seen.
  case short

  /// Recognises the packet that a UDP datagram begins with.
  ///
  /// Several may share a datagram: those with a long header say where the next begins. Of other
  /// versions and of short headers little is fixed, so that other protocols may look the same.
  public static func recognise(_ datagram: RawSpan) -> Recognition<QUICPacket> {
    do throws(Stop) {
      return try read(datagram)
    } catch {
      return error.recognition()
    }
  }

  private static func read(_ datagram: RawSpan) throws(Stop) -> Recognition<QUICPacket> {
    var reader = Reader(datagram)
    let first = try reader.take(UInt8.self)
    switch first & 0xc0 {
    // The shortest has an id of none, a packet number and a tag.
    case 0x40: return datagram.byteCount >= 21 ? .done(.short) : .other
    case 0x80, 0xc0: break
    default: return .other
    }
    let version = try reader.take(UInt32.self)
    guard version == QUICInitialHeader.version1 || version == QUICInitialHeader.version2 else {
      guard isVersion(version, first) else { return .other }
      return .done(.otherVersion(version))
    }
    guard first & 0x40 != 0 else { return .other }
    // Types are numbered anew in version 2.
    let type = (first >> 4 &- (version == QUICInitialHeader.version2 ? 1 : 0)) & 3
    let kind: Kind
    switch type {
    case 0:
      switch QUICInitialHeader.recognise(datagram) {
      case .done(let header): return .done(.initial(header))
      case .needMore: return .needMore
      case .malformed(let malformation): return .malformed(malformation)
      case .other: return .other
      }
    case 1: kind = .zeroRTT
    case 2: kind = .handshake
    default: return .done(.long(.retry, end: datagram.byteCount))
    }
    for _ in 0..<2 {
      let length = Int(try reader.take(UInt8.self))
      guard length <= 20 else { throw .malformed("connection id longer than 20") }
      try reader.skip(length)
    }
    try reader.skip(try reader.takeVariable())
    return .done(.long(kind, end: datagram.byteCount - reader.count))
  }

  /// Whether this is a version that somebody gave out: 0, drafts, what is reserved for greasing (RFC
  /// 9000 §15), and Google's and Facebook's own.
  private static func isVersion(_ version: UInt32, _ first: UInt8) -> Bool {
    if version == 0 { return true }
    guard first & 0x40 != 0 else { return false }
    return version >> 8 == 0xff_0000 || version & 0x0f0f_0f0f == 0x0a0a_0a0a
      || version >> 16 == 0x5130 || version >> 16 == 0x5430 || version >> 8 == 0xfa_ceb0
  }
}
