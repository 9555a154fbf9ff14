/// Made-up bytes of each protocol that chat uses, all of them well-formed.
public enum Chat {
  // MARK: TLS

  /// A TLS hello for short.weixin.qq.com.
  public static let tlsHello = hex(
    """
    16 0301 0052 ; record: handshake, legacy version 3.1, length 82
    01 00004e 0303 5a*32 00 ; ClientHello 78, legacy version, random, no session id
    0002 1301 01 00 0023 ; one suite, null compression, extensions 35
    0000 0018 0016 00 0013 "short.weixin.qq.com" ; server_name 24, list 22, host_name, 19
    002b 0003 02 0304 ; supported_versions: TLS 1.3
    """)

  /// The same hello over two records.
  public static let tlsSplitHello = hex(
    """
    16 0301 0014 01 00004e 0303 5a*14 ; 20 bytes, ends inside the random
    16 0301 003e 5a*18 00 0002 1301 01 00 0023 0000 0018 0016 00 0013 ; the other 62
    "short.weixin.qq.com" 002b 0003 02 0304
    """)

  // MARK: mmtls

  /// An mmtls hello with a ticket.
  public static let ticketHello = hex(
    """
    16 f104 00a1 ; handshake, version, body 161
    0000009d 01 04f1 01 00a8 ; section = body - 4, ClientHello, version reversed, one suite: PSK
    a5*32 65000000 ; random, Unix time
    0000006f 01 0000006a 000f 01 ; extensions 111, one; 106, type PSK, one ticket
    00000063 01 00093a80 0000 00000007 ; ticket 99, access, 604800 s, no MAC, key version
    000c c1*12 0048 c2*72 ; nonce 12, ticket 72
    """)

  /// An mmtls hello with key shares.
  public static let sharesHello = hex(
    """
    16 f104 00df 000000db 01 04f1 02 c02b 00a8 ; body 223, two suites
    a5*32 65000000 000000ab 01 000000a6 0010 02 ; extensions 171, one; 166, key share, two points
    00000047 00000005 0041 04 d1*64 ; 71 bytes, id 5, uncompressed point of 65
    00000047 00000006 0041 04 d2*64 ; 71 bytes, id 6
    00000000 02 00000003 00000004 ; 13 bytes, meaning not established
    """)

  /// A server's answer to `ticketHello`.
  public static let mmtlsAnswer = hex(
    """
    16 f104 002e 0000002a 02 04f1 00a8 b7*32 00000001 00 ; ServerHello 46, PSK, no extension
    16 f104 0037 e1*55 ; encrypted
    """)

  /// A short link server's answer to a long link's hello.
  public static let mmtlsAlert = hex(
    "15 f104 0007 00000003 007302 ; alert 7, section 3, level, description")

  // MARK: Short link

  /// A short link request, with its body.
  public static func shortLink(
    id: String = "0a1b2c3d", first: String = "Accept: */*", host: String = "short.weixin.qq.com",
    length: Int = 264
  ) -> [UInt8] {
    .ascii(
      "POST /mmtls/\(id) HTTP/1.1\r\n\(first)\r\nCache-Control: no-cache\r\n"
        + "Connection: close\r\nContent-Length: \(length)\r\n"
        + "Content-Type: application/octet-stream\r\nHost: \(host)\r\nUpgrade: mmtls\r\n"
        + "User-Agent: MicroMessenger Client\r\n\r\n") + shortLinkBody
  }

  /// The records of a short link request.
  public static let shortLinkBody = hex(
    """
    19 f104 00a1 0000009d 01 04f1 01 00a8 a6*32 65000000 ; 0-RTT hello, 166 with its header
    0000006f 01 0000006a 000f 01 00000063 01 00093a80 0000 00000007 000c c1*12 0048 c2*72
    19 f104 0024 e2*36 ; 41 bytes, encrypted
    17 f104 0018 e3*24 ; 29, the request
    15 f104 0017 e4*23 ; 28, the end
    """)

  // MARK: Long link and newgetdns

  /// Two packets of an old client's long link.
  public static let longLink = hex(
    """
    00000010 0010 0001 00000006 0000000f ; total, header 16, version 1, cmd 6, seq 15
    000000ca 0010 0001 000000ed 00000010 c3*186 ; total 202, cmd 237
    """)

