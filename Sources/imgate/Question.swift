internal import Arguments
internal import Names
internal import Wire

/// What `imgate explain` is asked.
struct Question {
  /// What the client speaks.
  enum ApplicationProtocol: String, CaseIterable {
    case tls
    case http
    /// Neither of these two.
    case tcp
    case udp
  }

  /// As it was typed.
  let target: String
  /// The name, unless HOST is an address.
  let host: HostName?
  /// The server's address, if one was given.
  let address: IPAddress?
  let port: UInt16
  let `protocol`: ApplicationProtocol
  /// As it was typed.
  let device: String?

  init(_ invocation: Invocation) throws(UsageError) {
    target = invocation.operands.first ?? ""
    let given: IPAddress?
    if let text = invocation.value(.address) {
      guard let parsed = IPAddress(text) else {
        throw invocation.error("--address takes an IPv4 or IPv6 address, not '\(text)'")
      }
      given = parsed
    } else {
      given = nil
    }
    if let literal = IPAddress(target) {
      if given != nil {
        throw invocation.error("'\(target)' is an address already; leave --address out")
      }
      (host, address) = (nil, literal)
    } else {
      guard let name = HostName(target) else {
        throw invocation.error(
          "'\(target)' is no host name: letters, digits and hyphens between dots are expected")
      }
      (host, address) = (name, given)
    }
    let typedPort = try invocation.port(.port)
    `protocol` = try invocation.choice(.protocol) ?? (typedPort == 80 ? .http : .tls)
    port = typedPort ?? (`protocol` == .http ? 80 : 443)
    device = invocation.value(.device)
  }
}
