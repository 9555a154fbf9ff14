public import System

/// What the kernel counts of a queue: a line of /proc/net/netfilter/nfnetlink_queue.
public struct QueueStatistics: Equatable, Sendable {
  /// The queue's number.
  public let queue: UInt16
  /// The netlink port of the program that is bound to it; mostly its process id.
  public let peerPort: UInt32
  /// How many packets wait for their verdict now.
  public let waiting: UInt32
  /// What of a packet is copied: 0 nothing, 1 metadata, 2 the packet.
  public let copyMode: UInt8
  /// The most bytes of a packet that are copied.
  public let copyRange: UInt32
  /// Packets dropped since the queue was full ("queue dropped").
  public let droppedQueueFull: UInt64
  /// Packets dropped since the socket's receive buffer was full ("user dropped").
  public let droppedSocketFull: UInt64
  /// The id of the newest packet: how many were queued since the queue was bound (modulo 2^32).
  public let idSequence: UInt32

  /// Where the kernel shows them, for the network namespace of the process.
  public static let path = "/proc/net/netfilter/nfnetlink_queue"

  /// The statistics of one queue; nil when nobody is bound to it.
  ///
  /// Only root may read the file (EACCES); a kernel without nfnetlink_queue has none (ENOENT).
  public static func read(queue: UInt16) throws(SystemError) -> QueueStatistics? {
    for statistics in try readAll() where statistics.queue == queue { return statistics }
    return nil
  }

  /// The statistics of all queues of the network namespace.
  public static func readAll() throws(SystemError) -> [QueueStatistics] {
    parse(try File.read(path))
  }

  /// Parses the file's text: nine columns of decimal numbers, as nfnetlink_queue.c's seq_show
  /// prints them; the ninth is always 1.
  ///
  /// A line that is not so is left out.
  static func parse(_ text: [UInt8]) -> [QueueStatistics] {
    text.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let columns = line.split(separator: UInt8(ascii: " ")).map(number)
      guard columns.count >= 8, let queue = UInt16(exactly: columns[0]),
        let peerPort = UInt32(exactly: columns[1]), let waiting = UInt32(exactly: columns[2]),
        let copyMode = UInt8(exactly: columns[3]), let copyRange = UInt32(exactly: columns[4]),
        columns[5] >= 0, columns[6] >= 0, let idSequence = UInt32(exactly: columns[7])
      else { return nil }
      return QueueStatistics(
        queue: queue, peerPort: peerPort, waiting: waiting, copyMode: copyMode,
        copyRange: copyRange, droppedQueueFull: UInt64(columns[5]),
        droppedSocketFull: UInt64(columns[6]), idSequence: idSequence)
    }
  }

  // -1 for what is not a decimal number of at most 18 digits.
  private static func number(_ digits: ArraySlice<UInt8>) -> Int64 {
    guard !digits.isEmpty, digits.count <= 18 else { return -1 }
    var value: Int64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return -1 }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return value
  }
}
