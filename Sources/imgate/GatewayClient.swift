internal import Arguments
internal import Control
internal import System

/// The running gateway, as the other commands see it.
struct GatewayClient {
  let socket: String

  init(_ paths: Paths) { socket = paths.socket }

  /// Whether anybody listens at the socket, be it without an answer.
  var isRunning: Bool {
    do throws(ControlError) {
      _ = try ControlClient.ask(.status(json: false), socket: socket)
      return true
    } catch {
      return error != .notRunning
    }
  }

  /// Asks; an answer of failure becomes one, with its details (such as a rules file's errors) before
  /// its message.
  func ask(_ request: ControlRequest) throws(Failure) -> [UInt8] {
    let reply: ControlReply
    do throws(ControlError) {
      reply = try ControlClient.ask(request, socket: socket)
    } catch {
      throw Failure(error, socket: socket)
    }
    if reply.status == 0 { return reply.body }
    throw Failure(reply)
  }
}
