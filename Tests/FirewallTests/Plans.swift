import Firewall
import Queue
import Testing

/// The plans that the tests share.
enum Plans {
  /// A router with one LAN interface and the defaults of imgate.yaml.
  static func oneLAN(closing: FirewallPlan.Closing = .allowList) throws -> FirewallPlan {
    try plan(["wlan0"], closing: closing)
  }

  /// Two LAN interfaces, one queue, `onFailure: open`, and another place for the mark.
  static func twoLANsOpen() throws -> FirewallPlan {
    try plan(
      ["br-lan", "wlan1"], mask: 0x0007_0000, count: 1, bypass: true, closing: .denyList)
  }

  static func plan(
    _ lan: [String], mask: UInt32 = 0x0700_0000, first: UInt16 = 40, count: UInt16 = 2,
    bypass: Bool = false, closing: FirewallPlan.Closing = .allowList
  ) throws -> FirewallPlan {
    let mask = try #require(MarkMask(bits: mask))
    return try FirewallPlan(
      lan: lan, mask: mask, firstQueue: first, queueCount: count, bypass: bypass, closing: closing)
  }
}
