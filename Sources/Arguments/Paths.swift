/// The files and the socket that every command may be pointed at.
public struct Paths: Sendable {
  /// How the router is wired, unless `--config` says otherwise.
  public static let defaultConfiguration = "/etc/imgate/imgate.yaml"
  /// What may pass, unless `--rules` says otherwise.
  public static let defaultRules = "/etc/imgate/rules.yaml"
  /// Where the gateway listens, unless `--socket` says otherwise.
  public static let defaultSocket = "/run/imgate/control.sock"
  /// Where an installation puts the service packs.
  public static let defaultPacks = "/usr/share/imgate/services"

  /// The usage store, unless `--state` or the configuration says otherwise.
  public static let defaultStore = "/var/lib/imgate/usage.db"

  /// How the router is wired.
  public var configuration: String
  /// What may pass.
  public var rules: String
  /// The directory of the service packs, if one was given; else it is looked for.
  public var packs: String?
  /// The usage store, if one was given; else the configuration names it.
  public var state: String?
  /// Where the gateway listens for commands.
  public var socket: String

  /// What the running gateway keeps beside its socket: it need not outlive the box's next start.
  public var runtimeDirectory: String {
    guard let slash = socket.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == socket.utf8.startIndex ? "/" : String(socket[..<slash])
  }

  /// What `invocation` says, and the defaults for the rest.
  public init(_ invocation: Invocation) {
    configuration = invocation.value(.config) ?? Self.defaultConfiguration
    rules = invocation.value(.rules) ?? Self.defaultRules
    packs = invocation.value(.packs)
    state = invocation.value(.state)
    socket = invocation.value(.socket) ?? Self.defaultSocket
  }
}
