internal import Names
internal import Wire

/// What the packs say of protocols that carry no name, and of single requests.
///
/// There are a few dozen endpoints at most, so they are looked through.
struct SignatureTable: Sendable {
  /// An endpoint that lists signatures.
  struct Endpoint: Sendable {
    let rule: RuleID
    let service: UInt32
    let condition: UInt32
    let isOn: Bool
    /// Whether it lists neither hosts nor addresses.
    let hasNoServer: Bool
  }

  /// First bytes that a pack describes.
  struct Pattern: Sendable {
    let service: String
    let name: String
    let bytes: BytePattern
    let transport: Transport
    /// Nil: any.
    let ports: PortSet?
    /// Whether it only names what is refused.
    let isRefused: Bool
    /// The feature that lists it first.
    var rule = RuleID.none
  }

  /// One HTTP request that passes though its host doesn't.
  struct Request: Sendable {
    let method: [UInt8]
    let host: HostName
    let path: [UInt8]
    let rule: RuleID
    let condition: UInt32
    let isOn: Bool

    /// `GET http://captive.apple.com/hotspot-detect.html`.
    var text: String {
      String(decoding: method, as: UTF8.self) + " http://" + host.text
        + String(decoding: path, as: UTF8.self)
    }
  }

  var endpoints: [Endpoint] = []
  var patterns: [Pattern] = []
  var requests: [Request] = []
  var mmtlsVersions = MMTLSVersions()

  /// The patterns of a set.
  func patterns(of set: SignatureSet) -> [Pattern] {
    patterns.indices.filter { set.patterns >> UInt64($0) & 1 == 1 }.map { patterns[$0] }
  }

  /// `mmtls, long-link`.
  func text(of set: SignatureSet) -> String {
    (set.applications.names + patterns(of: set).map { $0.name }).joined(separator: ", ")
  }
}
