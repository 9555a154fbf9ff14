"""The bytes of WeChat, QQ and their surroundings, made up, for chat-server.py and chat-client.py.

Sizes and clear fields are those of the programs; what they encrypt is a repeated byte here. All
numbers are big-endian unless a function says otherwise. No bytes of anybody's capture.
"""

import hashlib
import hmac
import struct
import zlib


def u16(value):
    return struct.pack("!H", value)


def u32(value):
    return struct.pack("!I", value)


# WeChat: mmtls


def record(kind, body, version=0xF104):
    """An mmtls record: 15 alert, 16 handshake, 17 application data, 19 early handshake."""
    return bytes([kind]) + u16(version) + u16(len(body)) + body


def mmtls_hello(kind=0x16, version=0xF104, random=0xA5):
    """A hello that resumes by a ticket: 166 bytes."""
    ticket = (
        b"\x01" + u32(604800) + u16(0) + u32(7) + u16(12) + b"\xc1" * 12 + u16(72) + b"\xc2" * 72
    )
    extension = u16(0x000F) + b"\x01" + u32(len(ticket)) + ticket
    extensions = b"\x01" + u32(len(extension)) + extension
    section = b"\x01" + struct.pack("<H", version) + b"\x01" + u16(0x00A8) + bytes([random]) * 32
    section += u32(0x65000000) + u32(len(extensions)) + extensions
    return record(kind, u32(len(section)) + section, version)


def mmtls_first_hello(version=0xF104):
    """A hello with two key shares and no ticket: 228 bytes."""
    shares = b"\x02"
    for number in (5, 6):
        shares += u32(71) + u32(number) + u16(65) + b"\x04" + bytes([0xCC + number]) * 64
    extension = u16(0x0010) + shares + bytes.fromhex("00000000020000000300000004")
    extensions = b"\x01" + u32(len(extension)) + extension
    section = b"\x01" + struct.pack("<H", version) + b"\x02" + u16(0xC02B) + u16(0x00A8)
    section += b"\xa5" * 32 + u32(0x65000000) + u32(len(extensions)) + extensions
    return record(0x16, u32(len(section)) + section, version)


def mmtls_answer(version=0xF104):
    """The server's hello and its first encrypted record: 111 bytes."""
    section = b"\x02" + struct.pack("<H", version) + u16(0x00A8) + b"\xb7" * 32 + u32(1) + b"\0"
    return record(0x16, u32(len(section)) + section, version) + record(0x16, b"\xe1" * 55, version)


def mmtls_finished(version=0xF104):
    """What a client adds to the server's answer."""
    return record(0x16, b"\xe0" * 55, version)


def mmtls_data(length=40, version=0xF104):
    """An encrypted message, acknowledgement or heartbeat; 16 bytes of it are the tag."""
    return record(0x17, b"\xe3" * length, version)


# WeChat: short link, HTTP DNS


