import PacketBuilder
import Testing
import Wire

@Suite("The text of an IPv4 address")
struct IPv4TextTests {
  @Test(
    "is read and written", arguments: ["0.0.0.0", "198.18.0.7", "255.255.255.255", "1.20.100.0"])
  func good(_ text: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.isIPv4)
    #expect(address.text == text)
  }

  @Test(
    "is strict",
    arguments: [
      "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.1000",
      "01.2.3.4",
      "1.2.3.00", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/8", "a.b.c.d", "1,2,3,4",
      "-1.2.3.4",
      "4294967295", "1.2.3.4\n",
    ])
  func bad(_ text: String) {
    #expect(IPAddress(text) == nil)
  }
}

@Suite("The text of an IPv6 address")
struct IPv6TextTests {
  @Test(
    "is written as RFC 5952 wants it",
    arguments: [
      ("::", "::"), ("0:0:0:0:0:0:0:0", "::"), ("::1", "::1"), ("1::", "1::"),
      ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"), ("2001:0DB8::0001", "2001:db8::1"),
      // The longest run of zeros, the first of equals, and never a single one.
      ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
      ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
      ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
      ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
      ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
      ("1:0:0:4:5:6:0:0", "1::4:5:6:0:0"),
      ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
      ("64:ff9b::198.18.0.7", "64:ff9b::c612:7"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
      // IPv4-mapped is IPv4.
      ("::ffff:198.18.0.7", "198.18.0.7"), ("::ffff:c612:7", "198.18.0.7"),
      ("0:0:0:0:0:FFFF:1.2.3.4", "1.2.3.4"),
    ])
  func good(_ text: String, _ canonical: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.text == canonical)
    #expect(IPAddress(canonical) == address)
  }

  @Test(
    "is strict",
    arguments: [
      ":", ":::", "1", "1:", ":1", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
      "12345::", "g::", "::1%eth0",
      "[::1]", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7:8::",
      "::1:2:3:4:5:6:7:8", "1::2:", ":1::2",
      "::01.2.3.4", "::1 ",
    ])
  func bad(_ text: String) {
    #expect(IPAddress(text) == nil)
  }
}

@Suite("The text of a prefix")
struct IPPrefixTextTests {
  @Test(
    "is read and written",
    arguments: [
      ("198.51.100.0/28", "198.51.100.0/28"), ("198.51.100.9/28", "198.51.100.0/28"),
      ("0.0.0.0/0", "0.0.0.0/0"),
      ("198.18.0.7", "198.18.0.7/32"), ("2001:2::/48", "2001:2::/48"),
      ("2001:2::7", "2001:2::7/128"), ("::/0", "::/0"),
      ("::ffff:198.18.0.0/15", "198.18.0.0/15"),
    ])
  func good(_ text: String, _ canonical: String) throws {
    #expect(try #require(IPPrefix(text)).text == canonical)
  }

  @Test(
    "is strict",
    arguments: [
      "", "/8", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/08", "1.2.3.4/+8", "1.2.3.4/8/8",
      "1.2.3.4/a", "1.2.3.4/0032",
      "1.2.3/8", "::ffff:1.2.3.4/120",
    ])
  func bad(_ text: String) {
    #expect(IPPrefix(text) == nil)
  }

  @Test(
    "holds addresses of its own family only",
    arguments: [
      ("198.18.0.0/15", "198.19.255.255", true), ("198.18.0.0/15", "198.20.0.0", false),
      ("0.0.0.0/0", "1.2.3.4", true),
      ("0.0.0.0/0", "::1", false), ("::/0", "2001:2::1", true), ("::/0", "1.2.3.4", false),
      ("198.18.0.7", "198.18.0.7", true),
      ("198.18.0.7", "198.18.0.6", false), ("2001:2::/48", "2001:2:0:1::", true),
      ("2001:2::/48", "2001:2:1::", false),
    ])
  func contains(_ prefix: String, _ other: String, _ holds: Bool) throws {
    #expect(try #require(IPPrefix(prefix)).contains(address(other)) == holds)
  }
}

