import PacketBuilder
import Wire

/// What a recogniser says, without its value: `good` with the bytes that it takes.
enum Verdict: Equatable {
  case good(Int)
  case more
  case malformed
  case other

  init<Value>(_ recognition: Recognition<Value>, _ length: (Value) -> Int) {
    switch recognition {
    case .done(let value): self = .good(length(value))
    case .needMore: self = .more
    case .malformed: self = .malformed
    case .other: self = .other
    }
  }

  init<Value>(_ parsed: Parsed<Value>, _ length: (Value) -> Int) {
    switch parsed {
    case .done(let value): self = .good(length(value))
    case .needMore: self = .more
    case .malformed: self = .malformed
    }
  }

  var isGood: Bool {
    if case .good = self { true } else { false }
  }
}

/// The recognisers, so that one table of vectors serves them all.
enum Recogniser: CaseIterable {
  case tls
  case mmtls
  case mmtlsAnswer
  case shortLink
  case longLink
  case newDNS
  case newDNSReply
  case mediaFrame
  case mediaForm
  case oicq
  case oicqStream
  case msf
  case msfAnswer
  case highway
  case gquic
  case quic

  /// Whether what follows is the next message's; a datagram or a reply is a whole.
  var isOfStream: Bool {
    switch self {
    case .tls, .mmtls, .mmtlsAnswer, .newDNS, .mediaFrame, .mediaForm, .oicqStream, .msf,
      .msfAnswer, .highway:
      true
    case .shortLink, .longLink, .newDNSReply, .oicq, .gquic, .quic: false
    }
  }

  func verdict(_ bytes: [UInt8]) -> Verdict {
    let versions = MMTLSVersions.known
    switch self {
    case .tls:
      switch FirstBytes.classify(bytes.raw) {
      case .needMore: return .more
      case .done(.tls): return Verdict(ClientHello.parse(bytes.raw)) { $0.length }
      default: return .other
      }
    case .mmtls:
      return Verdict(MMTLSHello.recognise(bytes.raw, versions: versions)) { $0.length }
    case .mmtlsAnswer:
      return Verdict(MMTLSAnswer.recognise(bytes.raw, versions: versions)) {
        switch $0 {
        case .hello(let length), .alert(let length): length
        }
      }
    case .shortLink: return Self.shortLink(bytes)
    case .longLink: return Verdict(LongLinkPackets.recognise(bytes.raw)) { $0.length }
    case .newDNS: return Verdict(NewDNSRequest.recognise(bytes.raw)) { $0.length }
    case .newDNSReply: return Verdict(NewDNSReply.parse(bytes.raw)) { _ in bytes.count }
    case .mediaFrame: return Verdict(C2CFrame.recognise(bytes.raw)) { $0.length }
    case .mediaForm:
      return Verdict(C2CForm.recognise(bytes.raw)) { $0.head.length + Int($0.bodyLength) }
    case .oicq: return Verdict(OICQFrame.recognise(datagram: bytes.raw)) { $0.length }
    case .oicqStream: return Verdict(OICQFrame.recognise(stream: bytes.raw)) { $0.length }
    case .msf: return Verdict(MSFFrame.recognise(bytes.raw)) { $0.length }
    case .msfAnswer: return Verdict(MSFFrame.recognise(bytes.raw, from: .server)) { $0.length }
    case .highway: return Verdict(HighwayFrame.recognise(bytes.raw)) { $0.length }
    case .gquic: return Verdict(GQUICHello.recognise(bytes.raw)) { _ in bytes.count }
    case .quic: return Verdict(QUICInitialHeader.recognise(bytes.raw)) { $0.payload.upperBound }
    }
  }

  /// Head, hello and records of a short link, as a gateway judges them.
  private static func shortLink(_ bytes: [UInt8]) -> Verdict {
    let request: ShortLinkRequest
    switch ShortLinkRequest.recognise(bytes.raw) {
    case .done(let value): request = value
    case .needMore: return .more
    case .malformed: return .malformed
    case .other: return .other
    }
    let body = Array(bytes[request.head.length...])
    switch MMTLSHello.recognise(body.raw, versions: .known, in: .body) {
    case .done: break
    case .needMore: return .more
    case .malformed, .other: return .malformed
    }
    var records = MMTLSRecords(length: request.bodyLength, versions: .known)
    return Verdict(records.consume(body.raw)) { request.head.length + $0 }
  }
}
