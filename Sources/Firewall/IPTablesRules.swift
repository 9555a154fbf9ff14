internal import Queue

/// IPv4 or IPv6, as iptables tells them apart.
enum IPFamily: CaseIterable, Sendable {
  case v4, v6

  /// The program's name without its variant: `iptables` or `ip6tables`.
  var program: String { self == .v4 ? "iptables" : "ip6tables" }
}

/// What is ours in one iptables table: chains, and the jumps to them from the kernel's own chains.
struct IPTablesTable: Equatable, Sendable {
  /// A jump from a chain that is not ours.
  struct Jump: Equatable, Sendable {
    /// The chain that jumps: `FORWARD`.
    let chain: String
    /// The rule's text after the chain's name: `-j IMGATE-INSPECT`.
    let rule: String
    /// Which rule of its chain it is, from 1.
    let position: Int
  }

  /// A chain of ours.
  struct Chain: Equatable, Sendable {
    let name: String
    /// The rules without `-A <chain>`, as iptables-save writes them.
    let rules: [String]
  }

  /// `mangle`, `filter` or `security`.
  let name: String
  var jumps: [Jump]
  var chains: [Chain]
}

/// The plan in iptables rules of one family.
///
/// The texts are what iptables-save writes, so that both can be compared. Chain names stay below the
/// 28 bytes that the kernel has for them.
struct IPTablesRules {
  /// What the names of all our chains begin with.
  static let prefix = "IMGATE-"
  /// What the names of the throw-away chains of a trial begin with: `remove` finds them too.
  static let probePrefix = "IMGATE-PROBE-"

  let plan: FirewallPlan
  let family: IPFamily
  var prefix = Self.prefix

  /// All tables, in the order in which they must come: first what closes.
  var tables: [IPTablesTable] { [security, filter, mangle] }

  // The closing chain comes after every filter rule: what somebody else's ACCEPT let past `enforce`
  // stops here.
  private var security: IPTablesTable {
    var last = [
      "\(has(.allowed)) \(connectionHas(.allowed)) -j RETURN",
      "-j \(prefix)COPY",
      "\(has(.denied)) -j DROP",
      "\(connectionHas(.denied)) -j DROP",
    ]
    switch plan.closing {
    case .allowList:
      last += Self.passing.map { "\(has($0)) -j RETURN" }
      last.append("\(connectionHas(.allowed)) -j RETURN")
      last.append("-j DROP")
    case .denyList:
      last.append("\(has(.cut)) -j DROP")
      last.append("\(connectionHas(.cut)) -j DROP")
    }
    return table(
      "security", [("INPUT", "DOOR"), ("FORWARD", "CLOSING")],
      [
        ("CLOSING", lanTraffic("LAST", "LAST")), ("LAST", last), ("COPY", copy),
        ("DOOR", questions("DOOR-LAST")), ("DOOR-LAST", doorLast),
      ])
  }

  // A question to the router's own resolver that nobody judged, or that was refused.
  private var doorLast: [String] {
    switch plan.closing {
    case .allowList: Self.passing.map { "\(has($0)) -j RETURN" } + ["-j DROP"]
    case .denyList: ["\(has(.denied)) -j DROP"]
    }
  }

  // Takes the verdicts over into the connection mark and refuses, to the sender, what is denied.
  private var filter: IPTablesTable {
    table(
      "filter", [("INPUT", "DOOR"), ("FORWARD", "ENFORCE")],
      [
        ("ENFORCE", lanTraffic("JUDGED", "JUDGED")),
        (
          "JUDGED",
          [
            "\(has(.allowed)) \(connectionHas(.allowed)) -j RETURN",
            "-j \(prefix)COPY",
            "\(has(.denied)) -g \(prefix)REFUSE",
            "\(connectionHas(.denied)) -g \(prefix)REFUSE",
          ]
        ),
        ("COPY", copy),
        (
          "REFUSE",
          [
            "-p tcp -j REJECT --reject-with tcp-reset",
            "-p udp -j REJECT --reject-with \(family == .v4 ? "icmp" : "icmp6")-port-unreachable",
            "-j REJECT --reject-with \(family == .v4 ? "icmp-admin" : "icmp6-adm")-prohibited",
          ]
        ),
        (
          "DOOR",
          plan.lan.flatMap { name in
            ["-m tcp --dport 53", asked].map {
              "-i \(name) -p tcp \($0) \(has(.denied)) -j REJECT --reject-with tcp-reset"
            }
          }
        ),
      ])
  }

