/// An extension of a hello.
public struct TLSExtension: Sendable {
  /// Its type.
  public var type: UInt16
  /// Its data.
  public var data: [UInt8]

  /// An extension.
  public init(_ type: UInt16, _ data: [UInt8]) {
    self.type = type
    self.data = data
  }

  /// server_name with the given host names; one is right.
  public static func serverName(_ names: [UInt8]...) -> TLSExtension {
    var list: [UInt8] = []
    for name in names {
      list.append(0)
      list.append(bigEndian: UInt16(name.count))
      list += name
    }
    return TLSExtension(0x0000, sized16(list))
  }

  /// server_name with one host name.
  public static func serverName(_ name: String) -> TLSExtension { serverName(.ascii(name)) }

  /// supported_versions.
  public static func supportedVersions(_ versions: [UInt16]) -> TLSExtension {
    var list: [UInt8] = [UInt8(versions.count * 2)]
    for version in versions { list.append(bigEndian: version) }
    return TLSExtension(0x002b, list)
  }

  /// key_share of the size of X25519MLKEM768 (1,216 bytes of key) and X25519: a post-quantum hello.
  public static let postQuantumKeyShare = TLSExtension(
    0x0033,
    sized16(
      hex("11ec 04c0") + [UInt8](repeating: 0xd1, count: 1216) + hex("001d 0020 d2*32")))

  /// padding (RFC 7685).
  public static func padding(_ count: Int) -> TLSExtension {
    TLSExtension(0x0015, [UInt8](repeating: 0, count: count))
  }

  /// encrypted_client_hello of the outer kind.
  public static let encryptedHello = TLSExtension(
    0xfe0d, hex("00 0001 0001 07 0020 e1*32 0010 e2*16"))
}

/// A TLS ClientHello: `ClientHelloBuilder(name: "short.weixin.qq.com").bytes`.
///
/// By default a small TLS 1.3 hello with server_name and supported_versions, in one record.
public struct ClientHelloBuilder: Sendable {
  /// Version of the record layer.
  public var recordVersion: UInt16 = 0x0301
  /// legacy_version.
  public var legacyVersion: UInt16 = 0x0303
  /// random, 32 bytes.
  public var random = [UInt8](repeating: 0x5a, count: 32)
  /// legacy_session_id.
  public var sessionID: [UInt8] = []
  /// The cipher suites.
  public var cipherSuites: [UInt16] = [0x1301]
  /// The compression methods.
  public var compression: [UInt8] = [0]
  /// The extensions; nil leaves out even their length.
  public var extensions: [TLSExtension]?
  /// Bytes inside the message behind the extensions; none is right.
  public var trailer: [UInt8] = []

  /// A hello for `name`, or without server_name.
  public init(name: String?) {
    extensions = (name.map { [.serverName($0)] } ?? []) + [.supportedVersions([0x0304])]
  }

  /// A hello with these extensions.
  public init(extensions: [TLSExtension]?) { self.extensions = extensions }

  /// A hello as browsers send it since 2024: GREASE, post-quantum key share, ALPN; about 1,800 bytes.
  public static func postQuantum(name: String) -> ClientHelloBuilder {
    var hello = ClientHelloBuilder(extensions: [
      TLSExtension(0x1a1a, []), .serverName(name), TLSExtension(0x0017, []),
      TLSExtension(0xff01, [0]), TLSExtension(0x0010, sized16([2] + .ascii("h2"))),
      .postQuantumKeyShare, .supportedVersions([0x2a2a, 0x0304, 0x0303]), .encryptedHello,
      TLSExtension(0x4a4a, [0]), .padding(280),
    ])
    hello.sessionID = [UInt8](repeating: 0x77, count: 32)
    hello.cipherSuites = [0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f]
    return hello
  }

  /// The same hello with some fields changed.
  public func with(_ change: (inout ClientHelloBuilder) -> Void) -> ClientHelloBuilder {
    var copy = self
    change(&copy)
    return copy
  }

  /// The handshake message, without records.
  public var message: [UInt8] {
    var body: [UInt8] = []
    body.append(bigEndian: legacyVersion)
    body += random
    body.append(UInt8(sessionID.count))
    body += sessionID
    body.append(bigEndian: UInt16(cipherSuites.count * 2))
    for suite in cipherSuites { body.append(bigEndian: suite) }
    body.append(UInt8(compression.count))
    body += compression
    if let extensions {
      var list: [UInt8] = []
      for item in extensions {
        list.append(bigEndian: item.type)
        list += sized16(item.data)
      }
      body += sized16(list)
    }
    return handshake(1, body + trailer)
  }

  /// The stream: the message in one record.
  public var bytes: [UInt8] { tlsRecord(22, version: recordVersion, message) }

  /// The stream: the message in records of at most `size` bytes.
  public func bytes(recordsOf size: Int) -> [UInt8] {
    message.pieces(of: size).flatMap { tlsRecord(22, version: recordVersion, $0) }
  }
}

/// A TLS ServerHello: `ServerHelloBuilder().bytes`, `ServerHelloBuilder(isRetry: true).bytes`.
public struct ServerHelloBuilder: Sendable {
  /// random; a HelloRetryRequest has its own (RFC 8446 §4.1.3).
  public var random: [UInt8]
  /// The extensions.
  public var extensions: [TLSExtension]

  /// A ServerHello, or a HelloRetryRequest.
  public init(isRetry: Bool = false) {
    random =
      isRetry
      ? hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
      : [UInt8](repeating: 0xb7, count: 32)
    extensions = [TLSExtension(0x002b, [3, 4])]
  }

  /// The handshake message, without records.
  public var message: [UInt8] {
    var list: [UInt8] = []
    for item in extensions {
      list.append(bigEndian: item.type)
      list += sized16(item.data)
    }
    // legacy version, random, no session id, one suite, null compression, extensions
    return handshake(2, hex("0303") + random + hex("00 1301 00") + sized16(list))
  }

  /// The stream: the message in one record.
  public var bytes: [UInt8] { tlsRecord(22, version: 0x0303, message) }
}

/// A TLS record.
public func tlsRecord(_ type: UInt8, version: UInt16 = 0x0303, _ fragment: [UInt8]) -> [UInt8] {
  var record: [UInt8] = [type]
  record.append(bigEndian: version)
  return record + sized16(fragment)
}

/// A TLS alert: fatal handshake_failure by default.
public func tlsAlert(level: UInt8 = 2, description: UInt8 = 40) -> [UInt8] {
  tlsRecord(21, [level, description])
}

/// A handshake message with its type and 24-bit length.
private func handshake(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
  [type, UInt8(body.count >> 16), UInt8(body.count >> 8 & 0xff), UInt8(body.count & 0xff)] + body
}

/// Bytes with their 16-bit length before them.
private func sized16(_ bytes: [UInt8]) -> [UInt8] {
  var sized: [UInt8] = []
  sized.append(bigEndian: UInt16(truncatingIfNeeded: bytes.count))
  return sized + bytes
}
