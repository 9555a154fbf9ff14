internal import CSystem

/// A netfilter operation that failed: which one, and the errno that the kernel gave.
public struct NetfilterError: Error, Equatable, Sendable {
  /// What was being done.
  public enum Operation: Equatable, Sendable {
    /// Opening and binding the netlink socket.
    case openSocket
    /// The first message to nfnetlink_queue, which asks for nothing: it shows that the caller may.
    case useQueues
    /// Binding the queue with this number; `holder` is the netlink port (mostly the process id) of
    /// the program that has it, 0 when unknown.
    case bindQueue(UInt16, holder: UInt32)
    /// Setting the queue's copy mode, length and flags.
    case configureQueue(UInt16)
    /// Asking for conntrack events.
    case subscribe
    /// Listing the connections.
    case listConnections
    /// Setting a connection's mark.
    case setMark
    /// Deleting a connection.
    case deleteConnection
    /// Reading from a netlink socket.
    case receive
    /// Writing to a netlink socket.
    case send
    /// Waiting for the kernel's reply.
    case awaitReply
    /// Opening a raw socket.
    case openRawSocket
    /// Sending a packet through a raw socket.
    case sendPacket
  }

  /// What was being done.
  public let operation: Operation
  /// The errno value.
  public let code: CInt

  /// A failure of `operation` with `code`.
  public init(_ operation: Operation, code: CInt) {
    self.operation = operation
    self.code = code
  }

  /// Whether another program is bound to the queue (a second instance of the gateway).
  public var isQueueTaken: Bool {
    if case .bindQueue = operation { return code == EBUSY }
    return false
  }

  /// One sentence for a person, without a full stop: what failed, and what is missing or to be done
  /// when the errno tells it.
  public var description: String {
    if let sentence = knownCause { return sentence }
    return "\(operation.text) failed: \(Self.text(of: code))"
  }

  private static func text(of code: CInt) -> String {
    // strerror's buffer is copied before any other call can overwrite it.
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  // The usual causes; nil when the errno's own text has to do.
  private var knownCause: String? {
    switch (operation, code) {
    case (.bindQueue(let number, let holder), EBUSY):
      let who = holder == 0 ? "another program" : "another program (netlink port \(holder))"
      return "\(who) is bound to queue \(number); is another imgate running?"
    case (_, EPERM), (_, EACCES):
      return "\(operation.text) needs root or CAP_NET_ADMIN"
        + (operation.isRaw ? " and CAP_NET_RAW" : "")
    case (.openSocket, EPROTONOSUPPORT), (.openSocket, EAFNOSUPPORT):
      return "the kernel has no nfnetlink (CONFIG_NETFILTER_NETLINK, module nfnetlink)"
    // nfnetlink answers EINVAL to a message for a subsystem that is neither built in nor loadable.
    case (.useQueues, EINVAL), (.useQueues, EOPNOTSUPP), (.useQueues, EPROTONOSUPPORT),
      (.useQueues, ENOENT):
      return "the kernel has no nfnetlink_queue (CONFIG_NETFILTER_NETLINK_QUEUE, module "
        + "nfnetlink_queue)"
    case (.listConnections, EINVAL), (.listConnections, EOPNOTSUPP), (.listConnections, ENOENT),
      (.subscribe, EINVAL), (.subscribe, EOPNOTSUPP):
      return "the kernel has no ctnetlink (CONFIG_NF_CT_NETLINK, module nf_conntrack_netlink)"
    case (.configureQueue(let number), EOPNOTSUPP):
      return "the kernel's nfnetlink_queue doesn't know the flags of queue \(number) (Linux 3.10 "
        + "or later has them)"
    case (.awaitReply, ETIMEDOUT): return "the kernel did not answer over netlink"
    default: return nil
    }
  }
}

extension NetfilterError.Operation {
  fileprivate var isRaw: Bool { self == .openRawSocket || self == .sendPacket }

  fileprivate var text: String {
    switch self {
    case .openSocket: "opening the netfilter socket"
    case .useQueues: "using the netfilter queue"
    case .bindQueue(let number, _): "binding queue \(number)"
    case .configureQueue(let number): "configuring queue \(number)"
    case .subscribe: "subscribing to conntrack events"
    case .listConnections: "listing the connections of conntrack"
    case .setMark: "setting a connection's mark"
    case .deleteConnection: "deleting a connection from conntrack"
    case .receive: "reading from the netfilter socket"
    case .send: "writing to the netfilter socket"
    case .awaitReply: "waiting for the kernel's reply"
    case .openRawSocket: "opening a raw socket"
    case .sendPacket: "sending a packet through the raw socket"
    }
  }
}
