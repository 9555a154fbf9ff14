internal import CNetfilter
internal import CSystem

/// A NETLINK_NETFILTER socket: the one place where the module talks to the kernel's netfilter.
///
/// Non-blocking: `receive` never waits. EINTR is retried here; EAGAIN and ENOBUFS are values, since
/// both are normal.
@safe struct NetlinkSocket: ~Copyable {
  /// What a receive brought.
  enum Received: Equatable {
    /// A datagram; its size, or the buffer's when it was larger.
    case bytes(Int)
    /// Nothing is there (EAGAIN).
    case nothing
    /// The kernel had no room in the socket's buffer: messages are lost (ENOBUFS).
    case overrun
  }

  private let socket: OpaquePointer
  /// The file descriptor, for epoll.
  let descriptor: CInt

  /// Opens a socket and binds it to a port that the kernel chooses; `groups` are event groups as
  /// bits (1 << (NFNLGRP_x - 1)).
  init(groups: UInt32 = 0) throws(NetfilterError) {
    guard let socket = unsafe mnl_socket_open2(CInt(NETLINK_NETFILTER), imgate_netlink_flags)
    else { throw NetfilterError(.openSocket, code: imgate_errno()) }
    // The pointer comes from mnl_socket_open2, and is closed once: here or in deinit.
    guard unsafe mnl_socket_bind(socket, groups, CInt(MNL_SOCKET_AUTOPID)) == 0 else {
      let code = imgate_errno()
      _ = unsafe mnl_socket_close(socket)
      throw NetfilterError(groups == 0 ? .openSocket : .subscribe, code: code)
    }
    unsafe self.init(owning: socket)
    // An error reply then repeats the header of what it answers, not a whole replaced packet.
    set(CInt(SOL_NETLINK), CInt(NETLINK_CAP_ACK), 1)
  }

  /// Takes ownership of `descriptor`: for tests, where a socket pair plays the kernel.
  init(adopting descriptor: CInt) throws(NetfilterError) {
    _ = imgate_fcntl(descriptor, F_SETFL, O_NONBLOCK)
    // mnl_socket_fdopen takes any socket.
    guard let socket = unsafe mnl_socket_fdopen(descriptor) else {
      throw NetfilterError(.openSocket, code: imgate_errno())
    }
    unsafe self.init(owning: socket)
  }

  private init(owning socket: OpaquePointer) {
    unsafe self.socket = socket
    descriptor = unsafe mnl_socket_get_fd(socket)
  }

  deinit { _ = unsafe mnl_socket_close(socket) }

  /// The socket's netlink port, by which /proc/net/netfilter/nfnetlink_queue names it.
  var port: UInt32 { unsafe mnl_socket_get_portid(socket) }

  /// Sets an integer option; false when the kernel refuses it.
  @discardableResult
  borrowing func set(_ level: CInt, _ option: CInt, _ value: CInt) -> Bool {
    var value = value
    // setsockopt reads one int.
    return unsafe setsockopt(
      descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
  }

  /// Asks for a receive buffer of `size` bytes: past the system's limit when the caller may
  /// (CAP_NET_ADMIN), else up to it.
  borrowing func setReceiveBuffer(_ size: Int) {
    let size = CInt(clamping: size)
    if !set(SOL_SOCKET, SO_RCVBUFFORCE, size) { set(SOL_SOCKET, SO_RCVBUF, size) }
  }

  /// Receives one datagram, if one is there (recv(2)).
  borrowing func receive(
    into buffer: borrowing MessageBuffer
  ) throws(NetfilterError) -> Received {
    while true {
      // recv gets the buffer's own size.
      let count = unsafe buffer.withMemory { memory in
        unsafe recv(descriptor, memory.baseAddress, memory.count, CInt(MSG_DONTWAIT))
      }
      if count >= 0 { return .bytes(count) }
      switch imgate_errno() {
      case EINTR: continue
      case EAGAIN: return .nothing
      case ENOBUFS: return .overrun
      case let code: throw NetfilterError(.receive, code: code)
      }
    }
  }

  /// Sends one datagram, which the kernel works on before the call returns (send(2)).
  ///
  /// A full buffer (EAGAIN) and a kernel without memory (ENOBUFS, ENOMEM) are waited for, at most
  /// `patience` milliseconds; after that nothing of the datagram was sent.
  borrowing func send(_ bytes: RawSpan, patience: Int = 5000) throws(NetfilterError) {
    var waited = 0
    while true {
      // The bytes live through the call.
      let count = unsafe bytes.withUnsafeBytes { memory in
        unsafe CSystem.send(
          descriptor, memory.baseAddress, memory.count, CInt(MSG_DONTWAIT))
      }
      if count >= 0 { return }
      let code = imgate_errno()
      switch code {
      case EINTR: continue
      case EAGAIN where waited < patience:
        wait(for: CInt(POLLOUT), milliseconds: 10)
        waited += 10
      case ENOBUFS where waited < patience, ENOMEM where waited < patience:
        // The socket is writable all the same: wait without it.
        wait(for: 0, milliseconds: 1)
        waited += 1
      default: throw NetfilterError(.send, code: code)
      }
    }
  }

  /// Waits until one of `events` (POLLIN, POLLOUT) is there, or the time is over; false then.
  @discardableResult
  borrowing func wait(for events: CInt, milliseconds: CInt) -> Bool {
    var entry = pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
    // One entry, as the count says. A signal ends the wait early, which every caller copes with.
    return unsafe poll(&entry, 1, milliseconds) > 0
  }
}
