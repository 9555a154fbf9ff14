internal import System

/// A command with its options and operands, as typed.
public struct Invocation: Sendable {
  /// The command.
  public let command: CommandName
  /// What stands after it and is no option.
  public let operands: [String]
  private let options: [(name: OptionName, value: String?)]

  init(
    _ command: CommandName, options: [(name: OptionName, value: String?)], operands: [String]
  ) {
    self.command = command
    self.options = options
    self.operands = operands
  }

  /// Whether `option` was given.
  public func has(_ option: OptionName) -> Bool { options.contains { $0.name == option } }

  /// The value of `option`, if it was given.
  public func value(_ option: OptionName) -> String? {
    options.first { $0.name == option }?.value
  }

  /// The value of `option` as a port, 1 to 65535.
  public func port(_ option: OptionName) throws(UsageError) -> UInt16? {
    guard let text = value(option) else { return nil }
    if let port = UInt16(text), port > 0 { return port }
    throw error("\(option.text) takes a port from 1 to 65535, not '\(text)'")
  }

  /// The value of `option` as one of some words.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ option: OptionName
  ) throws(UsageError) -> Choice? where Choice.RawValue == String {
    guard let text = value(option) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    throw error("\(option.text) takes \(Self.list(Choice.self)), not '\(text)'")
  }

  /// The first operand as one of some words.
  public func operand<Choice: RawRepresentable & CaseIterable>(
    as type: Choice.Type
  ) throws(UsageError) -> Choice where Choice.RawValue == String {
    let text = operands.first ?? ""
    if let choice = Choice(rawValue: text) { return choice }
    throw error("say \(Self.list(type)), not '\(text)'")
  }

  /// The value of `option` as a length of time in seconds: `90s`, `30m`, `2h`, `1d`.
  public func seconds(
    _ option: OptionName, atMost limit: UInt64
  ) throws(UsageError) -> UInt64? {
    guard let text = value(option) else { return nil }
    let units: [(UInt8, UInt64)] = [
      (UInt8(ascii: "s"), 1), (UInt8(ascii: "m"), 60), (UInt8(ascii: "h"), 3600),
      (UInt8(ascii: "d"), 86400),
    ]
    for (letter, factor) in units where text.utf8.last == letter {
      guard let number = UInt64(text.dropLast()), number > 0 else { break }
      let (seconds, overflow) = number.multipliedReportingOverflow(by: factor)
      guard !overflow, seconds <= limit else {
        throw error("\(option.text) is at most \(limit / 86400)d, not '\(text)'")
      }
      return seconds
    }
    throw error("\(option.text) takes a number with s, m, h or d, such as 30m, not '\(text)'")
  }

  /// An error in this command's words.
  public func error(_ message: String) -> UsageError { UsageError(command, message) }

  private static func list<Choice: RawRepresentable & CaseIterable>(
    _ type: Choice.Type
  ) -> String where Choice.RawValue == String {
    Spelling.list(Choice.allCases.map { $0.rawValue })
  }
}
