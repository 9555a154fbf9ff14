internal import Policy
internal import System
internal import Wire

/// How many datagrams of a rule each device may send: a bucket that a minute fills.
///
/// Of a bucket only the time is kept at which it will be full again.
struct RateLimiter {
  private struct Key: Hashable {
    let device: MACAddress
    let rule: RuleID
  }

  /// Buckets that are kept: past it, of those that are not full, no new one is begun.
  static let limit = 4_096

  private var full: [Key: Instant] = [:]
  // The rules to which the keys belong.
  private var digest: UInt64 = 0

  /// Takes a datagram out of a device's bucket of `rate` a minute; false when it is empty.
  mutating func take(
    _ device: MACAddress, _ rule: RuleID, of policy: Policy, rate: UInt16, _ now: Instant
  ) -> Bool {
    guard rate > 0 else { return true }
    if digest != policy.digest {
      digest = policy.digest
      full.removeAll()
    }
    let minute = Instant.Span.seconds(60).nanoseconds
    let step = minute / UInt64(rate)
    let key = Key(device: device, rule: rule)
    if let index = full.index(forKey: key) {
      let missing = full.values[index].since(now).nanoseconds
      guard missing + step <= minute else { return false }
      full.values[index] = now + Instant.Span(nanoseconds: missing + step)
      return true
    }
    if full.count >= Self.limit {
      full = full.filter { $0.value > now }
      guard full.count < Self.limit else { return false }
    }
    full[key] = now + Instant.Span(nanoseconds: step)
    return true
  }
}
