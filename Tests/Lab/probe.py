"""Client attempts that curl cannot make: hellos cut into chosen segments, single datagrams, pings,
forged packets, many attempts in a row. Used by clients.sh.

Prints one line an outcome, `OUTCOME COUNT SLOWEST-MS DETAIL`:
  answered  the other end answered
  refused   a reset or an ICMP error came
  closed    the connection was closed in good order, without an answer
  silent    nothing came in time
With one attempt, or when all end alike, that is one line.
"""

import argparse
import os
import random
import socket
import ssl
import struct
import sys
import time

REFUSALS = (ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
UNREACHABLE = (113, 101, 13, 1)  # EHOSTUNREACH, ENETUNREACH, EACCES, EPERM: from ICMP errors
TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK = 0x02, 0x04, 0x08, 0x10


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def outcome_of(error):
    if isinstance(error, REFUSALS):
        return "refused"
    if isinstance(error, TimeoutError):
        return "silent"
    if isinstance(error, OSError) and error.errno in UNREACHABLE:
        return "refused"
    raise error


def pieces_of(data, cuts):
    """Cuts data after each of the given lengths; the last length is whatever is left."""
    for length in cuts:
        if length >= len(data):
            break
        yield data[:length]
        data = data[length:]
    yield data


# Each attempt returns (outcome, detail).


open_sockets = []


def attempt_udp(asked, _):
    client = socket.socket(family_of(asked.address), socket.SOCK_DGRAM)
    # Open to the end: a port that is given out twice would make one connection of two attempts.
    open_sockets.append(client)
    client.settimeout(asked.timeout)
    client.connect((asked.address, asked.port))
    client.send(asked.payload)
    client.recv(2048)
    return "answered", ""


def attempt_ping(asked, number):
    six = ":" in asked.address
    protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    request, reply, errors = (128, 129, (1, 2, 3, 4)) if six else (8, 0, (3, 11, 12))
    own = (os.getpid() + number) & 0xFFFF
    body = struct.pack("!HH", own, 1) + b"imgate lab ping"
    packet = bytes([request, 0]) + checksum(bytes([request, 0, 0, 0]) + body) + body
    with socket.socket(family_of(asked.address), socket.SOCK_RAW, protocol) as client:
        client.sendto(packet, (asked.address, 0))
        deadline = time.monotonic() + asked.timeout
        while (left := deadline - time.monotonic()) > 0:
            client.settimeout(left)
            answer = client.recv(2048)
            if not six:
                answer = answer[(answer[0] & 15) * 4 :]
            if answer[0] == reply and answer[4:6] == struct.pack("!H", own):
                return "answered", ""
            if answer[0] in errors and struct.pack("!H", own) in answer[8:]:
                return "refused", f"type {answer[0]} code {answer[1]}"
    return "silent", ""


def attempt_tcp(asked, _):
    with socket.create_connection((asked.address, asked.port), asked.timeout) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces_of(asked.payload, asked.cuts)):
            if number and asked.pause:
                time.sleep(asked.pause)
            client.sendall(piece)
        answer = client.recv(65536)
    return ("answered", "") if answer else ("closed", "")


def tls_context(asked):
    context = ssl.create_default_context(cafile=asked.ca)
    if asked.big:
        # As long as a hello with a post-quantum key share: more than one segment.
        context.set_alpn_protocols([f"{number:060}" for number in range(24)] + ["http/1.1"])
    return context


def client_hello(asked):
    """The bytes of a real ClientHello for asked.hello."""
    outward = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), outward, server_hostname=asked.hello
    )
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outward.read()


