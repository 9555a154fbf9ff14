import Capture
import Names
import PacketBuilder
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// Captures that others made, each with a table of its flows that other programs made: the names that
/// replay sees in TLS, HTTP and QUIC must be the table's.
///
/// The folder is not part of the project: `../shared/captures` beside it, or what IMGATE_CAPTURES
/// names. A difference must stand, with its reason, in Tests/Conformance/name-exceptions.tsv.
@Suite(
  .enabled(
    if: CaptureFolder.isThere,
    "no captures: ../shared/captures is not there, and IMGATE_CAPTURES names no folder"))
struct NameConformanceTests {
  /// A flow of a table whose name is to be found.
  struct Expected {
    /// Client, its port, server, its port.
    let ends: [String]
    let isTCP: Bool
    let firstFrame: String
    /// Lower-case, without port; several for several requests.
    let names: Set<String>

    /// Nil for what has no name, or whose name nobody could see by its first bytes.
    init?(_ row: [String: String], _ counts: inout [String: Int]) {
      let text: String
      switch row["proto"] {
      case "TCP":
        let sni = row["sni"] ?? ""
        text = sni.isEmpty ? row["http_host"] ?? "" : sni
        isTCP = true
      case "UDP":
        text = row["quic_sni"] ?? ""
        isTCP = false
      default: return nil
      }
      guard !text.isEmpty else { return nil }
      let kind = row["first_kind"] ?? ""
      if isTCP {
        guard row["start"] == "syn" else {
          counts["begun before the capture", default: 0] += 1
          return nil
        }
        guard kind.hasPrefix("http-") || kind.hasPrefix("tls-") || kind == "none",
          kind != "http-CONNECT"
        else {
          counts["a name within another protocol", default: 0] += 1
          return nil
        }
      } else {
        // RFC 9000 and RFC 9369; what came before was never meant to last.
        let version = (row["quic_versions"] ?? "").prefix(10)
        guard version == "0x00000001" || version == "0x6b3343cf" else {
          counts["a draft of QUIC", default: 0] += 1
          return nil
        }
        counts["compared: QUIC", default: 0] += 1
      }
      ends = ["client", "cport", "server", "sport"].map { row[$0] ?? "" }
      firstFrame = row["first_frame"] ?? ""
      names = Set(
        text.split(separator: ",").map { name in
          var name = name.lowercased()
          if let colon = name.lastIndex(of: ":"), !name[..<colon].contains(":") {
            name = String(name[..<colon])
          }
          // An address is no name: replay reports none.
          return IPAddress(name) == nil ? name : "-"
        })
    }
  }

  /// Everything by the names: all ports are open, so that every beginning is looked at.
  static func policy() throws -> Policy {
    try Policy.load(
      rules: SourceFile(
        path: "rules.yaml",
        text: """
          version: 1
          binding: off
          allow:
            - {host: nothing.example, ports: [1-65535]}
            - {host: nothing.example, ports: [1-65535], protocol: quic}
          """), packs: try VerdictConformanceTests.packs())
  }

  @Test func `names of TLS, HTTP and QUIC are those that other programs see in the same captures`()
    throws
  {
    let policy = try Self.policy()
    var exceptions = try CaptureFolder.exceptions("name-exceptions.tsv")
    var counts: [String: Int] = [:]
    var differences: [String] = []
    for capture in try CaptureFolder.captures() {
      var found: [Bool: [[String]: Set<String>]] = [:]
      let replay = Replay(policy: policy, lan: []) { flow in
        let tuple = flow.tuple
        let ends = [
          tuple.source.text, "\(tuple.sourcePort)", tuple.destination.text,
          "\(tuple.destinationPort)",
        ]
        found[tuple.proto == .tcp, default: [:]][ends, default: []].insert(flow.host?.text ?? "-")
      }
      do throws(CaptureError) {
        try CaptureFile.forEachPacket(CaptureFolder.path + "/" + capture) { packet, frame in
          replay.packet(packet, frame)
        }
      } catch {
        counts["broken captures", default: 0] += 1
      }
      replay.finish()
      counts["captures", default: 0] += 1
      if replay.summary.unsupported > 0, replay.summary.unsupported == replay.summary.packets {
        counts["captures of other link types", default: 0] += 1
        continue
      }
      for row in try CaptureFolder.flows(of: capture) {
        guard let expected = Expected(row, &counts) else { continue }
        counts["compared", default: 0] += 1
        let seen = found[expected.isTCP]?[expected.ends] ?? []
        if !seen.isEmpty, seen.isSubset(of: expected.names) {
          counts["equal", default: 0] += 1
          continue
        }
        counts["differing", default: 0] += 1
        if exceptions.removeValue(forKey: "\(capture) \(expected.firstFrame)") == nil {
          differences.append(
            "\(capture) packet \(expected.firstFrame): the table has "
              + "\(expected.names.sorted().joined(separator: ",")), replay "
              + (seen.isEmpty ? "no such flow" : seen.sorted().joined(separator: ",")))
        }
      }
    }
    for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
      print("conformance: \(count) \(name)")
    }
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    #expect(
      exceptions.isEmpty,
      "no exceptions any more: \(exceptions.keys.sorted().joined(separator: "\n"))")
    #expect(counts["compared", default: 0] > 580)
    #expect(counts["compared: QUIC", default: 0] > 80)
  }
}
