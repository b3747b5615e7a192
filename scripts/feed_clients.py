"""Small clients of a running server, for asyncio: lines over TCP or over the websocket /feed, and GET /healthz.

They need the standard library only, so the websocket is spoken here: text messages, pings answered, no extensions.
A client's frames are masked with zeros. That is a valid mask, and it lets prepared bytes be sent as they are.
"""

import asyncio
import struct

HANDSHAKE = ("GET /feed HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
DOORS = ("tcp", "feed")


class Refused(Exception):
    """The server answered, but not as it should."""


def frame(payload, kind=TEXT):
    """A whole masked message."""
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", 0x80 | kind, 0x80 | length)
    elif length < 65536:
        head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, length)
    else:
        head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, length)
    return head + bytes(4) + payload


async def read_frame(read_exactly):
    """The kind and the payload of the server's next frame. read_exactly(n) returns n bytes."""
    kind, length = await read_exactly(2)
    if length == 126:
        length, = struct.unpack(">H", await read_exactly(2))
    elif length == 127:
        length, = struct.unpack(">Q", await read_exactly(8))
    return kind & 15, await read_exactly(length) if length else b""


class Client:
    """A connection that speaks lines to the TCP feed."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @staticmethod
    async def connect(server, door):
        """server: has host, port and web_port. door: one of DOORS."""
        if door == "tcp":
            return Client(*await asyncio.open_connection(server.host, server.port))
        reader, writer = await asyncio.open_connection(server.host, server.web_port)
        client = WebsocketClient(reader, writer)
        try:
            writer.write((HANDSHAKE % (server.host, server.web_port)).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Refused(head.split(b"\r\n")[0].decode())
        except BaseException:
            client.close()
            raise
        return client

    def send(self, lines):
        """lines: bytes, each line with its newline."""
        self.writer.write(lines)

    async def line(self):
        """The next reply."""
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise Refused("the connection ended")
        return line[:-1].decode()

    def close(self):
        self.writer.close()


class WebsocketClient(Client):
    """The same over /feed. A message of the server may have several lines."""

    def __init__(self, reader, writer):
        super().__init__(reader, writer)
        self.lines = []

    def send(self, lines):
        self.writer.write(frame(lines))

    async def line(self):
        while not self.lines:
            kind, payload = await read_frame(self.reader.readexactly)
            if kind == PING:
                self.writer.write(frame(payload, PONG))
            elif kind == CLOSE:
                raise Refused("the connection ended")
            else:
                self.lines = payload.decode().splitlines()
        return self.lines.pop(0)


async def pong(server, door):
    """Seconds from a new client's connecting to its `!pong`."""
    begin = asyncio.get_running_loop().time()
    client = await Client.connect(server, door)
    try:
        client.send(b"!ping\n")
        reply = await client.line()
        if reply != "!pong":
            raise Refused(reply)
        return asyncio.get_running_loop().time() - begin
    finally:
        client.close()


async def first_line(server, door, line):
    """Seconds from a new client's first data line to its reply. Connecting is not counted (but accepting is)."""
    client = await Client.connect(server, door)
    try:
        begin = asyncio.get_running_loop().time()
        client.send(b"!reply predictions\n" + line)
        reply = await client.line()
        if reply.startswith("!error"):
            raise Refused(reply)
        return asyncio.get_running_loop().time() - begin
    finally:
        client.close()


async def get(server, path):
    """The body of a page, over a new connection."""
    reader, writer = await asyncio.open_connection(server.host, server.web_port)
    try:
        writer.write(("GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % (
            path, server.host, server.web_port)).encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise Refused(head.split(b"\r\n")[0].decode() or "the connection ended")
        return body
    finally:
        writer.close()


async def healthz(server):
    """Seconds that GET /healthz takes, connecting included."""
    begin = asyncio.get_running_loop().time()
    await get(server, "/healthz")
    return asyncio.get_running_loop().time() - begin
