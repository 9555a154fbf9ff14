"""The chat servers of the lab's internet: WeChat's, QQ's, and what surrounds them.

Every address speaks every protocol of chatbytes.py: the client's first bytes say which. What
arrives is appended to the log, one line a piece or a message, `tcp|udp ADDRESS PORT RECEIVED SENT
WHAT`: pieces have their bytes and `-`, messages that were understood have a name and no bytes.
What nobody understands is counted as `raw` and sent back.
"""

import argparse
import os
import resource
import selectors
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chatbytes  # noqa: E402


class Gone(Exception):
    """The client has closed the connection."""


class Log:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, transport, address, port, received=0, sent=0, what="-"):
        os.write(self.file, f"{transport} {address} {port} {received} {sent} {what}\n".encode())


class Stream:
    """One connection: exact reads, all of it counted."""

    def __init__(self, client, log, address, port):
        self.client, self.log, self.place = client, log, ("tcp", address, port)
        self.rest = b""

    def fill(self):
        data = self.client.recv(65536)
        if not data:
            raise Gone
        self.log.add(*self.place, received=len(data))
        self.rest += data

    def peek(self, count):
        while len(self.rest) < count:
            self.fill()
        return self.rest[:count]

    def read(self, count):
        data = self.peek(count)
        self.rest = self.rest[count:]
        return data

    def read_until(self, mark):
        while mark not in self.rest:
            self.fill()
        return self.read(self.rest.index(mark) + len(mark))

    def send(self, data):
        self.log.add(*self.place, sent=len(data))
        self.client.sendall(data)

    def understood(self, what):
        self.log.add(*self.place, what=what)


def mmtls(stream):
    """Long link: hello, answer, then an answer for every record."""
    version = None
    while True:
        head = stream.read(5)
        kind, record_version, length = head[0], *struct.unpack("!HH", head[1:])
        body = stream.read(length)
        if kind == 0x16 and version is None:
            version = record_version
            assert length == len(chatbytes.mmtls_hello()) - 5 or body[4] == 1
            stream.understood("mmtls-hello")
            stream.send(chatbytes.mmtls_answer(version))
        elif kind == 0x16:
            stream.understood("mmtls-finished")
        elif kind == 0x17:
            stream.understood("mmtls-message")
            stream.send(chatbytes.mmtls_data(length, version))
        else:
            raw(stream)


def clear_long_link(stream):
    """The 16-byte header of old clients: each packet is answered by its command + 1,000,000,000."""
    while True:
        total, header, _, command, sequence = struct.unpack("!IHHII", stream.peek(16))
        if header != 16:
            raw(stream)
        stream.read(total)
        stream.understood("clear-packet")
        stream.send(chatbytes.clear_packet(1_000_000_000 + command, sequence))


def media(stream):
    while True:
        if stream.peek(1) != b"\xab":
            raw(stream)
        head = stream.peek(25)
        stream.read(struct.unpack("!I", head[1:5])[0])
        stream.understood("media-frame")
        stream.send(chatbytes.media_answer())


def highway(stream):
    while True:
        if stream.peek(1) != b"\x28":
            raw(stream)
        head = stream.peek(10)
        first, second = struct.unpack("!II", head[1:9])
        frame = stream.read(10 + first + second)
        stream.understood("highway-frame" if frame[-1] == 0x29 else "highway-broken")
        stream.send(chatbytes.highway(0))


def msf(stream):
    while True:
        head = stream.peek(9)
        total, kind = struct.unpack("!II", head[:8])
        if not 0x0A <= kind <= 0x0D:
            raw(stream)
        frame = stream.read(total)
        if b"Heartbeat.Alive" in frame:
            stream.understood("msf-heartbeat")
            stream.send(chatbytes.msf_heartbeat_answer(struct.unpack("!I", frame[9:13])[0]))
        else:
            stream.understood("msf-login" if kind in (0x0A, 0x0C) else "msf-message")
            stream.send(chatbytes.msf_answer())


def oicq_over_tcp(stream):
    while True:
        total = struct.unpack("!H", stream.peek(2))[0]
        frame = stream.read(total)
        if frame[2] != 0x02 or frame[-1] != 0x03:
            raw(stream)
        stream.understood("pc-qq")
        stream.send(frame)


def web(stream):
    """HTTP: short link, HTTP DNS, media forms, the poll of the web version, plain pages."""
    while True:
        head = stream.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, version = head[0].split(" ")
        headers = {
            name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])
        }
        left = int(headers.get("content-length", 0))
        body = stream.read(min(left, 5)) if left else b""
        left -= len(body)
        while left:
            left -= len(stream.read(min(left, 65536)))
        path, _, query = target.partition("?")
        name, answer = answer_of(path, query, body)
        stream.understood(name)
        if method == "HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        stream.send(answer)
        if version == "HTTP/1.0" or headers.get("connection", "").lower() == "close":
            return


