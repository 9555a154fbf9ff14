public import System

/// Why a capture can't be read any further; the packets before it stand.
public enum CaptureError: Error, Equatable, Sendable {
  /// The file can't be opened or read.
  case system(SystemError)
  /// The bytes at `offset` of the file are not what the format wants there.
  case broken(offset: UInt64, String)

  /// For a person: `at byte 4096: the file ends within a packet`.
  public var text: String {
    switch self {
    case .system(let error): error.description
    case .broken(let offset, let what): "at byte \(offset): \(what)"
    }
  }
}
