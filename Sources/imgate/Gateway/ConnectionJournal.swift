internal import CSystem
internal import Names
internal import Policy
internal import System
internal import Usage
internal import Wire

/// Which connections were allowed and for what name, in a file that outlives the daemon: after a
/// restart, even one by SIGKILL, they go on and count as what they are.
///
/// It lies in the runtime directory (memory on a router), is written without a sync, and is no more
/// than a help: what it lacks counts as from before the restart.
struct ConnectionJournal: ~Copyable {
  /// What stands in a line.
  struct Entry {
    var tuple: FiveTuple
    var subject: Subject
    var reason: Reason
    /// The feature that allowed it, if its protocol carries no name; else empty.
    var feature = ""

    /// What is known of a live connection.
    init(_ tuple: FiveTuple, _ connection: Ledger.Connection) {
      self.init(tuple: tuple, subject: connection.subject, reason: connection.reason)
      if subject.application.isNameless { feature = connection.key.rule }
    }

    /// All of it.
    init(tuple: FiveTuple, subject: Subject, reason: Reason, feature: String = "") {
      self.tuple = tuple
      self.subject = subject
      self.reason = reason
      self.feature = feature
    }
  }

  private let path: String
  private var file: FileDescriptor?
  private var size = 0
  /// Past this many bytes it is written anew with what is live.
  static let sizeLimit = 4 << 20

  /// A journal at `path`; nothing is read or written yet.
  init(path: String) {
    self.path = path
    file = nil
  }

  /// Whether it has grown past its limit.
  var isFull: Bool { size > Self.sizeLimit }

  /// What an earlier run has left: the digest of its rules, and its connections, the latest last.
  ///
  /// Lines that can't be read are passed over.
  func read() -> (digest: UInt64?, entries: [Entry]) {
    guard let bytes = try? File.read(path, limit: 4 * Self.sizeLimit) else { return (nil, []) }
    var digest: UInt64?
    var entries: [Entry] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ").map { String($0) }
      if words.count == 2, words[0] == "rules" {
        digest = UInt64(words[1], radix: 16)
      } else if let entry = Self.parse(words) {
        entries.append(entry)
      }
    }
    return (digest, entries)
  }

  /// Begins anew with `entries`; when this throws, nothing is kept until the next time.
  mutating func begin(digest: UInt64, _ entries: [Entry]) throws(SystemError) {
    var text = "rules \(String(digest, radix: 16))\n"
    for entry in entries { text += Self.line(entry) }
    let bytes = Array(text.utf8)
    do throws(SystemError) {
      try File.replace(path, with: bytes, mode: 0o600)
      file = try FileDescriptor.open(path, O_WRONLY | O_APPEND)
      size = bytes.count
    } catch {
      file = nil
      size = 0
      throw error
    }
  }

  /// Adds connections.
  mutating func append(_ entries: [Entry]) {
    var text = ""
    for entry in entries { text += Self.line(entry) }
    let bytes = Array(text.utf8)
    switch file {
    case .some(let file):
      // A full disk costs names after a restart, nothing else.
      try? file.write(bytes)
      size += bytes.count
    case .none: break
    }
  }

  private static func line(_ entry: Entry) -> String {
    let tuple = entry.tuple
    let words = [
      "\(tuple.proto.number)", tuple.source.text, "\(tuple.sourcePort)", tuple.destination.text,
      "\(tuple.destinationPort)", entry.subject.device.text, entry.subject.application.rawValue,
      entry.subject.host?.text ?? "-", entry.reason.name,
      entry.feature.isEmpty || entry.feature.utf8.contains(UInt8(ascii: " ")) ? "-" : entry.feature,
    ]
    return words.joined(separator: " ") + "\n"
  }

  private static func parse(_ words: [String]) -> Entry? {
    // The feature is missing in what an older imgate has written.
    guard words.count == 9 || words.count == 10, let proto = UInt8(words[0]),
      let source = IPAddress(words[1]),
      let sourcePort = UInt16(words[2]), let destination = IPAddress(words[3]),
      let destinationPort = UInt16(words[4]), let device = MACAddress(words[5]),
      let application = Application(rawValue: words[6]), let reason = Reason(rawValue: words[8])
    else { return nil }
    let host = words[7] == "-" ? nil : HostName(words[7])
    let tuple = FiveTuple(
      proto: IPProtocol(proto), source: source, sourcePort: sourcePort, destination: destination,
      destinationPort: destinationPort)
    return Entry(
      tuple: tuple,
      subject: Subject(
        application: application, host: host, address: destination, port: destinationPort,
        transport: Transport(tuple.proto, application), device: device),
      reason: reason, feature: words.count == 10 && words[9] != "-" ? words[9] : "")
  }
}