def attempt_tls(asked, _):
    """A whole TLS handshake and one request; the first flight goes out in the chosen pieces."""
    context = tls_context(asked)
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(inward, outward, server_hostname=asked.name)
    cuts, first = asked.cuts, True
    with socket.create_connection((asked.address, asked.port), asked.timeout) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exchange(step):
            nonlocal first
            while True:
                try:
                    result, wanted = step(), False
                except ssl.SSLWantReadError:
                    result, wanted = None, True
                flight = outward.read()
                for number, piece in enumerate(pieces_of(flight, cuts if first else [])):
                    if number and asked.pause:
                        time.sleep(asked.pause)
                    if piece:
                        client.sendall(piece)
                first = False
                if not wanted:
                    return result
                data = client.recv(65536)
                if not data:
                    raise ConnectionAbortedError("closed")
                inward.write(data)

        exchange(session.do_handshake)
        request = f"GET / HTTP/1.1\r\nHost: {asked.name}\r\nConnection: close\r\n\r\n".encode()
        exchange(lambda: session.write(request))
        status = exchange(lambda: session.read(12))
    return "answered", status.decode("ascii", "replace").replace(" ", "/")


def run_many(attempt, asked):
    outcomes = {}
    for number in range(asked.count):
        start = time.monotonic()
        try:
            outcome, detail = attempt(asked, number)
        except OSError as error:
            outcome, detail = outcome_of(error), os.strerror(error.errno or 0).replace(" ", "-")
        took = (time.monotonic() - start) * 1000
        count, slowest, _ = outcomes.get(outcome, (0, 0.0, ""))
        outcomes[outcome] = (count + 1, max(slowest, took), detail)
    for outcome, (count, slowest, detail) in sorted(outcomes.items()):
        print(outcome, count, f"{slowest:.1f}", detail)


def keepalive(asked):
    """Requests for each host, one after the other on one plain connection; a line for each."""
    with socket.create_connection((asked.address, asked.port), asked.timeout) as client:
        for host in asked.hosts.split(","):
            start = time.monotonic()
            try:
                client.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                answer = b""
                while not answer.endswith(b"\r\n\r\nhello from the lab\n"):
                    data = client.recv(65536)
                    if not data:
                        raise ConnectionAbortedError
                    answer += data
                outcome = "answered"
            except OSError as error:
                outcome = outcome_of(error)
            print(outcome, 1, f"{(time.monotonic() - start) * 1000:.1f}", host, flush=True)
            if outcome != "answered":
                return


def stay(asked):
    """One TLS connection with a request now and then until the time is up or a file is gone."""
    context = ssl.create_default_context(cafile=asked.ca)
    request = f"GET / HTTP/1.1\r\nHost: {asked.name}\r\n\r\n".encode()
    answers, slowest = 0, 0.0
    with socket.create_connection((asked.address, asked.port), asked.timeout) as plain:
        with context.wrap_socket(plain, server_hostname=asked.name) as client:
            end = time.monotonic() + asked.seconds
            while time.monotonic() < end and (not asked.file or os.path.exists(asked.file)):
                start = time.monotonic()
                try:
                    client.sendall(request)
                    answer = b""
                    while not answer.endswith(b"\r\n\r\nhello from the lab\n"):
                        data = client.recv(65536)
                        if not data:
                            raise ConnectionAbortedError
                        answer += data
                except OSError as error:
                    print(outcome_of(error), answers, f"{slowest:.1f}", "after-answers")
                    return
                answers += 1
                slowest = max(slowest, (time.monotonic() - start) * 1000)
                time.sleep(asked.every)
    print("answered", answers, f"{slowest:.1f}")


# Packets made by hand.


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def packet_of(source, destination, protocol, transport, checksum_at):
    six = ":" in source
    pack = lambda text: socket.inet_pton(family_of(text), text)
    if six:
        pseudo = pack(source) + pack(destination) + struct.pack("!II", len(transport), protocol)
        header = struct.pack("!IHBB", 6 << 28, len(transport), protocol, 64)
        header += pack(source) + pack(destination)
    else:
        pseudo = pack(source) + pack(destination) + struct.pack("!HH", protocol, len(transport))
        header = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + len(transport), random.randrange(65536), 0, 64, protocol, 0
        )
        header += pack(source) + pack(destination)
        header = header[:10] + checksum(header) + header[12:]
    if protocol != socket.IPPROTO_ICMPV6 or six:
        transport = (
            transport[:checksum_at]
            + checksum(pseudo + transport)
            + transport[checksum_at + 2 :]
        )
    return header + transport


