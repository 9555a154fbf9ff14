public import System

/// The gateway's end of the control socket, on its event loop.
///
/// Nothing here waits: a caller that is slow, silent or gone costs a little memory until its time
/// is up, and never a packet's time.
public final class ControlServer {
  /// What callers may cost.
  public struct Limits: Sendable {
    /// Callers at a time; one more is told to come back later.
    public var connections = 16
    /// Bytes of a request line.
    public var requestBytes = 4096
    /// From the connection to the last byte of the answer.
    public var time = Instant.Span.seconds(30)

    /// The limits above.
    public init() {}
  }

  private let loop: EventLoop
  private let listener: UnixListener
  private let limits: Limits
  private let handler: (ControlRequest) -> ControlReply
  private var watch: EventLoop.Watch?
  private var connections: [Connection] = []

  /// Listens at `path` and answers every request with what `handler` returns, in the loop's
  /// thread.
  ///
  /// `EADDRINUSE`: another gateway listens there.
  public init(
    path: String, loop: EventLoop, limits: Limits = Limits(),
    _ handler: @escaping (ControlRequest) -> ControlReply
  ) throws(SystemError) {
    self.loop = loop
    self.limits = limits
    self.handler = handler
    listener = try UnixListener(path: path)
    watch = try loop.watch(listener.descriptor, .reading) { [unowned(unsafe) self] _ in
      // The watch ends in deinit, so the server is alive whenever this runs.
      unsafe self.acceptAll()
    }
  }

  deinit {
    if let watch { loop.end(watch) }
    for connection in connections { connection.close(in: loop) }
  }

  private func acceptAll() {
    do throws(SystemError) {
      while let socket = try listener.accept() { begin(socket) }
    } catch {
      // Out of descriptors or memory: the caller stays in the backlog, and the loop must not spin
      // over it.
      guard let watch else { return }
      try? loop.change(watch, to: [])
      loop.after(.seconds(1)) { [loop] in try? loop.change(watch, to: .reading) }
    }
  }

  private func begin(_ socket: consuming FileDescriptor) {
    let connection = Connection(socket)
    if connections.count >= limits.connections {
      // What doesn't fit into the socket's buffer at once is not worth waiting for.
      connection.answer(.failure(3, "too many callers at a time; try again"))
      _ = connection.send()
      return
    }
    do throws(SystemError) {
      connection.watch = try loop.watch(connection.descriptor, .reading) {
        [unowned(unsafe) self] _ in
        // The server outlives this watch: finish() and deinit end it.
        unsafe self.proceed(connection)
      }
    } catch {
      return
    }
    connection.timer = loop.after(limits.time) { [unowned(unsafe) self] in
      // As above: finish() and deinit cancel the timer.
      unsafe self.finish(connection)
    }
    connections.append(connection)
  }

  private func proceed(_ connection: Connection) {
    if !connection.isAnswered {
      switch connection.receive(limit: limits.requestBytes) {
      case .more: return
      case .ended: return finish(connection)
      case .tooLong: connection.answer(.failure(1, "the request is too long"))
      case .line(let line):
        if let request = ControlRequest(line: line) {
          connection.answer(handler(request))
        } else {
          connection.answer(.failure(1, "the request '\(line)' is not known to this version"))
        }
      }
    }
    if connection.send() { return finish(connection) }
    if let watch = connection.watch { try? loop.change(watch, to: .writing) }
  }

  private func finish(_ connection: Connection) {
    connection.close(in: loop)
    connections.removeAll { $0 === connection }
  }
}

/// One caller.
private final class Connection {
  enum Received {
    case more
    case line(String)
    case tooLong
    case ended
  }

  var watch: EventLoop.Watch?
  var timer: EventLoop.Timer?
  private(set) var isAnswered = false
  private let socket: FileDescriptor
  private var request: [UInt8] = []
  private var reply: [UInt8] = []
  private var sent = 0

  init(_ socket: consuming FileDescriptor) { self.socket = socket }

  var descriptor: CInt { socket.number }

  func receive(limit: Int) -> Received {
    do throws(SystemError) {
      let piece = try socket.read(atMost: limit + 1 - request.count)
      if piece.isEmpty { return .ended }
      request += piece
    } catch {
      return error.isWouldBlock ? .more : .ended
    }
    if let end = request.firstIndex(of: UInt8(ascii: "\n")) {
      return .line(String(decoding: request[..<end], as: UTF8.self))
    }
    return request.count > limit ? .tooLong : .more
  }

  func answer(_ reply: ControlReply) {
    self.reply = reply.bytes
    isAnswered = true
  }

  /// Sends what the socket takes; true when nothing remains or nobody reads it any more.
  func send() -> Bool {
    do throws(SystemError) {
      while sent < reply.count { sent += try socket.writeOnce(reply, from: sent) }
      return true
    } catch {
      return !error.isWouldBlock
    }
  }

  func close(in loop: EventLoop) {
    if let watch { loop.end(watch) }
    if let timer { loop.cancel(timer) }
  }
}
