internal import System
internal import Wire

/// Puts fragmented packets together, as conntrack does before any other part of the kernel sees them.
///
/// As there, a packet whose fragments overlap is dropped whole (RFC 5722, RFC 8200 §4.5; Linux does so
/// with IPv4, too), an exact copy is passed over, and what is not complete in time is dropped.
struct Fragments {
  /// Fragments of packets that never were complete.
  private(set) var dropped: UInt64 = 0
  /// Bytes that wait for the rest of their packet, with what it costs to keep them.
  private(set) var waiting = 0

  private var packets: [Key: Incomplete] = [:]
  private var nextExpiry = Instant(nanoseconds: 0)

  private struct Key: Hashable {
    let source: IPAddress
    let destination: IPAddress
    let identification: UInt32
    /// IPv4's protocol; of IPv6 the identification says all.
    let proto: UInt8
  }

  private struct Incomplete {
    /// What stands before the fragments' data, from the first of them.
    var head: [UInt8] = []
    var pieces: [(offset: Int, bytes: [UInt8])] = []
    /// Bytes of the whole, once the last fragment has come.
    var count: Int?
    var received = 0
    var isCut = false
    let deadline: Instant
  }

  /// A fragment's place in its packet.
  private struct Place {
    let key: Key
    let offset: Int
    let isLast: Bool
    /// Bytes before its data, without a fragment header.
    let head: [UInt8]
    let data: Range<Int>
  }

  /// How long a packet may take: net.ipv4.ipfrag_time and nf_conntrack_frag6_timeout.
  private static let time = (ipv4: Instant.Span.seconds(30), ipv6: Instant.Span.seconds(60))
  /// Bytes that are kept at most: net.ipv4.ipfrag_high_thresh.
  private static let maximumWaiting = 4 << 20
  /// What keeping a fragment costs beside its bytes.
  private static let overhead = 64

  /// Takes a fragment; returns the packet that it completes.
  mutating func add(
    _ packet: RawSpan, _ ip: IPHeader, isCut: Bool, now: Instant
  ) -> (bytes: [UInt8], isCut: Bool)? {
    let bytes = PacketOutline.copy(packet)
    guard let place = Self.place(of: bytes, ip), waiting < Self.maximumWaiting else {
      dropped += 1
      return nil
    }
    let time = ip.source.isIPv4 ? Self.time.ipv4 : Self.time.ipv6
    var incomplete = packets[place.key] ?? Incomplete(deadline: now + time)
    let end = place.offset + place.data.count
    var overlap = 0
    var lastEnd = 0
    for piece in incomplete.pieces {
      let pieceEnd = piece.offset + piece.bytes.count
      overlap += max(0, min(end, pieceEnd) - max(place.offset, piece.offset))
      lastEnd = max(lastEnd, pieceEnd)
    }
    // Nothing new in it: a copy, whatever it says.
    if overlap == place.data.count {
      dropped += 1
      return nil
    }
    let isPastEnd: Bool
    if let count = incomplete.count {
      isPastEnd = place.isLast ? end != count : end > count
    } else {
      isPastEnd = place.isLast && lastEnd > end
    }
    guard overlap == 0, !isPastEnd, place.head.count + end <= 0xffff else {
      dropped += 1
      remove(place.key)
      return nil
    }
    incomplete.pieces.append((place.offset, Array(bytes[place.data])))
    incomplete.received += place.data.count
    incomplete.isCut = incomplete.isCut || isCut
    waiting += place.data.count + Self.overhead
    if place.isLast { incomplete.count = end }
    if place.offset == 0 { incomplete.head = place.head }
    packets[place.key] = incomplete
    guard incomplete.received == incomplete.count else { return nil }
    packets[place.key] = nil
    waiting -= incomplete.received + incomplete.pieces.count * Self.overhead
    return (Self.whole(incomplete), incomplete.isCut)
  }

  /// Drops what has waited too long.
  mutating func expire(_ now: Instant) {
    guard now >= nextExpiry else { return }
    nextExpiry = now + .seconds(1)
    for (key, packet) in packets where packet.deadline <= now { remove(key) }
  }

  /// Drops what is not complete.
  mutating func removeAll() {
    for key in Array(packets.keys) { remove(key) }
  }

  private mutating func remove(_ key: Key) {
    guard let packet = packets.removeValue(forKey: key) else { return }
    dropped += UInt64(packet.pieces.count)
    waiting -= packet.received + packet.pieces.count * Self.overhead
  }

  /// Where a fragment stands in its packet; nil for one that makes no sense.
  private static func place(of bytes: [UInt8], _ ip: IPHeader) -> Place? {
    func number16(_ offset: Int) -> Int { Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }
    if ip.source.isIPv4 {
      let field = number16(6)
      let isLast = field & 0x2000 == 0
      // Fragments but the last are a multiple of 8 bytes long: the kernel cuts them to that.
      let count = isLast ? ip.payload.count : ip.payload.count & ~7
      guard count > 0 else { return nil }
      let key = Key(
        source: ip.source, destination: ip.destination, identification: UInt32(number16(4)),
        proto: ip.proto.number)
      return Place(
        key: key, offset: (field & 0x1fff) * 8, isLast: isLast,
        head: Array(bytes[..<ip.payload.lowerBound]),
        data: ip.payload.lowerBound..<ip.payload.lowerBound + count)
    }
    // The headers before the fragment header were walked over by `ip` already.
    var nextAt = 6
    var offset = 40
    while bytes[nextAt] != 44 {
      guard offset + 8 <= ip.totalLength else { return nil }
      nextAt = offset
      offset += (Int(bytes[offset + 1]) + 1) * 8
    }
    guard offset + 8 < ip.totalLength else { return nil }
    let field = number16(offset + 2)
    let isLast = field & 1 == 0
    let data = offset + 8..<ip.totalLength
    guard isLast || data.count % 8 == 0 else { return nil }
    var head = Array(bytes[..<offset])
    head[nextAt] = bytes[offset]
    let identification = bytes[offset + 4..<offset + 8].reduce(0) { $0 << 8 | UInt32($1) }
    let key = Key(
      source: ip.source, destination: ip.destination, identification: identification, proto: 0)
    return Place(key: key, offset: field & 0xfff8, isLast: isLast, head: head, data: data)
  }

  /// The packet without a trace of its fragments, but for the header's checksum.
  private static func whole(_ packet: Incomplete) -> [UInt8] {
    var bytes = packet.head
    for piece in packet.pieces.ordered(by: { $0.offset < $1.offset }) { bytes += piece.bytes }
    let isIPv4 = (bytes.first ?? 0) >> 4 == 4
    let length = isIPv4 ? bytes.count : bytes.count - 40
    bytes[isIPv4 ? 2 : 4] = UInt8(length >> 8 & 0xff)
    bytes[isIPv4 ? 3 : 5] = UInt8(length & 0xff)
    if isIPv4 { (bytes[6], bytes[7]) = (0, 0) }
    return bytes
  }
}
