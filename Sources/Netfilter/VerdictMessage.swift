internal import CNetfilter
internal import Queue

extension MessageWriter {
  /// Bytes of a verdict without a replacement: 16 nlmsghdr, 4 nfgenmsg, 12 verdict, 8 mark.
  static let verdictSize = 40

  /// Bytes that the verdict of `entry` needs.
  static func size(of entry: VerdictBatch.Entry) -> Int {
    guard case .replace(_, let range) = entry.verdict else { return verdictSize }
    return verdictSize + 4 + netlinkAligned(range.count)
  }

  /// Adds one NFQNL_MSG_VERDICT message.
  ///
  /// No acknowledgement is asked for: the kernel answers only when it refuses the message (ENOENT
  /// for an id that is no longer in the queue). A replacement that no attribute can hold, or whose
  /// range is not in the arena, is a drop.
  mutating func putVerdict(
    _ entry: VerdictBatch.Entry, queue: UInt16, mask: MarkMask, arena: RawSpan
  ) {
    beginMessage(
      type: UInt16(NFNL_SUBSYS_QUEUE) << 8 | UInt16(NFQNL_MSG_VERDICT.rawValue),
      flags: CInt(NLM_F_REQUEST), sequence: 0, family: CInt(AF_UNSPEC), resource: queue)
    switch entry.verdict {
    case .pass(let state):
      put(NFQA_VERDICT_HDR.rawValue, network32: UInt32(NF_ACCEPT), entry.id)
      put(NFQA_MARK.rawValue, network32: mask.mark(entry.mark, with: state))
    case .replace(let state, let range)
    where range.upperBound <= arena.byteCount && range.count <= Self.maximumAttributeValue:
      put(NFQA_VERDICT_HDR.rawValue, network32: UInt32(NF_ACCEPT), entry.id)
      put(NFQA_MARK.rawValue, network32: mask.mark(entry.mark, with: state))
      put(NFQA_PAYLOAD.rawValue, bytes: arena.extracting(range))
    case .replace, .drop:
      put(NFQA_VERDICT_HDR.rawValue, network32: UInt32(NF_DROP), entry.id)
    }
    endMessage()
  }
}
