public import Queue

/// What the firewall has to do: everything that its rules depend on.
///
/// Two equal plans give the same rules, byte for byte.
public struct FirewallPlan: Equatable, Sendable {
  /// What the last chain lets through.
  public enum Closing: String, Sendable {
    /// Only what was judged and let through: the gateway's normal work.
    case allowList = "allow-list"
    /// Everything that was not refused: audit, pause, and `onFailure: open`.
    case denyList = "deny-list"
  }

  /// How many packets a connection may have in either direction, before a verdict, of which the
  /// daemon sees only those with payload.
  static let packetsUnseen = 64

  /// The interfaces whose forwarded traffic is judged, in the order of the configuration.
  public let lan: [String]
  /// The bits of packet and connection marks that are the gateway's.
  public let mask: MarkMask
  /// The number of the first packet queue.
  public let firstQueue: UInt16
  /// How many queues share the forwarded packets, at least 1.
  public let queueCount: UInt16
  /// Whether packets pass a queue that nobody reads (`onFailure: open`).
  public let bypass: Bool
  /// What the last chain lets through.
  public var closing: Closing

  /// The number of the queue of DNS answers: the one after the forwarded packets' queues.
  public var dnsQueue: UInt16 { firstQueue + queueCount }

  /// A plan; throws `badPlan` for no LAN interface, for one that is named twice or not as the kernel
  /// names interfaces, and for queue numbers past 65535.
  public init(
    lan: [String], mask: MarkMask, firstQueue: UInt16, queueCount: UInt16, bypass: Bool,
    closing: Closing
  ) throws(FirewallError) {
    if lan.isEmpty { throw FirewallError(badPlan: "no LAN interface is named") }
    for (index, name) in lan.enumerated() {
      if !Self.isInterfaceName(name) {
        throw FirewallError(
          badPlan: "'\(name)' is no interface name: 1 to 15 letters, digits, '.', '_' or '-'")
      }
      if lan[..<index].contains(name) {
        throw FirewallError(badPlan: "the LAN interface \(name) is named twice")
      }
    }
    if queueCount == 0 || UInt32(firstQueue) + UInt32(queueCount) > 65535 {
      throw FirewallError(
        badPlan: "\(queueCount) queues from number \(firstQueue) on, and one for DNS: "
          + "at least 1, and numbers up to 65535")
    }
    self.lan = lan
    self.mask = mask
    self.firstQueue = firstQueue
    self.queueCount = queueCount
    self.bypass = bypass
    self.closing = closing
  }

  // The name is put into rule text: what could end a word there, or be a wildcard, is refused. 15 is
  // IFNAMSIZ (linux/if.h) without its zero byte.
  private static func isInterfaceName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (1...15).contains(bytes.count), bytes[0] != UInt8(ascii: "-") else { return false }
    return bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }

  /// The numbers of the forwarded packets' queues.
  var queues: ClosedRange<UInt16> { firstQueue...(firstQueue + queueCount - 1) }

  /// A state as a mark under our mask, in hexadecimal: `0x1000000`.
  func mark(_ state: ConnectionState) -> String { Self.hex(mask.mark(0, with: state)) }

  /// The mask in hexadecimal: `0x7000000`.
  var maskText: String { Self.hex(mask.bits) }

  /// The mask of the bits that are not ours: `0xf8ffffff`.
  var othersText: String { Self.hex(~mask.bits) }

  private static func hex(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
}
