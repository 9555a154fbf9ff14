import Capture

/// An address and a port, read from a table or a packet without any help of the program's own
/// parsers.
struct End: Hashable {
  /// 4 bytes, or 16.
  let address: [UInt8]
  let port: UInt16

  init(_ address: [UInt8], _ port: UInt16) {
    self.address = address
    self.port = port
  }

  /// An end as a table spells it: dotted, or IPv6 with at most one `::`.
  init?(_ text: String, _ port: String) {
    guard let address = Self.address(text) else { return nil }
    self.init(address, UInt16(port) ?? 0)
  }

  private static func address(_ text: String) -> [UInt8]? {
    if !text.contains(":") {
      let numbers = text.split(separator: ".").compactMap { UInt8($0) }
      return numbers.count == 4 ? numbers : nil
    }
    func groups(_ text: Substring) -> [UInt8] {
      text.split(separator: ":").flatMap { group -> [UInt8] in
        if group.contains(".") { return group.split(separator: ".").compactMap { UInt8($0) } }
        let number = UInt16(group, radix: 16) ?? 0
        return [UInt8(number >> 8), UInt8(number & 0xff)]
      }
    }
    guard let gap = text.firstPair(of: ":") else {
      let bytes = groups(text[...])
      return bytes.count == 16 ? bytes : nil
    }
    let head = groups(text[..<gap])
    let tail = groups(text[gap...])
    guard head.count + tail.count <= 16 else { return nil }
    return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  /// 224.0.0.0/4, ff00::/8.
  var isMulticast: Bool {
    let first = address.first ?? 0
    return address.count == 4 ? first >> 4 == 0xe : first == 0xff
  }
}

extension String {
  /// Where the first two of a character in a row begin.
  fileprivate func firstPair(of character: Character) -> Index? {
    var last: Index?
    for index in indices {
      guard self[index] == character else {
        last = nil
        continue
      }
      if let last { return last }
      last = index
    }
    return nil
  }
}

/// What the clients of a capture's flows said, put together by simple means of the tests' own.
///
/// Simple means: of overlapping copies the first counts, fragments are left out, checksums are not
/// looked at. Only the file format is read by the program's module Capture.
struct ClientBytes {
  /// A flow of the table.
  struct Flow {
    let client: End
    let server: End
    let isTCP: Bool
    let firstFrame: UInt64

    /// TCP: the number of the client's first byte, and the pieces by their place.
    fileprivate(set) var origin: UInt32?
    fileprivate(set) var pieces: [(offset: Int, bytes: [UInt8])] = []
    /// UDP: the client's datagrams.
    fileprivate(set) var datagrams: [[UInt8]] = []
    /// Whether the capture has only a part of a packet of the client's.
    fileprivate(set) var isCut = false
    fileprivate var count = 0

    /// The stream from its first byte to the first that the capture doesn't have.
    var stream: [UInt8] {
      var stream: [UInt8] = []
      for piece in pieces.sorted(by: { $0.offset < $1.offset }) {
        guard piece.offset <= stream.count else { break }
        stream += piece.bytes.dropFirst(stream.count - piece.offset)
      }
      return stream
    }
  }

  private struct Key: Hashable {
    let isTCP: Bool
    let ends: Set<End>
  }

  private(set) var flows: [Flow] = []
  /// Packets that are a part of one only.
  private(set) var fragments = 0
  private var byEnds: [Key: [Int]] = [:]
  /// Bytes of a flow that are kept at most.
  private static let maximum = 1 << 20

  /// The bytes of `rows`' flows, in their order.
  init(_ capture: String, _ rows: [[String: String]]) {
    for (index, row) in rows.enumerated() {
      let isTCP = row["proto"] == "TCP"
      let client = End(row["client"] ?? "", row["cport"] ?? "") ?? End([], 0)
      let server = End(row["server"] ?? "", row["sport"] ?? "") ?? End([], 0)
      flows.append(
        Flow(
          client: client, server: server, isTCP: isTCP,
          firstFrame: UInt64(row["first_frame"] ?? "") ?? 0))
      guard isTCP || row["proto"] == "UDP" else { continue }
      byEnds[Key(isTCP: isTCP, ends: [client, server]), default: []].append(index)
    }
    var packets: [(UInt64, Bool, UInt32, [UInt8])] = []
    do throws(CaptureError) {
      try CaptureFile.forEachPacket(capture) { captured, frame in
        packets.append(
          (captured.number, captured.isCut, captured.linkType, Self.bytes(of: frame)))
      }
    } catch {
      // What came before the broken place counts.
    }
    for (number, isCut, linkType, frame) in packets {
      guard let packet = Self.network(frame, linkType) else { continue }
      add(packet, number, isCut: isCut)
    }
  }

