"""Real packets through the gateway's rules, for Tests/Lab/firewall.sh.

One process opens sockets in the namespaces fwt-phone and fwt-tablet (LAN), and fwt-server (WAN). The
states of connections are set by hand with conntrack(8), verdicts by a chain between `inspect` and
`enforce`, and the packets that would visit the daemon are counted at the rule that queues them.
"""
import contextlib
import ctypes
import errno
import os
import re
import socket
import struct
import subprocess
import sys
import time

FIREWALL = os.environ["IMGATE_LAB_FIREWALL"]
IS_NFT = FIREWALL == "nftables"
LIBC = ctypes.CDLL(None, use_errno=True)
MASK = 0x07000000
UNKNOWN, ALLOWED, DENIED, WATCHED, AWAITING, BOTH, OPENED, CUT = range(8)
HOSTS = {
    "phone": ("198.18.1.2", "2001:2:0:1::2"),
    "tablet": ("198.18.2.2", "2001:2:0:2::2"),
    "server": ("198.19.1.2", "2001:2:0:9::2"),
}
# A bare ACK may be delayed by 40 ms, and more on a busy machine.
SETTLE = 0.12
failures = 0


def check(what, ok, detail=""):
    global failures
    if not ok:
        failures += 1
        print(f"   not ok: {what} {detail}", flush=True)


def expect(what, got, wanted):
    check(what, got == wanted, f"(got {got}, expected {wanted})")


