/// The known word that a misspelt one was probably meant to be.
public enum Spelling {
  /// The word of `known` that is nearest to `word`, if one is near: it begins with `word`, or at most
  /// a third of its letters differ, and at least one is allowed to.
  public static func nearest(to word: String, in known: [String]) -> String? {
    let letters = Array(word.utf8.prefix(64))
    var best: (word: String, distance: Int)?
    for candidate in known {
      // Half a word may be missing, as in an abbreviation.
      let isBeginning = letters.count >= 2 && candidate.utf8.starts(with: letters)
      let distance = isBeginning ? 1 : distance(letters, Array(candidate.utf8))
      if let current = best, current.distance <= distance { continue }
      if distance <= max(1, candidate.utf8.count / 3) { best = (candidate, distance) }
    }
    return best?.word
  }

  /// `a, b or c`.
  public static func list(_ words: [String]) -> String {
    guard let last = words.last else { return "" }
    if words.count == 1 { return last }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  /// How many letters must be inserted, dropped, replaced or swapped with their neighbour (optimal
  /// string alignment), ASCII case ignored.
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    for i in a.indices {
      var current = [i + 1]
      current.reserveCapacity(b.count + 1)
      for j in b.indices {
        let replaced = previous[j] + (fold(a[i]) == fold(b[j]) ? 0 : 1)
        var least = min(replaced, previous[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, fold(a[i]) == fold(b[j - 1]), fold(a[i - 1]) == fold(b[j]) {
          least = min(least, beforePrevious[j - 1] + 1)
        }
        current.append(least)
      }
      beforePrevious = previous
      previous = current
    }
    return previous[b.count]
  }

  private static func fold(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }
}
