internal import Wire

/// The store's words by their numbers, read once before the rows that refer to them: a word is then
/// one string in memory, however many rows have it.
struct StoreWords {
  /// Devices that have a name.
  private(set) var names: [(device: MACAddress, name: String)] = []
  private var devices = Numbered<MACAddress>()
  private var clients = Numbered<(device: MACAddress, address: IPAddress)>()
  private var rules = Numbered<(service: String, name: String)>()
  private var hosts = Numbered<String>()
  private var outcomes = Numbered<(verdict: UsageVerdict, reason: String)>()

  /// The words of one table by their numbers: one type of dictionary for all tables.
  private struct Numbered<Word> {
    private var places: [Int64: Int] = [:]
    private var words: [Word] = []

    subscript(number: Int64) -> Word? { places[number].map { words[$0] } }

    mutating func add(_ number: Int64, _ word: Word) {
      places[number] = words.count
      words.append(word)
    }
  }

  init(_ database: Database) throws(UsageStoreError) {
    let device = try database.prepare("SELECT id, mac, name FROM device")
    while try device.step() {
      let mac = MACAddress(device.text(1)) ?? .unknown
      devices.add(device.number(0), mac)
      let name = device.text(2)
      if !name.isEmpty { names.append((device: mac, name: name)) }
    }
    let client = try database.prepare("SELECT id, device, address FROM client")
    while try client.step() {
      let address = IPAddress(client.text(2)) ?? UsageKey.anyClient
      clients.add(client.number(0), (device: self.device(client.number(1)), address: address))
    }
    let rule = try database.prepare("SELECT id, service, name FROM rule")
    while try rule.step() {
      rules.add(rule.number(0), (service: rule.text(1), name: rule.text(2)))
    }
    let host = try database.prepare("SELECT id, name FROM host")
    while try host.step() { hosts.add(host.number(0), host.text(1)) }
    let outcome = try database.prepare("SELECT id, verdict, reason FROM outcome")
    while try outcome.step() {
      let verdict = UsageVerdict(rawValue: outcome.text(1)) ?? .deny
      outcomes.add(outcome.number(0), (verdict: verdict, reason: outcome.text(2)))
    }
  }

  func device(_ id: Int64) -> MACAddress { devices[id] ?? .unknown }

  func client(_ id: Int64) -> (device: MACAddress, address: IPAddress) {
    clients[id] ?? (device: .unknown, address: UsageKey.anyClient)
  }

  /// The row at hand of a statement that has rule, host, outcome and the five counts in columns 1
  /// to 8.
  func row(
    _ statement: borrowing Statement, hour: Int64, _ device: MACAddress, _ client: IPAddress
  ) -> UsageRow {
    let rule = rules[statement.number(1)] ?? (service: "", name: UsageKey.other)
    let outcome = outcomes[statement.number(3)] ?? (verdict: .deny, reason: UsageKey.other)
    let key = UsageKey(
      hour: hour, device: device, client: client, service: rule.service, rule: rule.name,
      host: hosts[statement.number(2)] ?? UsageKey.other, verdict: outcome.verdict,
      reason: outcome.reason)
    let counts = UsageCounts(
      connections: statement.count(4), packetsUp: statement.count(5),
      packetsDown: statement.count(6), bytesUp: statement.count(7), bytesDown: statement.count(8))
    return UsageRow(key, counts)
  }
}
