/// Reasons in plain words: the report, the log and `imgate explain` print them.
extension Reason {
  /// What happened, in one sentence for a person who is no programmer.
  public var explanation: String {
    switch self {
    case .hostAllowed: "The rules allow this host."
    case .addressAllowed: "An allow line names this address."
    case .deviceUnrestricted: "The device is unrestricted."
    case .paused: "The gateway was paused: everything passed."
    case .beforeRestart: "The connection was allowed before the gateway was restarted."
    case .signatureAllowed:
      "The bytes are the chat protocol's, and the address is one of its servers'."
    case .mediaCompanion: "Chat media, vouched for by a live chat connection of the same device."
    case .requestAllowed: "The rules allow this very request."
    case .addressUnproven:
      "The rules allow this host; no trusted answer gave this address for it (binding: observe)."
    case .resolverAllowed: "Questions to the trusted resolver, each of which the rules allow."
    case .hostDenied: "A deny line names this host."
    case .addressDenied: "A deny line names this address."
    case .featureOff: "The host, or the protocol, belongs to a feature that is off."
    case .hostNotAllowed: "No rule allows this host."
    case .portNotAllowed: "No rule allows this port."
    case .addressNotLearned:
      "What the client asked for is allowed, but no trusted answer gave this address for it."
    case .rulesChanged: "The rules were changed, and no longer allow it."
    case .otherResolver: "The client asked another name server than the trusted one."
    case .noCompanion: "Chat media without a live chat connection of the same device."
    case .mediaBudget: "The device has used up its chat media of the day."
    case .mediaOff: "Chat media to servers without a name is off."
    case .rateLimit: "The device sent more of these datagrams than the rules let pass."
    case .malformedMMTLS: "The bytes begin as WeChat's protocol does, and break its rules."
    case .malformedFrame: "The bytes begin as a chat protocol does, and break its rules."
    case .malformedDNS:
      "The question breaks the rules of DNS, or is of a kind that no chat program asks."
    case .unwantedProtocol: "The bytes belong to a program that is no chat."
    case .quic: "QUIC is refused, so that the client falls back to TCP at once."
    case .noServerName: "The client did not say which host it wanted."
    case .malformedName: "The client named a host that can't exist."
    case .malformedTLS: "The client's TLS hello breaks the rules of TLS."
    case .malformedHTTP: "The request breaks the rules of HTTP."
    case .malformedPacket: "The packet breaks the rules of its protocol."
    case .unknownProtocol: "The first bytes belong to no protocol that the gateway knows."
    case .udp: "UDP carried nothing that the rules allow."
    case .icmp: "ICMP from the LAN can carry hidden data; it is not forwarded."
    case .otherProtocol: "Only TCP and UDP are forwarded."
    case .midstream: "The gateway did not see how the connection began."
    case .inbound: "The connection was opened from outside."
    case .spoofedSource: "The sender's address is not one of the LAN's."
    case .serverFirst: "The server spoke before the client had said what it wanted."
    case .serverNotTLS: "The server did not answer the TLS hello as a TLS server does."
    case .serverMismatch: "The server did not answer in the client's protocol."
    case .nameChanged: "The client named another host in its second hello."
    case .httpConnect: "The client asked the server to connect it to somewhere else."
    case .overlapMismatch: "The client sent two versions of the same bytes."
    case .outOfWindow: "The packet does not belong to what the server expects next."
    case .badFlags: "The packet's TCP flags make no sense together."
    case .urgentData: "The client sent urgent data, which hides bytes from inspection."
    case .forbiddenOption: "The packet has a TCP option that hides it from inspection."
    case .heldTooLong: "The client did not finish saying what it wanted in time."
    case .heldTooMuch: "The client sent too much before it had said what it wanted."
    case .deviceLimit: "The device had too many undecided connections at once."
    case .gatewayLimit: "The gateway had too many undecided connections at once."
    }
  }

  /// What the owner can do about it; empty when there is nothing to do.
  public var remedy: String {
    switch self {
    case .hostAllowed, .addressAllowed, .deviceUnrestricted, .beforeRestart, .signatureAllowed,
      .mediaCompanion, .requestAllowed, .addressUnproven, .resolverAllowed:
      ""
    case .paused: "imgate resume ends the pause."
    case .hostDenied, .addressDenied: "Take the deny line out of the rules file."
    case .featureOff: "Turn the feature on under \"services\" in the rules file."
    case .hostNotAllowed: "Add an allow line for the host to the rules file."
    case .portNotAllowed: "Add the port to the \"ports\" of an allow line for the host."
    case .addressNotLearned:
      "Let the device use this router as its DNS server; then try again."
    case .rulesChanged: "Undo the change of the rules, if it was not meant."
    case .otherResolver: "Let the device use this router as its DNS server."
    case .noCompanion: "Nothing: the program tries again when its chat is connected."
    case .mediaBudget: "Raise \"mediaBudget\" in the rules file, or wait until tomorrow."
    case .mediaOff: "Set \"media: companion\" in the rules file."
    case .rateLimit: "Nothing: the program tries again later."
    case .quic: "Nothing: programs fall back to TCP at once."
    case .unwantedProtocol: "Nothing, if it is not meant to be used."
    case .noServerName, .unknownProtocol:
      "If you trust the server, add an allow line with its \"address\"."
    case .udp:
      "Most programs fall back to TCP; otherwise add an allow line with \"address\" "
        + "and \"protocol: udp\"."
    case .inbound, .icmp, .otherProtocol: "Nothing: the gateway forwards none of it."
    case .midstream: "Nothing: the program connects again and is judged then."
    case .spoofedSource: "Check the \"prefixes\" in imgate.yaml and the device's address."
    case .heldTooLong, .heldTooMuch, .deviceLimit, .gatewayLimit:
      "If it happens often on a bad line, try again nearer to the access point; otherwise look at "
        + "what the device runs."
    case .malformedName, .malformedTLS, .malformedHTTP, .malformedPacket, .malformedMMTLS,
      .malformedFrame, .malformedDNS, .serverFirst, .serverNotTLS, .serverMismatch, .nameChanged,
      .httpConnect, .overlapMismatch, .outOfWindow,
      .badFlags, .urgentData, .forbiddenOption:
      "Look at what the device runs: a chat program does not do this. If you trust the server, "
        + "add an allow line with its \"address\"."
    }
  }
}
