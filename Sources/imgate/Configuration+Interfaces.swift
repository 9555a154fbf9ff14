internal import Configuration

extension Configuration {
  /// What is wrong when a box has the interfaces `present`, of which `open` are those that forward.
  ///
  /// A LAN that isn't there would mean that nothing is judged, and an interface that forwards and is
  /// in no list is a way around the gateway.
  func problems(with present: [String], open: [String]) -> [String] {
    var problems: [String] = []
    for name in lan where !present.contains(name) {
      problems.append(
        "there is no interface \(name), which 'lan' names; there are "
          + present.joined(separator: ", "))
    }
    let known = lan + wan + ignore
    for name in open where !known.contains(name) {
      problems.append(
        "the interface \(name) forwards packets and is in neither 'lan' nor 'wan': add it to one of "
          + "them, or say 'ignore: [\(name)]' if it never carries traffic of the LAN")
    }
    return problems
  }
}
