internal import System
public import Wire

/// Who a LAN address is: the owner's label, else the name that the device gave when it asked for an
/// address, else its hardware address.
///
/// Names in lease files are the devices' own words. They are kept printable and short here, and say
/// nothing about who a device really is; labels do, since the owner wrote them.
public struct DeviceNames: Sendable {
  /// How many names are kept at most; what a lease file has beyond them is left out.
  public static let limit = 4096
  /// How many characters a name has at most.
  public static let nameLength = 40

  private var labels: [MACAddress: String] = [:]
  private var byHardware: [MACAddress: String] = [:]
  private var byAddress: [IPAddress: String] = [:]

  /// No leases yet; `labels` are the owner's names for devices, from the rules file.
  public init(labels: [(device: MACAddress, name: String)] = []) {
    for label in labels where self.labels.count < Self.limit {
      self.labels[label.device] = PlainText.clean(label.name, limit: Self.nameLength)
    }
  }

  /// The name of the device `mac`, lately seen with `address`.
  ///
  /// Best first: the owner's label, the lease of the hardware address, the lease of the network
  /// address (IPv6 leases name no hardware address), the hardware address, the network address.
  public func name(_ mac: MACAddress, _ address: IPAddress? = nil) -> String {
    if let known = knownName(mac, address) { return known }
    if mac != .unknown { return mac.text }
    if let address { return address.text }
    return "unknown device"
  }

  /// The label or lease name of a device, nil when it has neither.
  public func knownName(_ mac: MACAddress, _ address: IPAddress? = nil) -> String? {
    if let label = labels[mac] { return label }
    if mac != .unknown, let name = byHardware[mac] { return name }
    if let address, let name = byAddress[address] { return name }
    return nil
  }

  /// Devices whose name is known by their hardware address, with it; the owner's labels win.
  public var known: [(device: MACAddress, name: String)] {
    var all = byHardware
    for (device, name) in labels { all[device] = name }
    return all.map { (device: $0.key, name: $0.value) }.ordered { $0.device < $1.device }
  }

  /// Adds the leases of one file: dnsmasq's lease file or odhcpd's state file, told apart line by
  /// line; lines that are neither are skipped.
  public mutating func readLeases(_ bytes: [UInt8]) {
    for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(4 * Self.limit) {
      guard let lease = Lease(line: line) else { continue }
      let name = PlainText.clean(lease.name, limit: Self.nameLength)
      if name.isEmpty { continue }
      if let mac = lease.hardware, mac != .unknown,
        byHardware.count < Self.limit || byHardware[mac] != nil
      {
        byHardware[mac] = name
      }
      for address in lease.addresses
      where byAddress.count < Self.limit || byAddress[address] != nil {
        byAddress[address] = name
      }
    }
  }
}
