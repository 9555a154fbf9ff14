/// The first place where a chain is not as it should be, in words.
struct RuleDifference {
  let text: String

  /// Compares the rules of one chain; `isSame` says whether two texts mean the same rule.
  init(wanted: [String], current: [String], isSame: (String, String) -> Bool) {
    if current.isEmpty {
      text = "the chain is empty; it should have \(wanted.count) rules"
      return
    }
    var index = 0
    while index < wanted.count && index < current.count && isSame(wanted[index], current[index]) {
      index += 1
    }
    let number = index + 1
    if index == wanted.count && index == current.count {
      text = "the rules are there but are not the gateway's own"
    } else if index == current.count
      || index < wanted.count
        && Self.isRest(of: wanted, from: index + 1, current, from: index, isSame)
    {
      text = "rule \(number) is missing: '\(wanted[index])'"
    } else if index == wanted.count
      || Self.isRest(of: current, from: index + 1, wanted, from: index, isSame)
    {
      text = "rule \(number) does not belong there: '\(current[index])'"
    } else {
      text = "rule \(number) is '\(current[index])' and should be '\(wanted[index])'"
    }
  }

  // Whether one list goes on from an index as another does from its own: for one rule, or to the end
  // of both.
  private static func isRest(
    of a: [String], from i: Int, _ b: [String], from j: Int, _ isSame: (String, String) -> Bool
  ) -> Bool {
    if i == a.count || j == b.count { return i == a.count && j == b.count }
    return isSame(a[i], b[j])
  }
}
