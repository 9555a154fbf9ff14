internal import System
internal import Usage
internal import Wire

/// How much chat media each device has moved today, in a file that outlives the daemon: what was
/// spent is not given back by a restart, even one by SIGKILL.
///
/// It lies in the runtime directory (memory on a router). When the box restarts it is gone, and what
/// the usage store has of the day counts instead.
struct MediaBook {
  private let path: String
  /// The day that is counted.
  private(set) var day: LocalDay
  private var written: [MACAddress: UInt64]?

  /// A book at `path` for the day of `now`; nothing is read or written yet.
  init(path: String, now: WallTime) {
    self.path = path
    day = LocalDay(containing: now)
  }

  /// What an earlier run has written on this day.
  mutating func read() -> [MACAddress: UInt64] {
    guard let bytes = try? File.read(path, limit: 4 << 20) else { return [:] }
    var isToday = false
    var spent: [MACAddress: UInt64] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ").map { String($0) }
      guard words.count == 2 else { continue }
      if words[0] == "day" {
        isToday = words[1] == day.text
      } else if isToday, let device = MACAddress(words[0]), let count = UInt64(words[1]) {
        spent[device] = count
      }
    }
    written = spent
    return spent
  }

  /// Whether `now` belongs to another day; it is counted from then on.
  mutating func turn(to now: WallTime) -> Bool {
    let today = LocalDay(containing: now)
    guard today != day else { return false }
    day = today
    written = nil
    return true
  }

  /// Writes what was spent, if it has changed.
  mutating func write(_ spent: [MACAddress: UInt64]) throws(SystemError) {
    guard spent != written else { return }
    var text = "day \(day.text)\n"
    for (device, count) in spent { text += "\(device.text) \(count)\n" }
    try File.replace(path, with: Array(text.utf8), mode: 0o600)
    written = spent
  }
}
