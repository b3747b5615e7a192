#!/usr/bin/env python3
"""Bulk feeds: connections in one process that send samples as fast as the server takes them.

    scripts/bulk_feeds.py HOST PORT WEB_PORT --tcp 8 --feed 8 [--silent-tcp 8] [--silent-feed 8] [--inputs 30]

Samples are CSV lines of 30 features and one of two classes, as workload W1 has. (With fewer inputs a piece has more
samples, so a server that learns all that it has read before it looks up makes others wait longer.) A well-behaved feed
says `!reply none`, reads what comes, and closes its side when the server has closed its own. A silent one asks for
predictions and never reads. All feeds send from the same prepared pieces of 64 KiB, without a copy: nothing grows in
this process. It runs at a lower priority, so that it does not take the processor from the server and from those who
measure.

It says `connected` when all feeds are, then answers lines of standard input with a line of JSON, until that ends:

    go      begins to send
    count   samples sent so far by all feeds, by each well-behaved one, and the time

It needs the standard library only. `BulkFeeds` starts and asks this program from another one.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import subprocess
import sys
import time

from feed_clients import CLOSE, HANDSHAKE, PING, PONG, frame, read_frame

INPUTS, ROWS, PIECE = 30, 4000, 65536
SMALL = 4096  # bytes of a silent one's receive buffer


def w1_like(count, inputs=INPUTS, seed=1):
    """Lines of standardised features and one of two classes."""
    dice = random.Random(seed)
    weights = [dice.gauss(0, 1) for _ in range(inputs)]
    lines = []
    for _ in range(count):
        x = [dice.gauss(0, 1) for _ in range(inputs)]
        label = int(sum(w * value for w, value in zip(weights, x)) > 0)
        lines.append((",".join("%.6g" % value for value in x) + ",%d\n" % label).encode())
    return lines


def pieces(lines):
    """Whole lines together, up to PIECE bytes, and how many lines each piece has."""
    result, piece, count = [], b"", 0
    for line in lines:
        if len(piece) + len(line) > PIECE:
            result.append((piece, count))
            piece, count = b"", 0
        piece += line
        count += 1
    return result + [(piece, count)]


class BulkFeed:
    def __init__(self, address, is_websocket, is_silent):
        self.address, self.is_websocket, self.is_silent = address, is_websocket, is_silent
        self.sent = 0  # samples
        self.owed = []  # answers to pings, between messages
        self.socket = socket.socket()
        if is_silent:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.socket.setblocking(False)

    async def connect(self):
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, self.address)
        hello = b"!reply predictions\n" if self.is_silent else b"!reply none\n"
        if self.is_websocket:
            await loop.sock_sendall(self.socket, (HANDSHAKE % self.address).encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = await loop.sock_recv(self.socket, 1)
                if not byte:
                    break
                head += byte
            if not head.startswith(b"HTTP/1.1 101 "):
                sys.exit("refused: %r" % head)
            hello = frame(hello)
        await loop.sock_sendall(self.socket, hello)

    async def send(self, pieces, offset):
        """Sends the pieces over and over, from one of them on, until the connection ends."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                for data, count in pieces[offset:]:
                    while self.owed:
                        await loop.sock_sendall(self.socket, self.owed.pop())
                    await loop.sock_sendall(self.socket, data)
                    self.sent += count
                    await asyncio.sleep(0)  # others have their turn
                offset = 0
        except OSError:
            pass

    async def read(self):
        """Reads what comes, until the server has closed its side."""
        loop = asyncio.get_running_loop()

        async def exactly(count):
            data = b""
            while len(data) < count:
                more = await loop.sock_recv(self.socket, count - len(data))
                if not more:
                    raise ConnectionError
                data += more
            return data

        try:
            while not self.is_websocket and await loop.sock_recv(self.socket, 65536):
                pass
            while self.is_websocket:
                kind, payload = await read_frame(exactly)
                if kind == PING:
                    self.owed.append(frame(payload, PONG))
                elif kind == CLOSE:
                    break
        except OSError:
            pass

    async def run(self, pieces, offset):
        sending = asyncio.create_task(self.send(pieces, offset))
        if self.is_silent:
            await sending
        else:
            await self.read()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        self.socket.close()


class BulkFeeds:
    """This program as a process of its own, for a with statement: connected, and sending after `ask("go")`."""

    def __init__(self, server, tcp=0, feed=0, silent_tcp=0, silent_feed=0, inputs=INPUTS):
        """server: has host, port and web_port."""
        words = [server.host, server.port, server.web_port, "--tcp", tcp, "--feed", feed, "--silent-tcp", silent_tcp,
                 "--silent-feed", silent_feed, "--inputs", inputs]
        self.process = subprocess.Popen([sys.executable, __file__, *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "connected":
            self.close()
            raise RuntimeError("the bulk feeds were refused")

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


async def run(options):
    os.nice(10)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plain = pieces(w1_like(ROWS, options.inputs))
    framed = [(frame(data), count) for data, count in plain]
    tcp, web = (options.host, options.port), (options.host, options.web_port)
    feeds = [BulkFeed(address, address is web, is_silent) for address, is_silent, count in (
        (tcp, False, options.tcp), (web, False, options.feed), (tcp, True, options.silent_tcp),
        (web, True, options.silent_feed)) for _ in range(count)]
    await asyncio.gather(*(feed.connect() for feed in feeds))
    print("connected", flush=True)

    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    running = []
    while line := await commands.readline():
        if line.strip() == b"go":
            running = [asyncio.create_task(feed.run(framed if feed.is_websocket else plain, number % len(plain)))
                       for number, feed in enumerate(feeds)]
        print(json.dumps({"samples": sum(feed.sent for feed in feeds), "time": time.monotonic(),
                          "each": [feed.sent for feed in feeds if not feed.is_silent]}), flush=True)
    for task in running:
        task.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("web_port", type=int)
    for name in ("--tcp", "--feed", "--silent-tcp", "--silent-feed"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