  // Copies the packet's verdict to its connection. It may run twice for a packet (`enforce` and
  // `closing`), and the second time changes nothing.
  private var copy: [String] {
    [
      // The connection of an ICMP error is the one that it tells of: its verdict isn't that one's.
      "-p \(icmp) -m conntrack --ctstate RELATED -j RETURN",
      "\(has(.unknown)) -j RETURN",
      "\(has(.cut)) -j RETURN",
      "\(has(.denied)) -j \(save)",
      "\(has(.denied)) -j RETURN",
      // A SYN was judged itself, so its verdict counts more than that of the connection which had
      // its ports before.
      "\(opens) -j \(save)",
      // So was the first packet of a connection that a conntrack helper expected.
      "-m conntrack --ctstate RELATED -j \(save)",
      // Never over a deny. And never over an allow: a packet that overtakes the one which brought
      // the allow would set the connection back.
      "\(connectionHas(.allowed)) -j RETURN",
      "\(connectionHas(.denied)) -j RETURN",
      "\(connectionHas(.cut)) -j RETURN",
      "-j \(save)",
    ]
  }

  // Sends to the queue what the daemon has to see, by the state of the connection.
  private var mangle: IPTablesTable {
    table(
      "mangle", [("INPUT", "DOOR"), ("FORWARD", "INSPECT"), ("OUTPUT", "DNS")],
      [
        ("INSPECT", lanTraffic("UP", "DOWN")),
        (
          "UP",
          begin + [
            "-p tcp -g \(prefix)UP-TCP",
            "\(has(.denied)) -j RETURN",
            // An ICMP error has the mark of the connection that it tells of, which says nothing of
            // the error itself.
            "-p \(icmp) -m conntrack --ctstate RELATED -g \(prefix)QUEUE",
            "\(has(.allowed)) -j RETURN",
            "-g \(prefix)QUEUE",
          ]
        ),
        (
          "UP-TCP",
          [
            "\(opens) -g \(prefix)QUEUE",
            "\(has(.allowed)) -j RETURN",
            "\(has(.denied)) -j RETURN",
            "\(has(.unknown)) -g \(prefix)QUEUE",
            "\(has(.cut)) -g \(prefix)QUEUE",
          ]
            // From one LAN interface to another, both ends are "up": the server's bare ACKs too.
            + plan.lan.map { "-o \($0) \(has(.awaiting)) -g \(prefix)QUEUE" } + [
              many(.opened, "original"), many(.awaiting, "original"), "-g \(prefix)PAYLOAD",
            ]
        ),
        (
          "DOWN",
          begin + [
            "-p tcp -g \(prefix)DOWN-TCP",
            "\(has(.unknown)) -g \(prefix)QUEUE",
            "\(has(.cut)) -g \(prefix)QUEUE",
            "\(has(.allowed)) -j RETURN",
            "\(has(.denied)) -j RETURN",
            "\(has(.watched)) -j RETURN",
            "-p \(icmp) -m conntrack --ctstate RELATED -j RETURN",
            "-g \(prefix)QUEUE",
          ]
        ),
        (
          "DOWN-TCP",
          [
            "\(opens) -g \(prefix)QUEUE",
            "\(has(.watched)) -j RETURN",
            "\(has(.allowed)) -j RETURN",
            "\(has(.denied)) -j RETURN",
            "\(has(.unknown)) -g \(prefix)QUEUE",
            "\(has(.awaiting)) -g \(prefix)QUEUE",
            "\(has(.cut)) -g \(prefix)QUEUE",
            many(.opened, "reply"),
            "-g \(prefix)PAYLOAD",
          ]
        ),
        ("PAYLOAD", payload),
        ("QUEUE", ["-j NFQUEUE \(queues)\(bypass)"]),
        ("DOOR", questions("ASK-DOOR")),
        (
          "ASK-DOOR",
          [
            "-j MARK --set-xmark 0x0/\(plan.maskText)",
            "-j NFQUEUE --queue-num \(plan.dnsQueue)\(bypass)",
          ]
        ),
        // What the gateway answers itself is marked as allowed. Nor is the reset queued by which
        // `enforce` refuses a connection to port 53: it belongs to a connection that is not
        // confirmed, and the kernel drops such a packet instead (nf_ct_drop_unconfirmed in
        // nfnetlink_queue.c).
        (
          "DNS",
          ["\(has(.allowed)) -j RETURN"]
            + plan.lan.flatMap { name in
              [
                "udp -m udp --sport 53", "tcp -m tcp --sport 53 ! --tcp-flags RST RST",
                "udp \(answered)", "tcp -m tcp ! --tcp-flags RST RST \(answered)",
              ].map {
                "-o \(name) -p \($0) -j NFQUEUE --queue-num \(plan.dnsQueue)\(bypass)"
              }
            }
        ),
      ])
  }

  // Questions to the router's own resolver, judged one by one and never by connection mark: each
  // packet is queued, and what was not judged ends behind every filter.
  private func questions(_ chain: String) -> [String] {
    plan.lan.flatMap { name in
      ["udp -m udp --dport 53", "tcp -m tcp --dport 53", "udp \(asked)", "tcp \(asked)"].map {
        "-i \(name) -p \($0) -g \(prefix)\(chain)"
      }
    }
  }

