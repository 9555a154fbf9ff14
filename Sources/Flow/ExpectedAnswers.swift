internal import Names
internal import System
internal import Wire

/// The questions that were let through lately: only an answer to one of them teaches.
///
/// A small hash table in which the oldest give way; what is lost costs one look-up of the gateway's
/// own, when the client comes with the name.
struct ExpectedAnswers {
  private struct Question {
    var client: FiveTuple
    var id: UInt16
    var type: UInt16
    var name: Int
    var end: Instant
  }

  /// How long an answer may take: resolvers ask on for some seconds.
  private static let lifetime = Instant.Span.seconds(15)
  private static let bucketSize = 8
  private static let buckets = 128

  // Made with the first question: most engines never see one.
  private var questions: [Question?] = []
  private let seed: UInt64

  init(seed: UInt64) { self.seed = seed }

  /// Remembers a question, from the client to the resolver.
  mutating func append(
    _ client: FiveTuple, id: UInt16, type: UInt16, name: HostName, now: Instant
  ) {
    if questions.isEmpty {
      questions = [Question?](repeating: nil, count: Self.buckets * Self.bucketSize)
    }
    let bucket = bucket(client, id)
    var place = bucket.lowerBound
    for i in bucket {
      guard let old = questions[i], old.end > now else {
        place = i
        break
      }
      if let best = questions[place], old.end < best.end { place = i }
    }
    questions[place] = Question(
      client: client, id: id, type: type, name: name.hashValue, end: now + Self.lifetime)
  }

  /// Whether `client` has asked that.
  func contains(
    _ client: FiveTuple, id: UInt16, type: UInt16, name: HostName, now: Instant
  ) -> Bool {
    guard !questions.isEmpty else { return false }
    let hash = name.hashValue
    for i in bucket(client, id) {
      if let asked = questions[i], asked.id == id, asked.type == type, asked.name == hash,
        asked.end > now, asked.client == client
      {
        return true
      }
    }
    return false
  }

  private func bucket(_ client: FiveTuple, _ id: UInt16) -> Range<Int> {
    let mixed =
      (seed ^ UInt64(truncatingIfNeeded: client.source.bits) &+ UInt64(client.sourcePort) << 16
      ^ UInt64(id)).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    let start = Int(truncatingIfNeeded: (mixed.high ^ mixed.low) % UInt64(Self.buckets))
    return start * Self.bucketSize..<(start + 1) * Self.bucketSize
  }
}
