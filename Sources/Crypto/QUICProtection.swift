internal import CNettle
public import Wire

/// Takes the protection off QUIC Initial packets of clients (RFC 9001 §5, RFC 9369 §3.3): their keys
/// follow from the destination's connection id, so that anybody on the way can.
public struct QUICInitialKeys: Sendable {
  private let key: [UInt8]
  private let nonce: [UInt8]
  private let headerKey: [UInt8]

  /// The keys of a client whose first packet has this header and begins `packet`.
  public init(_ header: QUICInitialHeader, _ packet: RawSpan) {
    self.init(version: header.version, destinationID: packet.extracting(header.destinationID))
  }

  /// The keys of a client that chose this id for the server.
  public init(version: UInt32, destinationID: RawSpan) {
    let isVersion2 = version == QUICInitialHeader.version2
    let initial = HMAC.digest(
      key: isVersion2 ? Self.salt2 : Self.salt1, [UInt8](copying: destinationID))
    let client = HMAC.expand(initial, "client in", 32)
    key = HMAC.expand(client, isVersion2 ? "quicv2 key" : "quic key", 16)
    nonce = HMAC.expand(client, isVersion2 ? "quicv2 iv" : "quic iv", 12)
    headerKey = HMAC.expand(client, isVersion2 ? "quicv2 hp" : "quic hp", 16)
  }

  // RFC 9001 §5.2, RFC 9369 §3.3.1.
  private static let salt1: [UInt8] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
  ]
  private static let salt2: [UInt8] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
  ]

  /// The payload (frames) of an Initial packet in clear; nil when its tag is wrong.
  ///
  /// `packet` begins with the packet that `header` is of; others may follow.
  public func open(_ header: QUICInitialHeader, _ packet: RawSpan) -> [UInt8]? {
    // `payload` holds the sample behind a packet number of four bytes.
    let start = header.payload.lowerBound
    guard header.payload.count >= 20, header.payload.upperBound <= packet.byteCount else {
      return nil
    }
    var clear = [UInt8](copying: packet.extracting(first: start + 4))
    let sample = [UInt8](copying: packet.extracting(start + 4..<start + 20))
    let mask = AES.encrypt(sample, key: headerKey)
    clear[0] ^= mask[0] & 0x0f
    let size = Int(clear[0] & 3) + 1
    clear.removeLast(4 - size)
    var nonce = nonce
    for i in 0..<size {
      clear[start + i] ^= mask[1 + i]
      nonce[12 - size + i] ^= clear[start + i]
    }
    let sealed = [UInt8](copying: packet.extracting(start + size..<header.payload.upperBound))
    guard let payload = AES.open(sealed, key: key, nonce: nonce, header: clear),
      // RFC 9000 §17.2: reserved bits that are set end the connection.
      clear[0] & 0x0c == 0
    else { return nil }
    return payload
  }
}

extension [UInt8] {
  fileprivate init(copying span: RawSpan) {
    self.init()
    reserveCapacity(span.byteCount)
    for offset in span.byteOffsets {
      // Within bounds: the offsets are the span's own.
      unsafe append(span.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
    }
  }
}

// nettle reads and writes within the arrays by the counts that it is given, and keeps no pointer.

private enum HMAC {
  /// HMAC with SHA-256 (RFC 2104); also HKDF-Extract with the key as salt (RFC 5869 §2.2).
  static func digest(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var context = hmac_sha256_ctx()
    unsafe nettle_hmac_sha256_set_key(&context, key.count, key)
    unsafe nettle_hmac_sha256_update(&context, message.count, message)
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
    unsafe nettle_hmac_sha256_digest(&context, digest.count, &digest)
    return digest
  }

  /// HKDF-Expand-Label without a context (RFC 8446 §7.1), of at most one block.
  static func expand(_ secret: [UInt8], _ label: StaticString, _ length: Int) -> [UInt8] {
    var text: [UInt8] = [0, UInt8(length), UInt8(6 + label.utf8CodeUnitCount)]
    for word in ["tls13 ", label] as [StaticString] {
      // A literal's bytes, as many as it says.
      for i in 0..<word.utf8CodeUnitCount { text.append(unsafe word.utf8Start[i]) }
    }
    text += [0, 1]  // no context; the first block
    return Array(digest(key: secret, text)[..<length])
  }
}

private enum AES {
  /// One block by AES-128 (FIPS 197).
  static func encrypt(_ block: [UInt8], key: [UInt8]) -> [UInt8] {
    var context = aes128_ctx()
    var result = [UInt8](repeating: 0, count: block.count)
    unsafe nettle_aes128_set_encrypt_key(&context, key)
    unsafe nettle_aes128_encrypt(&context, block.count, &result, block)
    return result
  }

  /// What AES-128-GCM (NIST SP 800-38D) has sealed, a tag of 16 bytes behind it; nil when the tag is
  /// wrong.
  static func open(
    _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], header: [UInt8]
  ) -> [UInt8]? {
    let length = sealed.count - Int(GCM_DIGEST_SIZE)
    guard length >= 0 else { return nil }
    // 4 KiB of tables: not on the stack.
    let context = UnsafeMutablePointer<gcm_aes128_ctx>.allocate(capacity: 1)
    defer { unsafe context.deallocate() }
    var clear = [UInt8](repeating: 0, count: length)
    var tag = [UInt8](repeating: 0, count: Int(GCM_DIGEST_SIZE))
    unsafe nettle_gcm_aes128_set_key(context, key)
    unsafe nettle_gcm_aes128_set_iv(context, nonce.count, nonce)
    unsafe nettle_gcm_aes128_update(context, header.count, header)
    unsafe nettle_gcm_aes128_decrypt(context, length, &clear, sealed)
    unsafe nettle_gcm_aes128_digest(context, tag.count, &tag)
    var difference: UInt8 = 0
    for i in tag.indices { difference |= tag[i] ^ sealed[length + i] }
    return difference == 0 ? clear : nil
  }
}
