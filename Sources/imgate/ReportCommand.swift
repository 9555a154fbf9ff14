internal import Arguments
internal import Control
internal import Devices
internal import Policy
internal import Report
internal import System
internal import Usage
internal import Wire

/// `imgate report`: who used what, from the store and from what the gateway has not written yet.
enum ReportCommand {
  /// How it is rendered.
  enum Format: String, CaseIterable {
    case text
    case json
    case csv
  }

  static func run(_ invocation: Invocation, _ paths: Paths) throws(Failure) -> ExitStatus {
    let format: Format
    let days: ReportDays
    do throws(UsageError) {
      if invocation.value(.format) == "html" {
        throw invocation.error("--format html is not in this version; text, json and csv are")
      }
      format = try invocation.choice(.format) ?? .text
      days = try ReportDays(invocation, now: .now)
    } catch {
      throw Failure(error)
    }
    let (usage, live) = try gather(days, paths)
    var builder = ReportBuilder(from: days.first, through: days.last)
    builder.add(usage)
    let names = deviceNames(paths)
    let data = builder.report(
      live: live, now: .now, name: { names.knownName($0, $1) },
      explain: { Reason(rawValue: $0)?.explanation ?? "" })
    let text =
      switch format {
      case .text: TextReport.render(data, style: style(invocation))
      case .json: JSONReport.render(data)
      case .csv: CSVReport.render(data)
      }
    guard let path = invocation.value(.output) else {
      Console.out(text)
      return .ok
    }
    do throws(SystemError) {
      try File.replace(path, with: Array(text.utf8))
    } catch {
      throw Failure(.refused, "imgate report: can't write \(path): \(error.description)")
    }
    return .ok
  }

  private static func style(_ invocation: Invocation) -> TextStyle {
    invocation.has(.output) ? .plain : .suited(to: 1)
  }

  // The store first and then the daemon: what it wrote in between would be missing or counted
  // twice. The generation tells, and then both are asked again.
  private static func gather(
    _ days: ReportDays, _ paths: Paths
  ) throws(Failure) -> (UsageSnapshot, ReportData.Live) {
    let store = try Inputs.storePath(paths)
    for _ in 0..<5 {
      let unwritten = try unwritten(days, paths)
      var stored = try stored(days, store, isLive: unwritten != nil)
      guard let unwritten else { return (stored, .down) }
      guard unwritten.generation == stored.generation else { continue }
      stored.merge(unwritten, within: days.seconds)
      return (stored, .included)
    }
    throw Failure(
      .refused,
      "imgate report: the gateway doesn't write to \(store); name its store with --state")
  }

  /// What the running gateway has not written; nil, and a line that says so, when none answers.
  private static func unwritten(
    _ days: ReportDays, _ paths: Paths
  ) throws(Failure) -> UsageSnapshot? {
    let range = days.seconds
    let reply: ControlReply
    do throws(ControlError) {
      reply = try ControlClient.ask(
        .rows(from: range.lowerBound, to: range.upperBound), socket: paths.socket)
    } catch {
      Console.error(
        "imgate report: \(error.text(socket: paths.socket)); "
          + "what it had not written to the store is not in this report")
      return nil
    }
    guard reply.status == 0, let snapshot = UsageLines.decode(reply.body) else {
      throw Failure(
        .refused,
        "imgate report: the gateway at \(paths.socket) gave no usage rows"
          + (reply.message.isEmpty ? "" : ": \(reply.message)"))
    }
    return snapshot
  }

  // Before the gateway first wrote there is no store, and that is no error while it runs.
  private static func stored(
    _ days: ReportDays, _ path: String, isLive: Bool
  ) throws(Failure) -> UsageSnapshot {
    do throws(UsageStoreError) {
      return try UsageReader(path).read(from: days.first, through: days.last)
    } catch {
      if isLive && error.kind == .cannotOpen { return UsageSnapshot() }
      let status: ExitStatus =
        switch error.kind {
        case .damaged, .newer, .foreign, .cannotOpen: .badInput
        default: .refused
        }
      throw Failure(status, "imgate report: \(error.text)")
    }
  }

  // Labels as the rules have them now; a report is readable without, so bad rules don't prevent it.
  private static func deviceNames(_ paths: Paths) -> DeviceNames {
    do throws(Failure) {
      return DeviceNames(labels: try Inputs.policy(paths).labels)
    } catch {
      return DeviceNames()
    }
  }
}
