/// Why a flow was allowed or refused.
///
/// The name stands, the same everywhere, in the log, the counters, the report and `imgate explain`.
public enum Reason: String, CaseIterable, Sendable {
  // Allowed.
  case hostAllowed = "host-allowed"
  case addressAllowed = "address-allowed"
  case deviceUnrestricted = "device-unrestricted"
  case paused = "paused"
  case beforeRestart = "before-restart"
  case signatureAllowed = "signature-allowed"
  case mediaCompanion = "media-companion"
  case requestAllowed = "request-allowed"
  case addressUnproven = "address-unproven"
  case resolverAllowed = "resolver-allowed"
  // Refused by a rule, or by the want of one.
  case hostDenied = "host-denied"
  case addressDenied = "address-denied"
  case featureOff = "feature-off"
  case hostNotAllowed = "host-not-allowed"
  case portNotAllowed = "port-not-allowed"
  case addressNotLearned = "address-not-learned"
  case rulesChanged = "rules-changed"
  case otherResolver = "other-resolver"
  case noCompanion = "no-companion"
  case mediaBudget = "media-budget"
  case mediaOff = "media-off"
  case rateLimit = "rate-limit"
  // Refused for what the flow is.
  case noServerName = "no-server-name"
  case malformedName = "malformed-name"
  case malformedTLS = "malformed-tls"
  case malformedHTTP = "malformed-http"
  case malformedPacket = "malformed-packet"
  case malformedMMTLS = "malformed-mmtls"
  case malformedFrame = "malformed-frame"
  case malformedDNS = "malformed-dns"
  case unknownProtocol = "unknown-protocol"
  case unwantedProtocol = "unwanted-protocol"
  case quic = "quic"
  case udp = "udp"
  case icmp = "icmp"
  case otherProtocol = "other-protocol"
  case midstream = "midstream"
  case inbound = "inbound"
  case spoofedSource = "spoofed-source"
  case serverFirst = "server-first"
  case serverNotTLS = "server-not-tls"
  case serverMismatch = "server-mismatch"
  case nameChanged = "name-changed"
  case httpConnect = "http-connect"
  // Refused for how it was sent.
  case overlapMismatch = "overlap-mismatch"
  case outOfWindow = "out-of-window"
  case badFlags = "bad-flags"
  case urgentData = "urgent-data"
  case forbiddenOption = "forbidden-option"
  // Refused for its size.
  case heldTooLong = "held-too-long"
  case heldTooMuch = "held-too-much"
  case deviceLimit = "device-limit"
  case gatewayLimit = "gateway-limit"

  /// The name: `host-allowed`.
  public var name: String { rawValue }

  /// Whether flows with this reason are allowed.
  public var isAllow: Bool {
    switch self {
    case .hostAllowed, .addressAllowed, .deviceUnrestricted, .paused, .beforeRestart,
      .signatureAllowed, .mediaCompanion, .requestAllowed, .addressUnproven, .resolverAllowed:
      true
    default: false
    }
  }
}
