import Devices
import Testing
import Wire

@Suite struct DeviceNamesTests {
  private static func mac(_ text: String) throws -> MACAddress {
    try #require(MACAddress(text))
  }

  private static func address(_ text: String) throws -> IPAddress {
    try #require(IPAddress(text))
  }

  private static func names(_ leases: String) -> DeviceNames {
    var names = DeviceNames()
    names.readLeases(Array(leases.utf8))
    return names
  }

  @Test func anOwnersLabelWinsOverTheDevicesOwnName() throws {
    let phone = try Self.mac("02:00:5e:10:00:01")
    var names = DeviceNames(labels: [(device: phone, name: "Owner laptop")])
    names.readLeases(Array("1735689600 02:00:5e:10:00:01 198.18.1.20 iPhone 01:02\n".utf8))
    #expect(names.name(phone, nil) == "Owner laptop")
  }

  @Test func withoutAnyNameADeviceIsCalledByItsAddress() throws {
    let names = DeviceNames()
    #expect(try names.name(Self.mac("00:00:5e:00:53:01"), nil) == "00:00:5e:00:53:01")
    #expect(try names.name(.unknown, Self.address("198.18.1.20")) == "198.18.1.20")
    #expect(names.name(.unknown, nil) == "unknown device")
    #expect(names.knownName(.unknown) == nil)
  }

  @Test(arguments: [
    // dnsmasq: expiry, hardware address, address, name, client id
    ("1735689600 00:00:5e:00:53:01 198.18.1.20 Pixel-7 01:00:00:5e:00:53:01", "Pixel-7"),
    ("0 00:00:5e:00:53:01 198.18.1.20 Pixel-7 *", "Pixel-7"),  // 0: a lease without end
    ("1735689600 06-00:00:5e:00:53:01 198.18.1.20 Pixel-7 *", "Pixel-7"),  // ARP type before it
    ("1735689600 00:00:5e:00:53:01 198.18.1.20 Pixel-7 *\r", "Pixel-7"),
    // odhcpd: interface, hardware address, "ipv4", name, until, address in hex, 32, address/32
    ("# br-lan 00005e005301 ipv4 Pixel-7 1735689600 c6120114 32 198.18.1.20/32", "Pixel-7"),
    ("# br-lan 0:0:5e:0:53:1 ipv4 Pixel-7 1735689600 c6120114 32 198.18.1.20/32", "Pixel-7"),
    ("# br-lan 00005e005301 ipv4 broken\\x20Li's 1735689600 c6120114 32 198.18.1.20/32", "Li's"),
  ])
  func aLeaseNamesItsHardwareAndItsNetworkAddress(line: String, name: String) throws {
    let names = Self.names(line + "\n")
    #expect(try names.name(Self.mac("00:00:5e:00:53:01"), nil) == name)
    #expect(try names.name(.unknown, Self.address("198.18.1.20")) == name)
  }

  @Test(arguments: [
    // dnsmasq after its "duid" line: expiry, IAID, address, name, DUID
    "duid 00:01:00:01:2c:00\n1735689600 6178321 2001:2::20 Pixel-7 00:01:00:01:2c:01\n",
    // odhcpd: interface, DUID, IAID, name, until, id, length, addresses
    "# br-lan 000100012c00 5e4511 Pixel-7 1735689600 20 128 2001:2::20/128 2001:2:0:1::20/128\n",
  ])
  func anIPv6LeaseNamesOnlyNetworkAddresses(text: String) throws {
    let names = Self.names(text)
    #expect(try names.name(.unknown, Self.address("2001:2::20")) == "Pixel-7")
    #expect(names.known.isEmpty)
  }

  @Test(arguments: [
    "1735689600 00:00:5e:00:53:01 198.18.1.20 * 01:00\n",  // no name was given
    "# br-lan 00005e005301 ipv4 - 1735689600 c6120114 32 198.18.1.20/32\n",
    "198.18.1.20\tPixel-7\n",  // a hosts line of odhcpd's file
    "x 00:00:5e:00:53:01 198.18.1.20 Pixel-7 *\n",  // no expiry
    "1735689600 00:00:5e:00:53:01 198.18.1 Pixel-7 *\n",  // no address
    "1735689600 00:00:5e:00:53:01\n",  // cut short
    "\n\n\u{0}\u{1}\n",
    "# # # # # # # #\n",
  ])
  func whatIsNoLeaseIsSkipped(text: String) throws {
    #expect(try Self.names(text).knownName(Self.mac("00:00:5e:00:53:01")) == nil)
    // The line after it is still read.
    let both = Self.names(text + "1 00:00:5e:00:53:02 198.18.1.21 next *\n")
    #expect(try both.name(Self.mac("00:00:5e:00:53:02")) == "next")
  }

  @Test func aLineThatIsTooLongIsSkipped() throws {
    let long = String(repeating: "a", count: 1100)
    let names = Self.names("1 00:00:5e:00:53:01 198.18.1.20 \(long) *\n")
    #expect(names.known.isEmpty)
  }

  @Test func aNameIsShortAndHarmless() throws {
    let bytes =
      Array("1 00:00:5e:00:53:01 198.18.1.20 \u{1b}]0;evil\u{7}\u{202e}gpj".utf8) + [0xff, 0x9b]
      + Array(" *\n".utf8)
    var names = DeviceNames()
    names.readLeases(bytes)
    let name = try names.name(Self.mac("00:00:5e:00:53:01"))
    #expect(name == "\\x1b]0;evil\\x07\\u202egpj\u{fffd}\u{fffd}")

    let long = Self.names(
      "1 00:00:5e:00:53:01 198.18.1.20 \(String(repeating: "张", count: 90)) *\n")
    #expect(try long.name(Self.mac("00:00:5e:00:53:01")).unicodeScalars.count == 41)
  }

  @Test func moreNamesThanTheLimitAreLeftOut() {
    var text = ""
    for number in 0..<(DeviceNames.limit + 100) {
      let mac = MACAddress(bits: 0x5e_0000_0000 + UInt64(number))
      let address = IPAddress(ipv4: 0xc612_0000 + UInt32(number))
      text += "1 \(mac.text) \(address.text) phone *\n"
    }
    #expect(Self.names(text).known.count == DeviceNames.limit)
  }
}
