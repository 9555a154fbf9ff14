public import Wire

/// What the kernel says of a packet beside its bytes.
public struct PacketMetadata: Sendable {
  /// Whether the packet entered through a LAN interface.
  public var fromLAN: Bool
  /// The connection's state, which the inspect chain copied into the packet's mark.
  public var state: ConnectionState
  /// The sender's hardware address, `.unknown` when the link has none.
  public var hardwareAddress: MACAddress
  /// Whether the checksum field is final.
  ///
  /// It isn't for a packet whose checksum is left to the network card (NFQA_SKB_CSUMNOTREADY): such
  /// a field can't be verified.
  public var checksumIsFinal: Bool
  /// Whether the kernel cut the packet to the copy range: its length field then says more.
  public var isTruncated: Bool
  /// Index of the interface that it entered through: a link-local sender is reached there only.
  public var interface: UInt32

  /// All of it.
  public init(
    fromLAN: Bool, state: ConnectionState, hardwareAddress: MACAddress = .unknown,
    checksumIsFinal: Bool = true, isTruncated: Bool = false, interface: UInt32 = 0
  ) {
    self.fromLAN = fromLAN
    self.state = state
    self.hardwareAddress = hardwareAddress
    self.checksumIsFinal = checksumIsFinal
    self.isTruncated = isTruncated
    self.interface = interface
  }
}
