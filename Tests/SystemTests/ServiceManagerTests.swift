import CSystem
import Testing

@testable import System

@Suite struct ServiceManagerTests {
  @Test(arguments: [false, true])
  func `the manager hears what sd_notify(3) specifies, by path and by abstract name`(
    isAbstract: Bool
  ) throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/notify"
    let receiver = FileDescriptor(owning: socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0))
    var address = isAbstract ? try UnixAddress(abstract: path) : try UnixAddress(path: path)
    try #require(unsafe imgate_bind_unix(receiver.number, &address.address, address.size) == 0)

    let manager = ServiceManager(
      socket: isAbstract ? "@" + path : path, watchdogMicroseconds: 30_000_000)
    manager.isReady()
    manager.isAlive()
    manager.isStopping()
    for message in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
      #expect(try receiver.read(atMost: 100) == Array(message.utf8))
    }
    #expect(manager.watchdogInterval == .seconds(10))
  }

  @Test func `without a manager, or with one that is gone, nothing happens`() {
    ServiceManager(socket: nil, watchdogMicroseconds: nil).isReady()
    ServiceManager(socket: "/nonexistent/socket", watchdogMicroseconds: nil).isReady()
  }
}