def inside(name):
    """Puts this thread into a namespace: sockets stay in the one that they were made in."""
    with open(f"/run/netns/fwt-{name}") as handle:
        if LIBC.setns(handle.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def router(*arguments, text=None, quiet=False):
    done = subprocess.run(
        ["ip", "netns", "exec", "fwt-router", *arguments], input=text, text=True,
        capture_output=True)
    if done.returncode != 0 and not quiet:
        raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def step(name, plan=""):
    router(
        "env", f"IMGATE_LAB_STEP={name}", f"IMGATE_LAB_PLAN={plan}", os.environ["IMGATE_TESTS"],
        "--testing-library", "swift-testing", "--filter", "FirewallKernelTests")


def visits():
    """How many packets came to the rule that queues them, of both families."""
    if IS_NFT:
        return int(re.search(r"packets (\d+)", router("nft", "list", "chain", "inet", "imgate", "ask"))[1])
    suffix = FIREWALL.removeprefix("iptables")
    total = 0
    for program in "iptables", "ip6tables":
        for line in router(
                program + suffix, "-t", "mangle", "-nvxL", "IMGATE-QUEUE").splitlines():
            if "NFQUEUE" in line:
                total += int(line.split()[0])
    return total


@contextlib.contextmanager
def expecting_visits(what, wanted):
    before = visits()
    yield
    time.sleep(SETTLE)
    expect(f"{what}: packets that visit", visits() - before, wanted)


def family(six):
    return socket.AF_INET6 if six else socket.AF_INET


def new_socket(host, six, kind, timeout=1.0):
    inside(host)
    made = socket.socket(family(six), kind)
    made.settimeout(timeout)
    return made


class Pair:
    """A client's socket on one host and its server's on another."""

    def __init__(self, client, server, six, port, timestamps=True):
        self.six, self.port = six, port
        self.hosts = (client, server)
        for host in self.hosts:
            with open_in(host, "/proc/sys/net/ipv4/tcp_timestamps") as setting:
                setting.write("1" if timestamps else "0")
        self.listener = new_socket(server, six, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((HOSTS[server][six], port))
        self.listener.listen()
        self.client = new_socket(client, six, socket.SOCK_STREAM)

    def connect(self):
        self.client.connect((HOSTS[self.hosts[1]][self.six], self.port))
        self.server, _ = self.listener.accept()
        self.server.settimeout(1.0)
        for end in self.client, self.server:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def mark(self, state):
        set_mark("tcp", self.six, self.client, self.hosts, self.port, state)

    def close(self):
        # By a reset: an end whose FIN is lost would send again and be counted later.
        for end in [self.client] + ([self.server] if hasattr(self, "server") else []):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def open_in(host, path):
    inside(host)
    with open(path, "w") as file:
        yield file


def selector(protocol, six, client, hosts, port):
    return [
        "-f", "ipv6" if six else "ipv4", "-p", protocol, "-s", HOSTS[hosts[0]][six], "-d",
        HOSTS[hosts[1]][six], "--sport", str(client.getsockname()[1]), "--dport", str(port)]


def set_mark(protocol, six, client, hosts, port, state, others=0):
    mask = MASK | others
    router(
        "conntrack", "-U", *selector(protocol, six, client, hosts, port), "--mark",
        f"{hex(state << 24 | others)}/{hex(mask)}", quiet=True)
    # conntrack fails when the mark is so already: look.
    got = mark_of(protocol, six, client, hosts, port)
    if got is None or got & mask != state << 24 | others:
        raise RuntimeError(f"state {state} was not set: {got}")


def mark_of(protocol, six, client, hosts, port):
    text = router("conntrack", "-L", *selector(protocol, six, client, hosts, port))
    found = re.search(r"\bmark=(\d+)", text)
    return int(found[1]) if found else None


def transfer(sender, receiver):
    """Whether bytes arrive within a short while."""
    receiver.settimeout(0.3)
    try:
        sender.send(b"x" * 100)
        return len(receiver.recv(1000)) == 100
    except OSError:
        return False


def refused(action, limit=0.5):
    """Whether an action is refused by an error, not by a time-out."""
    start = time.monotonic()
    try:
        action()
    except OSError as error:
        return error.errno in (
            errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EACCES,
            errno.EPIPE) and time.monotonic() - start < limit
    return False


@contextlib.contextmanager
def foreign(rules):
    """Rules of somebody else's, in a table of its own."""
    router("nft", "-f", "-", text="table inet foreign {\n" + rules + "\n}\n")
    try:
        yield
    finally:
        router("nft", "delete", "table", "inet", "foreign")


def new_connections_marked(state):
    """A rule that gives new connections a state before `inspect` sees their first packet."""
    return (
        "chain before { type filter hook prerouting priority -140; "
        f"ct state new ct mark set ct mark and {hex(~MASK & 0xffffffff)} or {hex(state << 24)}; }}\n")


def verdict(state, match=""):
    """What the daemon's verdict leaves: a packet's mark, between `inspect` and `enforce`."""
    return (
        "chain verdict { type filter hook forward priority -100; "
        f"{match} meta mark set meta mark and {hex(~MASK & 0xffffffff)} or {hex(state << 24)}; }}\n")


PORT = iter(range(20000, 60000))


def test_visits_tcp():
    # state: packets that visit when the client sends (payload up, bare ACK down), and when the
    # server sends (payload down, bare ACK up).
    outwards = {
        UNKNOWN: (2, 2), ALLOWED: (0, 0), WATCHED: (1, 0), AWAITING: (2, 1), BOTH: (1, 1),
        OPENED: (1, 1)}
    # Between two LAN interfaces everything is "up".
    across = {
        UNKNOWN: (2, 2), ALLOWED: (0, 0), WATCHED: (1, 1), AWAITING: (2, 2), BOTH: (1, 1),
        OPENED: (1, 1)}
    for server, table in ("server", outwards), ("tablet", across):
        for six in False, True:
            for timestamps in True, False:
                with Pair("phone", server, six, next(PORT), timestamps) as pair:
                    pair.connect()
                    for state, (up, down) in table.items():
                        what = f"TCP to the {server}, {6 if six else 4}, state {state}"
                        if not timestamps:
                            what += ", no timestamps"
                        pair.mark(state)
                        with expecting_visits(what + ", client sends", up):
                            check(what, transfer(pair.client, pair.server), "up did not arrive")
                        with expecting_visits(what + ", server sends", down):
                            check(what, transfer(pair.server, pair.client), "down did not arrive")


def test_visits_handshake():
    # SYN, SYN-ACK, ACK: a SYN visits in every state.
    for state, wanted in {
            UNKNOWN: 3, ALLOWED: 1, WATCHED: 1, AWAITING: 2, BOTH: 1, OPENED: 1}.items():
        with foreign(new_connections_marked(state)):
            for six in False, True:
                for client, server in ("phone", "server"), ("server", "phone"):
                    what = f"handshake {client} to {server}, {6 if six else 4}, state {state}"
                    # From outside the roles of up and down change: the client's ACK comes down.
                    count = 2 if state == AWAITING else wanted
                    with Pair(client, server, six, next(PORT)) as pair:
                        with expecting_visits(what, count):
                            pair.connect()


def test_visits_udp():
    table = {
        UNKNOWN: (1, 1), ALLOWED: (0, 0), WATCHED: (1, 0), AWAITING: (1, 1), BOTH: (1, 1),
        OPENED: (1, 1)}
    for six in False, True:
        for state, (up, down) in table.items():
            client, server, port, hosts = udp_pair(six)
            what = f"UDP {6 if six else 4}, state {state}"
            set_mark("udp", six, client, hosts, port, state)
            with expecting_visits(what + ", client sends", up):
                check(what, transfer(client, server), "up did not arrive")
            with expecting_visits(what + ", server sends", down):
                check(what, transfer(server, client), "down did not arrive")
            if state == UNKNOWN:
                continue
            # The server's error comes in and is believed; the datagram that drew it has visited.
            server.close()
            with expecting_visits(what + ", error comes down", up):
                client.send(b"x")
                check(what, refused(lambda: client.recv(10)), "no error came down")
            client.close()
    for six in False, True:
        for state, (_, down) in table.items():
            client, server, port, hosts = udp_pair(six)
            set_mark("udp", six, client, hosts, port, state)
            client.close()
            # An error from the LAN visits in every state, also of an allowed connection.
            with expecting_visits(f"UDP {6 if six else 4}, state {state}, error goes up", down + 1):
                server.send(b"x")
            server.close()


def udp_pair(six):
    port = next(PORT)
    hosts = ("phone", "server")
    server = new_socket("server", six, socket.SOCK_DGRAM)
    server.bind((HOSTS["server"][six], port))
    client = new_socket("phone", six, socket.SOCK_DGRAM)
    client.connect((HOSTS["server"][six], port))
    client.send(b"first")
    _, address = server.recvfrom(100)
    server.connect(address)
    server.send(b"reply")
    client.recv(100)
    return client, server, port, hosts


def ping(host, target, six, wait=1.0):
    """"answered", "prohibited" (ICMP type 3 code 13, ICMPv6 type 1 code 1), or "silence"."""
    protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    inside(host)
    with socket.socket(family(six), socket.SOCK_RAW, protocol) as end:
        identifier = next(PORT)
        body = struct.pack("!HH", identifier, 1) + b"x" * 24
        kind = 128 if six else 8
        # The kernel fills in ICMPv6's checksum, not ICMP's.
        words = struct.unpack(f"!{(len(body) + 4) // 2}H", bytes([kind, 0, 0, 0]) + body)
        total = sum(words)
        total = (total & 0xffff) + (total >> 16)
        total = ~((total & 0xffff) + (total >> 16)) & 0xffff
        end.sendto(struct.pack("!BBH", kind, 0, 0 if six else total) + body, (HOSTS[target][six], 0))
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            end.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                packet = end.recv(2000)
            except OSError:
                break
            icmp = packet if six else packet[(packet[0] & 15) * 4:]
            if icmp[0] == (129 if six else 0) and icmp[4:6] == body[:2]:
                return "answered"
            if (icmp[0], icmp[1]) == ((1, 1) if six else (3, 13)):
                return "prohibited"
    return "silence"


def test_visits_ping():
    for state, wanted in {
            UNKNOWN: 2, ALLOWED: 0, WATCHED: 1, AWAITING: 2, BOTH: 2, OPENED: 2}.items():
        with foreign(new_connections_marked(state)):
            for six in False, True:
                what = f"ping {6 if six else 4}, state {state}"
                with expecting_visits(what, wanted):
                    expect(what, ping("phone", "server", six), "answered")


def test_denied_and_cut():
    for six in False, True:
        for sender in 0, 1:
            with Pair("phone", "server", six, next(PORT)) as pair:
                pair.connect()
                pair.mark(DENIED)
                end = (pair.client, pair.server)[sender]
                other = (pair.server, pair.client)[sender]
                what = f"denied, {6 if six else 4}, {('client', 'server')[sender]} sends"
                with expecting_visits(what, 0):
                    end.send(b"secret")
                    check(what, refused(lambda: end.recv(10)), "not reset")
                other.setblocking(False)
                check(what, not arrived(other), "a payload arrived")
            with Pair("phone", "server", six, next(PORT)) as pair:
                pair.connect()
                pair.mark(CUT)
                before = visits()
                check("cut", not transfer(pair.client, pair.server), "a payload passed")
                check("cut", visits() > before, "does not visit")


def arrived(end):
    try:
        return len(end.recv(10)) > 0
    except OSError:
        return False


def test_refusals():
    """100 within a second, of every kind."""
    with foreign(new_connections_marked(DENIED)):
        for six in False, True:
            port = next(PORT)
            start = time.monotonic()
            for _ in range(100):
                with new_socket("phone", six, socket.SOCK_STREAM) as client:
                    check("TCP refusal", refused(
                        lambda: client.connect((HOSTS["server"][six], port))), "no reset")
            check("100 TCP refusals", time.monotonic() - start < 1, "took over a second")
            start = time.monotonic()
            for _ in range(100):
                with new_socket("phone", six, socket.SOCK_DGRAM) as client:
                    client.connect((HOSTS["server"][six], port))
                    client.send(b"x")
                    check("UDP refusal", refused(lambda: client.recv(10)), "no ICMP error")
            check("100 UDP refusals", time.monotonic() - start < 1, "took over a second")
            for _ in range(100):
                expect("ping refusal", ping("phone", "server", six), "prohibited")


def test_verdicts():
    """What `enforce` makes of a packet's mark; other bits of the connection's mark are kept."""
    others = 0x00a50000
    for six in False, True:
        for old, mark, new in (
                (UNKNOWN, WATCHED, WATCHED), (OPENED, AWAITING, AWAITING),
                (AWAITING, ALLOWED, ALLOWED), (OPENED, DENIED, DENIED), (ALLOWED, DENIED, DENIED),
                (ALLOWED, OPENED, ALLOWED), (CUT, WATCHED, CUT), (DENIED, WATCHED, DENIED),
                (WATCHED, UNKNOWN, WATCHED), (WATCHED, CUT, WATCHED)):
            with Pair("phone", "server", six, next(PORT)) as pair:
                pair.connect()
                set_mark("tcp", six, pair.client, pair.hosts, pair.port, old, others)
                with foreign(verdict(mark, f"tcp dport {pair.port}")):
                    transfer(pair.client, pair.server)
                    got = mark_of("tcp", six, pair.client, pair.hosts, pair.port)
                expect(f"verdict {mark} on state {old}", got, new << 24 | others)
        # A judged SYN counts more than the deny of the connection that had its ports before.
        for mark in OPENED, ALLOWED:
            with foreign(new_connections_marked(DENIED) + verdict(mark, "tcp flags syn / syn,ack")):
                with Pair("phone", "server", six, next(PORT)) as pair:
                    check("SYN over a deny", not refused(pair.connect), "was refused")
                    got = mark_of("tcp", six, pair.client, pair.hosts, pair.port)
                    expect("SYN over a deny", got, mark << 24)
        # A refused ICMP error is not the refusal of the connection that it tells of.
        client, server, port, hosts = udp_pair(six)
        set_mark("udp", six, client, hosts, port, WATCHED)
        client.close()
        with foreign(verdict(DENIED, "meta l4proto { icmp, ipv6-icmp }")):
            server.send(b"x")
            time.sleep(SETTLE)
            check("refused error", not refused(lambda: server.send(b"x")), "it passed")
        table = router("conntrack", "-L", "-f", "ipv6" if six else "ipv4", "-p", "udp", "--dport", str(port))
        check("refused error", f"mark={WATCHED << 24}" in table, f"the connection is {table}")
        server.close()


def test_nobody_reads_the_queue():
    """Closed, no daemon: what the kernel carries goes on, nothing else passes."""
    # Without a rule that asks for it the kernel tracks no connection.
    router("nft", "-f", "-", text=(
        "table inet lab { chain c { type filter hook forward priority 0; ct state new accept; }; }"))
    pairs = {}
    for six in False, True:
        for state in ALLOWED, WATCHED, OPENED, UNKNOWN:
            pairs[six, state] = Pair("phone", "server", six, next(PORT)).connect()
            pairs[six, state].mark(state)
    step("install")
    for (six, state), pair in pairs.items():
        what = f"no daemon, {6 if six else 4}, state {state}"
        # nftables accepts here what it should queue, so only `closing` can be seen at work.
        up = state == ALLOWED or (IS_NFT and state != UNKNOWN)
        down = state in (ALLOWED, WATCHED) or (IS_NFT and state != UNKNOWN)
        expect(what + ", up", transfer(pair.client, pair.server), up)
        expect(what + ", down", transfer(pair.server, pair.client), down)
        pair.close()
    nothing_new_passes("no daemon")
    if not IS_NFT:
        suffix = FIREWALL.removeprefix("iptables")
        for table in "filter", "mangle":
            for program in "iptables", "ip6tables":
                router(program + suffix, "-t", table, "-I", "FORWARD", "-j", "ACCEPT")
            nothing_new_passes(f"no daemon, foreign ACCEPT in {table}")
            for program in "iptables", "ip6tables":
                router(program + suffix, "-t", table, "-D", "FORWARD", "-j", "ACCEPT")


def nothing_new_passes(what):
    for six in False, True:
        for client, server in ("phone", "server"), ("server", "phone"), ("phone", "tablet"):
            where = f"{what}, {client} to {server}, {6 if six else 4}"
            with Pair(client, server, six, next(PORT)) as pair:
                pair.client.settimeout(0.3)
                try:
                    pair.client.connect((HOSTS[server][six], pair.port))
                    check(where, False, "TCP passed")
                except OSError:
                    pass
            port = next(PORT)
            with new_socket(server, six, socket.SOCK_DGRAM, 0.2) as end:
                end.bind((HOSTS[server][six], port))
                with new_socket(client, six, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"x", (HOSTS[server][six], port))
                check(where, not arrived(end), "UDP passed")
        expect(what + ", ping", ping("phone", "server", six, 0.3), "silence")


def main():
    start = time.monotonic()
    # Interfaces that were just made need a moment for their neighbours.
    for host in "phone", "tablet":
        for six in False, True:
            for _ in range(50):
                if ping(host, "server", six, 0.1) == "answered":
                    break
    test_nobody_reads_the_queue()
    step("install", "bypass deny-list")
    step("settings")
    test_visits_tcp()
    test_visits_handshake()
    test_visits_udp()
    test_visits_ping()
    test_denied_and_cut()
    test_verdicts()
    step("install", "bypass")
    test_refusals()
    step("remove")
    with Pair("phone", "server", False, next(PORT)) as pair:
        check("removed", not refused(pair.connect) and transfer(pair.client, pair.server), "")
    print(f"   packets: {'all passed' if not failures else f'{failures} FAILED'} "
          f"in {time.monotonic() - start:.0f} s")
    return 1 if failures else 0


sys.exit(main())
