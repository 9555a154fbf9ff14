public import System
public import Wire

/// Which allowed name lives at which address, until when, and learned from whom.
///
/// It is shared by all threads. What a trusted resolver answers is learned before the answer goes to
/// the client; an entry lasts its time to live (at least 10 minutes, at most 24 hours) and one hour
/// more, and longer while flows use it. Past the limit those that would expire first are forgotten.
public final class LearnedAddresses: Sendable {
  /// Who said it.
  public enum Source: String, CaseIterable, Sendable {
    /// An answer of the router's resolver to a client.
    case dns
    /// An answer to the gateway's own question.
    case resolver
    /// A reply of WeChat's HTTP DNS.
    case newgetdns
  }

  /// One name at one address.
  public struct Entry: Sendable {
    /// The name.
    public let name: HostName
    /// Where it lives.
    public let address: IPAddress
    /// When the entry is forgotten.
    public let expiry: Instant
    /// Who said it.
    public let source: Source
  }

  /// The shortest time to live that is believed, in seconds.
  public static let minimumTimeToLive: UInt32 = 600
  /// The longest, in seconds.
  public static let maximumTimeToLive: UInt32 = 86_400
  /// What every entry gets beyond its time to live, in seconds.
  public static let grace: UInt32 = 3_600

  private let table: Locked<Table>

  /// An empty table for at most `limit` entries.
  public init(limit: Int = 20_000) {
    table = Locked(Table(limit: max(1, limit)))
  }

  /// The most names that are kept for one address.
  public static let maximumNames = 64

  /// How many entries there are, expired ones among them.
  public var count: Int { table.withLock { $0.records.count } }

  /// Whether an answer with this address may teach it.
  ///
  /// Loopback, private, link-local, carrier-grade, multicast, reserved and unspecified addresses may
  /// not: no service lives there, and a poisoned answer would open the way to the owner's own boxes.
  public static func isTeachable(_ address: IPAddress) -> Bool {
    !(address.isLoopback || address.isPrivate || address.isLinkLocal || address.isCarrierGrade
      || address.isMulticast || address.isReserved || address.isUnspecified)
  }

  /// Learns that `name` lives at `address` for `timeToLive` seconds.
  ///
  /// False when the address may not be taught. What is known already is kept longer, never shorter.
  @discardableResult
  public func learn(
    _ address: IPAddress, for name: HostName, timeToLive: UInt32, from source: Source, now: Instant
  ) -> Bool {
    guard Self.isTeachable(address) else { return false }
    let believed = min(max(timeToLive, Self.minimumTimeToLive), Self.maximumTimeToLive)
    let expiry = now + .seconds(UInt64(believed + Self.grace))
    table.withLock { $0.insert(address, name, expiry, source, now) }
    return true
  }

  /// Learns an entry with its expiry, as it stands in the state file.
  func restore(
    _ address: IPAddress, for name: HostName, until expiry: Instant, from source: Source,
    now: Instant
  ) -> Bool {
    guard Self.isTeachable(address) else { return false }
    table.withLock { $0.insert(address, name, expiry, source, now) }
    return true
  }

  /// Whether `name` is known to live at `address`; if so, the entry lasts as long as a new one would.
  ///
  /// Allocates nothing.
  public func knows(_ name: HostName, at address: IPAddress, now: Instant) -> Bool {
    let expiry = now + .seconds(UInt64(Self.minimumTimeToLive + Self.grace))
    return table.withLock { $0.use(address, name, expiry, now) }
  }

  /// Whether a name that `accepts` takes is known to live at `address`; if so, its entry lasts as long
  /// as a new one would.
  ///
  /// For protocols that carry no name: one address serves many. The lock is held meanwhile, so
  /// `accepts` must not come back here. Allocates nothing.
  @discardableResult
  public func hasName(
    at address: IPAddress, now: Instant, where accepts: (HostName) -> Bool
  ) -> Bool {
    let expiry = now + .seconds(UInt64(Self.minimumTimeToLive + Self.grace))
    return table.withLock { $0.use(address, expiry, now, where: accepts) }
  }

  /// All entries that have not expired, by name and address.
  public func entries(now: Instant) -> [Entry] {
    let records = table.withLock { table in
      table.records.filter { $0.expiry > now }
    }
    var entries = records.map { record in
      Entry(
        name: HostName(normalised: record.name), address: record.address, expiry: record.expiry,
        source: record.source)
    }
    entries = entries.ordered { a, b in
      a.name == b.name ? a.address < b.address : a.name.precedes(b.name)
    }
    return entries
  }