@Suite("The text of a hardware address")
struct MACAddressTextTests {
  @Test(
    "is read and written",
    arguments: ["02:00:5e:10:00:01", "02-00-5E-10-00-01", "02:00:5E:10:00:01"])
  func good(_ text: String) throws {
    let address = try #require(MACAddress(text))
    #expect(address.bits == 0x0200_5e10_0001)
    #expect(address.text == "02:00:5e:10:00:01")
  }

  @Test(
    "is strict",
    arguments: [
      "", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "2:0:5e:10:0:1", "02-00:5e:10:00:01",
      "02005e100001", "02:00:5g:10:00:01",
      "02.00.5e.10.00.01",
    ])
  func bad(_ text: String) {
    #expect(MACAddress(text) == nil)
  }
}

@Suite("What an address is for")
struct AddressRangeTests {
  @Test(
    "is told by its range",
    arguments: [
      ("127.0.0.1", "loopback"), ("::1", "loopback"), ("0.0.0.0", "unspecified"),
      ("0.1.2.3", "unspecified"),
      ("::", "unspecified"), ("10.255.0.1", "private"), ("172.16.0.1", "private"),
      ("172.31.255.255", "private"),
      ("172.32.0.1", "public"), ("172.15.0.1", "public"), ("192.168.1.1", "private"),
      ("192.169.1.1", "public"),
      ("fd00::1", "private"), ("fec0::1", "private"), ("169.254.1.1", "link-local"),
      ("fe80::1", "link-local"),
      ("100.64.0.1", "carrier-grade"), ("100.127.255.255", "carrier-grade"),
      ("100.128.0.1", "public"), ("100.63.0.1", "public"),
      ("224.0.0.1", "multicast"), ("ff02::1", "multicast"), ("240.0.0.1", "reserved"),
      ("255.255.255.255", "reserved"),
      ("198.18.0.7", "public"), ("2001:2::7", "public"), ("1.1.1.1", "public"),
    ])
  func ranges(_ text: String, _ kind: String) {
    let address = address(text)
    let kinds = [
      address.isLoopback ? "loopback" : nil, address.isUnspecified ? "unspecified" : nil,
      address.isPrivate ? "private" : nil, address.isLinkLocal ? "link-local" : nil,
      address.isCarrierGrade ? "carrier-grade" : nil, address.isMulticast ? "multicast" : nil,
      address.isReserved ? "reserved" : nil,
    ].compactMap { $0 }
    #expect(kinds == (kind == "public" ? [] : [kind]))
  }
}

@Suite("A name from the wire")
struct WireNameTests {
  @Test("shows bytes that a terminal would obey as numbers")
  func escapes() throws {
    #expect(try #require(WireName("a\u{1b}[2Jb\\c\n")).text == "a\\x1b[2Jb\\x5cc\\x0a")
  }

  @Test("has 255 bytes at most")
  func limit() {
    #expect(WireName(String(repeating: "a", count: 255))?.count == 255)
    #expect(WireName(String(repeating: "a", count: 256)) == nil)
  }

  @Test("is compared without case, in ASCII letters only")
  func folding() throws {
    for a in UInt8.min...UInt8.max {
      for b in UInt8.min...UInt8.max {
        var one = WireName()
        var other = WireName()
        for i in 0..<9 {
          _ = one.append(i == 3 ? a : 0xe1)
          _ = other.append(i == 3 ? b : 0xe1)
        }
        let isEqual = a == b || (a ^ b == 0x20 && 0x61...0x7a ~= a | 0x20)
        if one.equalsIgnoringCase(other) != isEqual { Issue.record("\(a) and \(b)") }
      }
    }
    let short = try #require(WireName("a"))
    let long = try #require(WireName("aa"))
    #expect(!short.equalsIgnoringCase(long))
  }

  @Test(arguments: [
    ("02:00:5e:10:00:01", true), ("da:a1:19:00:00:01", true), ("00:00:5e:00:53:01", false),
    ("fc:00:00:00:00:01", false), ("00:00:00:00:00:00", false),
  ])
  func anAddressThatADeviceMadeUpIsPrivate(text: String, isPrivate: Bool) throws {
    #expect(try #require(MACAddress(text)).isPrivate == isPrivate)
  }
}
