internal import CNettle
internal import Wire

/// A client's QUIC Initial packet: `QUICInitialBuilder(frames).bytes`, protected as RFC 9001 §5 and RFC
/// 9369 §3.3 say, by code of its own.
public struct QUICInitialBuilder: Sendable {
  /// The version: 1, or 2 as 0x6b3343cf.
  public var version = QUICInitialHeader.version1
  /// The id that the client chose for the server, from which the keys follow.
  public var destinationID = hex("8394c8f03e515708")
  /// The client's own id.
  public var sourceID: [UInt8] = []
  /// The token.
  public var token: [UInt8] = []
  /// The packet number.
  public var number: UInt32 = 0
  /// As how many bytes the packet number is written.
  public var numberSize = 4
  /// The two reserved bits of the first byte.
  public var reservedBits: UInt8 = 0
  /// The payload in clear.
  public var frames: [UInt8]
  /// Bytes of the whole packet: padding fills it up.
  public var size = 1_200

  /// A packet of version 1.
  public init(_ frames: [UInt8]) { self.frames = frames }

  /// The same packet with some fields changed.
  public func with(_ change: (inout QUICInitialBuilder) -> Void) -> QUICInitialBuilder {
    var copy = self
    change(&copy)
    return copy
  }

  /// The first byte, without protection.
  private var first: UInt8 {
    0xc0 | (version == QUICInitialHeader.version2 ? 0x10 : 0) | reservedBits << 2
      | UInt8(numberSize - 1)
  }

  /// The packet, protected.
  public var bytes: [UInt8] {
    var header: [UInt8] = [first]
    header.append(bigEndian: version)
    header += [UInt8(destinationID.count)] + destinationID
    header += [UInt8(sourceID.count)] + sourceID
    header += quicVariable(token.count) + token
    let known = header.count + 2 + numberSize + 16
    let payload = frames + [UInt8](repeating: 0, count: max(0, size - known - frames.count))
    header.append(bigEndian: UInt16(0x4000 | numberSize + payload.count + 16))
    let start = header.count
    for i in (0..<numberSize).reversed() {
      header.append(UInt8(truncatingIfNeeded: number >> UInt32(8 * i)))
    }

    let keys = QUICTestKeys(version, destinationID)
    var nonce = keys.nonce
    for i in 0..<numberSize { nonce[12 - numberSize + i] ^= header[start + i] }
    var packet = header + keys.seal(payload, nonce, header)
    let mask = keys.mask(Array(packet[start + 4..<start + 20]))
    packet[0] ^= mask[0] & 0x0f
    for i in 0..<numberSize { packet[start + i] ^= mask[1 + i] }
    return packet
  }
}

/// An integer of one, two or four bytes (RFC 9000 §16), as short as can be.
public func quicVariable(_ value: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  if value < 0x40 {
    bytes.append(UInt8(value))
  } else if value < 0x4000 {
    bytes.append(bigEndian: UInt16(0x4000 | value))
  } else {
    bytes.append(bigEndian: UInt32(0x8000_0000 | value))
  }
  return bytes
}

/// A CRYPTO frame.
public func quicCrypto(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
  [6] + quicVariable(offset) + quicVariable(bytes.count) + bytes
}

/// A client's hello for `name` in one datagram.
public func quicHello(_ name: String?) -> [UInt8] {
  QUICInitialBuilder(quicCrypto(0, ClientHelloBuilder(name: name).message)).bytes
}

/// A client's long hello for `name` in datagrams of `size` bytes of it each, in order.
public func quicHello(_ name: String, piecesOf size: Int) -> [[UInt8]] {
  var offset = 0
  var datagrams: [[UInt8]] = []
  for piece in ClientHelloBuilder.postQuantum(name: name).message.pieces(of: size) {
    let number = UInt32(datagrams.count)
    datagrams.append(
      QUICInitialBuilder(quicCrypto(offset, piece)).with { $0.number = number }.bytes)
    offset += piece.count
  }
  return datagrams
}

// nettle reads and writes within the arrays by the counts that it is given, and keeps no pointer.
private struct QUICTestKeys {
  var key: [UInt8] = []
  var nonce: [UInt8] = []
  var header: [UInt8] = []

  init(_ version: UInt32, _ destinationID: [UInt8]) {
    let isVersion2 = version == QUICInitialHeader.version2
    let salt =
      isVersion2
      ? hex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
      : hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
    let prefix = isVersion2 ? "quicv2 " : "quic "
    let client = expand(hmac(salt, destinationID), "client in", 32)
    key = expand(client, prefix + "key", 16)
    nonce = expand(client, prefix + "iv", 12)
    header = expand(client, prefix + "hp", 16)
  }

  private func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var context = hmac_sha256_ctx()
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe nettle_hmac_sha256_set_key(&context, key.count, key)
    unsafe nettle_hmac_sha256_update(&context, message.count, message)
    unsafe nettle_hmac_sha256_digest(&context, 32, &digest)
    return digest
  }

  private func expand(_ secret: [UInt8], _ label: String, _ length: Int) -> [UInt8] {
    let text = [UInt8].ascii("tls13 " + label)
    return Array(
      hmac(secret, [0, UInt8(length), UInt8(text.count)] + text + [0, 1]).prefix(length))
  }

  func seal(_ payload: [UInt8], _ nonce: [UInt8], _ header: [UInt8]) -> [UInt8] {
    let context = UnsafeMutablePointer<gcm_aes128_ctx>.allocate(capacity: 1)
    defer { unsafe context.deallocate() }
    var sealed = [UInt8](repeating: 0, count: payload.count)
    var tag = [UInt8](repeating: 0, count: 16)
    unsafe nettle_gcm_aes128_set_key(context, key)
    unsafe nettle_gcm_aes128_set_iv(context, nonce.count, nonce)
    unsafe nettle_gcm_aes128_update(context, header.count, header)
    unsafe nettle_gcm_aes128_encrypt(context, payload.count, &sealed, payload)
    unsafe nettle_gcm_aes128_digest(context, 16, &tag)
    return sealed + tag
  }

  func mask(_ sample: [UInt8]) -> [UInt8] {
    var context = aes128_ctx()
    var mask = [UInt8](repeating: 0, count: 16)
    unsafe nettle_aes128_set_encrypt_key(&context, header)
    unsafe nettle_aes128_encrypt(&context, 16, &mask, sample)
    return mask
  }
}
