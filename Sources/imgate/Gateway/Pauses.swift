internal import System
internal import Wire

/// Who may do what they like for a while, and until when: kept in a file, so that a pause ends by
/// itself over a restart too.
struct Pauses {
  private let path: String
  /// The end of the pause of all devices.
  private(set) var all: WallTime?
  /// The ends of single devices' pauses.
  private(set) var devices: [MACAddress: WallTime] = [:]

  /// The pauses that the file at `path` holds and that are not over at `now`: not one packet may
  /// pass for one that ended while the gateway was away.
  init(path: String, now: WallTime) {
    self.path = path
    guard let bytes = try? File.read(path, limit: 1 << 16) else { return }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ").map { String($0) }
      guard words.count == 2, let seconds = Int64(words[1]) else { continue }
      if words[0] == "all" {
        all = WallTime(seconds: seconds)
      } else if let device = MACAddress(words[0]) {
        devices[device] = WallTime(seconds: seconds)
      }
    }
    endOver(now)
  }

  /// Whether nobody is paused.
  var isEmpty: Bool { all == nil && devices.isEmpty }

  /// Begins a pause of `device`, or of all; one that can't be written does not begin.
  mutating func begin(_ device: MACAddress?, until end: WallTime) throws(SystemError) {
    var longer = self
    if let device { longer.devices[device] = end } else { longer.all = end }
    try longer.save()
    self = longer
  }

  /// Ends every pause.
  ///
  /// They have ended also when this throws: then the file is still there, and the next start would
  /// take them up again.
  mutating func endAll() throws(SystemError) {
    all = nil
    devices = [:]
    // Not written anew: removing needs no room on a full disk.
    try File.remove(path)
  }

  /// Ends what is over; true when something ended.
  mutating func expire(now: WallTime) -> Bool {
    let changed = endOver(now)
    // Should the file stay, its ends are in the past.
    if changed { try? save() }
    return changed
  }

  @discardableResult
  private mutating func endOver(_ now: WallTime) -> Bool {
    let before = (all == nil, devices.count)
    if let end = all, end <= now { all = nil }
    devices = devices.filter { now < $0.value }
    return before != (all == nil, devices.count)
  }

  private func save() throws(SystemError) {
    var text = ""
    if let all { text += "all \(all.seconds)\n" }
    for (device, end) in devices { text += "\(device.text) \(end.seconds)\n" }
    try File.replace(path, with: Array(text.utf8), mode: 0o600)
  }
}
