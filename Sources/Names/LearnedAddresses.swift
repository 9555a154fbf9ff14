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

  /// All entries that have not expired, by name and address.
  public func entries(now: Instant) -> [Entry] {
    let records = table.withLock { table in
      table.records.filter { $0.value.expiry > now }
    }
    var entries: [Entry] = []
    entries.reserveCapacity(records.count)
    for (key, record) in records {
      // Never nil: the text was a host name's.
      guard let name = HostName(String(decoding: record.name, as: UTF8.self)) else { continue }
      entries.append(
        Entry(name: name, address: key.address, expiry: record.expiry, source: record.source))
    }
    entries.sort { a, b in
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

/// The entries, by a hash of the name and the address.
///
/// The key has not the name itself, which would cost 256 bytes an entry; the record has its text, and
/// two names with the same 64-bit hash at one address (Swift seeds the hash anew in every process)
/// only put each other out.
private struct Table {
  struct Key: Hashable {
    let nameHash: Int
    let address: IPAddress

    init(_ name: HostName, _ address: IPAddress) {
      nameHash = name.hashValue
      self.address = address
    }
  }

  struct Record {
    var name: [UInt8]
    var expiry: Instant
    var source: LearnedAddresses.Source

    func isNamed(_ other: HostName) -> Bool {
      guard name.count == other.count else { return false }
      for i in name.indices where name[i] != other[i] { return false }
      return true
    }
  }

  let limit: Int
  var records: [Key: Record] = [:]

  init(limit: Int) { self.limit = limit }

  mutating func insert(
    _ address: IPAddress, _ name: HostName, _ expiry: Instant,
    _ source: LearnedAddresses.Source, _ now: Instant
  ) {
    let key = Key(name, address)
    if let index = records.index(forKey: key), records.values[index].isNamed(name) {
      if records.values[index].expiry < expiry { records.values[index].expiry = expiry }
      records.values[index].source = source
      return
    }
    if records.count >= limit { makeRoom(now) }
    var text: [UInt8] = []
    text.reserveCapacity(name.count)
    name.appendText(to: &text)
    records[key] = Record(name: text, expiry: expiry, source: source)
  }

  mutating func use(
    _ address: IPAddress, _ name: HostName, _ expiry: Instant, _ now: Instant
  ) -> Bool {
    guard let index = records.index(forKey: Key(name, address)),
      records.values[index].expiry > now, records.values[index].isNamed(name)
    else { return false }
    if records.values[index].expiry < expiry { records.values[index].expiry = expiry }
    return true
  }

  mutating func expire(_ now: Instant) {
    records = records.filter { $0.value.expiry > now }
  }

  /// Forgets what has expired, or else the sixteenth that would expire first: a scan for each new
  /// entry of a full table would be too slow.
  private mutating func makeRoom(_ now: Instant) {
    expire(now)
    guard records.count >= limit else { return }
    var expiries: [UInt64] = []
    expiries.reserveCapacity(records.count)
    for record in records.values { expiries.append(record.expiry.nanoseconds) }
    expiries.sort()
    let excess = records.count - limit + max(1, limit / 16)
    let last = expiries[min(excess, expiries.count) - 1]
    // Of entries with the very same expiry only as many as are needed go.
    var equals = excess - (expiries.firstIndex(of: last) ?? 0)
    records = records.filter {
      let expiry = $0.value.expiry.nanoseconds
      if expiry == last { equals -= 1 }
      return expiry > last || (expiry == last && equals < 0)
    }
  }
}
