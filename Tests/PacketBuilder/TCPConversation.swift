public import Wire

/// Both ends of a TCP connection, with the sequence numbers kept: what the next packet of each is.
///
/// ```
/// var tcp = TCPConversation(client: "198.18.1.7:40001", server: "198.18.0.7:443")
/// let syn = tcp.clientSYN(), synAck = tcp.serverSYNACK(), ack = tcp.clientACK()
/// let hello = tcp.clientSends(ClientHelloBuilder(name: "short.weixin.qq.com").bytes)
/// let answer = tcp.serverSends(ServerHelloBuilder().bytes)   // acknowledges what the client sent
/// ```
public struct TCPConversation: Sendable {
  /// The side that opens the connection.
  public var client: Endpoint
  /// The side that is called.
  public var server: Endpoint
  /// The client's next sequence number.
  public var clientNext: UInt32
  /// The server's next sequence number.
  public var serverNext: UInt32
  /// Options of the packets after the handshake.
  public var options: [TCPOption] = []

  /// A connection that is not open yet.
  public init(
    client: Endpoint, server: Endpoint, clientSequence: UInt32 = 1000, serverSequence: UInt32 = 5000
  ) {
    self.client = client
    self.server = server
    clientNext = clientSequence
    serverNext = serverSequence
  }

  /// The packets' tuple, as the client sends them.
  public var tuple: FiveTuple { FiveTuple(.tcp, from: client, to: server) }

  /// The client's SYN.
  public mutating func clientSYN(
    options: [TCPOption] = [.maximumSegmentSize(1460), .windowScale(7), .sackPermitted],
    payload: [UInt8] = []
  ) -> TCPPacket {
    defer { clientNext &+= 1 }
    return TCPPacket(
      from: client, to: server, flags: .syn, sequence: clientNext, options: options,
      payload: payload)
  }

  /// The server's SYN with ACK.
  public mutating func serverSYNACK(
    options: [TCPOption] = [.maximumSegmentSize(1460), .windowScale(7), .sackPermitted]
  ) -> TCPPacket {
    defer { serverNext &+= 1 }
    return TCPPacket(
      from: server, to: client, flags: [.syn, .ack], sequence: serverNext,
      acknowledgement: clientNext, options: options)
  }

  /// A bare ACK of the client.
  public func clientACK() -> TCPPacket {
    TCPPacket(
      from: client, to: server, flags: .ack, sequence: clientNext, acknowledgement: serverNext,
      options: options)
  }

  /// A bare ACK of the server.
  public func serverACK() -> TCPPacket {
    TCPPacket(
      from: server, to: client, flags: .ack, sequence: serverNext, acknowledgement: clientNext,
      options: options)
  }

  /// The client sends data.
  public mutating func clientSends(_ payload: [UInt8], flags: TCPFlags = [.psh, .ack]) -> TCPPacket
  {
    defer { clientNext &+= UInt32(payload.count) + (flags.contains(.fin) ? 1 : 0) }
    return clientACK().with {
      $0.flags = flags
      $0.payload = payload
    }
  }

  /// The server sends data.
  public mutating func serverSends(_ payload: [UInt8], flags: TCPFlags = [.psh, .ack]) -> TCPPacket
  {
    defer { serverNext &+= UInt32(payload.count) + (flags.contains(.fin) ? 1 : 0) }
    return serverACK().with {
      $0.flags = flags
      $0.payload = payload
    }
  }

  /// The three packets that open the connection.
  public mutating func handshake() -> [TCPPacket] { [clientSYN(), serverSYNACK(), clientACK()] }
}
