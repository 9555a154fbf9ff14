import CSystem
import System
import Testing
import Wire

/// The namespaces that Tests/Lab/netfilter-kernel.sh makes; the tests run inside its router.
enum Lab {
  static let isEnabled: Bool = {
    guard let value = unsafe getenv("IMGATE_LAB") else { return false }
    return unsafe String(cString: value) == "1"
  }()

  static let clientIPv4 = IPAddress(ipv4: 0xc612_0002)  // 198.18.0.2
  static let serverIPv4 = IPAddress(ipv4: 0xc612_0102)  // 198.18.1.2
  static let routerIPv4 = IPAddress(ipv4: 0xc612_0101)  // 198.18.1.1, on the server's side
  static let clientIPv6 = IPAddress(ipv6: 0x2001_0002_0000_000a_0000_0000_0000_0002)
  static let serverIPv6 = IPAddress(ipv6: 0x2001_0002_0000_000b_0000_0000_0000_0002)
  static let clientMAC = MACAddress(bits: 0x0200_5e10_0001)

  /// Makes a socket in another namespace; it can then be used from here.
  static func socket(in namespace: String, ipv6: Bool, type: Int, proto: CInt = 0) -> LabSocket {
    let result = Locked<CInt>(-1)
    let thread = try? Thread(name: "nfk") {
      let handle = unsafe imgate_open("/run/netns/\(namespace)", O_RDONLY, 0)
      guard handle >= 0, setns(handle, 0x4000_0000 /* CLONE_NEWNET */) == 0 else { return }
      close(handle)
      let descriptor = CSystem.socket(ipv6 ? AF_INET6 : AF_INET, CInt(type), proto)
      result.withLock { $0 = descriptor }
    }
    thread?.join()
    return LabSocket(descriptor: result.withLock { $0 }, ipv6: ipv6)
  }

  /// The packets that the first rule of `chain` with `text` in it has counted.
  static func packetsCounted(
    chain: String = "FORWARD", byRuleWith text: String
  ) throws -> Int? {
    guard let variant = unsafe getenv("IMGATE_LAB_IPTABLES") else { return nil }
    let command = unsafe String(cString: variant)
    let outcome = try Command([command, "-w", "-nvxL", chain]).run()
    for line in outcome.outputText.split(separator: "\n") where line.contains(text) {
      return line.split(separator: " ").first.flatMap { Int($0) }
    }
    return nil
  }
}

/// A socket of a client or server.
final class LabSocket {
  let descriptor: CInt
  private let ipv6: Bool

  init(descriptor: CInt, ipv6: Bool) {
    self.descriptor = descriptor
    self.ipv6 = ipv6
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  static func udp(in namespace: String, ipv6: Bool = false) -> LabSocket {
    Lab.socket(in: namespace, ipv6: ipv6, type: Int(SOCK_DGRAM.rawValue))
  }

  static func tcp(in namespace: String, ipv6: Bool = false) -> LabSocket {
    Lab.socket(in: namespace, ipv6: ipv6, type: Int(SOCK_STREAM.rawValue))
  }

  func bind(port: UInt16) {
    let result = unsafe call(nil, port) { unsafe CSystem.bind(descriptor, $0, $1) }
    #expect(result == 0)
  }

  /// Connects; with `block` false only the first packet is sent.
  func connect(_ address: IPAddress, _ port: UInt16, block: Bool = true) {
    if !block { _ = imgate_fcntl(descriptor, F_SETFL, O_NONBLOCK) }
    _ = unsafe call(address, port) { unsafe CSystem.connect(descriptor, $0, $1) }
    if !block { _ = imgate_fcntl(descriptor, F_SETFL, 0) }
  }

  func listen() { #expect(CSystem.listen(descriptor, 16) == 0) }

  func accept() -> LabSocket {
    LabSocket(
      descriptor: CSystem.accept(descriptor, nil, nil), ipv6: ipv6)
  }

  var localPort: UInt16 {
    var name = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    unsafe withUnsafeMutableBytes(of: &name) { bytes in
      let pointer = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
      _ = unsafe getsockname(descriptor, pointer, &size)
    }
    return UInt16(bigEndian: name.sin6_port)  // at the place of sin_port
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    let count = unsafe CSystem.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    #expect(count == bytes.count)
  }

  func send(_ text: String, to address: IPAddress, _ port: UInt16) {
    send(Array(text.utf8), to: address, port)
  }

  func send(_ bytes: [UInt8], to address: IPAddress, _ port: UInt16) {
    let count = unsafe call(address, port) {
      unsafe CSystem.sendto(descriptor, bytes, bytes.count, 0, $0, $1)
    }
    #expect(count == bytes.count)
  }

  /// The sequence number of the next byte that a TCP socket sends (TCP_QUEUE_SEQ of tcp(7)'s repair
  /// mode).
  var nextSequence: UInt32 {
    var (value, size): (UInt32, socklen_t) = (0, 4)
    for (option, setting) in [(19, 1), (20, 2)] {  // TCP_REPAIR on; TCP_REPAIR_QUEUE, send queue
      var setting = CInt(setting)
      unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), CInt(option), &setting, 4)
    }
    unsafe getsockopt(descriptor, CInt(IPPROTO_TCP), 21, &value, &size)  // TCP_QUEUE_SEQ
    var off: CInt = -1  // TCP_REPAIR_OFF_NO_WP: no window probe
    unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), 19, &off, 4)
    return value
  }

  /// What came, within 5 s; the errno otherwise.
  func receive() -> Result<String, SystemError> {
    var bytes = [UInt8](repeating: 0, count: 70_000)
    let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
    if count < 0 { return .failure(SystemError("recv")) }
    return .success(String(decoding: bytes[..<count], as: UTF8.self))
  }

  /// Whether nothing is there now.
  var isEmpty: Bool {
    var byte: UInt8 = 0
    let flags = CInt(MSG_DONTWAIT | MSG_PEEK)
    return unsafe recv(descriptor, &byte, 1, flags) < 0
  }

  private func call<R>(
    _ address: IPAddress?, _ port: UInt16, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> R
  ) -> R {
    if ipv6 {
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.bigEndian
      let bits = (address?.bits ?? 0).bigEndian
      unsafe withUnsafeMutableBytes(of: &name.sin6_addr) {
        unsafe $0.storeBytes(of: bits, as: UInt128.self)
      }
      return unsafe withUnsafeBytes(of: name) {
        let pointer = unsafe $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
        return unsafe body(pointer, socklen_t($0.count))
      }
    }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = (address?.ipv4 ?? 0).bigEndian
    return unsafe withUnsafeBytes(of: name) {
      let pointer = unsafe $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
      return unsafe body(pointer, socklen_t($0.count))
    }
  }
}
