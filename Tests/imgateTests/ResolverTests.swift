import Names
import System
import Testing

@testable import imgate

/// While a name is looked up a hello is held: nobody may wait for an answer that never comes.
@Suite struct ResolverTests {
  private final class Heard {
    var names: [HostName] = []
  }

  private static func resolver(_ loop: EventLoop, _ heard: Heard) throws -> Resolver {
    Resolver(
      servers: [], loop: loop, learned: LearnedAddresses(), policy: try LedgerTests.policy(),
      log: Log(level: .error)
    ) { heard.names.append($0) }
  }

  @Test func `without a resolver a name is given up at once`() throws {
    let (loop, heard) = (try EventLoop(), Heard())
    let resolver = try Self.resolver(loop, heard)
    let name = try #require(HostName("short.weixin.qq.com"))
    resolver.ask(name)
    resolver.ask(name)
    #expect(heard.names == [name, name])
  }

  @Test func `more names than it remembers are given up, too`() throws {
    let (loop, heard) = (try EventLoop(), Heard())
    let resolver = try Self.resolver(loop, heard)
    for number in 0..<5000 {
      resolver.ask(try #require(HostName("a\(number).example.org")))
    }
    #expect(heard.names.count == 5000)
  }
}
