internal import Policy
internal import Wire

/// What a client's datagram is, by its bytes alone.
enum DatagramKind {
  /// Bytes that a pack describes.
  case pattern(PatternID)
  /// A whole frame of QQ's.
  case oicq
  /// A hello of Google's own QUIC.
  case gquic(GQUICHello)
  /// QUIC, by its first packet.
  case quic(QUICPacket)
  /// It begins as QUIC does, and breaks its rules.
  case brokenQUIC
  /// Nothing that is known.
  case unknown

  /// Recognises a datagram to `port`.
  ///
  /// Patterns come first: they say more than the two bits by which QUIC is known. Where no QUIC is to
  /// be expected, only a packet with a hello in it is one.
  init(_ datagram: RawSpan, _ policy: Policy, port: UInt16) {
    if case .done(let pattern) = policy.pattern(in: datagram, transport: .udp, port: port) {
      self = .pattern(pattern)
      return
    }
    if case .done = OICQFrame.recognise(datagram: datagram) {
      self = .oicq
      return
    }
    let isExpected = port == 443 || policy.opens(port, .quic)
    switch GQUICHello.recognise(datagram) {
    case .done(let hello):
      self = .gquic(hello)
      return
    case .malformed where isExpected:
      self = .brokenQUIC
      return
    default: break
    }
    switch QUICPacket.recognise(datagram) {
    case .done(.initial(let header)): self = .quic(.initial(header))
    case .done(let packet) where isExpected: self = .quic(packet)
    case .malformed where isExpected: self = .brokenQUIC
    default: self = .unknown
    }
  }
}
