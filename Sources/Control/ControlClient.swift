public import System

/// Why the gateway gave no answer.
public enum ControlError: Error, Equatable, Sendable {
  /// Nobody listens at the socket.
  case notRunning
  /// The socket is for its owner and group alone.
  case notPermitted
  /// It listens and doesn't answer.
  case noAnswer
  /// It answered with something else.
  case notUnderstood
  /// The socket failed in another way.
  case system(SystemError)

  /// For a person; `socket` is the path that was tried.
  public func text(socket: String) -> String {
    switch self {
    case .notRunning: "the gateway is not running (nobody listens at \(socket))"
    case .notPermitted: "not permitted to talk to the gateway at \(socket); try as root"
    case .noAnswer: "the gateway listens at \(socket) but doesn't answer"
    case .notUnderstood: "what listens at \(socket) is no imgate, or ended while it answered"
    case .system(let error): "can't talk to the gateway at \(socket): \(error.description)"
    }
  }
}

/// Asks the running gateway.
public enum ControlClient {
  // A reload of 100,000 rules takes half a second; a busy small router gets its time.
  private static let timeout = Instant.Span.seconds(30)
  private static let answerLimit = 64 << 20

  /// Sends `request` to the gateway that listens at `socket` and waits for its answer.
  public static func ask(
    _ request: ControlRequest, socket: String
  ) throws(ControlError) -> ControlReply {
    let answer: [UInt8]
    do throws(SystemError) {
      answer = try UnixSocket.exchange(
        socket, Array((request.line + "\n").utf8), timeout: timeout, limit: answerLimit)
    } catch {
      if error.isNoSuchFile || error.isConnectionRefused { throw .notRunning }
      if error.isNotPermitted { throw .notPermitted }
      if error.isTimedOut { throw .noAnswer }
      throw .system(error)
    }
    guard let reply = ControlReply(answer) else { throw .notUnderstood }
    return reply
  }
}
