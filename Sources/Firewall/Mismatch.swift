/// Something about the kernel's firewall or settings that is not as the gateway needs it.
public struct Mismatch: Equatable, Sendable {
  /// Where: `iptables mangle FORWARD`, `net.netfilter.nf_conntrack_acct`.
  public let place: String
  /// What is wrong there, in words.
  public let problem: String
  /// Whether `repair` mends it; otherwise a person has to.
  public let canRepair: Bool

  /// Something that is wrong at `place`.
  public init(_ place: String, _ problem: String, canRepair: Bool = true) {
    self.place = place
    self.problem = problem
    self.canRepair = canRepair
  }

  /// What a person reads: the place, a colon, and the problem.
  public var text: String { "\(place): \(problem)" }
}
