public import Names
public import Policy
public import System
internal import Wire

/// What answers of the trusted resolver teach.
public enum DNSAnswers {
  /// Learns from one answer: addresses of its question's name, if a rule allows that.
  ///
  /// Returns the least of their times to live, in seconds; nil when it taught nothing.
  @discardableResult
  public static func learn(
    _ message: RawSpan, from source: LearnedAddresses.Source, by policy: Policy,
    into learned: LearnedAddresses, now: Instant
  ) -> UInt32? {
    guard case .done(let header) = DNSMessage.parse(message), header.isResponse,
      header.responseCode == 0, let name = HostName(header.question), policy.mayTeach(name)
    else { return nil }
    var least: UInt32?
    _ = DNSMessage.forEachAddress(in: message) { address, timeToLive in
      if learned.learn(address, for: name, timeToLive: timeToLive, from: source, now: now) {
        least = min(least ?? .max, timeToLive)
      }
    }
    return least
  }
}
