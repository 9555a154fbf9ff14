import Capture
import Names
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// Captures that others made: what must pass passes, what must not doesn't, flow by flow.
///
/// The packs for WeChat, QQ and WeCom are at their defaults, the others are off, binding is off.
/// What must become of a flow says `Classifier`, which doesn't know the program. A difference must
/// stand, with its reason, in Tests/Conformance/verdict-exceptions.tsv.
@Suite(
  .enabled(
    if: CaptureFolder.isThere,
    "no captures: ../shared/captures is not there, and IMGATE_CAPTURES names no folder"))
struct VerdictConformanceTests {
  /// The packs of the tree.
  static func packs() throws -> [SourceFile] {
    let folder = CaptureFolder.project + "/rules/services"
    return try Directory.entries(folder).filter { $0.hasSuffix(".yaml") }.sorted().map {
      SourceFile(path: $0, bytes: try File.read(folder + "/" + $0))
    }
  }

  /// Three packs at their defaults, the others off.
  static func policy() throws -> Policy {
    let packs = try Self.packs()
    let services = packs.map { pack in
      let service = pack.path.dropLast(".yaml".count)
      return "\(service): \(["wechat", "qq", "wecom"].contains(service) ? "on" : "off")"
    }
    let rules = """
      version: 1
      binding: off
      services: {\(services.joined(separator: ", "))}
      """
    return try Policy.load(rules: SourceFile(path: "rules.yaml", text: rules), packs: packs)
  }

  /// A flow as imgate saw it.
  struct Seen {
    let ends: Set<End>
    /// TCP, UDP, or empty for the others.
    let transport: String
    let firstPacket: UInt64
    let verdict: ReplayedFlow.Verdict
    /// For a person.
    let text: String

    init(_ flow: ReplayedFlow) {
      let tuple = flow.tuple
      ends = Set(
        [(tuple.source, tuple.sourcePort), (tuple.destination, tuple.destinationPort)].map {
          End($0.text, "\($1)") ?? End([], 0)
        })
      transport = tuple.proto == .tcp ? "TCP" : tuple.proto == .udp ? "UDP" : ""
      firstPacket = flow.firstPacket
      verdict = flow.verdict
      text = [
        flow.verdict.rawValue, flow.reason?.name ?? "-", flow.rule ?? "-",
        flow.application.rawValue, flow.host?.text ?? "-",
      ].joined(separator: " ")
    }
  }

  /// Everything that imgate made of a capture.
  static func replay(
    _ capture: String, _ policy: Policy
  ) -> (seen: [Seen], summary: ReplaySummary) {
    var seen: [Seen] = []
    let replay = Replay(policy: policy, lan: []) { seen.append(Seen($0)) }
    do throws(CaptureError) {
      try CaptureFile.forEachPacket(CaptureFolder.path + "/" + capture) { packet, frame in
        replay.packet(packet, frame)
      }
    } catch {
      // What came before the broken place counts.
    }
    replay.finish()
    return (seen, replay.summary)
  }

