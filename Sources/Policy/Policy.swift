public import Names
public import Wire
public import YAML

/// The owner's rules and the service packs, compiled: who may talk to whom.
///
/// Immutable, so that it is read from every thread without a lock and swapped whole.
public final class Policy: Sendable {
  /// Whether refusals are carried out.
  public enum Mode: String, CaseIterable, Sendable {
    /// They are.
    case enforce
    /// Everything passes; what would have been refused is recorded.
    case audit
  }

  /// What an allowed name must prove.
  public enum Binding: String, CaseIterable, Sendable {
    /// The server's address must be one that the trusted resolver gave for the name.
    case strict
    /// It need not, but the report says when it isn't.
    case observe
    /// The name alone is enough.
    case off
  }

  /// How chat media reaches servers whose addresses travel encrypted.
  public enum Media: String, CaseIterable, Sendable {
    /// By signature, while the same device has a live chat connection.
    case companion
    /// Only to known addresses, like everything else.
    case bound
    /// Not at all.
    case off
  }

  /// What a flow's first packet can tell.
  public enum Opening: Equatable, Sendable {
    /// Decided without a look at any byte.
    case decided(Decision)
    /// The handshake may pass; the first bytes decide.
    case undecided
  }

  /// Whether refusals are carried out.
  public let mode: Mode
  /// What an allowed name must prove.
  public let binding: Binding
  /// How chat media reaches its servers.
  public let media: Media
  /// Bytes of chat media a device may move in a day.
  public let mediaBudget: UInt64
  /// A number that changes when a rule does, and not when a comment, a note or the order changes.
  public let digest: UInt64
  /// What the files say without effect.
  public let warnings: [Diagnostic]

  let table: CompiledTable

  init(_ settings: Settings, _ table: CompiledTable, warnings: [Diagnostic]) {
    mode = settings.mode
    binding = settings.binding
    media = settings.media
    mediaBudget = settings.mediaBudget
    self.table = table
    self.warnings = warnings
    digest = table.digest(settings)
  }

  /// Reads and checks the rules file and all packs, whole.
  ///
  /// Throws every error of every file, none of them is used then. The order of the packs doesn't
  /// matter.
  public static func load(
    rules: SourceFile, packs: [SourceFile]
  ) throws(Diagnostics) -> Policy {
    var diagnostics = Diagnostics()
    let services = ServicePack.readAll(packs, &diagnostics)
    var reader = RulesReader(services: services)
    do throws(Diagnostics) {
      reader.read(try YAMLNode.parse(rules))
      diagnostics.append(reader.diagnostics)
    } catch {
      diagnostics.append(error)
    }
    diagnostics.sort()
    try diagnostics.throwIfErrors()
    return Policy(reader.settings, reader.builder.finish(), warnings: diagnostics.list)
  }

  /// Whether a file is a service pack, not rules.
  public static func isServicePack(_ root: YAMLNode) -> Bool {
    root["service"] != nil && root["features"] != nil
  }

  /// Checks a service pack by itself; gives its warnings.
  public static func check(pack: SourceFile) throws(Diagnostics) -> [Diagnostic] {
    var diagnostics = Diagnostics()
    _ = ServicePack.readAll([pack], &diagnostics)
    diagnostics.sort()
    try diagnostics.throwIfErrors()
    return diagnostics.list
  }

  /// The same rules with another binding.
  public func with(binding: Binding) -> Policy {
    let settings = Settings(
      mode: mode, binding: binding, media: media, mediaBudget: mediaBudget)
    return Policy(settings, table, warnings: warnings)
  }

  // MARK: Judging

