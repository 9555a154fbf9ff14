public import System

/// How much of a flow is held, and for how long, before it is denied.
public struct FlowLimits: Sendable {
  /// Bytes of a flow's beginning that are kept for judgement.
  public var bytes = 16 << 10
  /// Packets of one flow that wait in the kernel's queue.
  public var packets = 64
  /// Packets of one device that wait.
  ///
  /// Past it the device's own oldest flow is denied.
  public var packetsPerDevice = 256
  /// Packets that wait in all.
  ///
  /// The kernel searches waiting packets linearly.
  public var packetsInAll = 2000
  /// How long a beginning may take, from its first held packet.
  public var holdTime = Instant.Span.seconds(10)
  /// How long a held flow waits for its name to be looked up.
  public var lookupTime = Instant.Span.milliseconds(500)
  /// Names that are looked up for one device, within a minute.
  ///
  /// The gateway asks for a limited number in all: one device must not use it up for the others.
  public var lookupsPerDevice: UInt16 = 100
  /// How long a connection may stay open before its first payload byte.
  ///
  /// Afterwards its beginning counts as unseen.
  public var openTime = Instant.Span.seconds(300)
  /// How long the refusal of a QUIC hello that is not complete waits for the rest, which has the name.
  public var nameTime = Instant.Span.milliseconds(500)
  /// How long a released hello waits for its ServerHello.
  public var answerTime = Instant.Span.seconds(120)
  /// How long a plain HTTP connection may idle, or wait for the answer to a request.
  ///
  /// Afterwards nobody knows where a request of it would begin: its next one is refused, and the
  /// client connects anew.
  public var watchTime = Instant.Span.seconds(900)
  /// How long a refused question in a stream waits for the answers to those before it.
  public var refusalTime = Instant.Span.seconds(3)
  /// How long a stream is remembered that ended with a refused question.
  public var farewellTime = Instant.Span.seconds(30)
  /// How long a decided flow is remembered, for packets that were queued before the kernel knew.
  public var lingerTime = Instant.Span.seconds(2)
  /// Connections of one device that are remembered: undecided, or watched.
  ///
  /// Past it the device's oldest is forgotten.
  public var flowsPerDevice = 2048
  /// Connections of all devices that are remembered.
  ///
  /// Past it a new one takes the place of one that has said nothing yet, since a client can take as
  /// many hardware addresses as it likes.
  public var flowsInAll = 131_072

  /// Bytes that a kept-alive HTTP connection may have on their way to judgement or acknowledgement,
  /// beside `bytes`: the largest packet that the kernel joins from several (GRO).
  static let largestPacket = 64 << 10

  /// The limits of the design.
  public init() {}
}
