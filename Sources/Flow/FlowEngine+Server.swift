internal import Policy
internal import Queue
internal import System
internal import Wire

extension FlowEngine {
  /// A packet of the side that was called.
  func fromServer(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ ip: IPHeader, _ tcp: TCPHeader,
    _ flow: TCPFlow, _ now: Instant, _ effects: inout FlowEffects
  ) {
    if ip.hasOptions, flow.phase != .allowed, flow.phase != .denied {
      // No honest server has any, and what is in them is not judged.
      ignore(packet)
      return
    }
    if !flow.isConfirmed, tcp.flags.isSuperset(of: [.syn, .ack]),
      tcp.acknowledgement == flow.origin
    {
      flow.isConfirmed = true
    }
    if let reply = flow.details?.reply { collect(reply, payload, tcp, flow, now) }
    if let dns = flow.dns, !flow.isBeginning || payload.isEmpty || isForRouter {
      fromResolver(packet, payload, tcp, flow, dns, now, &effects)
      return
    }
    switch flow.phase {
    case .opened, .collecting, .resolving:
      if payload.isEmpty || flow.isRetry || !flow.isBeginning {
        packet.settle(.pass(flow.state))
      } else {
        // Its bytes could steer a client that was told to wait for them.
        deny(flow, .serverFirst, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
      }
    case .helloReleased: answerToHello(packet, payload, tcp, flow, now, &effects)
    case .framesReleased: acknowledgement(packet, tcp, flow, now)
    case .requestReleased:
      if tcp.flags.contains(.ack), flow.offset(of: tcp.acknowledgement) >= flow.headsEnd {
        // The server has the very bytes that were judged: copies of them can do no harm now.
        flow.client.trim(to: flow.judgedEnd)
        flow.phase = .watching
        keepWatching(flow, now)
      }
      packet.settle(.pass(flow.state))
    case .framedBody:
      if tcp.flags.contains(.ack) {
        flow.client.trim(to: min(flow.offset(of: tcp.acknowledgement), flow.judgedEnd))
      }
      keepWatching(flow, now)
      packet.settle(.pass(flow.state))
    case .watching, .questions, .answered, .allowed, .denied: packet.settle(.pass(flow.state))
    }
  }

  /// The server's answer to the hello: with it the connection is handed to the kernel, but for a
  /// HelloRetryRequest, which lets the client send another hello (RFC 8446 §4.1.4).
  private func answerToHello(
    _ packet: consuming HeldPacket, _ payload: RawSpan, _ tcp: TCPHeader, _ flow: TCPFlow,
    _ now: Instant, _ effects: inout FlowEffects
  ) {
    guard let origin = flow.serverOrigin, !payload.isEmpty else {
      packet.settle(.pass(flow.state))
      return
    }
    let offset = Int(Int32(bitPattern: tcp.sequence &- origin))
    let room = 2048 - offset
    if offset >= flow.server.base, room > 0 {
      let part = payload.extracting(0..<min(payload.byteCount, room))
      if flow.server.insert(part, at: offset) == .mismatch {
        deny(flow, .overlapMismatch, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
        return
      }
    }
    guard tcp.flags.contains(.ack), flow.offset(of: tcp.acknowledgement) >= flow.judgedEnd else {
      packet.settle(.pass(flow.state))
      return
    }
    if flow.application == .mmtls {
      answerToMMTLSHello(packet, tcp, flow, now, &effects)
      return
    }
    let start = flow.server.withRun(at: flow.serverHelloStart) { run in
      flow.serverHelloStart + TLSRecord.end(ofRecordsIn: run) { $0 == 0x14 }
    }
    switch flow.server.withRun(at: start, ServerFlight.parse) {
    case .needMore: packet.settle(.pass(flow.state))
    case .malformed:
      deny(flow, .serverNotTLS, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
    case .done(.helloRetryRequest):
      // A client that gets a second one gives up (RFC 8446 §4.1.4); it would let a third hello pass.
      if flow.isRetry {
        deny(flow, .serverNotTLS, rule: .none, fromServer: packet, tcp.sequence, now, &effects)
        return
      }
      flow.isRetry = true
      flow.serverHelloStart = flow.server.withRun(at: start) { run in
        start + TLSRecord.length(ofFirstIn: run)
      }
      flow.phase = .collecting
      flow.client.trim(to: flow.judgedEnd)
      flow.releasableEnd = flow.judgedEnd
      flow.deadline = now + limits.openTime
      packet.settle(.pass(flow.state))
      judge(flow, now, &effects)
    case .done:
      flow.phase = .allowed
      packet.settle(.pass(.allowed))
      handOver(flow, now)
    }
  }
}
