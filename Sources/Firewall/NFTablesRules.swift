internal import Queue

/// The plan in nftables rules: one table, `inet imgate`, for both families.
struct NFTablesRules {
  /// A chain of our table.
  struct Chain: Equatable, Sendable {
    let name: String
    /// What hooks it into the kernel: `type filter hook forward priority -150; policy accept;`; nil
    /// for a chain that only others lead to.
    let hook: String?
    /// The rules, without the comments that mark them as ours.
    let rules: [String]

    /// The rules as they are given to nft.
    ///
    /// nft lists a rule in other words than it was given, and in other words again in another
    /// version; so each carries a digest of its text, by which it is known.
    var marked: [String] { rules.map { "\($0) comment \"\(NFTablesRules.digest($0))\"" } }
  }

  static let table = "imgate"
  /// The name under which the rules are tried.
  static let probeTable = "imgate_probe"

  let plan: FirewallPlan
  /// What stands where packets are sent to the queues: a test on a kernel without the queue
  /// expression puts `accept` here.
  var queueStatement: String?

  /// All chains of the table; a chain comes after those that it leads to.
  var chains: [Chain] {
    [
      Chain(name: "ask", hook: nil, rules: [queue(plan.queues)]),
      Chain(name: "payload", hook: nil, rules: payload),
    ] + inspectUp + inspectDown + [
      Chain(name: "inspect", hook: Self.hook("forward", -150), rules: lanTraffic("up", "down")),
      Chain(name: "keep", hook: nil, rules: Self.passing.map { "\(has($0)) \(save($0)) return" }),
      Chain(name: "copy", hook: nil, rules: copy),
      Chain(
        name: "refuse", hook: nil,
        rules: [
          "meta l4proto tcp reject with tcp reset",
          "meta l4proto udp reject with icmpx type port-unreachable",
          "reject with icmpx type admin-prohibited",
        ]),
      Chain(
        name: "judged", hook: nil,
        rules: [
          "\(has(.allowed)) \(connectionHas(.allowed)) return",
          "jump copy",
          "\(has(.denied)) goto refuse",
          "\(connectionHas(.denied)) goto refuse",
        ]),
      Chain(name: "enforce", hook: Self.hook("forward", 0), rules: lanTraffic("judged", "judged")),
      Chain(name: "last", hook: nil, rules: last),
      Chain(name: "closing", hook: Self.hook("forward", 50), rules: lanTraffic("last", "last")),
      Chain(
        name: "ask_door", hook: nil,
        rules: [
          "meta mark set meta mark and \(plan.othersText)",
          queue(plan.dnsQueue...plan.dnsQueue),
        ]),
      Chain(name: "door", hook: Self.hook("input", -150), rules: questions("goto ask_door")),
      Chain(
        name: "door_enforce", hook: Self.hook("input", 0),
        rules: ["tcp dport 53", Self.asked("tcp")].map {
          "iifname \(lan) \($0) \(has(.denied)) reject with tcp reset"
        }),
      Chain(name: "door_last", hook: nil, rules: doorLast),
      Chain(name: "door_closing", hook: Self.hook("input", 50), rules: questions("goto door_last")),
      Chain(
        name: "dns", hook: Self.hook("output", -150),
        // What the gateway answers itself is marked as allowed. Nor is the reset queued by which
        // `enforce` refuses a connection to port 53: it belongs to a connection that is not
        // confirmed, and the kernel drops such a packet instead (nf_ct_drop_unconfirmed in
        // nfnetlink_queue.c).
        rules: ["\(has(.allowed)) return"]
          + [
            "udp sport 53", "tcp sport 53 tcp flags & rst == 0", Self.answered("udp"),
            "tcp flags & rst == 0 \(Self.answered("tcp"))",
          ].map {
            "\($0) oifname \(lan) \(queue(plan.dnsQueue...plan.dnsQueue))"
          }),
    ]
  }

