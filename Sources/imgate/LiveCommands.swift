internal import Arguments
internal import Control
internal import System

/// `imgate status`: live counters, or the learned addresses.
enum StatusCommand {
  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let json = invocation.has(.json)
    let answer = try GatewayClient(paths).ask(
      invocation.has(.addresses) ? .addresses(json: json) : .status(json: json))
    Console.out(String(decoding: answer, as: UTF8.self))
    return .ok
  }
}

/// `imgate reload`: put the rules on disk in force.
enum ReloadCommand {
  static func run(_ paths: Paths) throws(Failure) -> ExitStatus {
    let answer = try GatewayClient(paths).ask(.reload)
    Console.out(String(decoding: answer, as: UTF8.self))
    return .ok
  }
}

/// `imgate pause`: let everything pass for a while.
enum PauseCommand {
  private static let usual: UInt64 = 30 * 60
  private static let longest: UInt64 = 7 * 86400

  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let seconds: UInt64
    do throws(UsageError) {
      seconds = try invocation.seconds(.span, atMost: longest) ?? usual
    } catch {
      throw Failure(error)
    }
    let answer = try GatewayClient(paths).ask(
      .pause(seconds: seconds, device: invocation.value(.device)))
    Console.out(String(decoding: answer, as: UTF8.self))
    return .ok
  }
}

/// `imgate resume`: end every pause.
enum ResumeCommand {
  static func run(_ paths: Paths) throws(Failure) -> ExitStatus {
    let answer = try GatewayClient(paths).ask(.resume)
    Console.out(String(decoding: answer, as: UTF8.self))
    return .ok
  }
}