def http(method, target, headers, body=b"", version="1.1"):
    lines = [f"{method} {target} HTTP/{version}"] + [f"{name}: {text}" for name, text in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reply(body, kind="application/octet-stream", status="200 OK", version="1.1", more=()):
    lines = [f"HTTP/{version} {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *more]).encode() + b"\r\n\r\n" + body


def short_link(host, kind=0x19, request=24, connection="close"):
    """A request of the short link: early data in an HTTP body, whose records add up to it."""
    body = mmtls_hello(kind, random=0xA6)
    body += record(0x19, b"\xe2" * 36) + mmtls_data(request) + record(0x15, b"\xe4" * 23)
    return http(
        "POST",
        "/mmtls/0a1b2c3d",
        [
            ("Accept", "*/*"),
            ("Cache-Control", "no-cache"),
            ("Connection", connection),
            ("Content-Length", len(body)),
            ("Content-Type", "application/octet-stream"),
            ("Host", host),
            ("Upgrade", "mmtls"),
            ("User-Agent", "MicroMessenger Client"),
        ],
        body,
    )


def short_link_reply():
    return reply(mmtls_answer() + mmtls_data(120) + record(0x15, b"\xe5" * 23))


def cgi(host, name):
    """A request of old clients: its body is opaque."""
    body = b"\xc7" * 200
    return http(
        "POST",
        f"/cgi-bin/micromsg-bin/{name}",
        [
            ("Accept", "*/*"),
            ("Content-Length", len(body)),
            ("Content-Type", "application/octet-stream"),
            ("Host", host),
            ("User-Agent", "MicroMessenger Client"),
        ],
        body,
    )


def newgetdns(host, uin="0"):
    return http(
        "GET",
        f"/cgi-bin/micromsg-bin/newgetdns?uin={uin}&clientversion=671094583&scene=0&net=1"
        "&md5=0&devicetype=android-33&lan=zh_CN&sigver=2",
        [
            ("Accept-Encoding", "deflate"),
            ("Connection", "close"),
            ("Host", host),
            ("User-Agent", "MicroMessenger Client"),
        ],
        version="1.0",
    )


def newgetdns_reply(names, servers):
    """names: pairs of a name and its addresses. Three roots, as the real one has them."""

    def tag(address):
        kind = "ipv6" if ":" in address else "ip"
        return f"<{kind}>{address}</{kind}>\n"

    text = '<?xml version="1.0" encoding="utf-8"?>\n<dns>\n<retcode>0</retcode>\n<domainlist>\n'
    for name, addresses in names:
        text += f'<domain name="{name}" timeout="1860">\n'
        text += "".join(map(tag, addresses)) + "</domain>\n"
    text += '<domain name="localhost" timeout="1860">\n<ip>127.0.0.1</ip>\n</domain>\n'
    text += "</domainlist>\n<builtiniplist>\n" + "".join(map(tag, servers))
    text += "</builtiniplist>\n<queryinternvalsecond>660</queryinternvalsecond>\n</dns>\n"
    text += "<securedomainlist>\n</securedomainlist>\n<functionlist>\n</functionlist>\n"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = squeeze.compress(text.encode()) + squeeze.flush()
    return reply(body, "text/xml", version="1.0", more=["Content-Encoding: deflate"])


# WeChat: the long link of old clients


def clear_packet(command, sequence, body=b"", version=1):
    return u32(16 + len(body)) + u16(16) + u16(version) + u32(command) + u32(sequence) + body


# WeChat: media


def pairs(*keys_and_values):
    return b"".join(u32(len(part)) + part for part in keys_and_values)


def media_pairs(size, uin):
    """What an upload says, the account's number too, and `size` bytes of a picture."""
    made = pairs(b"ver", b"1", b"weixinnum", uin.encode(), b"seq", b"1", b"clientversion", b"7")
    return made + pairs(b"filedata", b"\xd8" * size) if size else made


def media_frame(size=0, uin="10001", command=0x2714):
    body = bytes(18) + media_pairs(size, uin)
    return b"\xab" + u32(7 + len(body)) + u16(command) + body


def media_answer():
    """41 bytes, as servers send them."""
    body = bytes(18) + pairs(b"ver", b"1") + b"\0\0\0\0"
    return b"\xab" + u32(7 + len(body)) + u16(0x2715) + body


def media_form(host, path="/uploadv3", size=0, uin="10001"):
    body = media_pairs(size, uin)
    return http(
        "POST",
        path,
        [
            ("Host", host),
            ("User-Agent", "MicroMessenger Client"),
            ("Content-Length", len(body)),
        ],
        body,
    )


# QQ


def oicq(uin, command=0x0017, version=0x3B0B, body=24):
    """A datagram of classic QQ; `uin` is the account's number, in clear."""
    head = b"\x02" + u16(version) + u16(command) + u16(1) + u32(uin)
    return head + bytes(8) + b"\xc4" * body + b"\x03"


def oicq_over_tcp(uin, command=0x0017):
    frame = oicq(uin, command)
    return u16(2 + len(frame)) + frame


def with_length(data):
    """A u32 length that counts itself, and the bytes."""
    return u32(4 + len(data)) + data


def msf_login(uin="10001", kind=0x0C, encrypted=64):
    """The first frame of a connection: zero key, no ticket."""
    rest = with_length(b"") + b"\0" + with_length(uin.encode()) + b"\xc5" * encrypted
    return with_length(u32(kind) + b"\x02" + rest)


def msf_message(uin="10001", sequence=2, encrypted=128):
    """What follows the login, by the session's key."""
    rest = u32(sequence) + b"\0" + with_length(uin.encode()) + b"\xc6" * encrypted
    return with_length(u32(0x0D) + b"\x01" + rest)


def msf_heartbeat(sequence=0x101):
    """53 bytes, in clear, with an empty account."""
    head = with_length(with_length(b"Heartbeat.Alive") + with_length(b"") + with_length(b""))
    rest = u32(sequence) + b"\0" + with_length(b"") + head + with_length(b"")
    return with_length(u32(0x0D) + b"\0" + rest)


def msf_heartbeat_answer(sequence=0x101):
    """74 bytes: a server's frame has no sequence in front."""
    head = with_length(
        u32(sequence) + u32(0) + with_length(b"") + with_length(b"Heartbeat.Alive") + u32(4) + u32(0)
    )
    return with_length(u32(0x0D) + b"\0" + b"\0" + with_length(b"") + head + with_length(bytes(13)))


def msf_answer(uin="10001", encrypted=96):
    return with_length(u32(0x0D) + b"\x01" + b"\0" + with_length(uin.encode()) + b"\xc8" * encrypted)


def highway(size):
    """A frame of Highway with `size` bytes of a picture."""
    head = bytes.fromhex("0a02080112020a00")
    return b"\x28" + u32(len(head)) + u32(size) + head + b"\xd9" * size + b"\x29"


# QUIC, Google's and IETF's


def gquic(name, version=43):
    """Google's QUIC Q043: the hello is in clear, its tags little-endian."""
    padding = b"\x2d" * 1100
    message = b"CHLO" + struct.pack("<HH", 2, 0)
    message += b"PAD\0" + struct.pack("<I", len(padding))
    message += b"SNI\0" + struct.pack("<I", len(padding) + len(name)) + padding + name.encode()
    packet = b"\x0d" + b"\xc7" * 8 + b"Q0%02d" % version + b"\x01" + b"\xc8" * 12
    return packet + b"\xa0\x01" + u16(len(message)) + message


def _sbox():
    box, power = [0] * 256, []
    value = 1
    for _ in range(255):
        power.append(value)
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    for byte in range(256):
        inverse = 0 if byte == 0 else power[(255 - power.index(byte)) % 255]
        turned = 0
        for shift in range(5):
            turned ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        box[byte] = turned ^ 0x63
    return bytes(box)


_SBOX = _sbox()


def _double(byte):
    return ((byte << 1) ^ (0x11B if byte & 0x80 else 0)) & 0xFF


def aes(key, block):
    """One block of AES-128 (FIPS 197)."""
    words, round_constant = [key[n : n + 4] for n in range(0, 16, 4)], 1
    for n in range(4, 44):
        last = words[n - 1]
        if n % 4 == 0:
            last = bytes(_SBOX[b] for b in last[1:] + last[:1])
            last = bytes([last[0] ^ round_constant]) + last[1:]
            round_constant = _double(round_constant)
        words.append(bytes(a ^ b for a, b in zip(words[n - 4], last)))
    keys = [b"".join(words[n : n + 4]) for n in range(0, 44, 4)]
    state = bytes(a ^ b for a, b in zip(block, keys[0]))
    for number in range(1, 11):
        state = bytes(_SBOX[state[(n * 5) % 16]] for n in range(16))
        if number < 10:
            mixed = b""
            for n in range(0, 16, 4):
                column = state[n : n + 4]
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += bytes(
                    column[i] ^ every ^ _double(column[i] ^ column[(i + 1) % 4]) for i in range(4)
                )
            state = mixed
        state = bytes(a ^ b for a, b in zip(state, keys[number]))
    return state


def aes_gcm(key, nonce, plain, known):
    """AES-128-GCM (NIST SP 800-38D): the cipher text and its tag."""

    def keystream(counter, length):
        return b"".join(
            aes(key, nonce + u32(counter + n)) for n in range((length + 15) // 16)
        )[:length]

    def padded(data):
        return data + bytes(-len(data) % 16)

    sealed = bytes(a ^ b for a, b in zip(plain, keystream(2, len(plain))))
    factor = int.from_bytes(aes(key, bytes(16)), "big")
    total = 0
    lengths = struct.pack("!QQ", len(known) * 8, len(sealed) * 8)
    data = padded(known) + padded(sealed) + lengths
    for n in range(0, len(data), 16):
        total ^= int.from_bytes(data[n : n + 16], "big")
        product, multiple = 0, total
        for bit in range(127, -1, -1):
            if factor >> bit & 1:
                product ^= multiple
            multiple = multiple >> 1 ^ (0xE1 << 120 if multiple & 1 else 0)
        total = product
    tag = bytes(a ^ b for a, b in zip(total.to_bytes(16, "big"), keystream(1, 16)))
    return sealed + tag


def _expand(secret, label, length):
    """HKDF-Expand-Label (RFC 8446, 7.1), for at most 32 bytes."""
    label = b"tls13 " + label
    info = u16(length) + bytes([len(label)]) + label + b"\0\x01"
    return hmac.new(secret, info, hashlib.sha256).digest()[:length]


def client_hello(name):
    """A TLS 1.3 hello as QUIC carries it, without a record around it."""
    host = b"\0" + u16(len(name)) + name.encode()
    share = u16(0x001D) + u16(32) + b"\x77" * 32

    def extension(number, body):
        return u16(number) + u16(len(body)) + body

    extensions = extension(0, u16(len(host)) + host)
    extensions += extension(0x002B, b"\x02\x03\x04")
    extensions += extension(0x000A, u16(2) + u16(0x001D))
    extensions += extension(0x000D, u16(2) + u16(0x0403))
    extensions += extension(0x0010, u16(3) + b"\x02h3")
    extensions += extension(0x0033, u16(len(share)) + share)
    extensions += extension(0x0039, b"\x0f\x00")
    body = b"\x03\x03" + b"\x5a" * 32 + b"\0" + u16(2) + u16(0x1301) + b"\x01\0"
    body += u16(len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def initial_keys(destination, version):
    """A client's key, nonce and key of header protection (RFC 9001, 5.2; RFC 9369, 3.3)."""
    salt, prefix = {
        1: ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", b"quic "),
        2: ("0dede3def700a6db819381be6e269dcbf9bd2ed9", b"quicv2 "),
    }[version]
    initial = hmac.new(bytes.fromhex(salt), destination, hashlib.sha256).digest()
    secret = _expand(initial, b"client in", 32)
    return [
        _expand(secret, prefix + label, length)
        for label, length in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    ]


def quic(name, version=1, destination=b"\xc7" * 8):
    """An Initial packet with a whole hello, protected as RFC 9001 (version 2: RFC 9369) has it."""
    two = version == 2
    number = 0x6B3343CF if two else 1
    key, nonce, mask_key = initial_keys(destination, version)
    hello = client_hello(name)
    frames = b"\x06\0" + u16(0x4000 | len(hello)) + hello
    frames += bytes(1162 - len(frames))
    first = 0xD0 if two else 0xC0
    head = bytes([first | 3]) + u32(number) + bytes([len(destination)]) + destination + b"\0\0"
    head += u16(0x4000 | (4 + len(frames) + 16)) + u32(0)
    sealed = aes_gcm(key, nonce, frames, head)
    mask = aes(mask_key, sealed[:16])
    head = bytes([head[0] ^ (mask[0] & 0x0F)]) + head[1:-4] + mask[1:5]
    return head + sealed


# Time


def ntp_question():
    """48 bytes: version 4, client."""
    return b"\x23" + bytes(47)


def ntp_answer(question):
    """Version 4, server, stratum 2; the client's own time comes back."""
    return b"\x24\x02\x06\xec" + bytes(20) + question[40:48] + bytes(16)


def check():
    """The sizes and test values that the protocols' descriptions give."""
    assert len(mmtls_hello()) == 166 and len(mmtls_first_hello()) == 228
    assert len(mmtls_answer()) == 111
    assert len(media_answer()) == 41, len(media_answer())
    assert len(msf_heartbeat()) == 53 and len(msf_heartbeat_answer()) == 74
    assert len(oicq(10001)) == 44 and len(oicq_over_tcp(10001)) == 46
    # FIPS 197, appendix C.1; the tag of NIST's second GCM test case.
    key = bytes(range(16))
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes(key, block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    sealed = aes_gcm(bytes(16), bytes(12), bytes(16), b"")
    assert sealed.hex() == "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"
    # RFC 9001, appendix A.1 and A.2; RFC 9369, appendix A.1.
    key, nonce, mask_key = initial_keys(bytes.fromhex("8394c8f03e515708"), 1)
    assert key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert nonce.hex() == "fa044b2f42a3fd3b46fb255c"
    sample = bytes.fromhex("d1b1c98dd7689fb8ec11d242b123dc9b")
    assert aes(mask_key, sample).hex().startswith("437b9aec36")
    key, _, _ = initial_keys(bytes.fromhex("8394c8f03e515708"), 2)
    assert key.hex() == "8b1a0bc121284290a29e0971b5cd045d"
    assert len(quic("www.example.com")) == 1200


if __name__ == "__main__":
    check()
    print("as described")
