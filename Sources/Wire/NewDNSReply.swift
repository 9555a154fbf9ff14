/// The reply of WeChat's HTTP DNS, inflated: names and their addresses.
///
/// It is no XML document, since it has three roots. Of the first, `dns`, two lists are read:
///
/// ```
/// <domainlist> <domain name="..." timeout="seconds"> <ip>...</ip> <ipv6>...</ipv6> </domain>
/// <builtiniplist> <ip>...</ip> <ipv6>...</ipv6>
/// ```
///
/// Elements, attributes and texts that are not known are passed over, and so is an address that is
/// none. Tags must nest, and nothing but the limits bounds what a reply may say.
public struct NewDNSReply: Sendable {
  /// A name, or the next newgetdns server, and one of its addresses.
  public struct Entry: Sendable {
    /// The name as written, visible ASCII; nil for a newgetdns server.
    public let name: WireName?
    /// The address; an IPv4-mapped one is the IPv4 address.
    public let address: IPAddress
    /// For how many seconds it holds; 0 when the reply does not say.
    public let timeout: UInt32
  }

  /// How many entries there are.
  public internal(set) var entries = 0
  /// How many names the list of domains has, with those that have no address.
  public internal(set) var names = 0

  /// The longest reply that is read.
  public static let maximumLength = 256 << 10
  /// The most names.
  public static let maximumNames = 512
  /// The most addresses of a name, and the most newgetdns servers.
  public static let maximumAddresses = 64

  /// Reads a reply and gives `body` each entry, an address once a name.
  ///
  /// `body` hears nothing unless all of the reply is as it should be. `needMore` when it ends inside
  /// an element, or before one.
  public static func parse(
    _ text: RawSpan, _ body: (Entry) -> Void = { _ in }
  ) -> Parsed<NewDNSReply> {
    guard text.byteCount <= maximumLength else {
      return .malformed(Malformation("reply longer than 256 KiB"))
    }
    do throws(Stop) {
      var check = NewDNSScanner()
      try check.scan(text) { _ in }
      var scanner = NewDNSScanner()
      try scanner.scan(text, body)
      return .done(scanner.reply)
    } catch {
      return error.outcome()
    }
  }
}
