internal import CSystem
internal import System

/// Damaged stores that were set aside: they are kept for whoever wants to look, but not until the
/// disk is full of them.
enum DamagedFiles {
  /// Removes all but the `keep` newest files `path.damaged-<seconds>`.
  static func prune(beside path: String, keep: Int) {
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let directory = slash.map { String(path[..<$0]) } ?? "."
    let prefix =
      Array((slash.map { String(path[path.index(after: $0)...]) } ?? path).utf8)
      + Array(".damaged-".utf8)
    var times: [Int64] = []
    // The entry is read before the next call may overwrite it.
    guard let stream = unsafe opendir(directory.isEmpty ? "/" : directory) else { return }
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
        unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      let bytes = Array(name.utf8)
      if bytes.starts(with: prefix),
        let time = Int64(String(decoding: bytes[prefix.count...], as: UTF8.self))
      {
        times.append(time)
      }
    }
    unsafe closedir(stream)
    for time in times.ordered().dropLast(keep) {
      unsafe unlink("\(path).damaged-\(time)")
      unsafe unlink("\(path).damaged-\(time)-wal")
    }
  }
}
