extension CommandDescription {
  /// The description of `name`.
  public static func of(_ name: CommandName) -> CommandDescription {
    switch name {
    case .run: run
    case .check: check
    case .explain: explain
    case .replay: replay
    case .report: report
    case .status: status
    case .reload: reload
    case .pause: pause
    case .resume: resume
    case .firewall: firewall
    }
  }

  private static var packs: Option {
    Option(.packs, "DIR", "where the service packs are (see above)")
  }

  private static let packsNote = """
    Service packs (what \"wechat\" or \"qq\" means in hosts and ports) are the *.yaml files of \
    one directory: --packs DIR if it is given, else \(Paths.defaultPacks), else the directory \
    \"services\" beside the rules file.
    """

  private static var run: CommandDescription {
    CommandDescription(
      .run, "be the gateway, in the foreground (a service manager runs this)",
      forms: ["run [OPTION...]"],
      [
        """
        Checks the configuration and the rules, puts the gateway's own firewall rules in place, \
        and judges what comes from the LAN until SIGTERM or SIGINT. SIGHUP does what \"imgate \
        reload\" does. Needs root, or CAP_NET_ADMIN and CAP_NET_RAW.
        """,
        """
        With a bad file nothing is put in place. When it ends, the firewall rules stay: with \
        onFailure: closed nothing new passes until it runs again or \"imgate firewall remove\".
        """,
        packsNote,
      ],
      options: [packs],
      examples: [
        Example("imgate run", "with the files in /etc/imgate"),
        Example("imgate run --config lab.yaml --rules lab-rules.yaml", "with others"),
      ],
      exitNotes: [
        "0 stopped by a signal",
        "1 a file is bad; nothing was put in place",
        "3 the kernel or the system refused; the message says what is missing",
      ])
  }

  private static var check: CommandDescription {
    CommandDescription(
      .check, "check the rules and the configuration before they are used",
      forms: ["check [OPTION...] [FILE...]"],
      [
        """
        Reads the files as the gateway would and reports every error with file, line, column and \
        what was expected there. A FILE with a \"lan:\" key is taken as a configuration, one with \
        \"service:\" and \"features:\" as a service pack, any other as rules. Without a FILE both \
        files in use are checked.
        """,
        packsNote,
      ],
      options: [
        packs, Option(.effective, "print the compiled table: which rule decides what, in order"),
      ],
      operands: ["[FILE...]"],
      examples: [
        Example("imgate check", "are the files in use right?"),
        Example(
          "imgate check new-rules.yaml && cp new-rules.yaml /etc/imgate/rules.yaml",
          "look before the copy"),
        Example("imgate check --effective | grep qq", "what \"qq: on\" really lets through"),
      ],
      exitNotes: ["0 every file is right (there may be warnings)", "1 at least one is not"])
  }

  private static var explain: CommandDescription {
    CommandDescription(
      .explain, "say what would happen to a connection, by which rule and why",
      forms: ["explain [OPTION...] HOST"],
      [
        """
        Asks the rules, by the same code that the gateway runs, what becomes of a connection to \
        HOST: allow or deny, the reason by the name that it has in the log and the report, the \
        rule and its line, and what to change if it should be otherwise. HOST may be an address: \
        then the client is taken to name no host.
        """,
        """
        A protocol that carries no name (mmtls, long-link, short-link, newgetdns, c2c, c2c-http, \
        msf, pc-qq, oicq, highway, or a pattern of a service pack, such as ntp) is judged by where \
        it leads: HOST is then taken to live at the address, unless the running gateway knows \
        better.
        """,
        packsNote,
      ],
      options: [
        Option(.address, "A", "the server's address (any that no rule mentions)"),
        Option(
          .port, "N", "the server's port (the protocol's usual one: for tls 443, for http 80)"),
        Option(
          .protocol, "P",
          "tls, http, quic, gquic, dns, a protocol without a name (see above), or tcp or udp for "
            + "bytes that the gateway does not know; tls if not given, http with --port 80"),
        Option(.device, "D", "who asks: a MAC address or a label (a device without rules)"),
        packs, Option(.json, "one JSON object on one line"),
      ],
      operands: ["HOST"],
      examples: [
        Example("imgate explain short.weixin.qq.com", "a TLS connection to port 443"),
        Example("imgate explain www.example.com --protocol http", "port 80, a Host header"),
        Example("imgate explain long.weixin.qq.com --protocol mmtls", "WeChat's long link"),
        Example("imgate explain 198.51.100.7 --port 9100 --protocol tcp", "a printer"),
        Example("imgate explain v.example.com --device 'Owner laptop'", "as that device"),
      ],
      exitNotes: [
        "0 answered, also when the answer is deny",
        "1 the rules are bad, or no device has that label",
      ])
  }