def tcp_segment(source_port, port, flags, payload=b"", sequence=None, acknowledgement=None):
    if sequence is None:
        sequence = random.randrange(1 << 32)
    if acknowledgement is None:
        acknowledgement = random.randrange(1 << 32)
    return (
        struct.pack(
            "!HHIIBBHHH",
            source_port,
            port,
            sequence,
            acknowledgement if flags & TCP_ACK else 0,
            5 << 4,
            flags,
            64000,
            0,
            0,
        )
        + payload
    )


def forge(asked):
    """Sends one packet made by hand, and waits for a reset to its source port.

    With a source that is not this machine's nothing can come back: then `silent` is expected.
    """
    port = random.randrange(20000, 60000)
    if asked.kind == "udp":
        body = struct.pack("!HHHH", port, asked.port, 8 + len(asked.payload), 0) + asked.payload
        packet = packet_of(asked.source, asked.address, socket.IPPROTO_UDP, body, 6)
    else:
        flags = TCP_SYN if asked.kind == "syn" else TCP_ACK | TCP_PSH
        segment = tcp_segment(port, asked.port, flags, b"" if flags == TCP_SYN else asked.payload)
        packet = packet_of(asked.source, asked.address, socket.IPPROTO_TCP, segment, 16)
    family = family_of(asked.address)
    six = family == socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as listener:
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            start = time.monotonic()
            sender.sendto(packet, (asked.address, 0))
        while (left := start + asked.timeout - time.monotonic()) > 0:
            listener.settimeout(left)
            try:
                answer = listener.recv(2048)
            except TimeoutError:
                break
            segment = answer if six else answer[(answer[0] & 15) * 4 :]
            if segment[:4] == struct.pack("!HH", asked.port, port) and segment[13] & TCP_RST:
                print("refused", 1, f"{(time.monotonic() - start) * 1000:.1f}", "reset")
                return
    print("silent", 1, f"{asked.timeout * 1000:.1f}")


def sequence_numbers(client):
    """The next byte's number that an open connection sends, and that it expects."""
    repair, queue, number = 19, 20, 21  # TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ
    numbers = []
    client.setsockopt(socket.IPPROTO_TCP, repair, 1)
    for which in (2, 1):  # TCP_SEND_QUEUE, TCP_RECV_QUEUE
        client.setsockopt(socket.IPPROTO_TCP, queue, which)
        numbers.append(client.getsockopt(socket.IPPROTO_TCP, number) & 0xFFFFFFFF)
    client.setsockopt(socket.IPPROTO_TCP, repair, -1)  # TCP_REPAIR_OFF_NO_WP
    return numbers


def again(asked):
    """The payload on one connection after the other, all from the same port; each ends with a reset."""
    for _ in range(asked.count):
        start = time.monotonic()
        with socket.socket(family_of(asked.address), socket.SOCK_STREAM) as client:
            client.settimeout(asked.timeout)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.bind(("", asked.source_port))
            try:
                client.connect((asked.address, asked.port))
                client.sendall(asked.payload)
                outcome = "answered" if client.recv(65536) else "closed"
            except OSError as error:
                outcome = outcome_of(error)
        print(outcome, 1, f"{(time.monotonic() - start) * 1000:.1f}")


