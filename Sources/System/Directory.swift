internal import CSystem

/// Directories.
public enum Directory {
  /// The names in the directory at `path`, sorted, without those that begin with a dot.
  public static func entries(_ path: String) throws(SystemError) -> [String] {
    guard let stream = unsafe opendir(path) else { throw SystemError("opendir") }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    // An entry is valid until the next readdir of the same stream; its name is copied before.
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.utf8.first != UInt8(ascii: ".") { names.append(name) }
    }
    return names.ordered()
  }

  /// Makes the directory at `path`, and those above it, unless they are there (mode 0755).
  public static func make(_ path: String) throws(SystemError) {
    if unsafe mkdir(path, 0o755) == 0 || imgate_errno() == EEXIST { return }
    guard imgate_errno() == ENOENT, let parent = Path.directory(of: path), parent != path else {
      throw SystemError("mkdir")
    }
    try make(parent)
    if unsafe mkdir(path, 0o755) != 0 && imgate_errno() != EEXIST { throw SystemError("mkdir") }
  }

  /// Whether there is a directory at `path`.
  public static func exists(_ path: String) -> Bool {
    var status = CSystem.stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & mode_t(S_IFMT) == mode_t(S_IFDIR)
  }
}

/// Paths as text.
public enum Path {
  /// What comes before the last slash: `/etc/imgate` of `/etc/imgate/rules.yaml`, `.` of a bare
  /// name, nil of the empty path.
  public static func directory(of path: String) -> String? {
    if path.isEmpty { return nil }
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
  }
}