  // What was sent to port 53 and comes to another one: somebody's DNAT has sent it on to a resolver
  // there. The question is the same.
  private let asked = "-m conntrack --ctorigdstport 53 --ctdir ORIGINAL"
  private let answered = "-m conntrack --ctorigdstport 53 --ctdir REPLY"

  // The states in which a packet may pass.
  private static let passing: [ConnectionState] = [
    .allowed, .watched, .awaiting, .watchedBothWays, .opened,
  ]

  // What both directions begin with. Our bits are cleared first, since CONNMARK leaves a packet
  // alone that has no connection. The third rule carries an allowed connection's bulk past all
  // others.
  private var begin: [String] {
    [
      "-j MARK --set-xmark 0x0/\(plan.maskText)",
      "-j CONNMARK --restore-mark --nfmask \(plan.maskText) --ctmask \(plan.maskText)",
      "-p tcp \(has(.allowed)) -m conntrack --ctstate ESTABLISHED "
        + "-m tcp ! --tcp-flags SYN,ACK SYN -j RETURN",
      "-m conntrack --ctstate INVALID -j DROP",
      // A connection that a conntrack helper expected inherits its parent's mark: it is judged as
      // any other.
      "! -p \(icmp) -m conntrack --ctstate RELATED -j MARK --set-xmark 0x0/\(plan.maskText)",
    ]
  }

  // Lets TCP packets without payload return: exactly those whose length is that of an IP header of
  // 20 (IPv6: 40) bytes and a TCP header of the size that its own data offset gives. Everything
  // else, IP options and extension headers too, counts as payload.
  private var payload: [String] {
    let header = family == .v4 ? 20 : 40
    var rules = ["-m length ! --length \(header + 20):\(header + 60) -g \(prefix)QUEUE"]
    for words in TCPHeaderSizes.words {
      let offset =
        switch family {
        // The data offset, behind as many bytes as the IP header's own length says (u32 of
        // iptables-extensions(8)).
        case .v4: "0x0>>0x16&0x3c@0xc>>0x1c"
        // The next header is TCP (6), and behind 40 bytes comes the TCP header.
        case .v6: "0x6>>0x18=0x6&&0x34>>0x1c"
        }
      let size = "0x" + String(words, radix: 16)
      rules.append(
        "-m length --length \(header + 4 * words) -m u32 --u32 \"\(offset)=\(size)\" -j RETURN")
    }
    return rules + ["-g \(prefix)QUEUE"]
  }

  // Up is tested first: a packet from one LAN interface to another is judged as its sender's.
  private func lanTraffic(_ up: String, _ down: String) -> [String] {
    plan.lan.map { "-i \($0) -g \(prefix)\(up)" } + plan.lan.map { "-o \($0) -g \(prefix)\(down)" }
  }

  // Options of TCP carry up to 40 bytes in each packet that has no payload.
  private func many(_ state: ConnectionState, _ direction: String) -> String {
    "\(has(state)) -m connbytes --connbytes \(FirewallPlan.packetsUnseen + 1) "
      + "--connbytes-mode packets --connbytes-dir \(direction) -g \(prefix)QUEUE"
  }

  private func has(_ state: ConnectionState) -> String {
    "-m mark --mark \(markText(state))"
  }

  private func connectionHas(_ state: ConnectionState) -> String {
    "-m connmark --mark \(markText(state))"
  }

  private func markText(_ state: ConnectionState) -> String {
    "\(plan.mark(state))/\(plan.maskText)"
  }

  private var opens: String { "-p tcp -m tcp --tcp-flags SYN,ACK SYN" }

  private var save: String {
    "CONNMARK --save-mark --nfmask \(plan.maskText) --ctmask \(plan.maskText)"
  }

  private var icmp: String { family == .v4 ? "icmp" : "ipv6-icmp" }

  private var queues: String {
    // Without --queue-cpu-fanout: the kernel then hashes the address pair, and both directions of
    // a connection meet the same worker.
    plan.queueCount == 1
      ? "--queue-num \(plan.firstQueue)"
      : "--queue-balance \(plan.queues.lowerBound):\(plan.queues.upperBound)"
  }

  private var bypass: String { plan.bypass ? " --queue-bypass" : "" }

  // The jumps in the order in which iptables-save lists their chains.
  private func table(
    _ name: String, _ jumps: [(from: String, to: String)], _ chains: [(String, [String])]
  ) -> IPTablesTable {
    IPTablesTable(
      name: name,
      jumps: jumps.map {
        IPTablesTable.Jump(chain: $0.from, rule: "-j \(prefix)\($0.to)", position: 1)
      },
      chains: chains.map { IPTablesTable.Chain(name: prefix + $0.0, rules: $0.1) })
  }
}

/// The sizes that a TCP header can have.
enum TCPHeaderSizes {
  /// In 32-bit words, 5 to 15 (RFC 9293, data offset), the commonest first: with timestamps, without
  /// options, with timestamps and one block of selective acknowledgement.
  static let words = [8, 5, 11, 6, 7, 9, 10, 12, 13, 14, 15]
}
