internal import Arguments
internal import CSystem
internal import Control
internal import Netfilter
internal import System

/// What the shell is told.
enum ExitStatus: CInt {
  case ok = 0
  case badInput = 1
  case wrongUsage = 2
  case refused = 3
}

/// Why a command ends without its result: a message for standard error, and the exit status.
struct Failure: Error {
  let status: ExitStatus
  let text: String

  init(_ status: ExitStatus, _ text: String) {
    self.status = status
    self.text = text
  }

  /// A command line that makes no sense.
  init(_ error: UsageError) { self.init(.wrongUsage, error.text) }

  /// A file that can't be read is bad input: what was expected there, and how to name another.
  init(reading path: String, _ purpose: String, _ error: SystemError, option: OptionName?) {
    let fix = option.map { "; \($0.text) names another" } ?? ""
    self.init(
      .badInput, "\(path): error: can't read the \(purpose): \(error.description)\(fix)")
  }

  /// The gateway gave no answer.
  init(_ error: ControlError, socket: String) {
    self.init(.refused, "imgate: \(error.text(socket: socket))")
  }

  /// The gateway could not do it: the details (such as a rules file's errors), then its message on a
  /// line of its own.
  init(_ reply: ControlReply) {
    var text = String(decoding: reply.body, as: UTF8.self)
    if let last = text.utf8.last, last != UInt8(ascii: "\n") { text += "\n" }
    self.init(reply.status == 1 ? .badInput : .refused, text + "imgate: \(reply.message)")
  }

  /// A netfilter call failed: no right, no support in the kernel, or another instance.
  init(_ error: NetfilterError) { self.init(.refused, "imgate: \(error.description)") }

  /// Another system call failed.
  init(_ error: SystemError) { self.init(.refused, "imgate: \(error.description)") }

  /// Ends the program from any thread, at once: a queue that nobody reads any longer must not look
  /// alive to the watchdog.
  ///
  /// The firewall's rules stay closed, live connections go on, and the service manager starts anew.
  static func die(_ text: String, _ log: Log) -> Never {
    log(.error, text)
    _exit(ExitStatus.refused.rawValue)
  }
}
