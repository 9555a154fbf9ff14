internal import CSystem

/// Standard output and standard error.
public enum Console {
  /// Writes `text` to standard output; a closed pipe is not an error here.
  public static func out(_ text: String) { write(text, to: 1) }

  /// Writes `text` and a line feed to standard error.
  public static func error(_ text: String) { write(text + "\n", to: 2) }

  private static func write(_ text: String, to descriptor: CInt) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      // The pointer is used within the closure only, for the bytes that remain.
      let n = unsafe bytes.withUnsafeBytes { buffer in
        unsafe CSystem.write(
          descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      }
      if n >= 0 { done += n } else if imgate_errno() != EINTR { return }
    }
  }
}
