internal import CSystem
public import System
public import Wire

/// A network interface and its addresses.
public struct Interface: Equatable, Sendable {
  /// Its name: `wlan0`.
  public let name: String
  /// Its index, by which packets name it; it changes when the interface is made anew.
  public let index: UInt32
  /// Whether it is up (IFF_UP).
  public let isUp: Bool
  /// Its addresses, IPv4 and IPv6, each with the length of its prefix.
  public internal(set) var addresses: [Address] = []

  /// An address of an interface.
  public struct Address: Equatable, Sendable {
    /// The address.
    public let address: IPAddress
    /// The prefix that it stands in.
    public let prefix: IPPrefix
  }

  /// The prefixes of its addresses: what a LAN interface's hosts may have as source.
  ///
  /// A point-to-point interface's prefix is its peer's.
  public var prefixes: [IPPrefix] { addresses.map { $0.prefix } }
}

/// The network namespace's interfaces.
public enum Interfaces {
  /// The index of the interface with `name` (if_nametoindex(3)); nil when there is none.
  public static func index(of name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : index
  }

  /// All interfaces with their addresses (getifaddrs(3)), in the kernel's order.
  public static func all() throws(SystemError) -> [Interface] {
    var list: UnsafeMutablePointer<ifaddrs>? = nil
    if unsafe getifaddrs(&list) != 0 { throw SystemError("getifaddrs") }
    // The list is walked before it is freed; names and addresses are copied.
    defer { unsafe freeifaddrs(list) }
    var interfaces: [Interface] = []
    var entry = unsafe list
    while let current = unsafe entry?.pointee {
      unsafe entry = current.ifa_next
      guard let cName = unsafe current.ifa_name else { continue }
      let name = unsafe String(cString: cName)
      guard let position = position(of: name, flags: unsafe current.ifa_flags, in: &interfaces)
      else { continue }
      if let address = unsafe address(current.ifa_addr, mask: current.ifa_netmask) {
        interfaces[position].addresses.append(address)
      }
    }
    return interfaces
  }

  // Where the interface stands in the list, to which it is added at its first entry.
  private static func position(
    of name: String, flags: UInt32, in interfaces: inout [Interface]
  ) -> Int? {
    for i in interfaces.indices where interfaces[i].name == name { return i }
    // It may have vanished since the list was made.
    guard let index = index(of: name) else { return nil }
    let isUp = flags & UInt32(IFF_UP) != 0
    interfaces.append(Interface(name: name, index: index, isUp: isUp))
    return interfaces.count - 1
  }

  private static func address(
    _ socketAddress: UnsafeMutablePointer<sockaddr>?, mask: UnsafeMutablePointer<sockaddr>?
  ) -> Interface.Address? {
    guard let address = unsafe ipAddress(socketAddress) else { return nil }
    // Without a mask (it is never absent in practice): the address alone.
    let bits = unsafe ipAddress(mask)?.bits ?? .max
    let length =
      address.isIPv4
      ? UInt32(truncatingIfNeeded: bits).leadingOnes : bits.leadingOnes
    guard let prefix = IPPrefix(address, length: length) else { return nil }
    return Interface.Address(address: address, prefix: prefix)
  }

  private static func ipAddress(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
    guard let pointer = unsafe pointer else { return nil }
    let raw = UnsafeRawPointer(pointer)
    // The family says which structure the kernel has put there.
    switch unsafe CInt(pointer.pointee.sa_family) {
    case AF_INET:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
      return IPAddress(ipv4: UInt32(bigEndian: address.sin_addr.s_addr))
    case AF_INET6:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in6.self)
      // The address has 16 bytes, and any bits are a valid integer.
      return unsafe withUnsafeBytes(of: address.sin6_addr) { bytes in
        IPAddress(ipv6: UInt128(bigEndian: unsafe bytes.loadUnaligned(as: UInt128.self)))
      }
    default: return nil
    }
  }
}

/// A set of interface indexes, made for asking of every packet whether it comes from the LAN.
public struct InterfaceSet: Equatable, Sendable {
  // Indexes below 64 are bits; routers rarely have larger ones.
  private var bits: UInt64 = 0
  private var others: [UInt32] = []

  /// The set of `indexes`.
  public init(_ indexes: [UInt32]) {
    for index in indexes {
      if index < 64 { bits |= 1 << UInt64(index) } else { others.append(index) }
    }
  }

  /// The interfaces with `names` that exist now.
  public init(names: [String]) {
    self.init(names.compactMap { Interfaces.index(of: $0) })
  }

  /// Whether `index` is in the set; 0, which no interface has, never is.
  public func contains(_ index: UInt32) -> Bool {
    if index < 64 { return index != 0 && bits >> UInt64(index) & 1 != 0 }
    return others.contains(index)
  }
}

extension FixedWidthInteger {
  // A netmask's length: its leading one bits.
  fileprivate var leadingOnes: Int { (~self).leadingZeroBitCount }
}