  // From the LAN. One look-up leads to the chain of the connection's state; each of them first sets
  // the packet's mark to that state.
  private var inspectUp: [Chain] {
    [
      state("up_allowed", .allowed, ["\(Self.opens) goto ask", "ct state related goto ask"]),
      state("denied", .denied, ["\(Self.opens) goto ask"]),
      state("up_watched", .watched, Self.tcpPayload),
      // From one LAN interface to another, both ends are "up": the server's bare ACKs too.
      state(
        "up_awaiting", .awaiting,
        ["oifname \(lan) goto ask", many("original")] + Self.tcpPayload),
      state("up_both", .watchedBothWays, Self.tcpPayload),
      state("up_opened", .opened, [many("original")] + Self.tcpPayload),
      state("cut", .cut, ["goto ask"]),
      Chain(
        name: "up", hook: nil,
        rules: begin + [
          byState([
            (.allowed, "up_allowed"), (.denied, "denied"), (.watched, "up_watched"),
            (.awaiting, "up_awaiting"), (.watchedBothWays, "up_both"), (.opened, "up_opened"),
            (.cut, "cut"),
          ]), "goto ask",
        ]),
    ]
  }

  // Towards the LAN. `ct state related` is an ICMP error here: `begin` has sent everything else that
  // is related to the queue.
  private var inspectDown: [Chain] {
    [
      state("down_allowed", .allowed, ["\(Self.opens) goto ask"]),
      state("down_watched", .watched, ["\(Self.opens) goto ask"]),
      state("down_awaiting", .awaiting, ["ct state related return", "goto ask"]),
      state("down_both", .watchedBothWays, ["ct state related return"] + Self.tcpPayload),
      state(
        "down_opened", .opened,
        ["ct state related return", many("reply")] + Self.tcpPayload),
      Chain(
        name: "down", hook: nil,
        rules: begin + [
          byState([
            (.allowed, "down_allowed"), (.denied, "denied"), (.watched, "down_watched"),
            (.awaiting, "down_awaiting"), (.watchedBothWays, "down_both"),
            (.opened, "down_opened"), (.cut, "cut"),
          ]), "goto ask",
        ]),
    ]
  }

  // What both directions begin with: our bits are cleared, and what has no sane connection of its
  // own ends here. A connection that a conntrack helper expected inherits its parent's mark: it is
  // judged as any other.
  private var begin: [String] {
    [
      "meta mark set meta mark and \(plan.othersText)",
      "ct state invalid drop",
      "ct state related meta l4proto != { icmp, ipv6-icmp } goto ask",
    ]
  }

  // Options of TCP carry up to 40 bytes in each packet that has no payload.
  private func many(_ direction: String) -> String {
    "ct \(direction) packets > \(FirewallPlan.packetsUnseen) goto ask"
  }

  private static let tcpPayload = ["meta l4proto != tcp goto ask", "goto payload"]

  // Lets TCP packets without payload return: exactly those whose length is that of an IP header of
  // 20 (IPv6: 40) bytes and a TCP header of the size that its own data offset gives. A rule per
  // size, not a set: nft 1.0.6 loads a set over `ip hdrlength . tcp doff . ip length` and then
  // aborts whenever it lists it.
  private var payload: [String] {
    ["\(Self.opens) goto ask", "ip length > 80 goto ask", "ip6 length > 60 goto ask"]
      + TCPHeaderSizes.words.flatMap { words in
        [
          "ip length \(20 + 4 * words) ip hdrlength 5 tcp doff \(words) return",
          "ip6 length \(4 * words) ip6 nexthdr tcp tcp doff \(words) return",
        ]
      } + ["goto ask"]
  }

  // Copies the packet's verdict to its connection. It may run twice for a packet (`enforce` and
  // `closing`), and the second time changes nothing. nft 1.0.6 can't copy bits under a mask: one
  // rule per state.
  private var copy: [String] {
    [
      // The connection of an ICMP error is the one that it tells of: its verdict isn't that one's.
      "ct state related meta l4proto { icmp, ipv6-icmp } return",
      "\(has(.denied)) \(save(.denied)) return",
      // A SYN was judged itself, so its verdict counts more than that of the connection which had
      // its ports before. So was the first packet of a connection that a conntrack helper expected.
      "\(Self.opens) goto keep",
      "ct state related goto keep",
      // Never over a deny. And never over an allow: a packet that overtakes the one which brought
      // the allow would set the connection back.
      "\(connectionHas(.allowed)) return",
      "\(connectionHas(.denied)) return",
      "\(connectionHas(.cut)) return",
      "goto keep",
    ]
  }