def decoy(asked):
    """A request behind a decoy that the server ignores, since it lies left of what it expects.

    On an open connection a SYN made by hand begins `distance` bytes further left; from there comes
    an allowed request with a body without end; then, where the server counts, the request that
    the body is to hide.
    """
    with socket.create_connection((asked.address, asked.port), asked.timeout) as client:
        client.settimeout(asked.timeout)
        source, port = client.getsockname()[:2]
        if asked.after:
            open(asked.after + ".connected", "w").close()
            while not os.path.exists(asked.after):
                time.sleep(0.01)
        send, receive = sequence_numbers(client)
        first = (send - asked.distance) & 0xFFFFFFFF
        swallower = (
            f"POST / HTTP/1.1\r\nHost: {asked.allowed}\r\nContent-Length: 100000000\r\n\r\n"
        )
        with socket.socket(client.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            for flags, sequence, payload in (
                (TCP_SYN, first - 1, b""),
                (TCP_ACK | TCP_PSH, first, swallower.encode()),
            ):
                if asked.decoy_syn or flags != TCP_SYN:
                    segment = tcp_segment(
                        port, asked.port, flags, payload, sequence & 0xFFFFFFFF, receive
                    )
                    packet = packet_of(source, asked.address, socket.IPPROTO_TCP, segment, 16)
                    sender.sendto(packet, (asked.address, 0))
                time.sleep(0.1)
        start = time.monotonic()
        try:
            client.sendall(asked.payload)
            outcome = "answered" if client.recv(65536) else "closed"
        except OSError as error:
            outcome = outcome_of(error)
        print(outcome, 1, f"{(time.monotonic() - start) * 1000:.1f}")


def main():
    top = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = top.add_subparsers(dest="command", required=True)

    def command(name, *, port=True):
        made = commands.add_parser(name)
        made.add_argument("address")
        if port:
            made.add_argument("port", type=int)
        made.add_argument("--timeout", type=float, default=2.0)
        made.add_argument("--count", type=int, default=1)
        made.add_argument("--text", default="not one byte of this may leave")
        return made

    command("udp")
    command("ping", port=False)
    for name in ("tcp", "tls"):
        made = command(name)
        made.add_argument("--cuts", default="", help="sizes of the first pieces, 1,1,5")
        made.add_argument("--pause", type=float, default=0.0, help="seconds between the pieces")
        if name == "tls":
            made.add_argument("name")
            made.add_argument("--ca", required=True)
            made.add_argument("--big", action="store_true", help="a hello of about 1900 bytes")
        else:
            made.add_argument("--hello", help="send a ClientHello for this name")
    command("keepalive").add_argument("hosts", help="a,b,c")
    made = command("stay")
    made.add_argument("name")
    made.add_argument("--ca", required=True)
    made.add_argument("--seconds", type=float, default=60.0)
    made.add_argument("--every", type=float, default=0.1)
    made.add_argument("--file", help="ends when this file is gone")
    made = command("forge")
    made.add_argument("kind", choices=("udp", "syn", "midstream"))
    made.add_argument("source")
    command("again").add_argument("source_port", type=int)
    made = command("decoy")
    made.add_argument("allowed", help="the host that the decoy asks for")
    made.add_argument("--distance", type=int, default=10000)
    made.add_argument("--after", help="connects at once, goes on when this file is there")
    made.add_argument("--no-syn", dest="decoy_syn", action="store_false")

    asked = top.parse_args()
    asked.payload = asked.text.encode().decode("unicode_escape").encode("latin-1")
    if getattr(asked, "hello", None):
        asked.payload = client_hello(asked)
    asked.cuts = [int(size) for size in getattr(asked, "cuts", "").split(",") if size]
    attempts = {
        "udp": attempt_udp, "ping": attempt_ping, "tcp": attempt_tcp, "tls": attempt_tls
    }  # fmt: skip
    if asked.command in attempts:
        run_many(attempts[asked.command], asked)
    else:
        {
            "keepalive": keepalive, "stay": stay, "forge": forge, "decoy": decoy, "again": again
        }[asked.command](asked)  # fmt: skip


try:
    main()
except OSError as failure:
    print(outcome_of(failure), 1, "0.0", "before-anything")
    sys.exit(0)
