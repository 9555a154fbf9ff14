import CSystem
import Testing

@testable import System

@Suite(.serialized) struct SignalsTests {
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
  func `a blocked signal becomes an event of the loop`(number: CInt) throws {
    try Signals.block()
    let loop = try EventLoop()
    var seen: [CInt] = []
    let signals = try Signals(in: loop) { signal in
      seen.append(signal.number)
      loop.stop()
    }
    // To this thread alone: other tests' threads have not blocked it.
    try #require(pthread_kill(pthread_self(), number) == 0)
    try loop.run()
    #expect(seen == [number])
    _ = signals
  }
}
