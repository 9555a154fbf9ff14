"""Scripted sessions of WeChat and QQ, and of those who pretend to be them. Used by chat.sh.

Prints one line an outcome, as probe.py does: `OUTCOME COUNT SLOWEST-MS DETAIL`, where the time is
that of the session's slowest step, from connecting or sending to the outcome; pauses do not count.
Several ports, `8080,80`, are tried in turn until one serves, as the programs do.
"""

import argparse
import os
import select
import socket
import ssl
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chatbytes  # noqa: E402

REFUSALS = (ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
UNREACHABLE = (113, 101, 13, 1)  # EHOSTUNREACH, ENETUNREACH, EACCES, EPERM: from ICMP errors


class Closed(OSError):
    """The server has closed the connection in good order, without the answer."""


def outcome_of(error):
    if isinstance(error, (Closed, ssl.SSLEOFError)):
        return "closed"
    if isinstance(error, ssl.SSLError):
        raise error
    if isinstance(error, REFUSALS) or error.errno in UNREACHABLE:
        return "refused"
    if isinstance(error, TimeoutError):
        return "silent"
    raise error


class Session:
    """One connection, and what has been answered on it."""

    def __init__(self, port):
        self.port, self.answers, self.slowest = port, 0, 0.0
        self.began = time.monotonic()
        self.client = None

    def connect(self):
        self.client = socket.create_connection((asked.address, self.port), asked.timeout)
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if asked.tls:
            context = ssl.create_default_context(cafile=asked.ca)
            self.client = context.wrap_socket(self.client, server_hostname=asked.tls)

    def was_reset(self):
        """By TCP's own state, closed: the TLS library calls a reset an end of the data."""
        return self.client and self.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 7

    def step(self):
        """A new step begins; the time until now was a pause."""
        self.began = time.monotonic()

    def done(self):
        self.slowest = max(self.slowest, time.monotonic() - self.began)

    def send(self, data):
        for number, size in enumerate(asked.cuts):
            if size < len(data):
                self.client.sendall(data[:size])
                data = data[size:]
                time.sleep(asked.pause)
        self.client.sendall(data)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.client.recv(count - len(data))
            if not piece:
                raise Closed
            data += piece
        return data

    def read_record(self):
        head = self.read(5)
        return self.read(struct.unpack("!H", head[3:])[0])

    def read_counted(self):
        """A frame behind a u32 that counts itself."""
        return self.read(struct.unpack("!I", self.read(4))[0] - 4)

    def read_reply(self):
        """An HTTP reply's head and body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.read(1)
        head = data.decode("latin-1").lower()
        if "transfer-encoding: chunked" in head:
            while not data.endswith(b"\r\n0\r\n\r\n"):
                data += self.read(1)
            body = b""
        else:
            length = [line for line in head.split("\r\n") if line.startswith("content-length:")]
            body = self.read(int(length[0].split(":")[1])) if length else b""
        if head.split(" ")[1][:1] != "2":
            raise Closed
        return head, body

    def exchange(self, data, read):
        """One step: something is sent, and its answer comes."""
        self.step()
        self.send(data)
        found = read()
        self.answers += 1
        self.done()
        return found


# A script takes a session that is connected. It may return a word for the output.


def long_link(session):
    version = int(asked.version, 16)
    hello = (chatbytes.mmtls_first_hello if asked.first else chatbytes.mmtls_hello)(version=version)
    session.exchange(hello, lambda: session.read(111))
    session.send(chatbytes.mmtls_finished(version))
    repeat(session, lambda _: session.exchange(chatbytes.mmtls_data(40, version), session.read_record))


def old_long_link(session):
    """A heartbeat and a message in one segment, as the field notes saw it."""
    both = chatbytes.clear_packet(6, 15) + chatbytes.clear_packet(237, 16, b"\xc3" * 186)
    session.exchange(both, lambda: session.read(32))
    repeat(session, lambda n: session.exchange(chatbytes.clear_packet(6, 17 + n), lambda: session.read(16)))


def short_link(session):
    host = asked.host or asked.address
    for number in range(asked.messages):
        last = number == asked.messages - 1
        request = chatbytes.short_link(host, connection="close" if last else "keep-alive")
        session.exchange(request, session.read_reply)


def cgi(session):
    session.exchange(chatbytes.cgi(asked.host, asked.path), session.read_reply)


def newgetdns(session):
    request = chatbytes.newgetdns(asked.host or asked.address, asked.uin)
    _, body = session.exchange(request, session.read_reply)
    text = zlib.decompress(body, -15).decode()
    return f"{text.count('<domain ')}-names"


def media(session):
    frame = chatbytes.media_frame(asked.size, asked.uin)
    repeat(session, lambda _: session.exchange(frame, lambda: session.read(41)))


def media_form(session):
    request = chatbytes.media_form(asked.host or asked.address, "/" + asked.path, asked.size, asked.uin)
    repeat(session, lambda _: session.exchange(request, session.read_reply))


def highway(session):
    frame = chatbytes.highway(asked.size)
    repeat(session, lambda _: session.exchange(frame, lambda: session.read(18)))


def msf(session):
    session.exchange(chatbytes.msf_login(asked.uin), session.read_counted)
    session.exchange(chatbytes.msf_message(asked.uin), session.read_counted)
    repeat(
        session,
        lambda number: session.exchange(chatbytes.msf_heartbeat(0x101 + number), session.read_counted),
    )


def oicq_over_tcp(session):
    frame = chatbytes.oicq_over_tcp(int(asked.uin))
    repeat(session, lambda _: session.exchange(frame, lambda: session.read(len(frame))))


def get(session):
    request = chatbytes.http("GET", asked.path, [("Host", asked.host)])
    repeat(session, lambda _: session.exchange(request, session.read_reply))


def raw(session):
    data = bytes.fromhex(asked.hex) + asked.text.encode().decode("unicode_escape").encode("latin-1")
    session.exchange(data, lambda: session.read(1))


def repeat(session, exchange):
    """Messages or heartbeats, with pauses; then the file's life long; then what --then says."""
    for number in range(asked.messages):
        if number:
            time.sleep(asked.idle)
        exchange(number)
    if asked.hold:
        with open(asked.hold + ".new", "w") as up:
            up.write(f"{session.slowest * 1000:.1f}\n")
        os.rename(asked.hold + ".new", asked.hold + ".up")
        number = asked.messages
        # What breaks while nothing is said counts from the moment at which it breaks.
        while os.path.exists(asked.hold):
            if select.select([session.client], [], [], asked.idle or 0.2)[0]:
                session.step()
                if not session.client.recv(1):
                    raise Closed
            exchange(number)
            number += 1
    if asked.then:
        session.exchange(bytes.fromhex(asked.then), lambda: session.read(1))


SCRIPTS = {
    "long": long_link,
    "old-long": old_long_link,
    "short": short_link,
    "cgi": cgi,
    "newgetdns": newgetdns,
    "media": media,
    "form": media_form,
    "highway": highway,
    "msf": msf,
    "pcqq": oicq_over_tcp,
    "get": get,
    "raw": raw,
}

# Datagrams: each makes one.
DATAGRAMS = {
    "oicq": lambda: chatbytes.oicq(int(asked.uin)),
    "gquic": lambda: chatbytes.gquic(asked.host),
    "quic": lambda: chatbytes.quic(asked.host, int(asked.version, 16) & 0xF),
    "ntp": chatbytes.ntp_question,
    "datagram": lambda: bytes.fromhex(asked.hex),
}


def by_stream(port):
    session = Session(port)
    try:
        session.connect()
        word = SCRIPTS[asked.script](session) or "answers"
        return "answered", session.slowest, f"port={port} {word}={session.answers}"
    except OSError as error:
        session.done()
        outcome = outcome_of(error)
        if outcome == "closed" and asked.tls and session.was_reset():
            outcome = "refused"
        return outcome, session.slowest, f"port={port} after-answers={session.answers}"
    finally:
        if session.client:
            session.client.close()


def by_datagram(port):
    """One datagram from a port of its own, and its answer; more of them with --messages."""
    family = socket.AF_INET6 if ":" in asked.address else socket.AF_INET
    answers, slowest, began = 0, 0.0, time.monotonic()
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(asked.timeout)
        try:
            client.connect((asked.address, port))
            for number in range(asked.messages + bool(asked.then)):
                if number:
                    time.sleep(asked.idle)
                began = time.monotonic()
                client.send(data if number < asked.messages else bytes.fromhex(asked.then))
                client.recv(65536)
                answers += 1
                slowest = max(slowest, time.monotonic() - began)
            return "answered", slowest, f"port={port} answers={answers}"
        except OSError as error:
            slowest = max(slowest, time.monotonic() - began)
            return outcome_of(error), slowest, f"port={port} after-answers={answers}"


def attempt():
    found = None
    for port in map(int, asked.ports.split(",")):
        found = (by_datagram if asked.script in DATAGRAMS else by_stream)(port)
        if found[0] == "answered":
            break
    return found


def main():
    outcomes, began = {}, time.monotonic()
    for _ in range(asked.count):
        outcome, took, detail = attempt()
        count, slowest, _ = outcomes.get(outcome, (0, 0.0, ""))
        outcomes[outcome] = (count + 1, max(slowest, took), detail)
    took = (time.monotonic() - began) * 1000
    for outcome, (count, slowest, detail) in sorted(outcomes.items()):
        print(outcome, count, f"{slowest * 1000:.1f}", f"{detail} all-in-ms={took:.0f}")


options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
options.add_argument("script", choices=[*SCRIPTS, *DATAGRAMS])
options.add_argument("address")
options.add_argument("ports")
options.add_argument("--count", type=int, default=1, help="sessions, one after the other")
options.add_argument("--messages", type=int, default=1, help="messages or heartbeats of a session")
options.add_argument("--idle", type=float, default=0.0, help="seconds between them")
options.add_argument("--timeout", type=float, default=2.0)
options.add_argument("--cuts", default="", help="sizes of the first pieces of what is sent")
options.add_argument("--pause", type=float, default=0.01, help="seconds between the pieces")
options.add_argument("--hold", help="goes on while this file exists; FILE.up says that it does")
options.add_argument("--then", default="", help="hex: what follows at the end")
options.add_argument("--host", default="")
options.add_argument("--path", default="uploadv3")
options.add_argument("--uin", default="10001")
options.add_argument("--size", type=int, default=0, help="bytes of a picture")
options.add_argument("--version", default="f104", help="of mmtls; 1 or 2 of QUIC")
options.add_argument("--first", action="store_true", help="mmtls without a ticket")
options.add_argument("--tls", help="the script inside TLS, for this name")
options.add_argument("--ca")
options.add_argument("--hex", default="")
options.add_argument("--text", default="")
asked = options.parse_args()
# Made beforehand: QUIC's takes its time.
data = DATAGRAMS[asked.script]() if asked.script in DATAGRAMS else b""
asked.cuts = [int(size) for size in asked.cuts.split(",") if size]
main()