  private static func bytes(of span: RawSpan) -> [UInt8] {
    // Within bounds: the indices come from the span itself.
    span.byteOffsets.map { unsafe span.unsafeLoad(fromUncheckedByteOffset: $0, as: UInt8.self) }
  }

  // MARK: Packets

  /// The IP packet in a frame.
  private static func network(_ frame: [UInt8], _ linkType: UInt32) -> ArraySlice<UInt8>? {
    var offset = 0
    var type = 0
    switch linkType {
    case 1: offset = 12
    case 113: offset = 14
    case 0, 108: offset = 4
    // PPP: address and control, if they are there, and the protocol of one byte or two.
    case 9:
      offset = frame.starts(with: [0xff, 0x03]) ? 2 : 0
      guard frame.count > offset else { return nil }
      offset += frame[offset] & 1 == 1 ? 1 : 2
    case 276: return frame.count > 20 ? frame[20...] : nil
    case 12, 14, 101, 228, 229: break
    default: return nil
    }
    if linkType == 1 || linkType == 113 {
      repeat {
        guard frame.count >= offset + 4 else { return nil }
        type = Int(frame[offset]) << 8 | Int(frame[offset + 1])
        offset += type == 0x8100 || type == 0x88a8 ? 4 : 2
      } while type == 0x8100 || type == 0x88a8
      // PPPoE and PPP: 8 bytes.
      if type == 0x8864 { offset += 8 }
      guard type == 0x0800 || type == 0x86dd || type == 0x8864 else { return nil }
    }
    return frame.count > offset ? frame[offset...] : nil
  }

  private mutating func add(_ packet: ArraySlice<UInt8>, _ number: UInt64, isCut: Bool) {
    let bytes = Array(packet)
    func number16(_ offset: Int) -> Int { Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }
    guard bytes.count >= 20 else { return }
    let source: [UInt8]
    let destination: [UInt8]
    var offset: Int
    var end: Int
    let proto: UInt8
    switch bytes[0] >> 4 {
    case 4:
      guard number16(6) & 0x3fff == 0 else {
        fragments += 1
        return
      }
      offset = Int(bytes[0] & 0x0f) * 4
      end = number16(2)
      proto = bytes[9]
      (source, destination) = (Array(bytes[12..<16]), Array(bytes[16..<20]))
    case 6:
      guard bytes.count >= 40 else { return }
      offset = 40
      end = 40 + number16(4)
      proto = bytes[6]
      // Behind such headers a fragment header may stand.
      if [0, 43, 44, 60].contains(proto) { fragments += 1 }
      (source, destination) = (Array(bytes[8..<24]), Array(bytes[24..<40]))
    default: return
    }
    // Of a segment that the network card would have cut, Linux gives no length.
    if end == 0 || end == 40 && bytes[0] >> 4 == 6 { end = bytes.count }
    end = min(end, bytes.count)
    guard proto == 6 || proto == 17, end >= offset + (proto == 6 ? 20 : 8) else { return }
    let from = End(source, UInt16(number16(offset)))
    let to = End(destination, UInt16(number16(offset + 2)))
    let isTCP = proto == 6
    guard let candidates = byEnds[Key(isTCP: isTCP, ends: [from, to])] else { return }
    // Of several flows between the same ends, the last that has begun.
    let index =
      candidates.last { flows[$0].firstFrame <= number } ?? candidates[candidates.startIndex]
    guard flows[index].client == from else { return }
    if isCut { flows[index].isCut = true }
    if !isTCP {
      guard flows[index].datagrams.count < 1000 else { return }
      flows[index].datagrams.append(Array(bytes[offset + 8..<end]))
      return
    }
    let sequence = UInt32(number16(offset + 4)) << 16 | UInt32(number16(offset + 6))
    let isSYN = bytes[offset + 13] & 0x02 != 0
    let payload = bytes[min(end, offset + Int(bytes[offset + 12] >> 4) * 4)..<end]
    if isSYN, flows[index].origin == nil { flows[index].origin = sequence &+ 1 }
    guard !isSYN, let origin = flows[index].origin, !payload.isEmpty else { return }
    let place = Int(Int32(bitPattern: sequence &- origin))
    guard place >= 0, flows[index].count + payload.count <= Self.maximum else { return }
    flows[index].count += payload.count
    flows[index].pieces.append((place, Array(payload)))
  }
}
