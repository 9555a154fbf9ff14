/// The way from what a table has of ours to what it should have, as input of iptables-restore.
///
/// Each table is one commit: the kernel goes from the old rules to the new ones at once.
struct IPTablesChange {
  /// The lines between `*<table>` and `COMMIT`; none when there is nothing to do.
  let lines: [String]
  private let table: String

  /// The change that makes of `current` what `wanted` says; both are the same table's.
  ///
  /// The chains named in `keeping` are as they should be and not touched; other people's rules never
  /// are.
  init(from current: IPTablesTable, to wanted: IPTablesTable, keeping: [String] = []) {
    table = wanted.name
    var lines: [String] = []
    let refilled = wanted.chains.filter { !keeping.contains($0.name) }
    let leftOver = current.chains.filter { chain in
      !wanted.chains.contains { $0.name == chain.name }
    }
    // In iptables-restore a declared chain is made, or flushed when it is there.
    for chain in refilled { lines.append(":\(chain.name) - [0:0]") }
    for chain in refilled {
      for rule in chain.rules { lines.append("-A \(chain.name) \(rule)") }
    }
    if current.jumps != wanted.jumps {
      for jump in current.jumps { lines.append("-D \(jump.chain) \(jump.rule)") }
      for jump in wanted.jumps {
        lines.append("-I \(jump.chain) \(jump.position) \(jump.rule)")
      }
    }
    for chain in leftOver { lines.append("-F \(chain.name)") }
    for chain in leftOver { lines.append("-X \(chain.name)") }
    self.lines = lines
  }

  /// The input of iptables-restore; empty when there is nothing to do.
  var text: String {
    lines.isEmpty ? "" : "*\(table)\n" + lines.map { $0 + "\n" }.joined() + "COMMIT\n"
  }
}
