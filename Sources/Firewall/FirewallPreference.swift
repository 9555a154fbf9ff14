/// Which firewall the owner wants (`firewall:` in imgate.yaml).
public enum FirewallPreference: String, CaseIterable, Sendable {
  /// The first that works: nftables, then iptables as the distribution has it, then its variants.
  case auto
  /// nftables, or nothing.
  case nftables
  /// iptables in whichever variant works: `iptables`, `iptables-nft`, `iptables-legacy`.
  case iptables
  /// iptables over nf_tables, or nothing.
  case iptablesNFT = "iptables-nft"
  /// iptables over its own old kernel interface, or nothing.
  case iptablesLegacy = "iptables-legacy"
}
