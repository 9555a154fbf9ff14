internal import Policy
internal import Wire

/// What the first bytes of a client's stream are.
enum Beginning {
  /// TLS, whose hello has the name.
  case tls
  /// HTTP, whose requests have it.
  case http
  /// A protocol without a name; its first `length` bytes, which may not all be there, are one hello,
  /// packet or frame.
  case nameless(Application, length: Int)
  /// Bytes that a pack describes.
  case pattern(PatternID)
  /// Nothing that can be judged.
  case refused(Reason)

  /// Recognises the beginning of a stream: `needMore` while it may still become one of several.
  ///
  /// What is recognised comes before what is malformed, and both before what needs more: a recogniser
  /// calls malformed only what nothing but its own protocol begins with. The packs' patterns come
  /// last, since they prove least.
  static func recognise(
    _ stream: RawSpan, policy: Policy, port: UInt16
  ) -> Parsed<Beginning> {
    var candidates = Candidates()
    switch FirstBytes.classify(stream) {
    case .done(.tls): return .done(.tls)
    case .done(.http): return .done(.http)
    case .needMore: candidates.needsMore = true
    case .done(.unknown), .malformed: break
    }
    let versions = policy.mmtlsVersions
    candidates.hear(
      MMTLSHello.recognise(stream, versions: versions), .mmtls, .malformedMMTLS
    ) { $0.length }
    switch MMTLSMidstream.recognise(stream, versions: versions) {
    case .done: return .done(.refused(.midstream))
    case .needMore: candidates.needsMore = true
    case .malformed, .other: break
    }
    candidates.hear(MSFFrame.recognise(stream), .msf, .malformedFrame) { $0.length }
    candidates.hear(LongLinkPackets.recognise(stream), .longLink, .malformedFrame) { $0.length }
    candidates.hear(OICQFrame.recognise(stream: stream), .pcQQ, .malformedFrame) { $0.length }
    candidates.hear(C2CFrame.recognise(stream), .c2c, .malformedFrame) { $0.length }
    candidates.hear(HighwayFrame.recognise(stream), .highway, .malformedFrame) { $0.length }
    if let found = candidates.found { return .done(found) }
    if let refused = candidates.refused { return .done(refused) }
    if candidates.needsMore { return .needMore }
    switch policy.pattern(in: stream, transport: .tcp, port: port) {
    case .done(let pattern): return .done(.pattern(pattern))
    case .needMore: return .needMore
    case .malformed, .other: return .done(.refused(.unknownProtocol))
    }
  }

  /// What the recognisers have said so far.
  private struct Candidates {
    var found: Beginning?
    var refused: Beginning?
    var needsMore = false

    mutating func hear<Value>(
      _ recognition: Recognition<Value>, _ application: Application, _ malformed: Reason,
      _ length: (Value) -> Int
    ) {
      switch recognition {
      case .done(let value):
        if found == nil { found = .nameless(application, length: length(value)) }
      case .needMore: needsMore = true
      case .malformed: if refused == nil { refused = .refused(malformed) }
      case .other: break
      }
    }
  }
}
