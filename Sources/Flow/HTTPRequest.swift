internal import Policy
internal import Wire

/// A request that an HTTP stream goes on with, and what is in its body.
struct HTTPRequest {
  /// What can be said of the bytes that are there.
  enum Recognition {
    case done(HTTPRequest)
    case needMore
    case refused(Reason)
  }

  let head: HTTPRequestHead
  /// `http`, or one of the protocols that WeChat puts into requests.
  let application: Application

  /// Reads the request that begins `stream`: its head, and of a body that has a protocol of its own
  /// as much as shows that.
  static func recognise(_ stream: RawSpan, versions: MMTLSVersions) -> Recognition {
    switch ShortLinkRequest.recognise(stream) {
    case .needMore: return .needMore
    case .malformed: return .refused(.malformedMMTLS)
    case .done(let request): return shortLink(request, stream, versions)
    case .other: break
    }
    switch NewDNSRequest.recognise(stream) {
    case .needMore: return .needMore
    case .malformed: return .refused(.malformedHTTP)
    case .done: return plain(stream, .newgetdns)
    case .other: break
    }
    return form(stream)
  }

  /// Pairs in the body mean something only to a bare address: a name is judged as such.
  private static func form(_ stream: RawSpan) -> Recognition {
    let recognition = C2CForm.recognise(stream)
    if case .other = recognition { return plain(stream, .http) }
    guard case .done(let head) = HTTPRequestHead.parse(stream), let host = head.host,
      host.isAddressLiteral
    else { return plain(stream, .http) }
    switch recognition {
    case .needMore: return .needMore
    case .malformed, .other: return .refused(.malformedFrame)
    case .done: return .done(HTTPRequest(head: head, application: .c2cHTTP))
    }
  }

  private static func plain(_ stream: RawSpan, _ application: Application) -> Recognition {
    switch HTTPRequestHead.parse(stream) {
    case .needMore: .needMore
    case .malformed: .refused(.malformedHTTP)
    case .done(let head): .done(HTTPRequest(head: head, application: application))
    }
  }

  /// The body must begin with a hello; its records are followed to their end later.
  private static func shortLink(
    _ request: ShortLinkRequest, _ stream: RawSpan, _ versions: MMTLSVersions
  ) -> Recognition {
    // What lies behind the body is another request's.
    let body = stream.extracting(droppingFirst: request.head.length)
      .extracting(first: Int(min(request.bodyLength, 1 << 20)))
    switch MMTLSHello.recognise(body, versions: versions, in: .body) {
    case .needMore:
      return body.byteCount < request.bodyLength ? .needMore : .refused(.malformedMMTLS)
    case .malformed, .other: return .refused(.malformedMMTLS)
    case .done: break
    }
    return .done(HTTPRequest(head: request.head, application: .shortLink))
  }
}
