#!/usr/bin/env python3
"""A crowd of subscribers to /losses, half of them websockets, half event streams: a load that costs little itself.

    scripts/subscriber_load.py URL --healthy 1000 --stalled 100

The healthy read all that comes and count it; the stalled have small buffers and read nothing. Says `subscribed` when
all are, and then answers each line of standard input with a line of JSON, until that ends:

    count   messages that the healthy have had, the fewest that one of them has, the same in bytes, and the time
    read    lets the stalled read until each was told that it missed something: how many were, and what the healthy missed

One epoll, no parsing but for the words that are counted.
"""

import argparse
import json
import re
import select
import socket
import sys
import time
from urllib.parse import urlsplit

UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
EVENTS = "Accept: text/event-stream\r\n"
MESSAGE = b'"runningMean"'  # once in each
MISSED = re.compile(rb'"missed":[1-9]')
SMALL = 4096  # bytes of a stalled one's receive buffer


class Subscriber:
    def __init__(self, number, address, is_stalled):
        self.messages = self.bytes = self.missed = 0
        self.tail = b""
        self.socket = socket.socket()
        if is_stalled:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.socket.connect(address)
        fields = UPGRADE if number % 2 == 0 else EVENTS
        self.socket.sendall(("GET /losses HTTP/1.1\r\nHost: %s:%d\r\n%s\r\n" % (*address, fields)).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                sys.exit("refused: %r" % head)
            head += byte
        if not re.match(rb"HTTP/1.1 (101|200) ", head):
            sys.exit("refused: %r" % head)
        self.socket.setblocking(False)

    def read(self):
        """Takes what there is; False at the end."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.bytes += len(data)
        data = self.tail + data
        self.messages += data.count(MESSAGE)
        if MISSED.search(data):
            self.missed += 1
        self.tail = data[-(len(MESSAGE) - 1):]
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--healthy", type=int, default=1000)
    parser.add_argument("--stalled", type=int, default=100)
    options = parser.parse_args()
    url = urlsplit(options.url)
    address = (url.hostname, url.port)
    healthy = [Subscriber(number, address, False) for number in range(options.healthy)]
    stalled = [Subscriber(number, address, True) for number in range(options.stalled)]
    poll = select.epoll()
    readers = {subscriber.socket.fileno(): subscriber for subscriber in healthy}
    for descriptor in readers:
        poll.register(descriptor, select.EPOLLIN)
    commands = sys.stdin.fileno()
    poll.register(commands, select.EPOLLIN)

    def say(answer):
        print(answer if isinstance(answer, str) else json.dumps(answer), flush=True)

    def turn(timeout=-1):
        """Reads what has come; True where standard input has something too."""
        is_asked = False
        for descriptor, _ in poll.poll(timeout):
            if descriptor == commands:
                is_asked = True
            elif not readers[descriptor].read():
                poll.unregister(descriptor)
        return is_asked

    def count():
        return {
            "messages": sum(one.messages for one in healthy), "bytes": sum(one.bytes for one in healthy),
            "fewest": min((one.messages for one in healthy), default=0),
            "fewestBytes": min((one.bytes for one in healthy), default=0), "time": time.monotonic()}

    def read():
        for subscriber in stalled:
            readers[subscriber.socket.fileno()] = subscriber
            poll.register(subscriber.socket.fileno(), select.EPOLLIN)
        end = time.monotonic() + 30
        while time.monotonic() < end and not all(one.missed for one in stalled):
            turn(0.1)
        return {"told": sum(one.missed > 0 for one in stalled), "healthyMissed": sum(one.missed for one in healthy)}

    say("subscribed")
    while True:
        if not turn():
            continue
        line = sys.stdin.readline()
        if not line:
            return
        say({"count": count, "read": read}[line.strip()]())


main()
