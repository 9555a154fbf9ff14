internal import Wire

/// The devices that the owner named, by hardware address.
struct DeviceTable: Sendable {
  struct Device: Sendable {
    let address: MACAddress
    let name: String?
    let isUnrestricted: Bool
    let rule: RuleID
  }

  /// Sorted by address.
  private var devices: [Device] = []

  var all: [Device] { devices }

  /// Adds a device; the rule of the one with the same address, if there is one (then nothing is
  /// added).
  mutating func insert(_ device: Device) -> RuleID? {
    let index = firstIndex(notBelow: device.address)
    if index < devices.count, devices[index].address == device.address {
      return devices[index].rule
    }
    devices.insert(device, at: index)
    return nil
  }

  func label(of address: MACAddress) -> String? {
    let index = firstIndex(notBelow: address)
    guard index < devices.count, devices[index].address == address else { return nil }
    return devices[index].name
  }

  /// The rule that leaves `address` unrestricted; `.none` when none does.
  func unrestrictedRule(of address: MACAddress) -> RuleID {
    if devices.isEmpty || address == .unknown { return .none }
    let index = firstIndex(notBelow: address)
    guard index < devices.count, devices[index].address == address, devices[index].isUnrestricted
    else { return .none }
    return devices[index].rule
  }

  private func firstIndex(notBelow address: MACAddress) -> Int {
    var low = 0
    var high = devices.count
    while low < high {
      let middle = (low + high) / 2
      if devices[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