  // After every filter: what somebody else's rule let past `enforce` stops here.
  private var last: [String] {
    var rules = [
      "\(has(.allowed)) \(connectionHas(.allowed)) return",
      "jump copy",
      "\(has(.denied)) drop",
      "\(connectionHas(.denied)) drop",
    ]
    switch plan.closing {
    case .allowList:
      rules += Self.passing.map { "\(has($0)) return" }
      rules += ["\(connectionHas(.allowed)) return", "drop"]
    case .denyList:
      rules += ["\(has(.cut)) drop", "\(connectionHas(.cut)) drop"]
    }
    return rules
  }

  // Questions to the router's own resolver, judged one by one and never by connection mark: each
  // packet is queued, and what was not judged ends behind every filter.
  private func questions(_ verdict: String) -> [String] {
    ["udp dport 53", "tcp dport 53", Self.asked("udp"), Self.asked("tcp")].map {
      "iifname \(lan) \($0) \(verdict)"
    }
  }

  // What was sent to port 53 and comes to another one: somebody's DNAT has sent it on to a resolver
  // there. The question is the same.
  private static func asked(_ proto: String) -> String {
    "meta l4proto \(proto) ct direction original ct original proto-dst 53"
  }

  private static func answered(_ proto: String) -> String {
    "meta l4proto \(proto) ct direction reply ct original proto-dst 53"
  }

  private var doorLast: [String] {
    switch plan.closing {
    case .allowList: Self.passing.map { "\(has($0)) return" } + ["drop"]
    case .denyList: ["\(has(.denied)) drop"]
    }
  }

  // The states in which a packet may pass.
  private static let passing: [ConnectionState] = [
    .allowed, .watched, .awaiting, .watchedBothWays, .opened,
  ]

  private static let opens = "tcp flags & (syn | ack) == syn"

  private static func hook(_ name: String, _ priority: Int) -> String {
    "type filter hook \(name) priority \(priority); policy accept;"
  }

  private func state(_ name: String, _ state: ConnectionState, _ rules: [String]) -> Chain {
    Chain(
      name: name, hook: nil, rules: ["meta mark set meta mark or \(plan.mark(state))"] + rules)
  }

  private func byState(_ targets: [(state: ConnectionState, chain: String)]) -> String {
    let cases = targets.map { "\(plan.mark($0.state)) : goto \($0.chain)" }
    return "ct mark and \(plan.maskText) vmap { \(cases.joined(separator: ", ")) }"
  }

  // Up is tested first: a packet from one LAN interface to another is judged as its sender's.
  private func lanTraffic(_ up: String, _ down: String) -> [String] {
    ["iifname \(lan) goto \(up)", "oifname \(lan) goto \(down)"]
  }

  private var lan: String {
    let names = plan.lan.map { "\"\($0)\"" }
    return names.count == 1 ? names[0] : "{ \(names.joined(separator: ", ")) }"
  }

  private func has(_ state: ConnectionState) -> String {
    "meta mark and \(plan.maskText) == \(plan.mark(state))"
  }

  private func connectionHas(_ state: ConnectionState) -> String {
    "ct mark and \(plan.maskText) == \(plan.mark(state))"
  }

  private func save(_ state: ConnectionState) -> String {
    "ct mark set ct mark and \(plan.othersText) or \(plan.mark(state))"
  }

  // Without `fanout`: the kernel then hashes the address pair, and both directions of a connection
  // meet the same worker.
  private func queue(_ numbers: ClosedRange<UInt16>) -> String {
    if let queueStatement { return queueStatement }
    let range =
      numbers.count == 1
      ? "\(numbers.lowerBound)" : "\(numbers.lowerBound)-\(numbers.upperBound)"
    return "queue num \(range)\(plan.bypass ? " bypass" : "")"
  }

  /// The mark of a rule as ours: `imgate` and 8 hexadecimal digits, FNV-1a over its text.
  static func digest(_ rule: String) -> String {
    var hash: UInt32 = 0x811c_9dc5
    for byte in rule.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    let digits = String(hash, radix: 16)
    return "imgate " + String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}