def answer_of(path, query, body):
    """What was asked for, and the reply."""
    if path.startswith("/mmtls/"):
        if body[:1] in (b"\x16", b"\x19") and body[1:2] == b"\xf1":
            return "short-link", chatbytes.short_link_reply()
        return "short-link-broken", chatbytes.reply(b"", status="400 Bad Request")
    if path == "/cgi-bin/micromsg-bin/newgetdns":
        return "newgetdns", chatbytes.newgetdns_reply(asked.taught, asked.server)
    if path.startswith("/cgi-bin/micromsg-bin/reportdevice"):
        more = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        return "chunked", more.encode()
    if path.startswith("/cgi-bin/micromsg-bin/"):
        return "cgi", chatbytes.reply(b"\xc9" * 300)
    if path in ("/uploadv3", "/download", "/uploadcheckmd5"):
        return "media-form", chatbytes.reply(chatbytes.pairs(b"ver", b"1", b"retcode", b"0"))
    if path.endswith("/synccheck"):
        time.sleep(float(dict(part.split("=") for part in query.split("&"))["wait"]))
        return "web-poll", chatbytes.reply(b'window.synccheck={retcode:"0",selector:"2"}')
    if path == "/generate_204":
        return "probe", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
    if path == "/hotspot-detect.html":
        return "probe", chatbytes.reply(b"Success\n", "text/html")
    return "page", chatbytes.reply(b"hello from the lab\n", "text/html")


def raw(stream):
    """What nobody understands goes back."""
    stream.understood("raw")
    while True:
        stream.fill() if not stream.rest else None
        data, stream.rest = stream.rest, b""
        stream.send(data)


def handler_of(first):
    """By at most eight bytes; None while they do not suffice."""
    if first[:1] in (b"G", b"P", b"H"):
        return web
    if first[:1] == b"\xab":
        return media
    if first[:1] == b"\x28":
        return highway
    if len(first) >= 2 and first[:2] == b"\x16\xf1":
        return mmtls
    if len(first) >= 8:
        if first[4:8] == b"\0\x10\0\x01":
            return clear_long_link
        if first[:1] == b"\0" and b"\0\0\0\x0a" <= first[4:8] <= b"\0\0\0\x0d":
            return msf
        if first[2:3] == b"\x02":
            return oicq_over_tcp
        return raw
    return None


def serve(client, address, port):
    stream = Stream(client, log, address, port)
    try:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The first bytes of TLS stay in the socket, for the library.
        if client.recv(2, socket.MSG_PEEK) == b"\x16\x03":
            stream.client = client = tls.wrap_socket(client, server_side=True)
            log.add("tcp", address, port, what="tls")
        while (handler := handler_of(stream.rest[:8])) is None:
            try:
                client.settimeout(0.5 if stream.rest else None)
                stream.fill()
            except TimeoutError:
                handler = raw
                break
        client.settimeout(None)
        handler(stream)
    except (Gone, OSError):
        pass
    finally:
        client.close()


def datagram(server, address, port):
    data, client = server.recvfrom(65536)
    if port == 8000 and data[:1] == b"\x02" and data[-1:] == b"\x03" and len(data) >= 12:
        what, answer = "oicq", chatbytes.oicq(struct.unpack("!I", data[7:11])[0])
    elif port == 123 and len(data) == 48:
        what, answer = "ntp", chatbytes.ntp_answer(data)
    elif data[:1] and data[0] & 0xC0 == 0xC0:
        what, answer = "quic", data
    elif data[9:11] == b"Q0":
        what, answer = "gquic", data
    else:
        what, answer = "raw", data
    log.add("udp", address, port, len(data), len(answer), what)
    server.sendto(answer, client)


def listen(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen(1024)
    return server


def main():
    waiting = selectors.DefaultSelector()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with open(asked.places) as places:
        for line in places:
            address, tcp, udp = line.split()
            for kind, ports in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
                for port in ports.split(",") if ports != "-" else ():
                    server = listen(kind, address, int(port))
                    waiting.register(server, selectors.EVENT_READ, (kind, address, int(port)))
    open(asked.ready, "w").close()
    while True:
        for key, _ in waiting.select():
            kind, address, port = key.data
            try:
                if kind == socket.SOCK_DGRAM:
                    datagram(key.fileobj, address, port)
                else:
                    client, _ = key.fileobj.accept()
                    threading.Thread(
                        target=serve, args=(client, address, port), daemon=True
                    ).start()
            except OSError:
                pass


options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--log", required=True)
options.add_argument("--ready", required=True, help="file made once every port is open")
options.add_argument("--places", required=True, help="file of lines: ADDRESS TCP-PORTS UDP-PORTS")
options.add_argument("--certificate", required=True)
options.add_argument("--key", required=True)
options.add_argument("--teach", default=[], action="append", help="NAME=ADDRESS,..., in newgetdns")
options.add_argument("--server", default=[], action="append", help="address, in newgetdns")
asked = options.parse_args()
asked.taught = [
    (name, addresses.split(",")) for name, addresses in (line.split("=") for line in asked.teach)
]
log = Log(asked.log)
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(asked.certificate, asked.key)
main()
