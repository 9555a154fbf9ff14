/// Flow offload: the kernel, or the network card, carries a connection past every hook.
public enum FlowOffload {
  /// The nftables flowtables in this kernel, each as a mismatch that a person has to mend; none when
  /// there is no `nft` here.
  ///
  /// One `nft list flowtables`.
  public static func find() -> [Mismatch] {
    do throws(FirewallError) {
      return mismatches(try Tool("nft").run(["list", "flowtables"]))
    } catch {
      // Without nft, or on a kernel without nf_tables, there is nothing to find by this way.
      return []
    }
  }

  /// Reads what `nft list flowtables` wrote.
  static func mismatches(_ text: String) -> [Mismatch] {
    var found: [Mismatch] = []
    var table = ""
    for line in Text.lines(text) {
      let words = Text.words(line)
      if words.count >= 3, words[0] == "table" { table = "\(words[1]) \(words[2])" }
      if words.count >= 2, words[0] == "flowtable" {
        found.append(
          Mismatch(
            "nftables \(table)",
            "the flowtable \(words[1]) carries connections past the gateway before they are "
              + "judged; switch flow offloading off (OpenWrt: uci set "
              + "firewall.@defaults[0].flow_offloading=0; uci commit; fw4 reload)",
            canRepair: false))
      }
    }
    return found
  }
}
