import System

/// Where the captures are that others made, and the tables of their flows.
///
/// The folder is not part of the project: `../shared/captures` beside it, or what IMGATE_CAPTURES
/// names.
enum CaptureFolder {
  static let project = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
  static let path = Environment["IMGATE_CAPTURES"] ?? project + "/../shared/captures"
  static let isThere = Directory.exists(path + "/truth")

  /// The captures' paths within the folder.
  static func captures() throws -> [String] {
    try Table(path + "/MANIFEST.tsv").rows.compactMap { $0["file"] }
  }

  /// The flows of a capture, as other programs see them.
  static func flows(of capture: String) throws -> [[String: String]] {
    try Table(path + "/truth/" + capture + ".tsv").rows
  }

  /// A file of Tests/Conformance: capture and first packet of the flows that are excepted, and why.
  static func exceptions(_ name: String) throws -> [String: String] {
    var exceptions: [String: String] = [:]
    for row in try Table(project + "/Tests/Conformance/" + name).rows {
      exceptions["\(row["capture"] ?? "") \(row["first_frame"] ?? "")"] = row["reason"] ?? ""
    }
    return exceptions
  }
}

/// A table: tab-separated, with names of columns in its first line; lines with # are comments.
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
