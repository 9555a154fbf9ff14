/// What `imgate` can be asked to do.
public enum CommandName: String, CaseIterable, Sendable {
  case run
  case check
  case explain
  case replay
  case report
  case status
  case reload
  case pause
  case resume
  case firewall
}

/// Every long option of every command.
public enum OptionName: String, CaseIterable, Sendable {
  case config
  case rules
  case state
  case socket
  case packs
  case effective
  case address
  case port
  case `protocol`
  case device
  case json
  case binding
  case lan
  case day
  case from
  case to
  case format
  case output
  case addresses
  case span = "for"
  case help
  case version

  /// As it is typed: `--config`.
  public var text: String { "--" + rawValue }
}