  /// What can be said at a SYN or at a first datagram.
  ///
  /// Decided are: an unrestricted device, an address that the owner denied or allowed, and a port
  /// that no rule opens (`transport` is `.tcp` or `.udp`; a port that a rule opens for QUIC counts
  /// as opened for UDP, since only its bytes tell QUIC).
  public func opening(
    address: IPAddress, port: UInt16, transport: Transport, device: MACAddress
  ) -> Opening {
    let unrestricted = table.devices.unrestrictedRule(of: device)
    if unrestricted != .none {
      return .decided(Decision(reason: .deviceUnrestricted, rule: unrestricted))
    }
    let byAddress = table.match(address, port, transport)
    if byAddress.deny != .none {
      return .decided(Decision(reason: .addressDenied, rule: byAddress.deny))
    }
    if byAddress.allow != .none {
      return .decided(Decision(reason: .addressAllowed, rule: byAddress.allow))
    }
    let isOpen =
      switch transport {
      case .tcp: table.open.tcp.contains(port)
      case .udp, .quic: table.open.udp.contains(port) || table.open.quic.contains(port)
      }
    if isOpen { return .undecided }
    return .decided(Decision(reason: .portNotAllowed, rule: byAddress.allowElsewhere))
  }

  /// Judges a flow; allocates nothing, and costs the same with ten host rules and with 100,000.
  ///
  /// Without a host only an address line can allow; else the reason is `no-server-name`, or
  /// `unknown-protocol` when no protocol was recognised either.
  public func decide(_ subject: Subject) -> Decision {
    let unrestricted = table.devices.unrestrictedRule(of: subject.device)
    if unrestricted != .none {
      return Decision(reason: .deviceUnrestricted, rule: unrestricted)
    }
    let byAddress = table.match(subject.address, subject.port, subject.transport)
    if byAddress.deny != .none {
      return Decision(reason: .addressDenied, rule: byAddress.deny)
    }
    guard let host = subject.host else {
      if byAddress.allow != .none {
        return Decision(reason: .addressAllowed, rule: byAddress.allow)
      }
      if byAddress.allowElsewhere != .none {
        return Decision(reason: .portNotAllowed, rule: byAddress.allowElsewhere)
      }
      let reason =
        subject.application == .unknown ? Reason.unknownProtocol : .noServerName
      return Decision(reason: reason, rule: .none)
    }
    let byName = table.match(host, subject.port, subject.transport)
    if byName.deny != .none { return Decision(reason: .hostDenied, rule: byName.deny) }
    // An address line needs no known address, so it comes before a host line.
    if byAddress.allow != .none {
      return Decision(reason: .addressAllowed, rule: byAddress.allow)
    }
    if byName.allow != .none { return allowed(byName.allow) }
    if byName.on != .none { return allowed(byName.on) }
    let elsewhere = byName.elsewhere != .none ? byName.elsewhere : byAddress.allowElsewhere
    if elsewhere != .none { return Decision(reason: .portNotAllowed, rule: elsewhere) }
    if byName.off != .none { return Decision(reason: .featureOff, rule: byName.off) }
    return Decision(reason: .hostNotAllowed, rule: .none)
  }

  private func allowed(_ rule: RuleID) -> Decision {
    Decision(reason: .hostAllowed, rule: rule, needsKnownAddress: binding != .off)
  }

  /// Whether an answer about `name` may teach addresses: an allow line or a feature that is on
  /// covers it on some port or for some request, and no deny line covers it on every port.
  public func mayTeach(_ name: HostName) -> Bool {
    // Port 0 is in no condition but those for every port: what allows the name elsewhere counts.
    let match = table.match(name, 0, .tcp)
    if match.denyEverywhere != .none { return false }
    return match.allow != .none || match.on != .none || match.allowElsewhere != .none
      || match.onElsewhere != .none || match.requestOn != .none
  }

  /// Whether a pack lists `address` as one of the servers of the feature `rule`.
  ///
  /// Such an address counts as known for the feature's names, though no answer taught it.
  public func isBuiltIn(_ address: IPAddress, port: UInt16, for rule: RuleID) -> Bool {
    var isKnown = false
    table.builtIn.forEachRule(covering: address) { candidate in
      guard candidate.rule == rule else { return }
      if table.conditions.contains(candidate.condition, .tcp, port)
        || table.conditions.contains(candidate.condition, .udp, port)
        || table.conditions.contains(candidate.condition, .quic, port)
      {
        isKnown = true
      }
    }
    return isKnown
  }
}
