extension Sequence {
  /// The elements in order; those of which neither precedes the other stay as they stood.
  ///
  /// For what is not on the packet path: the standard library's sort is compiled anew for every type
  /// and closure, 2 to 3 KB each, and only the closure is here.
  public func ordered(by precedes: (Element, Element) -> Bool) -> [Element] {
    let elements = Array(self)
    let places = Ordering.places(elements.count) { precedes(elements[$0], elements[$1]) }
    return places.map { elements[$0] }
  }
}

extension Sequence where Element: Comparable {
  /// The elements from the least to the greatest.
  public func ordered() -> [Element] { ordered(by: <) }
}

/// What `ordered(by:)` does for elements of all types.
public enum Ordering {
  /// The numbers below `count` in order: a merge sort from the bottom up.
  ///
  /// Neither copied into its callers nor specialized for their closures.
  @export(interface) @inline(never)
  public static func places(_ count: Int, _ precedes: (Int, Int) -> Bool) -> [Int] {
    var places = Array(0..<count)
    var merged = places
    // Runs of `length` places are in order; two at a time become one.
    var length = 1
    while length < count {
      for start in stride(from: 0, to: count, by: 2 * length) {
        let middle = min(start + length, count)
        let end = min(middle + length, count)
        var left = start
        var right = middle
        for place in start..<end {
          // Of equals the left one goes first.
          let takesRight =
            left == middle || right < end && precedes(places[right], places[left])
          merged[place] = takesRight ? places[right] : places[left]
          if takesRight { right += 1 } else { left += 1 }
        }
      }
      swap(&places, &merged)
      length *= 2
    }
    return places
  }
}
