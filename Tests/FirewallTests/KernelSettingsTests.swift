import CSystem
import System
import Testing

@testable import Firewall

/// The kernel settings, over a directory that stands for /proc/sys.
@Suite struct KernelSettingsTests {
  /// A directory with a router's usual values; it lives as long as the test.
  private final class Tree {
    let path: String
    var record: String { path + "/record" }

    init() throws {
      var template = Array("/tmp/imgate-sysctl-XXXXXX".utf8CString)
      // mkdtemp writes into the six last characters of the array, which outlives the call.
      #expect(unsafe mkdtemp(&template) != nil)
      path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      for directory in ["net", "net/netfilter", "net/ipv4", "net/ipv6", "net/ipv6/icmp"] {
        unsafe mkdir(path + "/" + directory, 0o755)
      }
      try set("net/netfilter/nf_conntrack_acct", "0")
      try set("net/netfilter/nf_conntrack_events", "1")
      try set("net/netfilter/nf_conntrack_checksum", "1")
      try set("net/netfilter/nf_conntrack_tcp_be_liberal", "1")
      try set("net/netfilter/nf_conntrack_tcp_timeout_established", "432000")
      try set("net/netfilter/nf_conntrack_udp_timeout_stream", "120")
      try set("net/ipv4/icmp_ratelimit", "1000")
      try set("net/ipv4/icmp_msgs_per_sec", "1000")
      try set("net/ipv4/icmp_msgs_burst", "50")
      try set("net/ipv4/ip_forward", "1")
      try set("net/ipv6/icmp/ratelimit", "1000")
    }

    deinit {
      do { _ = try Command(["rm", "-r", path]).run() } catch { Issue.record("rm \(path)") }
    }

    func set(_ name: String, _ value: String) throws {
      try File.replace(path + "/" + name, with: Array((value + "\n").utf8))
    }

    func value(_ name: String) throws -> String {
      Text.trimmed(String(decoding: try File.read(path + "/" + name), as: UTF8.self))
    }
  }

  @Test func `applied: what must change changes, what is better stays`() throws {
    let tree = try Tree()
    let settings = KernelSettings(root: tree.path)
    let outcome = try settings.apply(record: tree.record)
    #expect(outcome.problems == [])
    #expect(
      outcome.changes.map(\.name) == [
        "net.netfilter.nf_conntrack_acct", "net.netfilter.nf_conntrack_tcp_be_liberal",
        "net.netfilter.nf_conntrack_udp_timeout_stream", "net.ipv4.icmp_ratelimit",
        "net.ipv4.icmp_msgs_per_sec", "net.ipv4.icmp_msgs_burst", "net.ipv6.icmp.ratelimit",
      ])
    #expect(settings.verify() == [])
    #expect(try tree.value("net/netfilter/nf_conntrack_tcp_timeout_established") == "432000")
    #expect(try tree.value("net/ipv4/icmp_msgs_per_sec") == "10000")
  }

  @Test func `restored: the values from before the first start, over two starts`() throws {
    let tree = try Tree()
    let settings = KernelSettings(root: tree.path)
    _ = try settings.apply(record: tree.record)
    try tree.set("net/netfilter/nf_conntrack_acct", "0")
    _ = try settings.apply(record: tree.record)
    let outcome = try settings.restore(record: tree.record)
    #expect(outcome.changes.count == 7)
    #expect(try tree.value("net/netfilter/nf_conntrack_tcp_be_liberal") == "1")
    #expect(try tree.value("net/netfilter/nf_conntrack_acct") == "0")
    #expect(try tree.value("net/netfilter/nf_conntrack_udp_timeout_stream") == "120")
    #expect(throws: SystemError.self) { try File.read(tree.record) }
    #expect(try settings.restore(record: tree.record) == .init())
  }

  @Test func `restored: what somebody set after us stays`() throws {
    let tree = try Tree()
    let settings = KernelSettings(root: tree.path)
    _ = try settings.apply(record: tree.record)
    try tree.set("net/netfilter/nf_conntrack_udp_timeout_stream", "600")
    _ = try settings.restore(record: tree.record)
    #expect(try tree.value("net/netfilter/nf_conntrack_udp_timeout_stream") == "600")
  }

  @Test func `a damaged record makes us write nothing else`() throws {
    let tree = try Tree()
    try tree.set("record", "kernel.panic 1 2\nnonsense\nnet.ipv4.ip_forward 0 1")
    _ = try KernelSettings(root: tree.path).restore(record: tree.record)
    #expect(try tree.value("net/ipv4/ip_forward") == "1")
  }

  @Test func `told, never changed: a machine that forwards nothing`() throws {
    let tree = try Tree()
    try tree.set("net/ipv4/ip_forward", "0")
    let outcome = try KernelSettings(root: tree.path).apply(record: tree.record)
    #expect(outcome.problems.map(\.place) == ["net.ipv4.ip_forward"])
    #expect(try tree.value("net/ipv4/ip_forward") == "0")
  }

  @Test func `told, not fatal: a setting that this kernel lacks`() throws {
    let tree = try Tree()
    unsafe unlink(tree.path + "/net/ipv4/icmp_msgs_per_sec")
    let outcome = try KernelSettings(root: tree.path).apply(record: tree.record)
    #expect(outcome.problems.map(\.place) == ["net.ipv4.icmp_msgs_per_sec"])
    #expect(outcome.problems.allSatisfy { !$0.canRepair })
  }

  @Test func `what is wrong is told with what comes of it`() throws {
    let tree = try Tree()
    #expect(
      KernelSettings(root: tree.path).verify().first?.text
        == "net.netfilter.nf_conntrack_acct: is 0 and must be 1: else bytes of the connections "
        + "aren't counted")
  }
}
