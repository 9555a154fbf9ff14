internal import Arguments
internal import Capture
internal import Policy
internal import System
internal import Wire
internal import YAML

/// `imgate replay`: captures go through the engine that the router runs.
enum ReplayCommand {
  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let binding: Policy.Binding?
    let lan: [IPPrefix]
    do throws(UsageError) {
      binding = try invocation.choice(.binding)
      lan = try prefixes(invocation)
    } catch {
      throw Failure(error)
    }
    var policy = try Inputs.policy(paths)
    if let binding { policy = policy.with(binding: binding) }
    let printsJSON = invocation.has(.json)
    if !printsJSON { Console.out(ReplayedFlow.tableHead) }
    var status = ExitStatus.ok
    for capture in invocation.operands {
      if let error = replay(capture, policy, lan, printsJSON: printsJSON) {
        // The others are replayed all the same.
        Console.error("\(capture): error: \(error)")
        status = .badInput
      }
    }
    return status
  }

  /// Replays one capture; says why it could not be read to its end.
  private static func replay(
    _ capture: String, _ policy: Policy, _ lan: [IPPrefix], printsJSON: Bool
  ) -> String? {
    let output = Output()
    let replay = Replay(policy: policy, lan: lan) { flow in
      output.add(printsJSON ? flow.json(capture: capture) : flow.line)
    }
    var progress = Progress(capture)
    var problem: String?
    do throws(CaptureError) {
      try CaptureFile.forEachPacket(capture) { packet, frame in
        replay.packet(packet, frame)
        progress.count(frame.byteCount)
      }
    } catch {
      problem = error.text
    }
    replay.finish()
    let summary = replay.summary
    if problem == nil, summary.unsupported > 0, summary.unsupported == summary.packets {
      problem = "none of its link types is one that is read here"
    }
    output.add(
      printsJSON
        ? summary.json(capture: capture, error: problem) : summary.line(capture: capture))
    output.flush()
    return problem
  }

  private static func prefixes(_ invocation: Invocation) throws(UsageError) -> [IPPrefix] {
    guard let text = invocation.value(.lan) else { return [] }
    var prefixes: [IPPrefix] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let prefix = IPPrefix(String(word)) else {
        throw invocation.error(
          "--lan takes prefixes such as 192.168.1.0/24, separated by commas, not '\(word)'")
      }
      prefixes.append(prefix)
    }
    return prefixes
  }
}

/// Lines on their way to standard output, many in one system call.
private final class Output {
  private var text = ""

  func add(_ line: String) {
    text += line
    if text.utf8.count > 32 << 10 { flush() }
  }

  func flush() {
    Console.out(text)
    text = ""
  }
}

/// Says on standard error how far a long capture is.
private struct Progress {
  private static let step: UInt64 = 100_000_000
  private let capture: String
  private var bytes: UInt64 = 0
  private var next = Progress.step

  init(_ capture: String) { self.capture = capture }

  mutating func count(_ count: Int) {
    bytes += UInt64(count)
    guard bytes >= next else { return }
    Console.error("\(capture): \(bytes / 1_000_000) MB")
    next += Self.step
  }
}
