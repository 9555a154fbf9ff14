internal import CNetfilter
internal import CSystem

/// Where what follows begins: messages and attributes are padded to 4 bytes.
func netlinkAligned(_ length: Int) -> Int { (length + 3) & ~3 }

extension RawSpan {
  // The loads are bounds-checked by the standard library, and any bits are a valid integer: every
  // caller has compared the length before, so that no input can make them trap.

  /// The 16 bits at `offset`, in the machine's byte order (netlink headers).
  func native16(at offset: Int) -> UInt16 {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
  }

  /// The 32 bits at `offset`, in the machine's byte order (netlink headers).
  func native32(at offset: Int) -> UInt32 {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
  }

  /// The 8 bits at `offset`.
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// The 16 bits at `offset`, in network byte order (netfilter attributes).
  func network16(at offset: Int) -> UInt16 { UInt16(bigEndian: native16(at: offset)) }

  /// The 32 bits at `offset`, in network byte order (netfilter attributes).
  func network32(at offset: Int) -> UInt32 { UInt32(bigEndian: native32(at: offset)) }

  /// The 64 bits at `offset`, in network byte order (netfilter attributes).
  func network64(at offset: Int) -> UInt64 {
    UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}

/// One netlink message (struct nlmsghdr of linux/netlink.h and what follows it).
///
/// ```
/// 0  u32 length, header included      8  u32 sequence number
/// 4  u16 type   6  u16 flags         12  u32 port      16  body
/// ```
struct NetlinkMessage: ~Escapable {
  /// Bytes of the header.
  static let headerSize = 16

  /// For netfilter: subsystem (high byte) and operation (low byte).
  let type: UInt16
  /// NLM_F_MULTI, NLM_F_DUMP_INTR, ...
  let flags: UInt16
  /// The number of the request that this answers.
  let sequence: UInt32
  /// What follows the header.
  let body: RawSpan
  /// Whether the message says it is longer than the bytes that are there.
  let isCut: Bool

  /// The message that begins at the first of `bytes`, which are at least a header.
  @_lifetime(copy bytes)
  fileprivate init(_ bytes: RawSpan, length: Int) {
    type = bytes.native16(at: 4)
    flags = bytes.native16(at: 6)
    sequence = bytes.native32(at: 8)
    body = bytes.extracting(Self.headerSize..<min(length, bytes.byteCount))
    isCut = length > bytes.byteCount
  }

  /// Of a reply (NLMSG_ERROR): the errno, 0 for an acknowledgement; nil for any other message.
  var replyCode: CInt? {
    guard type == UInt16(NLMSG_ERROR) else { return nil }
    return Self.errno(in: body)
  }

  /// Of the end of a dump (NLMSG_DONE): the errno that ended it, 0 for none; nil for any other
  /// message.
  var doneCode: CInt? {
    guard type == UInt16(NLMSG_DONE) else { return nil }
    return body.byteCount < 4 ? 0 : Self.errno(in: body)
  }

  // The kernel stores errors negated; nonsense becomes EBADMSG instead of an overflow.
  private static func errno(in body: RawSpan) -> CInt {
    guard body.byteCount >= 4 else { return EBADMSG }
    let value = CInt(bitPattern: body.native32(at: 0))
    return value <= 0 && value > -4096 ? -value : EBADMSG
  }

  /// The attributes of a netfilter message: those after struct nfgenmsg (family, version, resource
  /// id: 4 bytes).
  var attributes: Attributes {
    @_lifetime(copy self)
    get { Attributes(body.extracting(droppingFirst: min(4, body.byteCount))) }
  }
}

/// Goes through the messages of one datagram.
struct MessageReader: ~Escapable {
  private var rest: RawSpan

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { rest = bytes }

  /// The next message; nil at the end, and at nonsense, after which nothing can be found.
  @_lifetime(self: copy self)
  @_lifetime(copy self)
  mutating func next() -> NetlinkMessage? {
    guard rest.byteCount >= NetlinkMessage.headerSize else { return nil }
    let length = Int(rest.native32(at: 0))
    guard length >= NetlinkMessage.headerSize else { return nil }
    let message = NetlinkMessage(rest, length: length)
    rest = rest.extracting(droppingFirst: min(netlinkAligned(length), rest.byteCount))
    return message
  }
}

/// One netlink attribute (struct nlattr): u16 length with the 4 bytes of its header, u16 type,
/// value, padding to 4 bytes.
struct Attribute: ~Escapable {
  /// The type without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  let type: UInt32
  /// The value.
  let value: RawSpan
  /// Whether the attribute says it is longer than the bytes that are there.
  let isCut: Bool

  /// The attribute that begins at the first of `bytes`, which are at least a header.
  @_lifetime(copy bytes)
  fileprivate init(_ bytes: RawSpan, length: Int) {
    type = UInt32(bytes.native16(at: 2) & 0x3fff)
    value = bytes.extracting(4..<min(length, bytes.byteCount))
    isCut = length > bytes.byteCount
  }

  /// The value as a 32-bit number in network byte order; nil when it is too short.
  var network32: UInt32? { value.byteCount >= 4 ? value.network32(at: 0) : nil }

  /// The value as a 16-bit number in network byte order; nil when it is too short.
  var network16: UInt16? { value.byteCount >= 2 ? value.network16(at: 0) : nil }

  /// The value as a 64-bit number in network byte order; nil when it is too short.
  var network64: UInt64? { value.byteCount >= 8 ? value.network64(at: 0) : nil }

  /// The value as nested attributes.
  var nested: Attributes {
    @_lifetime(copy self)
    get { Attributes(value) }
  }
}

/// Goes through attributes that follow each other.
struct Attributes: ~Escapable {
  private var rest: RawSpan

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { rest = bytes }

  /// The next attribute; nil at the end, and at nonsense, after which nothing can be found.
  @_lifetime(self: copy self)
  @_lifetime(copy self)
  mutating func next() -> Attribute? {
    guard rest.byteCount >= 4 else { return nil }
    let length = Int(rest.native16(at: 0))
    guard length >= 4 else { return nil }
    let attribute = Attribute(rest, length: length)
    rest = rest.extracting(droppingFirst: min(netlinkAligned(length), rest.byteCount))
    return attribute
  }
}