  /// Forgets what has expired.
  public func expire(now: Instant) {
    table.withLock { $0.expire(now) }
  }
}

extension HostName {
  /// Order of lists: byte by byte, so that a name stands before what begins with it.
  fileprivate func precedes(_ other: HostName) -> Bool {
    for i in 0..<min(count, other.count) where self[i] != other[i] { return self[i] < other[i] }
    return count < other.count
  }
}

/// The entries: those of one address are a chain, so that both questions cost a look-up and a walk
/// over a few names.
///
/// The record has the name's text and not the name itself, which would cost 256 bytes an entry.
private struct Table {
  struct Record {
    let address: IPAddress
    let name: [UInt8]
    /// Of the name; Swift seeds it anew in every process.
    let hash: Int
    var expiry: Instant
    var source: LearnedAddresses.Source
    /// The next one of the same address.
    var next: Int32

    func isNamed(_ other: HostName, hash otherHash: Int) -> Bool {
      guard hash == otherHash, name.count == other.count else { return false }
      for i in name.indices where name[i] != other[i] { return false }
      return true
    }
  }

  private static let none: Int32 = -1

  let limit: Int
  private(set) var records: [Record] = []
  private var firsts: [IPAddress: Int32] = [:]

  init(limit: Int) { self.limit = limit }

  mutating func insert(
    _ address: IPAddress, _ name: HostName, _ expiry: Instant,
    _ source: LearnedAddresses.Source, _ now: Instant
  ) {
    let hash = name.hashValue
    var count = 0
    var soonest = Self.none
    var next = firsts[address] ?? Self.none
    while next != Self.none {
      let index = Int(next)
      if records[index].isNamed(name, hash: hash) {
        if records[index].expiry < expiry { records[index].expiry = expiry }
        records[index].source = source
        return
      }
      if soonest == Self.none || records[index].expiry < records[Int(soonest)].expiry {
        soonest = next
      }
      count += 1
      next = records[index].next
    }
    var text: [UInt8] = []
    text.reserveCapacity(name.count)
    name.appendText(to: &text)
    var record = Record(
      address: address, name: text, hash: hash, expiry: expiry, source: source, next: Self.none)
    if count >= LearnedAddresses.maximumNames {
      record.next = records[Int(soonest)].next
      records[Int(soonest)] = record
      return
    }
    if records.count >= limit { makeRoom(now) }
    append(record)
  }

  private mutating func append(_ record: Record) {
    var record = record
    record.next = firsts[record.address] ?? Self.none
    firsts[record.address] = Int32(records.count)
    records.append(record)
  }

  /// Keeps some of the records.
  private mutating func keep(_ isKept: (Record) -> Bool) {
    let old = records
    records.removeAll(keepingCapacity: true)
    firsts.removeAll(keepingCapacity: true)
    for record in old where isKept(record) { append(record) }
  }

  mutating func use(
    _ address: IPAddress, _ name: HostName, _ expiry: Instant, _ now: Instant
  ) -> Bool {
    let hash = name.hashValue
    var next = firsts[address] ?? Self.none
    while next != Self.none {
      let index = Int(next)
      if records[index].isNamed(name, hash: hash) {
        guard records[index].expiry > now else { return false }
        if records[index].expiry < expiry { records[index].expiry = expiry }
        return true
      }
      next = records[index].next
    }
    return false
  }

  mutating func use(
    _ address: IPAddress, _ expiry: Instant, _ now: Instant, where accepts: (HostName) -> Bool
  ) -> Bool {
    var next = firsts[address] ?? Self.none
    while next != Self.none {
      let index = Int(next)
      if records[index].expiry > now, accepts(HostName(normalised: records[index].name)) {
        if records[index].expiry < expiry { records[index].expiry = expiry }
        return true
      }
      next = records[index].next
    }
    return false
  }

  mutating func expire(_ now: Instant) {
    keep { $0.expiry > now }
  }

  /// Forgets what has expired, or else the sixteenth that would expire first: a scan for each new
  /// entry of a full table would be too slow.
  private mutating func makeRoom(_ now: Instant) {
    expire(now)
    guard records.count >= limit else { return }
    var expiries = records.map { $0.expiry.nanoseconds }
    expiries.sort()
    let excess = records.count - limit + max(1, limit / 16)
    let last = expiries[min(excess, expiries.count) - 1]
    // Of entries with the very same expiry only as many as are needed go.
    var equals = excess - (expiries.firstIndex(of: last) ?? 0)
    keep {
      let expiry = $0.expiry.nanoseconds
      if expiry == last { equals -= 1 }
      return expiry > last || (expiry == last && equals < 0)
    }
  }
}