  private static var replay: CommandDescription {
    CommandDescription(
      .replay, "judge the flows of packet captures, by the same engine",
      forms: ["replay [OPTION...] FILE..."],
      [
        """
        Reads captures (pcap or pcapng, of Ethernet, VLANs, PPPoE, Linux cooked, raw IP, BSD \
        loopback or 802.11) and prints for each flow what the gateway would have made of it: \
        verdict, reason, rule, and the name that was asked for. Nothing is sent, no gateway need \
        run, and no right is needed.
        """,
        """
        A flow that would have been refused is not judged further, although the capture goes on. \
        With binding: strict or observe, the addresses of names are learned from the DNS answers \
        in the same capture, over UDP and TCP, and from WeChat's own (newgetdns). Whoever is asked \
        for names counts as the trusted resolver. Fragments are put together first; those that \
        can't be are counted. mode: audit makes no difference here.
        """,
        packsNote,
      ],
      options: [
        Option(.binding, "M", "strict, observe or off, instead of what the rules say"),
        Option(
          .lan, "CIDR",
          "the LAN's prefixes, separated by commas; without it, who opened a flow is in the LAN"),
        packs, Option(.json, "one JSON object a line: flows, then a summary of each capture"),
      ],
      operands: ["FILE..."],
      examples: [
        Example("imgate replay phone.pcapng --binding off", "what would pass, by its names alone"),
        Example(
          "imgate replay --lan 192.168.1.0/24 --rules new.yaml *.pcap --json",
          "new rules over yesterday's traffic"),
      ],
      exitNotes: [
        "0 every capture was read to its end",
        "1 a capture is broken (the others were replayed), or the rules are bad",
      ])
  }

  private static var report: CommandDescription {
    CommandDescription(
      .report, "print who used what: devices, services, bytes, refusals",
      forms: ["report [OPTION...]"],
      [
        """
        Prints the usage of yesterday, or of the days given: per device and service what passed, \
        in connections and bytes, and what was refused most, with the reason. What the running \
        gateway has not written yet is asked for and counted in; when it is not running, a line \
        on standard error says so.
        """,
        """
        Days are the router's local days: 2025-11-20, today or yesterday. Devices have the labels \
        that the rules give them now; with bad rules, those that they had.
        """,
        packsNote,
      ],
      options: [
        Option(.day, "D", "one day (yesterday)"),
        Option(.from, "D", "the first of several days"),
        Option(.to, "D", "the last of them, inclusive (today)"),
        Option(.format, "F", "text, json or csv (text)"),
        Option(.output, "FILE", "write to FILE, replaced in one step, instead of printing"),
        packs,
      ],
      examples: [
        Example("imgate report", "yesterday"),
        Example("imgate report --day today", "so far"),
        Example("imgate report --from 2025-11-01 --to 2025-11-30 --format csv", "a month"),
      ],
      exitNotes: [
        "0 printed, also when nothing was used",
        "1 the store or the configuration is bad or missing",
      ])
  }

