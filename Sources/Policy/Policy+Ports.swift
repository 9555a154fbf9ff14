extension Policy {
  /// Whether some rule opens `port` for some host, carried so: QUIC apart from other UDP.
  public func opens(_ port: UInt16, _ transport: Transport) -> Bool {
    switch transport {
    case .tcp: table.open.tcp.contains(port)
    case .udp: table.open.udp.contains(port)
    case .quic: table.open.quic.contains(port)
    }
  }
}
