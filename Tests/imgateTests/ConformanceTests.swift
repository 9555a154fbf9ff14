import Capture
import Names
import PacketBuilder
import Policy
import System
import Testing
import Wire
import YAML

@testable import imgate

/// Where the captures are.
enum CaptureFolder {
  static let project = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  static let path = Environment["IMGATE_CAPTURES"] ?? project + "/../shared/captures"
  static let isThere = Directory.exists(path + "/truth")
}

/// Captures that others made, each with a table of its flows that other programs made: the names that
/// replay sees must be the table's.
///
/// The folder is not part of the project: `../shared/captures` beside it, or what IMGATE_CAPTURES
/// names. A difference must stand, with its reason, in Tests/Conformance/exceptions.tsv.
@Suite(
  .enabled(
    if: CaptureFolder.isThere,
    "no captures: ../shared/captures is not there, and IMGATE_CAPTURES names no folder"))
struct ConformanceTests {
  /// A table: tab-separated, with names of columns in its first line.
  struct Table {
    let rows: [[String: String]]

    init(_ path: String) throws {
      let text = String(decoding: try File.read(path), as: UTF8.self)
      let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
      let names = lines.first.map { Self.cells($0) } ?? []
      rows = lines.dropFirst().map { line in
        Dictionary(zip(names, Self.cells(line)), uniquingKeysWith: { first, _ in first })
      }
    }

    private static func cells(_ line: Substring) -> [String] {
      line.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) }
    }
  }

  /// A flow of a table whose name is to be found.
  struct Expected {
    /// Client, its port, server, its port.
    let ends: [String]
    let firstFrame: String
    /// Lower-case, without port; several for several requests.
    let names: Set<String>

    /// Nil for what has no name, or whose name nobody could see by its first bytes.
    init?(_ row: [String: String], _ counts: inout [String: Int]) {
      guard row["proto"] == "TCP" else { return nil }
      let sni = row["sni"] ?? ""
      let text = sni.isEmpty ? row["http_host"] ?? "" : sni
      guard !text.isEmpty else { return nil }
      guard row["start"] == "syn" else {
        counts["begun before the capture", default: 0] += 1
        return nil
      }
      let kind = row["first_kind"] ?? ""
      guard kind.hasPrefix("http-") || kind.hasPrefix("tls-") || kind == "none",
        kind != "http-CONNECT"
      else {
        counts["a name within another protocol", default: 0] += 1
        return nil
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
  static let rules = """
    version: 1
    binding: off
    allow:
      - {host: nothing.example, ports: [1-65535]}
    """

  @Test func `names of TLS and HTTP are those that other programs see in the same captures`() throws
  {
    let policy = try Policy.load(
      rules: SourceFile(path: "rules.yaml", text: Self.rules), packs: [])
    var exceptions: [String: String] = [:]
    for row in try Table(CaptureFolder.project + "/Tests/Conformance/exceptions.tsv").rows {
      exceptions["\(row["capture"] ?? "") \(row["first_frame"] ?? "")"] = row["reason"] ?? ""
    }
    var counts: [String: Int] = [:]
    var differences: [String] = []
    for row in try Table(CaptureFolder.path + "/MANIFEST.tsv").rows {
      let capture = try #require(row["file"])
      var found: [[String]: Set<String>] = [:]
      let replay = Replay(policy: policy, lan: []) { flow in
        let tuple = flow.tuple
        let ends = [
          tuple.source.text, "\(tuple.sourcePort)", tuple.destination.text,
          "\(tuple.destinationPort)",
        ]
        found[ends, default: []].insert(flow.host?.text ?? "-")
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
      for row in try Table(CaptureFolder.path + "/truth/" + capture + ".tsv").rows {
        guard let expected = Expected(row, &counts) else { continue }
        counts["compared", default: 0] += 1
        let seen = found[expected.ends] ?? []
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
    #expect(counts["compared", default: 0] > 400)
  }
}
