/// What the command line asks of the running gateway: one line over the control socket.
public enum ControlRequest: Equatable, Sendable {
  /// The live counters, for a person or as JSON.
  case status(json: Bool)
  /// The learned addresses, a line each: address, name, source, seconds for which it holds, with a
  /// space between; or as JSON.
  case addresses(json: Bool)
  /// Usage that is not in the store yet, of the hours that begin in `from..<to` (seconds since
  /// 1970), a line each.
  case rows(from: Int64, to: Int64)
  /// Check the rules on disk and put them in force.
  case reload
  /// Let everything pass for so many seconds, for all devices or for one (a MAC address, an
  /// address or a label).
  case pause(seconds: UInt64, device: String?)
  /// End every pause.
  case resume
  /// Compare the kernel's rules with what they should be.
  case verifyFirewall

  /// As it goes over the socket, without the line feed.
  public var line: String {
    switch self {
    case .status(let json): json ? "status json" : "status"
    case .addresses(let json): json ? "addresses json" : "addresses"
    case .rows(let from, let to): "rows \(from) \(to)"
    case .reload: "reload"
    case .pause(let seconds, let device): "pause \(seconds)" + (device.map { " \($0)" } ?? "")
    case .resume: "resume"
    case .verifyFirewall: "firewall verify"
    }
  }

  /// Reads a line; nil when it is no request.
  public init?(line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
    switch words.first {
    case "status" where words.count == 1: self = .status(json: false)
    case "status" where words.count == 2 && words[1] == "json": self = .status(json: true)
    case "addresses" where words.count == 1: self = .addresses(json: false)
    case "addresses" where words.count == 2 && words[1] == "json": self = .addresses(json: true)
    case "rows" where words.count == 3:
      guard let from = Int64(words[1]), let to = Int64(words[2]), from <= to else { return nil }
      self = .rows(from: from, to: to)
    case "reload" where words.count == 1: self = .reload
    case "pause" where words.count >= 2:
      guard let seconds = UInt64(words[1]), seconds > 0 else { return nil }
      // A label may have spaces: the rest of the line is the device.
      let device = words.dropFirst(2).joined(separator: " ")
      if words.count > 2 && device.isEmpty { return nil }
      self = .pause(seconds: seconds, device: words.count > 2 ? device : nil)
    case "resume" where words.count == 1: self = .resume
    case "firewall" where words.count == 2 && words[1] == "verify": self = .verifyFirewall
    default: return nil
    }
  }
}
