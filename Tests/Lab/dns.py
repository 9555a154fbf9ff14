"""Questions to a resolver, made by hand, and what came of them; used by 26-dns-door.sh.

Prints one line for each outcome, or with --each for each question: `OUTCOME COUNT SLOWEST-MS DETAIL`:
  noerror, formerr, servfail, nxdomain, refused   the response code
  icmp, reset, closed, silent                     what came instead of an answer
DETAIL has the addresses of the answer, and `ede=N` for an extended error.
"""

import argparse
import random
import select
import socket
import struct
import sys
import time

TYPES = {"A": 1, "NS": 2, "TXT": 16, "AAAA": 28, "SVCB": 64, "HTTPS": 65, "ANY": 255}
CODES = {0: "noerror", 1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"}


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def endpoint(asked):
    """The address as connect(2) takes it, a link-local one with its interface."""
    kind = family_of(asked.address)
    return kind, socket.getaddrinfo(
        asked.address, asked.port, kind, 0, 0, socket.AI_NUMERICHOST)[0][4]


def query(asked, name, number):
    labels = b"".join(
        bytes([len(label)]) + label.encode() for label in name.split(".") if label
    )
    edns = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if asked.edns else b""
    return (
        struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns else 0)
        + labels
        + struct.pack("!BHH", 0, TYPES[asked.type], 1)
        + edns
    )


def skip_name(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def read(message):
    """The outcome and detail of an answer."""
    _, flags, questions, answers, authority, additional = struct.unpack_from("!HHHHHH", message)
    at, found = 12, []
    for _ in range(questions):
        at = skip_name(message, at) + 4
    for _ in range(answers + authority + additional):
        at = skip_name(message, at)
        kind, _, _, length = struct.unpack_from("!HHIH", message, at)
        data = message[at + 10 : at + 10 + length]
        at += 10 + length
        if kind in (1, 28):
            found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data))
        while kind == 41 and data:
            option, size = struct.unpack_from("!HH", data)
            if option == 15:
                found.append(f"ede={struct.unpack_from('!H', data, 4)[0]}")
            data = data[4 + size :]
    return CODES.get(flags & 15, f"code{flags & 15}"), ",".join(found)


def over_udp(asked, names):
    """Sends all questions in their time and waits for the answers to all of them."""
    kind, where = endpoint(asked)
    results = []
    with socket.socket(kind, socket.SOCK_DGRAM) as client:
        client.connect(where)
        client.setblocking(False)
        # Root's only: as many answers as there may be, before they are read.
        client.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        waiting, number, left = {}, random.randrange(1 << 15), list(names)
        start = time.monotonic()
        due = start
        while left or waiting:
            now = time.monotonic()
            if left and now >= due:
                name = left.pop(0)
                number += 1
                message = bytes.fromhex(asked.raw) if asked.raw else query(asked, name, number)
                key = struct.unpack("!H", message[:2])[0] if len(message) > 1 else 0
                waiting[key] = time.monotonic()
                due = now + asked.every
                try:
                    client.send(message)
                except OSError:
                    waiting.pop(key)
                    results.append(("icmp", 0.0, ""))
                continue
            limit = due - now if left else max(waiting.values()) + asked.timeout - now
            if limit <= 0 and not left:
                break
            if not select.select([client], [], [], max(0, limit))[0]:
                continue
            try:
                answer = client.recv(4096)
            except OSError:
                results.append(("icmp", (time.monotonic() - start) * 1000, ""))
                if waiting:
                    waiting.pop(next(iter(waiting)))
                continue
            asked_at = waiting.pop(struct.unpack("!H", answer[:2])[0], None)
            if asked_at is not None:
                took = (time.monotonic() - asked_at) * 1000
                results.append((*read(answer)[:1], took, read(answer)[1]))
        results += [("silent", asked.timeout * 1000, "")] * len(waiting)
    return results


def over_tcp(asked, names):
    """Asks on one connection: one after the other, or with --pipeline all in one go."""
    kind, where = endpoint(asked)
    results = []
    with socket.socket(kind, socket.SOCK_STREAM) as client:
        client.settimeout(asked.timeout)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()

        def outcome_of(error):
            took = (time.monotonic() - start) * 1000
            if isinstance(error, TimeoutError):
                return "silent", took, ""
            if isinstance(error, (ConnectionResetError, ConnectionRefusedError, BrokenPipeError)):
                return "reset", took, ""
            return "icmp", took, ""

        def framed(number, name):
            message = query(asked, name, number)
            return struct.pack("!H", len(message)) + message

        def exactly(count):
            data = b""
            while len(data) < count:
                piece = client.recv(count - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data

        def one():
            length = struct.unpack("!H", exactly(2))[0]
            outcome, detail = read(exactly(length))
            return outcome, (time.monotonic() - start) * 1000, detail

        try:
            client.connect(where)
            if asked.pipeline:
                start = time.monotonic()
                client.sendall(b"".join(framed(n + 1, name) for n, name in enumerate(names)))
            for number, name in enumerate(names):
                if not asked.pipeline:
                    start = time.monotonic()
                    client.sendall(framed(number + 1, name))
                results.append(one())
            if asked.end:
                start = time.monotonic()
                one()
        except EOFError:
            results.append(("closed", (time.monotonic() - start) * 1000, ""))
        except OSError as error:
            results.append(outcome_of(error))
    return results


def discover(asked):
    """Asks for an address by DHCP, as a phone does that joins the network; prints the one offered."""
    mac = bytes.fromhex(asked.mac.replace(":", ""))
    number = random.randrange(1 << 32)
    message = struct.pack("!BBBBIHHIIII", 1, 1, 6, 0, number, 0, 0x8000, 0, 0, 0, 0)
    message += mac + bytes(10 + 64 + 128) + bytes.fromhex("63825363 350101 ff")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wlan0")
        client.bind(("", 68))
        client.settimeout(asked.timeout)
        client.sendto(message, ("255.255.255.255", 67))
        while True:
            answer = client.recv(2048)
            if answer[4:8] == struct.pack("!I", number):
                print(socket.inet_ntoa(answer[16:20]))
                return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--type", default="A", choices=TYPES)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--end", action="store_true", help="then wait for the stream's end")
    parser.add_argument("--edns", action="store_true")
    parser.add_argument("--raw", help="this message instead, in hexadecimal")
    parser.add_argument("--count", type=int, default=1, help="names n1.NAME, n2.NAME, ...")
    parser.add_argument("--every", type=float, default=0.0, help="seconds between two questions")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--timeout", type=float, default=2.0)
    parser.add_argument("--mac", help="DHCP instead, with this hardware address")
    asked = parser.parse_args()
    if asked.mac:
        discover(asked)
        return
    names = asked.names
    if asked.count > 1:
        names = [f"n{number}.{names[0]}" for number in range(asked.count)]
    results = (over_tcp if asked.tcp else over_udp)(asked, names or [""])
    if asked.each:
        for outcome, took, detail in results:
            print(outcome, 1, f"{took:.1f}", detail)
        return
    groups = {}
    for outcome, took, detail in results:
        count, slowest, times, _ = groups.get(outcome, (0, 0.0, [], ""))
        groups[outcome] = (count + 1, max(slowest, took), times + [took], detail)
    for outcome, (count, slowest, times, detail) in sorted(groups.items()):
        middle = sorted(times)[len(times) // 2]
        more = f" median={middle:.2f} within5={sum(t <= 5 for t in times)}" if count > 1 else ""
        print(outcome, count, f"{slowest:.1f}", detail + more)


main()
