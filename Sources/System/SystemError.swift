internal import CSystem

/// A libc call that failed: which one, and its errno.
public struct SystemError: Error, Equatable, Sendable {
  /// The libc function or the operation, as it stands in its man page.
  public let call: StaticStringName
  /// The errno value right after the call.
  public let code: CInt

  /// A failure of `call` with `code`.
  public init(_ call: StaticStringName, code: CInt) {
    self.call = call
    self.code = code
  }

  /// A failure of `call` with the calling thread's errno.
  public init(_ call: StaticStringName) {
    self.init(call, code: imgate_errno())
  }

  /// What a person reads: `open: No such file or directory`.
  public var description: String {
    // strerror's buffer is copied before any other call can overwrite it.
    let text = unsafe strerror(code)
    guard let text = unsafe text else { return "\(call.text): error \(code)" }
    return unsafe "\(call.text): \(String(cString: text))"
  }

  /// `ENOENT`: there is no such file.
  public var isNoSuchFile: Bool { code == ENOENT }
  /// `EPERM` or `EACCES`: the caller may not.
  public var isNotPermitted: Bool { code == EPERM || code == EACCES }
  /// `ECONNREFUSED`: nobody listens there.
  public var isConnectionRefused: Bool { code == ECONNREFUSED }
  /// `ETIMEDOUT`: it took too long.
  public var isTimedOut: Bool { code == ETIMEDOUT }
  /// `EAGAIN`: nothing to read, or no room to write, right now.
  public var isWouldBlock: Bool { code == EAGAIN }
}

/// The name of a call, kept as a static string so that errors don't allocate.
public struct StaticStringName: Equatable, Sendable, ExpressibleByStringLiteral {
  private let name: StaticString

  /// Wraps a literal.
  public init(stringLiteral value: StaticString) { name = value }

  /// The name as text.
  public var text: String { name.description }

  /// Compares by text.
  public static func == (a: StaticStringName, b: StaticStringName) -> Bool { a.text == b.text }
}