  /// A newgetdns request.
  public static let newDNS = hex(
    #"""
    "GET /cgi-bin/micromsg-bin/newgetdns?uin=0&clientversion=671094583&scene=0&net=1 HTTP/1.0\r\n"
    "Accept-Encoding: deflate\r\nConnection: close\r\nHost: dns.weixin.qq.com\r\n"
    "User-Agent: MicroMessenger Client\r\n\r\n"
    """#)

  /// The inflated reply; of it only szlong and the newgetdns server may teach anything.
  public static let newDNSReply = """
    <?xml version="1.0" encoding="utf-8"?>
    <dns>
    <domainlist>
    <domain name="szlong.weixin.qq.com" timeout="1860">
    <ipv6>::ffff:198.18.0.7</ipv6>
    <ip>198.18.0.7</ip>
    </domain>
    <domain name="localhost" timeout="1860">
    <ip>127.0.0.1</ip>
    </domain>
    <domain name="mp.weixin.qq.com" timeout="1860" gslb="1">
    <ip property="major">198.18.0.9</ip>
    </domain>
    </domainlist>
    <builtiniplist>
    <ip>198.18.0.1</ip>
    </builtiniplist>
    </dns>
    <securedomainlist>
    </securedomainlist>
    <functionlist>
    </functionlist>

    """

  /// The reply as raw DEFLATE: 219 bytes of 489.
  public static let newDNSDeflated = hex(
    """
    7d515d73c220107cefaf60782f041f346692f85b2292f43a70877c58db5f5f6c5adb58471e1876b9db5d8e767776969d4c88
    40d871252ace0c6a3a004e1dcf697caef9ae7f6a0f182f3bb901d0424c57c07070a6e3f1c3124ee2cdc019501c8f4293e32c
    81339453d1add7152f3de04febbe69c6b21ab5ad85aa452536adfce22fd7fd922d9c9c7d6e0d2de9c1be504c775d7ab5da14
    8d4aa8c72ace3f8ecca668f7e53cab321fc89b90de4be3f04a81ffa6ddfef3918b61ed33d80408fe1bff7de935e36d919ca7
    1e8dcec12ce4e41d6ecca853f9c59f9225fe04
    """)

  /// The reply of a newgetdns server; without `length` it ends with the connection.
  public static func newDNSAnswer(
    _ body: [UInt8] = newDNSDeflated, coding: String? = "deflate", length: Int?
  ) -> [UInt8] {
    var head = "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n"
    if let coding { head += "Content-Encoding: \(coding)\r\n" }
    if let length { head += "Content-Length: \(length)\r\n" }
    return .ascii(head + "\r\n") + body
  }

  // MARK: Media

  /// The smallest 0xAB frame.
  public static let mediaFrame = hex(
    """
    ab 0000003b 2714 00*18 ; magic, total 59, command, undocumented to offset 25
    00000003 "ver" 00000001 "1" 00000009 "weixinnum" 00000005 "10001" ; key-value pairs
    """)

  /// A media form to 198.18.0.20.
  public static func mediaForm(
    path: String = "/uploadv3", body: [UInt8] = mediaPairs, length: Int = 34
  ) -> [UInt8] {
    .ascii(
      "POST \(path) HTTP/1.1\r\nHost: 198.18.0.20\r\nUser-Agent: MicroMessenger Client\r\n"
        + "Content-Length: \(length)\r\n\r\n") + body
  }

  /// The pairs of a media form.
  public static let mediaPairs = hex(
    """
    00000003 "ver" 00000001 "1" ; 12
    00000009 "weixinnum" 00000005 "10001" ; 22
    """)

  // MARK: QQ

  /// An OICQ datagram.
  public static let oicq = hex(
    """
    02 3b0b 0001 0017 00002711 ; start, version, command, sequence, number
    00*8 c4*24 03 ; body, end
    """)

  /// The same over TCP.
  public static let oicqStream = hex("002e ; total 46 counts itself") + oicq

  /// QQNT's heartbeat.
  public static let heartbeat = hex(
    """
    00000035 0000000d 00 00000101 00 00000004 ; total, protocol, in clear, sequence, 0, no account
    0000001f 00000013 "Heartbeat.Alive" 00000004 00000004 ; head 31 with itself, two empty fields
    00000004 ; empty body
    """)

  /// QQNT's login.
  public static let ntLogin = hex(
    """
    00000027 0000000c 02 00000004 00 ; total, protocol, zero key, empty ticket, 0
    00000009 "10001" c5*16 ; account, encrypted
    """)

  /// A frame after the login.
  public static let simple = hex(
    """
    00000027 0000000b 01 00000007 00 ; total, protocol, session key, sequence, 0
    00000009 "10001" c5*16 ; account, encrypted
    """)

  /// A server's frame.
  public static let serverFrame = hex(
    """
    00000023 0000000b 01 00 ; total, protocol, session key, 0: no sequence
    00000009 "10001" c5*16 ; account, encrypted
    """)

  /// A Highway frame.
  public static let highway = hex(
    """
    28 00000004 00000004 ; start, head 4, body 4
    0a020801 "abcd" 29 ; head (protobuf), body, end
    """)

  // MARK: QUIC

  /// A gQUIC hello for szquic.weixin.qq.com.
  public static let gquic = hex(
    #"""
    0d c7*8 "Q043" 01 c8*12 ; flags (version, 8-byte id), id, version, packet 1, hash
    a0 01 003c "CHLO" 0200 0000 ; stream frame, stream 1, 60 bytes; two tags, little-endian now
    "PAD\0" 10000000 "SNI\0" 24000000 2d*16 "szquic.weixin.qq.com" ; end offsets 16 and 36
    """#)

  /// A QUIC Initial.
  public static let quic = hex(
    """
    c0 00000001 ; long header, Initial; version 1
    08 c7*8 00 ; destination id of 8 bytes, no source id
    00 4040 00*64 ; no token, 64 bytes
    """)
}
