internal import Configuration
internal import Firewall
internal import Policy
internal import Queue

extension FirewallPlan {
  /// What the files ask of the firewall, without a pause.
  static func of(
    _ configuration: Configuration, mode: Policy.Mode
  ) throws(Failure) -> FirewallPlan {
    guard let mask = MarkMask(bits: configuration.mark) else {
      throw Failure(.badInput, "imgate: error: mark: 3 adjacent bits are expected")
    }
    let isOpen = configuration.onFailure == .open
    do throws(FirewallError) {
      return try FirewallPlan(
        lan: configuration.lan, mask: mask, firstQueue: configuration.queues.first,
        queueCount: configuration.queues.count, bypass: isOpen,
        closing: isOpen || mode == .audit ? .denyList : .allowList)
    } catch {
      throw Failure(error)
    }
  }
}

extension Configuration {
  /// Which firewall the owner wants.
  var firewallPreference: FirewallPreference {
    switch firewall {
    case .auto: .auto
    case .nftables: .nftables
    case .iptables: .iptables
    }
  }
}

extension Failure {
  /// The firewall could not do it; a plan that can't be carried out is the configuration's fault.
  init(_ error: FirewallError) {
    self.init(error.kind == .badPlan ? .badInput : .refused, "imgate: \(error.text)")
  }
}
