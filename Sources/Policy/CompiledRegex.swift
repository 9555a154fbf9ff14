internal import CPCRE2
internal import Names
internal import System

/// A regular expression that was compiled once (PCRE2, without its just-in-time compiler).
///
/// @unchecked Sendable: PCRE2 only reads a compiled pattern; what a match writes is in the scratch,
/// behind a lock.
@safe final class CompiledRegex: @unchecked Sendable {
  /// A pattern that PCRE2 doesn't take.
  struct Failure: Error {
    /// PCRE2's words.
    let message: String
    /// Where, in bytes from the start of the pattern.
    let offset: Int
  }

  enum Outcome {
    case match, noMatch
    /// The match took more steps than a host name can be worth.
    case gaveUp
  }

  private let code: OpaquePointer

  /// Compiles `pattern`; `whole` lets it match nothing but whole names, whatever it says.
  init(_ pattern: String, whole: Bool) throws(Failure) {
    let bytes = Array(pattern.utf8)
    // `$` must not match before a line feed, and \C (one byte of a character) has no place here.
    var options = UInt32(PCRE2_DOLLAR_ENDONLY) | UInt32(PCRE2_NEVER_BACKSLASH_C)
    if whole { options |= UInt32(PCRE2_ANCHORED) | UInt32(PCRE2_ENDANCHORED) }
    var error: CInt = 0
    var offset = 0
    // PCRE2 copies the pattern; the pointers are used within the call only.
    guard let code = unsafe pcre2_compile_8(bytes, bytes.count, options, &error, &offset, nil)
    else { throw Failure(message: Self.message(error), offset: offset) }
    unsafe self.code = code
  }

  deinit { unsafe pcre2_code_free_8(code) }

  private static func message(_ error: CInt) -> String {
    // PCRE2 ends the message with a zero byte, also when it had to cut it.
    var buffer = [UInt8](repeating: 0, count: 256)
    _ = unsafe pcre2_get_error_message_8(error, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// What a match needs to write: made once, so that matching allocates nothing.
  ///
  /// A class, since Embedded Swift needs to see a ~Copyable type's `deinit` wherever it is destroyed.
  @safe final class Scratch {
    private let matchData: OpaquePointer
    private let context: OpaquePointer
    private var name = [UInt8](repeating: 0, count: 253)
    private var count = 0

    /// Nil when there is no memory.
    init?() {
      guard let matchData = unsafe pcre2_match_data_create_8(1, nil) else { return nil }
      guard let context = unsafe pcre2_match_context_create_8(nil) else {
        unsafe pcre2_match_data_free_8(matchData)
        return nil
      }
      unsafe self.matchData = matchData
      unsafe self.context = context
      // A name has at most 253 bytes: an honest pattern needs a few hundred steps.
      unsafe pcre2_set_match_limit_8(context, 10_000)
      unsafe pcre2_set_depth_limit_8(context, 1_000)
      // In KiB. PCRE2 keeps what it once took in the match data.
      unsafe pcre2_set_heap_limit_8(context, 256)
    }

    deinit {
      unsafe pcre2_match_data_free_8(matchData)
      unsafe pcre2_match_context_free_8(context)
    }

    /// Sets the name that is matched next.
    func set(_ host: HostName) {
      count = host.count
      for i in 0..<count { name[i] = host[i] }
    }

    /// Matches the name.
    func match(_ regex: CompiledRegex) -> Outcome {
      // The buffer is at least `count` long, and the match data has room for one pair.
      let result = unsafe pcre2_match_8(regex.code, name, count, 0, 0, matchData, context)
      // 0: matched, with more groups than the match data has room for.
      if result >= 0 { return .match }
      return result == PCRE2_ERROR_NOMATCH ? .noMatch : .gaveUp
    }
  }
}

/// The owner's and the packs' regexes, tried one after the other when no host rule decided.
final class RegexTable: Sendable {
  struct Rule: Sendable {
    let regex: CompiledRegex
    let pattern: String
    let rule: RuleID
    let tier: Tier
    let condition: UInt32
  }

  let rules: [Rule]
  let hasDeny: Bool
  // One for all threads: a match takes a microsecond, and few policies have regexes at all.
  private let scratch: Locked<CompiledRegex.Scratch>?

  init(_ rules: [Rule]) {
    self.rules = rules
    hasDeny = rules.contains { $0.tier == .deny }
    if let scratch = CompiledRegex.Scratch() {
      self.scratch = Locked(scratch)
    } else {
      scratch = nil
    }
    // The first match allocates PCRE2's working memory: here, and not at a packet.
    if let host = HostName("warm-up.example") {
      forEachMatch(host, where: { _ in true }) { _ in }
    }
  }

  var isEmpty: Bool { rules.isEmpty }

  /// Calls `body` with each rule that `name` matches among those that `filter` takes, the last first
  /// (as the other tables do it).
  ///
  /// When a match gives up, a deny rule counts as matched and an allow rule doesn't.
  func forEachMatch(
    _ name: HostName, where filter: (Rule) -> Bool, _ body: (Rule) -> Void
  ) {
    if rules.isEmpty { return }
    guard let scratch else {
      for i in rules.indices where rules[i].tier == .deny && filter(rules[i]) { body(rules[i]) }
      return
    }
    scratch.withLock { scratch in
      scratch.set(name)
      for i in rules.indices.reversed() where filter(rules[i]) {
        switch scratch.match(rules[i].regex) {
        case .match: body(rules[i])
        case .noMatch: break
        case .gaveUp: if rules[i].tier == .deny { body(rules[i]) }
        }
      }
    }
  }
}
