public import Names
public import Wire

// Single HTTP requests, and questions for names.
extension Policy {
  /// Judges a plain HTTP request by method, host and exact path, as packs list them under
  /// `requests`; nil when no such line covers it, or when the rules for the host say enough.
  ///
  /// Allocates nothing.
  public func decide(_ subject: Subject, method: RawSpan, path: RawSpan) -> Decision? {
    guard let host = subject.host else { return nil }
    let match = table.match(host, subject.port, subject.transport)
    guard match.requestOn != .none || match.requestOff != .none else { return nil }
    let general = decide(subject)
    if general.isAllowed || general.reason == .hostDenied || general.reason == .addressDenied {
      return nil
    }
    var off = RuleID.none
    for i in table.signatures.requests.indices {
      let request = table.signatures.requests[i]
      guard request.host == host, method.equals(request.method), path.equals(request.path),
        table.conditions.contains(request.condition, subject.transport, subject.port)
      else { continue }
      if request.isOn {
        return Decision(
          reason: .requestAllowed, rule: request.rule, needsKnownAddress: binding != .off)
      }
      if off == .none { off = request.rule }
    }
    return off == .none ? nil : Decision(reason: .featureOff, rule: off)
  }

  /// What `decide` says of the first request to the subject's host that a pack lists; nil when none
  /// does or when the rules for the host say enough.
  public func decideListedRequest(_ subject: Subject) -> Decision? {
    for request in table.signatures.requests where request.host == subject.host {
      // Span.bytes of an array's own span.
      let decision = unsafe decide(
        subject, method: request.method.span.bytes, path: request.path.span.bytes)
      if let decision { return decision }
    }
    return nil
  }

  /// The requests to `host` that pass though the host itself doesn't: `GET http://host/path`.
  public func requests(to host: HostName) -> [String] {
    table.signatures.requests.filter { $0.isOn && $0.host == host }.map { $0.text }
  }

  /// What the gateway says to a question for a name.
  ///
  /// Allowed is whatever some rule lets pass on some port, since the answer teaches its addresses.
  public func decide(query name: HostName, device: MACAddress) -> Decision {
    let unrestricted = table.devices.unrestrictedRule(of: device)
    if unrestricted != .none {
      return Decision(reason: .deviceUnrestricted, rule: unrestricted)
    }
    // Port 0, as in `mayTeach`.
    let match = table.match(name, 0, .tcp)
    if match.denyEverywhere != .none {
      return Decision(reason: .hostDenied, rule: match.denyEverywhere)
    }
    let allowing =
      [
        match.allow, match.allowElsewhere, match.on, match.onElsewhere, match.requestOn,
      ] as InlineArray<5, RuleID>
    for i in allowing.indices where allowing[i] != .none {
      return Decision(reason: .hostAllowed, rule: allowing[i])
    }
    let off = match.off != .none ? match.off : match.requestOff
    if off != .none { return Decision(reason: .featureOff, rule: off) }
    return Decision(reason: .hostNotAllowed, rule: .none)
  }
}

extension RawSpan {
  /// Whether these are the bytes of `other`.
  fileprivate func equals(_ other: [UInt8]) -> Bool {
    guard byteCount == other.count else { return false }
    for i in 0..<byteCount {
      // Within bounds, by the range.
      if unsafe unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self) != other[i] { return false }
    }
    return true
  }
}
