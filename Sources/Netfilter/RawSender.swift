internal import CNetfilter
internal import CSystem
public import Wire

/// Sends packets that are complete down to their IP header, from any source address: the resets
/// that end a connection at its other end.
///
/// They go through the OUTPUT chains and conntrack like packets of the router itself, without
/// changing a byte of them (raw(7), IP_HDRINCL; the kernel fills in the IPv4 header checksum). It
/// belongs to one thread.
public final class RawSender {
  private var ipv4: Socket
  private var ipv6: Socket

  /// Opens both sockets.
  ///
  /// A kernel without IPv6 is no error before a packet of it is to be sent.
  public init() throws(NetfilterError) {
    ipv4 = Socket(family: AF_INET)
    ipv6 = Socket(family: AF_INET6)
    if ipv4.descriptor < 0 { throw NetfilterError(.openRawSocket, code: ipv4.code) }
    if ipv6.descriptor < 0 && ipv6.code != EAFNOSUPPORT {
      throw NetfilterError(.openRawSocket, code: ipv6.code)
    }
  }

  /// Sends `packet` (an IPv4 or IPv6 header and what follows), routed by `destination`, with the
  /// packet mark `mark`; a link-local destination is on the link of `interface`.
  ///
  /// The error's code is sendto(2)'s: ENETUNREACH without a route, EPERM when a rule of OUTPUT
  /// dropped it, EMSGSIZE, EAGAIN for a full device queue, ... Nothing is retried but EINTR.
  public func send(
    _ packet: [UInt8], to destination: IPAddress, mark: UInt32, interface: UInt32 = 0
  ) throws(NetfilterError) {
    let code =
      destination.isIPv4
      ? sendIPv4(packet, destination, mark) : sendIPv6(packet, destination, mark, interface)
    if code != 0 { throw NetfilterError(.sendPacket, code: code) }
  }

  private func sendIPv4(_ packet: [UInt8], _ destination: IPAddress, _ mark: UInt32) -> CInt {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = destination.ipv4.bigEndian
    return ipv4.send(packet, to: address, mark: mark)
  }

  private func sendIPv6(
    _ packet: [UInt8], _ destination: IPAddress, _ mark: UInt32, _ interface: UInt32
  ) -> CInt {
    // sin6_port stays 0: a raw socket takes it as a protocol number.
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    // Both have 16 bytes.
    unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
      unsafe bytes.storeBytes(of: destination.bits.bigEndian, as: UInt128.self)
    }
    // The kernel looks at it for link-local addresses only.
    address.sin6_scope_id = interface
    return ipv6.send(packet, to: address, mark: mark)
  }
}

/// One raw socket.
private struct Socket: ~Copyable {
  let descriptor: CInt
  /// Why there is no descriptor.
  let code: CInt
  private var mark: UInt32 = 0

  init(family: CInt) {
    // IPPROTO_RAW: sends only, and the header is in the packet (IP_HDRINCL, IPV6_HDRINCL).
    descriptor = socket(family, imgate_raw_type, CInt(IPPROTO_RAW))
    code = descriptor < 0 ? imgate_errno() : 0
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Sends to `address`, a sockaddr of the family; the errno or 0.
  mutating func send<Address>(_ packet: [UInt8], to address: Address, mark: UInt32) -> CInt {
    guard descriptor >= 0 else { return code }
    if mark != self.mark {
      var value = mark
      // setsockopt reads four bytes.
      if unsafe setsockopt(descriptor, SOL_SOCKET, SO_MARK, &value, 4) != 0 {
        return imgate_errno()
      }
      self.mark = mark
    }
    while true {
      // Both pointers are used within the call only, with their own sizes.
      let count = unsafe withUnsafeBytes(of: address) { name in
        unsafe packet.withUnsafeBytes { bytes in
          unsafe imgate_sendto(
            descriptor, bytes.baseAddress, bytes.count, name.baseAddress, name.count)
        }
      }
      if count >= 0 { return 0 }
      if imgate_errno() != EINTR { return imgate_errno() }
    }
  }
}
