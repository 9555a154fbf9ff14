import Configuration
import Testing
import YAML

@testable import imgate

/// No way around the gateway stays unsaid.
@Suite struct InterfaceProblemsTests {
  private static func configuration() throws -> Configuration {
    try Configuration.load(
      SourceFile(path: "c", text: "lan: [wlan0]\nwan: [eth0]\nignore: [docker0]\n"))
  }

  @Test func `a box that is as the configuration says has none`() throws {
    let configuration = try Self.configuration()
    #expect(
      configuration.problems(
        with: ["lo", "eth0", "wlan0", "docker0", "eth1"], open: ["eth0", "wlan0", "docker0"]
      ).isEmpty)
  }

  @Test func `a LAN that isn't there is one, a WAN is not: it may come later`() throws {
    #expect(
      try Self.configuration().problems(with: ["lo", "eth1"], open: []) == [
        "there is no interface wlan0, which 'lan' names; there are lo, eth1"
      ])
  }

  @Test func `each interface that forwards and is in no list is one`() throws {
    let problems = try Self.configuration().problems(
      with: ["wlan0", "wg0", "wlan1"], open: ["wlan0", "wg0", "wlan1"])
    #expect(problems.count == 2)
    #expect(
      problems.first
        == "the interface wg0 forwards packets and is in neither 'lan' nor 'wan': add it to one of "
        + "them, or say 'ignore: [wg0]' if it never carries traffic of the LAN")
  }
}
