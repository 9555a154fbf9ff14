"""A server that answers nothing of its own and counts every payload byte that reaches it.

One line per piece received is appended to the log: `tcp|udp ADDRESS PORT BYTES`. TCP bytes and
datagrams are echoed, so that a client sees that it got through.
"""

import argparse
import asyncio
import os
import socket


class Count:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, protocol, address, port, size):
        os.write(self.file, f"{protocol} {address} {port} {size}\n".encode())


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, count, address, port):
        self.count, self.address, self.port = count, address, port

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        self.count.add("udp", self.address, self.port, len(data))
        self.transport.sendto(data, sender)


def echo(count, address, port):
    async def serve(reader, writer):
        try:
            while data := await reader.read(65536):
                count.add("tcp", address, port, len(data))
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    return serve


async def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--log", required=True)
    options.add_argument("--ready", required=True, help="file made once every port is open")
    options.add_argument("--tcp", default="")
    options.add_argument("--udp", default="")
    options.add_argument("addresses", nargs="+")
    asked = options.parse_args()
    count = Count(asked.log)
    for address in asked.addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in map(int, filter(None, asked.tcp.split(","))):
            await asyncio.start_server(
                echo(count, address, port), address, port, family=family, backlog=1024
            )
        for port in map(int, filter(None, asked.udp.split(","))):
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda a=address, p=port: Datagrams(count, a, p),
                local_addr=(address, port),
                family=family,
            )
    open(asked.ready, "w").close()
    await asyncio.Event().wait()


asyncio.run(main())