  private static var status: CommandDescription {
    CommandDescription(
      .status, "print live counters, or the addresses that names live at",
      forms: ["status [OPTION...]"],
      [
        """
        Asks the running gateway for its counters: since when it runs, by which rules, what it \
        allowed and refused, how the kernel's queues fare, which device has moved how much chat \
        media today.
        """,
        """
        With --addresses it prints the addresses that allowed names may be reached at: one a \
        line, with the name, from whom it was learned, for how many seconds it holds, and the \
        features and allow lines that let the name pass ("-": none does now).
        """,
      ],
      options: [
        Option(.addresses, "the learned addresses instead of the counters"),
        Option(.json, "one JSON object a line"),
      ],
      examples: [
        Example("imgate status", "is all well?"),
        Example("imgate status --addresses | grep weixin", "where the gateway knows WeChat to be"),
      ],
      exitNotes: ["0 it runs", "3 it doesn't, or it can't be asked"])
  }

  private static var reload: CommandDescription {
    CommandDescription(
      .reload, "check the rules file and put it in force",
      forms: ["reload [OPTION...]"],
      [
        """
        The running gateway reads its rules file and service packs again. If they are right they \
        replace the old ones at once: live connections that are no longer allowed are cut, the \
        others notice nothing. If they are not, the errors are printed and the old rules stay.
        """,
        """
        The gateway reads the files that it was started with, whatever --rules says here. The \
        configuration (interfaces, queues) is read at start only.
        """,
      ],
      examples: [
        Example("imgate reload", "after an edit of the rules file"),
        Example("imgate check --effective | less", "to see first what would be in force"),
      ],
      exitNotes: [
        "0 the rules on disk are in force", "1 they are bad; the old ones stay",
        "3 the gateway is not running",
      ])
  }

  private static var pause: CommandDescription {
    CommandDescription(
      .pause, "let everything pass for a while, counted and reported",
      forms: ["pause [--for TIME] [--device D]"],
      [
        """
        Everything passes, for all devices or for one, and is counted. A pause ends by itself, \
        also when the gateway is restarted meanwhile; it stands in the report. Connections that \
        the rules don't allow are cut when it ends.
        """
      ],
      options: [
        Option(
          .span, "TIME", "how long: a number with s, m, h or d, at most 7d (30m)"),
        Option(
          .device, "D", "only this device: a MAC address, an address, a label or a lease's name"),
      ],
      examples: [
        Example("imgate pause", "half an hour"),
        Example("imgate pause --for 2h --device 'Owner laptop'", "one device, two hours"),
        Example("imgate resume", "to end it now"),
      ],
      exitNotes: ["0 paused", "1 no such device", "3 the gateway is not running"])
  }

  private static var resume: CommandDescription {
    CommandDescription(
      .resume, "end a pause now",
      forms: ["resume"],
      ["Ends every pause, that of a single device too. Without one nothing happens."],
      examples: [Example("imgate resume", "the rules are in force again")],
      exitNotes: ["0 the rules are in force", "3 the gateway is not running"])
  }

  private static var firewall: CommandDescription {
    CommandDescription(
      .firewall, "show, verify or remove the gateway's own rules in the kernel",
      forms: ["firewall show|verify|remove [OPTION...]"],
      [
        """
        The gateway owns one nftables table (inet imgate), or the chains IMGATE* of iptables and \
        ip6tables, and touches nothing else.
        """,
        """
        show prints these rules as the kernel has them. verify compares them with what they \
        should be and prints every difference. remove takes them away and sets the kernel's \
        settings back: then nothing is judged, and everything passes that other rules let \
        through. It refuses while the gateway runs.
        """,
        packsNote,
      ],
      options: [packs],
      operands: ["show|verify|remove"],
      examples: [
        Example("imgate firewall show", "what of the gateway's is in the kernel"),
        Example("imgate firewall verify && echo in place", "is it all there?"),
        Example("imgate firewall remove", "before uninstalling"),
      ],
      exitNotes: [
        "0 done; for verify: all in place", "1 verify found a difference, or a file is bad",
        "3 the kernel refused, or not permitted",
      ])
  }
}
