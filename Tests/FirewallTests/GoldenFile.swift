import CSystem
import System
import Testing

/// A text of the tree that a test's output must equal byte for byte.
struct GoldenFile {
  let name: String

  private var path: String {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast()
    return parts.joined(separator: "/") + "/Golden/" + name
  }

  /// Compares, and shows every line that differs.
  ///
  /// With IMGATE_UPDATE_GOLDEN=1 the file is written instead: read the difference in git then.
  func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    if unsafe getenv("IMGATE_UPDATE_GOLDEN") != nil {
      try File.replace(path, with: Array(text.utf8))
      return
    }
    let golden = String(decoding: try File.read(path), as: UTF8.self)
    if golden == text { return }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let goldenLines = golden.split(separator: "\n", omittingEmptySubsequences: false)
    var difference = ""
    for change in lines.difference(from: goldenLines) {
      switch change {
      case .remove(let offset, let line, _): difference += "\n- \(name):\(offset + 1): \(line)"
      case .insert(let offset, let line, _): difference += "\n+ line \(offset + 1): \(line)"
      }
    }
    Issue.record("\(name) differs:\(difference)", sourceLocation: sourceLocation)
  }
}
