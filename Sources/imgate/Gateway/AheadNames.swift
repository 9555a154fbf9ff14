internal import Names
internal import System

/// The names that the gateway looks up before anybody uses them, and when each is due.
///
/// Knows no socket and no clock: `Resolver` asks for what is due and tells what came of it.
struct AheadNames {
  /// Names that are kept at most; what is beyond is looked up when a client comes with it.
  static let limit = 2_048
  /// Names that are asked for at a time.
  private static let asked = 8
  /// After that many failures in a row the resolver is taken for dead, and left alone for a while.
  private static let silence = 16

  private struct Name {
    let name: HostName
    var isAsked = false
    var wasAsked = false
    var isKnown = false
    var failures: UInt64 = 0
  }

  private var names: [Name] = []
  // Beside the names, since it is searched ten times a second.
  private var due: [Instant] = []
  private var waiting = 0
  private var failures = 0
  private var resume = Instant(nanoseconds: 0)

  /// How many names there are.
  var count: Int { names.count }
  /// Of how many the resolver has given an address.
  var knownCount: Int { names.reduce(0) { $0 + ($1.isKnown ? 1 : 0) } }
  /// Whether each has been asked for at least once.
  var isOnceThrough: Bool { names.allSatisfy { $0.wasAsked && !$0.isAsked } }

  /// Takes the names of the rules: new ones are due at once, the others when they would have been.
  mutating func follow(_ wanted: [HostName], now: Instant) {
    var old: [HostName: Int] = [:]
    for i in names.indices { old[names[i].name] = i }
    var newNames: [Name] = []
    var newDue: [Instant] = []
    for name in wanted.prefix(Self.limit) {
      if let i = old[name] {
        newNames.append(names[i])
        newDue.append(due[i])
      } else {
        newNames.append(Name(name: name))
        newDue.append(now)
      }
    }
    names = newNames
    due = newDue
    waiting = names.reduce(0) { $0 + ($1.isAsked ? 1 : 0) }
  }

  /// Names to ask for now, at most `most`.
  mutating func next(_ most: Int, now: Instant) -> [HostName] {
    guard now >= resume else { return [] }
    var found: [HostName] = []
    for i in due.indices where due[i] <= now && !names[i].isAsked {
      guard found.count < most, waiting < Self.asked else { break }
      names[i].isAsked = true
      names[i].wasAsked = true
      waiting += 1
      found.append(names[i].name)
    }
    return found
  }

  /// Hears that a name was answered: with addresses that last `timeToLive` seconds, or with none.
  ///
  /// It is asked for again when its time to live is over; what was learned lasts an hour longer.
  mutating func answered(_ name: HostName, timeToLive: UInt32?, now: Instant) {
    failures = 0
    guard let i = end(name) else { return }
    names[i].isKnown = timeToLive != nil
    names[i].failures = 0
    let seconds = UInt64(
      min(
        max(timeToLive ?? 3_600, LearnedAddresses.minimumTimeToLive),
        LearnedAddresses.maximumTimeToLive))
    // Staggered, or they would come all at once for ever.
    due[i] = now + .seconds(seconds - UInt64.random(in: 0...seconds / 10))
  }

  /// Hears that nobody answered, or (where it isn't silent) that the resolver could not find out.
  mutating func failed(_ name: HostName, isSilent: Bool, now: Instant) {
    failures = isSilent ? failures + 1 : 0
    if failures >= Self.silence {
      failures = 0
      resume = now + .seconds(10)
    }
    guard let i = end(name) else { return }
    // 10 s, 20 s, ... up to about ten minutes.
    due[i] = now + .seconds(10 << min(names[i].failures, 6))
    names[i].failures += 1
  }

  private mutating func end(_ name: HostName) -> Int? {
    guard let i = names.firstIndex(where: { $0.isAsked && $0.name == name }) else { return nil }
    names[i].isAsked = false
    waiting -= 1
    return i
  }
}
