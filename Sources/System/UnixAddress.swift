internal import CSystem

/// The address of a unix socket: a path, or a name in the abstract space (unix(7)).
struct UnixAddress {
  /// For the kernel; C calls take it by its address.
  var address = sockaddr_un()
  /// How many bytes of it count.
  let size: socklen_t

  /// A path of the file system; `ENAMETOOLONG` past 107 bytes.
  init(path: String) throws(SystemError) {
    try self.init(bytes: Array(path.utf8) + [0])
  }

  /// A name outside the file system, which Linux marks by a zero byte before it.
  init(abstract name: String) throws(SystemError) {
    try self.init(bytes: [0] + Array(name.utf8))
  }

  private init(bytes: [UInt8]) throws(SystemError) {
    address.sun_family = sa_family_t(AF_UNIX)
    let offset = MemoryLayout<sa_family_t>.size
    guard offset + bytes.count <= MemoryLayout<sockaddr_un>.size else {
      throw SystemError("bind", code: ENAMETOOLONG)
    }
    size = socklen_t(offset + bytes.count)
    // Bounded by the guard above.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
      unsafe path.copyBytes(from: bytes)
    }
  }
}
