internal import Wire

/// One line of a lease file.
///
/// dnsmasq (also on OpenWrt, `/tmp/dhcp.leases`):
/// - IPv4: `expiry hardware-address address name client-id`; the name is `*` when none was given,
///   the hardware address may have the ARP type before it (`06-aa:bb:...`).
/// - IPv6: `expiry iaid address name duid`: no hardware address.
///
/// odhcpd (OpenWrt, `/tmp/odhcpd.leases` or in `/tmp/hosts/odhcpd`):
/// - IPv4: `# interface hardware-address ipv4 name until address-in-hex 32 address/32`
/// - IPv6: `# interface duid iaid name until id length address/128...`
///   with `-` for no name and the word `broken\x20` before a name that is not a host name.
struct Lease {
  /// The hardware address, where the format has it.
  let hardware: MACAddress?
  /// Network addresses that were leased.
  let addresses: [IPAddress]
  /// The device's own name, as it stands in the file.
  let name: [UInt8]

  /// Reads a line; nil when it is not a lease with a name.
  init?(line: ArraySlice<UInt8>) {
    guard line.count <= 1024 else { return nil }
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    let words = line.split(separator: UInt8(ascii: " "))
    if words.first == [UInt8(ascii: "#")] {
      self.init(odhcpd: words)
    } else {
      self.init(dnsmasq: words)
    }
  }

  private init?(dnsmasq words: [ArraySlice<UInt8>]) {
    guard words.count >= 4, Self.isNumber(words[0]),
      let address = IPAddress(String(decoding: words[2], as: UTF8.self)),
      words[3] != [UInt8(ascii: "*")]
    else { return nil }
    addresses = [address]
    hardware = Self.hardware(words[1])
    name = Array(words[3])
  }

  private init?(odhcpd words: [ArraySlice<UInt8>]) {
    guard words.count >= 8, words[4] != [UInt8(ascii: "-")] else { return nil }
    hardware = words[3] == Array("ipv4".utf8)[...] ? Self.hardware(words[2]) : nil
    var found: [IPAddress] = []
    for word in words[8...].prefix(16) {
      let text = word.prefix { $0 != UInt8(ascii: "/") }
      if let address = IPAddress(String(decoding: text, as: UTF8.self)) { found.append(address) }
    }
    addresses = found
    let broken = Array("broken\\x20".utf8)
    name = Array(words[4].starts(with: broken) ? words[4].dropFirst(broken.count) : words[4])
    if name.isEmpty || name == [UInt8(ascii: "-")] { return nil }
  }

  private static func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
    for byte in word where byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") { return false }
    return !word.isEmpty
  }

  /// `aa:bb:cc:dd:ee:ff`, `a:b:c:d:e:f` (ether_ntoa), `06-aa:bb:...` or `aabbccddeeff`.
  private static func hardware(_ word: ArraySlice<UInt8>) -> MACAddress? {
    let word = word.split(separator: UInt8(ascii: "-")).last ?? word
    let parts = word.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var bits: UInt64 = 0
    if parts.count == 1, word.count == 12 {
      for byte in word {
        guard let digit = hexDigit(byte) else { return nil }
        bits = bits << 4 | digit
      }
      return MACAddress(bits: bits)
    }
    guard parts.count == 6 else { return nil }
    for part in parts {
      guard (1...2).contains(part.count) else { return nil }
      var value: UInt64 = 0
      for byte in part {
        guard let digit = hexDigit(byte) else { return nil }
        value = value << 4 | digit
      }
      bits = bits << 8 | value
    }
    return MACAddress(bits: bits)
  }

  private static func hexDigit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }
}