  @Test func `what must pass passes, and nothing else does`() throws {
    let policy = try Self.policy()
    let classifier = try Classifier()
    var exceptions = try CaptureFolder.exceptions("verdict-exceptions.tsv")
    var counts: [String: Int] = [:]
    var differences: [String] = []
    for capture in try CaptureFolder.captures() {
      let rows = try CaptureFolder.flows(of: capture)
      let (seen, summary) = Self.replay(capture, policy)
      if summary.unsupported > 0, summary.unsupported == summary.packets {
        print("conformance: skipped, of another link type: \(capture)")
        counts["captures skipped: of another link type", default: 0] += 1
        continue
      }
      counts["captures", default: 0] += 1
      let unread =
        summary.malformed + summary.fragments + summary.notIP + summary.truncated
        + summary.unsupported
      let bytes = ClientBytes(CaptureFolder.path + "/" + capture, rows)
      let (matched, others) = Self.flows(of: rows, bytes, seen)
      for flow in others {
        counts["flows that the tables don't have", default: 0] += 1
        if flow.verdict == .allow {
          differences.append(
            "in no table, yet allowed: \(capture) \(flow.firstPacket): \(flow.text)")
        }
      }
      for ((row, seen), flow) in zip(zip(rows, matched), bytes.flows) {
        let expectation = classifier.expectation(row, flow)
        if let shown = Self.beginning(row), flow.origin != nil, !flow.isCut {
          counts["beginnings that the classifier reads as the tables show them", default: 0] += 1
          let read = Self.hex(flow.stream.prefix(shown.count / 2))
          if read != shown {
            differences.append(
              "\(capture) \(row["first_frame"] ?? ""): the table shows \(shown), the classifier "
                + "has read \(read)")
          }
        }
        let isAllowed = seen.contains { $0.verdict == .allow }
        let isRefused = seen.contains { $0.verdict == .deny }
        var difference: String?
        switch expectation {
        case .mustAllow(let why):
          counts["scored", default: 0] += 1
          counts["must allow: \(why)", default: 0] += 1
          if !isAllowed || isRefused { difference = "wrongly refused" }
        case .mustDeny(let why):
          counts["scored", default: 0] += 1
          counts["must deny: \(why)", default: 0] += 1
          if isAllowed { difference = "wrongly allowed" }
          if !isAllowed, !isRefused {
            if seen.isEmpty, unread > 0 || bytes.fragments > 0 {
              counts["must deny, and no flow: fragments, or no sound packet", default: 0] += 1
            } else {
              difference = "not decided"
            }
          }
        case .notScored(let why):
          counts["not scored: \(why)", default: 0] += 1
          // Nobody asked, but a flow without a beginning or a payload is no reason to open, and no
          // question for another name is.
          let names = (row["dns_qname"] ?? "").split(separator: ",")
          let isListed = names.allSatisfy { classifier.allows(String($0), 443) }
          if isAllowed, why != "DNS" || !isListed { difference = "not scored, yet allowed" }
        }
        guard let difference else { continue }
        let frame = row["first_frame"] ?? ""
        if exceptions.removeValue(forKey: "\(capture) \(frame)") != nil {
          counts["exceptions: \(difference)", default: 0] += 1
          continue
        }
        let ends = ["proto", "client", "cport", "server", "sport", "first_kind"]
        differences.append(
          "\(difference): \(capture)\t\(frame)\t\(ends.map { row[$0] ?? "" }.joined(separator: " "))"
            + "; the table says \(expectation); imgate says "
            + seen.map { "\($0.firstPacket): \($0.text)" }.joined(separator: ", "))
      }
    }
    for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
      print("conformance: \(count) \(name)")
    }
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    #expect(
      counts["beginnings that the classifier reads as the tables show them", default: 0] > 800)
    #expect(
      exceptions.isEmpty,
      "no exceptions any more: \(exceptions.keys.sorted().joined(separator: "\n"))")
  }

  /// What imgate saw of each row, and what is of no row.
  ///
  /// Of a row are the flows between its ends which began after it, and before the next row with the
  /// same ends; where none did, those of the row before.
  private static func flows(
    of rows: [[String: String]], _ bytes: ClientBytes, _ seen: [Seen]
  ) -> (matched: [[Seen]], others: [Seen]) {
    func transport(_ row: [String: String]) -> String {
      let proto = row["proto"] ?? ""
      return proto == "TCP" || proto == "UDP" ? proto : ""
    }
    var matched = [[Seen]](repeating: [], count: rows.count)
    var others: [Seen] = []
    var byEnds: [Set<End>: [Int]] = [:]
    for (index, flow) in bytes.flows.enumerated() {
      byEnds[[flow.client, flow.server], default: []].append(index)
    }
    for flow in seen {
      let candidates = (byEnds[flow.ends] ?? []).filter { transport(rows[$0]) == flow.transport }
      let begun = candidates.last { bytes.flows[$0].firstFrame <= flow.firstPacket }
      if let index = begun ?? candidates.first {
        matched[index].append(flow)
      } else {
        others.append(flow)
      }
    }
    for candidates in byEnds.values {
      for index in candidates where matched[index].isEmpty {
        let before = candidates.last {
          $0 < index && transport(rows[$0]) == transport(rows[index]) && !matched[$0].isEmpty
        }
        if let before { matched[index] = matched[before] }
      }
    }
    return (matched, others)
  }

  /// The first bytes that a client said, as the table shows them.
  private static func beginning(_ row: [String: String]) -> String? {
    row["start"] == "syn" && row["first_dir"] == "c2s" ? row["first32_hex"] : nil
  }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
  }
}
