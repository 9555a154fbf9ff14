import CSystem
import System

/// The other end of a socket pair, which plays the kernel: datagrams keep their bounds.
final class FakeKernel: Sendable {
  private let descriptor: CInt

  private init(_ descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// The fake kernel, and the descriptor for the code under test.
  static func pair() throws(SystemError) -> (FakeKernel, CInt) {
    var ends: [CInt] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue), 0, &ends) == 0 else {
      throw SystemError("socketpair")
    }
    return (FakeKernel(ends[0]), ends[1])
  }

  /// Sends a datagram.
  func send(_ bytes: [UInt8]) {
    let count = unsafe CSystem.send(descriptor, bytes, bytes.count, 0)
    precondition(count == bytes.count)
  }

  /// The next datagram; waits for it.
  func receive() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 80_000)
    let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
    return Array(bytes[..<max(count, 0)])
  }

  /// Whether nothing is there now.
  var isEmpty: Bool {
    var byte: UInt8 = 0
    return unsafe recv(descriptor, &byte, 1, CInt(MSG_DONTWAIT | MSG_PEEK)) < 0
  }
}
