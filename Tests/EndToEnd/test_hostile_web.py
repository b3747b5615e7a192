"""Web clients that are slow, wrong, foreign, greedy or suddenly gone: each costs little, and nobody else notices.

The environment makes it long: EDDY_ROUNDS for the subscribers that vanish, EDDY_SUBSCRIBERS and EDDY_STALLED for the
load of the last test. scripts/soak-web runs the long forms.
"""

import json
import os
import re
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from server import DEADLINE, REPOSITORY, ServerTest, eventually, memory
from tools import missing

ROUNDS = int(os.environ.get("EDDY_ROUNDS", 2))
SUBSCRIBERS = int(os.environ.get("EDDY_SUBSCRIBERS", 200))
STALLED = int(os.environ.get("EDDY_STALLED", 20))
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
EVENTS = "Accept: text/event-stream\r\n"


def tell(text):
    """A figure that was measured, for who reads the log."""
    print("\n    " + text, file=sys.stderr, flush=True)


def request(path, fields="", method="GET", host="127.0.0.1"):
    return ("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, path, host, fields)).encode()


def processor_time(pid):
    """Seconds that a process has had of all processors, user and system."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return missing("the processor time of a process: there is no /proc here")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Raw:
    """A connection to the web side that sends the bytes it is told to."""

    def __init__(self, server, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect((server.host, server.web_port))
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        """Reads on; False at the end."""
        data = self.socket.recv(65536)
        self.data += data
        return bool(data)

    def until(self, mark):
        """All up to a mark, which is taken too."""
        while mark not in self.data:
            assert self.more(), "the connection ended after %r" % self.data[-200:]
        text, _, self.data = self.data.partition(mark)
        return text + mark

    def response(self):
        """Status and body of a response with a length."""
        head = self.until(b"\r\n\r\n").decode()
        length = int(re.search(r"(?i)^content-length: (\d+)\r$", head, re.M)[1])
        while len(self.data) < length:
            assert self.more(), "the body was cut"
        body, self.data = self.data[:length], self.data[length:]
        return int(head.split()[1]), body.decode()

    def rest(self):
        """All until the server closes."""
        while self.more():
            pass
        return self.data

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class HostileWebTest(ServerTest):
    def raw(self, server, **options):
        client = Raw(server, **options)
        self.addCleanup(client.socket.close)
        return client

    def ask(self, server):
        """Seconds until a new client has its answer."""
        begin = time.monotonic()
        client = Raw(server)
        with client.socket:
            client.send(request("/healthz"))
            self.assertEqual(client.response()[0], 200)
        return time.monotonic() - begin


class HeadTest(HostileWebTest):
    def test_1000_slow_heads_delay_nobody_and_end_at_their_deadline(self):
        server = self.serve()
        began, slow = {}, []
        selector = selectors.DefaultSelector()
        self.addCleanup(selector.close)
        for _ in range(1000):
            client = self.raw(server)
            began[client] = time.monotonic()
            client.send(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            client.socket.setblocking(False)
            selector.register(client.socket, selectors.EVENT_READ, client)
        open_ones, lasted, answers, asked, drips = set(began), [], [], [], 0
        while open_ones:
            self.assertLess(time.monotonic() - max(began.values()), DEADLINE, "slow heads are still open")
            for key, _ in selector.select(0.05):
                client = key.data
                try:
                    if client.more():
                        continue
                except OSError:
                    pass  # it was still dripping: a reset; what was said before has been read
                answers.append(client.data)
                lasted.append(time.monotonic() - began[client])
                selector.unregister(client.socket)
                open_ones.discard(client)
            if drips % 10 == 0:  # a byte of each, every half a second
                for client in open_ones:
                    try:
                        client.socket.send(b"x")
                    except OSError:
                        pass  # it has been closed, which the next turn sees
            drips += 1
            if len(open_ones) == 1000 and len(asked) < 20:
                asked.append(self.ask(server))
        tell("beside 1,000 slow heads a new client was answered within %.1f ms at most, %.1f ms in the middle; slow ones "
             "lasted %.1f to %.1f s" % (1000 * max(asked), 1000 * sorted(asked)[len(asked) // 2], min(lasted),
                                        max(lasted)))
        self.assertGreater(len(asked), 5)
        self.assertLess(max(asked), 1)
        self.assertGreater(min(lasted), 5)  # 10 s, and what this test itself needs to see it
        self.assertLess(max(lasted), 20)
        self.assertEqual({answer[:12] for answer in answers}, {b"HTTP/1.1 408"})

    LONG = request("/healthz", "X-Long: %s\r\n" % ("a" * (256 << 10)))

    def refuse_long_head(self, server):
        client = Raw(server)
        with client.socket:
            try:
                client.send(self.LONG)
            except OSError:
                pass  # it may refuse before it has all
            return client.response()[0]

    def test_head_of_256_KB_is_431_and_costs_little(self):
        server = self.serve()
        self.assertEqual(self.refuse_long_head(server), 431)
        repetitions = 400  # the kernel counts in hundredths of a second
        before = processor_time(server.pid)
        for _ in range(repetitions):
            self.assertEqual(self.refuse_long_head(server), 431)
        cost = (processor_time(server.pid) - before) / repetitions
        tell("a head of 256 KB costs the server %.2f ms of CPU" % (1000 * cost))
        self.assertLess(cost, 0.05)

    def test_long_heads_on_8_connections_cost_little_and_do_not_keep_it_from_stopping(self):
        server = self.serve()
        statuses, stopping = [], threading.Event()

        def flood(count):
            while count > 0 and not stopping.is_set():
                try:
                    statuses.append(self.refuse_long_head(server))
                except (OSError, AssertionError):
                    if not stopping.is_set():
                        raise
                count -= 1

        def start(count):
            threads = [threading.Thread(target=flood, args=(count,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            return threads

        before = processor_time(server.pid)
        for thread in start(10):
            thread.join()
        cost = (processor_time(server.pid) - before) / 80
        tell("on 8 connections at once, a head of 256 KB costs the server %.2f ms of CPU" % (1000 * cost))
        self.assertEqual(statuses, [431] * 80)
        self.assertLess(cost, 0.05)
        threads = start(1 << 30)
        eventually(lambda: len(statuses) > 100, "the flood goes on")
        stopping.set()  # from here on a connection may be refused
        begin = time.monotonic()
        server.close()  # status 0
        tell("stopped within %.2f s during the flood" % (time.monotonic() - begin))
        for thread in threads:
            thread.join()

    def test_endless_head_is_refused_wherever_it_does_not_end(self):
        server = self.serve()
        for beginning in (b"", b"GET /", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "):
            client = self.raw(server)
            client.socket.settimeout(DEADLINE)
            try:
                client.send(beginning)
                for _ in range(1000):
                    client.send(b"A" * 4096)
            except OSError:
                pass
            try:
                self.assertRegex(client.rest(), rb"\AHTTP/1.1 4(00|14|31) ")
            except ConnectionResetError:
                self.assertRegex(client.data, rb"\A(HTTP/1.1 4(00|14|31) |\Z)")
        self.assertLess(self.ask(server), DEADLINE)

    def test_head_byte_by_byte_is_answered(self):
        client = self.raw(self.serve())
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("/healthz"):
            client.send(bytes([byte]))
        self.assertEqual(client.response()[0], 200)


class BodyTest(HostileWebTest):
    """Nobody here reads bodies: what is in one must not be taken for a request."""

    HIDDEN = request("/model")

    def test_unread_body_is_never_a_request(self):
        server = self.serve()
        for path, status in (("/healthz", 405), ("/nothing", 404), ("/losses", 405)):
            for body in (self.HIDDEN, self.HIDDEN * 1000):
                client = self.raw(server)
                client.send(request(path, "Content-Length: %d\r\n" % len(body), "POST") + body + request("/healthz"))
                self.assertEqual(client.response()[0], status)
                got, text = client.response()
                self.assertEqual((got, json.loads(text)["status"]), (200, "ok"))

    def test_unread_chunked_body_is_never_a_request(self):
        server = self.serve()
        client = self.raw(server)
        client.send(request("/nothing", "Transfer-Encoding: chunked\r\n", "POST")
                    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.HIDDEN), self.HIDDEN) + request("/healthz"))
        client.socket.shutdown(socket.SHUT_WR)
        answers = client.rest()
        self.assertEqual(answers.count(b"HTTP/1.1 404"), 1)
        self.assertNotIn(b'"step"', answers.replace(b'{"status":"ok","step":0}', b""))

    def test_long_unread_body_ends_its_connection(self):
        client = self.raw(self.serve())
        try:
            client.send(request("/nothing", "Content-Length: 100000000\r\n", "POST"))
            for _ in range(2000):
                client.send(self.HIDDEN * 1000)
        except OSError:
            pass
        try:
            client.rest()
        except OSError:
            pass
        self.assertEqual(client.data.count(b"HTTP/1.1"), 1)
        self.assertIn(b"HTTP/1.1 404", client.data)
        self.assertIn(b"Connection: close", client.data)

    def test_body_that_waits_to_be_asked_for_is_not(self):
        server = self.serve()
        client = self.raw(server)
        client.send(request("/healthz", "Expect: 100-continue\r\nContent-Length: 5\r\n", "POST"))
        self.assertEqual(client.response()[0], 405)
        self.assertEqual(client.rest(), b"")

    def test_contradicting_lengths_are_400(self):
        server = self.serve()
        for fields in ("Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n",
                       "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked, x\r\n"):
            client = self.raw(server)
            client.send(request("/healthz", fields, "POST") + b"0\r\n\r\n" + self.HIDDEN)
            self.assertRegex(client.rest(), rb"\AHTTP/1.1 400 ", fields)
            self.assertEqual(client.data.count(b"Content-Length: "), 1)


class LastWordTest(HostileWebTest):
    def test_what_follows_a_refused_upgrade_is_not_kept(self):
        server = self.serve()
        self.ask(server)
        before = memory(server.pid)
        flood = b"x" * (1 << 20)
        for target in (b"/model", b"/nothing", b"/losses"):  # answered, refused, and no handshake
            with socket.create_connection((server.host, server.web_port)) as client:
                client.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                               % target)
                sent = 0
                try:
                    while True:  # until the server closes, which is what ends it
                        client.sendall(flood)
                        sent += len(flood)
                except OSError:
                    pass
            self.assertGreater(sent, 32 << 20, "no flood")
        growth = memory(server.pid, peak=True) - before
        self.assertLess(growth, 24 << 20, "%d MB were kept" % (growth >> 20))


class OriginTest(HostileWebTest):
    def test_foreign_pages_and_names_are_403_before_an_upgrade_too(self):
        server = self.serve()
        own = "127.0.0.1:%d" % server.web_port
        for host, origin in (
            (own, "http://evil.example"), (own, "null"), (own, "http://127.0.0.1:1"), (own, "http://%s@evil" % own),
            ("evil.example:%d" % server.web_port, None), ("evil.example", "http://evil.example"), ("", None),
        ):
            for path, fields in (("/", ""), ("/model", ""), ("/losses", EVENTS), ("/losses", UPGRADE),
                                 ("/weights", UPGRADE), ("/feed", UPGRADE)):
                client = self.raw(server)
                client.send(request(path, fields + ("Origin: %s\r\n" % origin if origin else ""), host=host))
                status, body = client.response()
                self.assertEqual((status, list(json.loads(body))), (403, ["error"]), (host, origin, path))
        client = self.raw(server)
        client.send(request("/feed", UPGRADE + "Origin: http://%s\r\n" % own, host=own))
        self.assertIn(b" 101 ", client.until(b"\r\n\r\n"))


class VanishingTest(HostileWebTest):
    def subscribe(self, server, kind):
        client = Raw(server)
        client.send(request("/losses", UPGRADE if kind == "websocket" else EVENTS))
        return client

    def greeted(self, client, kind):
        """Waits for the head, and for the first two messages."""
        head = client.until(b"\r\n\r\n")
        self.assertIn(b" 101 " if kind == "websocket" else b" 200 ", head)
        for _ in range(2):
            client.until(b'"windowMean"')

    def test_500_subscribers_that_vanish_leave_no_newcomer_waiting(self):
        server = self.serve()
        feed = self.feed(server)
        done = threading.Event()

        def teach():  # losses are published all the while
            number = 0
            while not done.is_set():
                number += 1
                feed.send("%d,%d,%s\n" % (number % 7, number % 5, "ab"[number % 3 == 0]))
                time.sleep(0.002)

        teacher = threading.Thread(target=teach)
        teacher.start()
        self.addCleanup(teacher.join)
        self.addCleanup(done.set)
        kinds = ("websocket", "events")
        slowest, sizes = 0, []
        for number in range(ROUNDS):
            crowd = [(self.subscribe(server, kinds[i % 2]), kinds[i % 2]) for i in range(500)]
            for client, kind in crowd:
                self.greeted(client, kind)
            for client, _ in crowd:
                client.reset()
            begin = time.monotonic()
            new = [(self.subscribe(server, kind), kind) for kind in kinds for _ in range(8)]
            for client, kind in new:
                self.greeted(client, kind)
                slowest = max(slowest, time.monotonic() - begin)
            for client, _ in new:
                client.socket.close()
            sizes.append(memory(server.pid))
        tell("%d rounds of 500: the slowest newcomer had two messages after %.0f ms; resident memory %.1f MB after the "
             "first, %.1f MB after the last" % (ROUNDS, 1000 * slowest, sizes[0] / 2**20, sizes[-1] / 2**20))
        self.assertLess(sizes[-1] - sizes[0], 32 << 20)
        descriptors = Path("/proc/%d/fd" % server.pid)
        if descriptors.exists():
            eventually(lambda: len(list(descriptors.iterdir())) < 50, "the descriptors of the gone are closed")
        self.assertNotIn("error", server.errors().lower())


class LoadTest(HostileWebTest):
    """Some that have stalled among many that read: scripts/subscriber_load.py is the crowd."""

    def test_stalled_subscribers_cost_nobody_anything_and_are_told_what_they_missed(self):
        server = self.serve()
        feed = self.feed(server)
        feed.send("1,2,a\n")
        before = memory(server.pid)
        load = subprocess.Popen(
            [sys.executable, REPOSITORY / "scripts" / "subscriber_load.py", server.url, "--healthy", str(SUBSCRIBERS),
             "--stalled", str(STALLED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(load.wait)
        self.addCleanup(load.stdout.close)
        self.addCleanup(load.stdin.close)
        self.assertEqual(load.stdout.readline().split()[0], "subscribed")
        done = threading.Event()

        def teach():
            while not done.is_set():
                feed.send("".join("%d,%d,%s\n" % (i % 7, i % 5, "ab"[i % 3 == 0]) for i in range(64)))
                time.sleep(1 / 60)

        teacher = threading.Thread(target=teach)
        teacher.start()
        self.addCleanup(teacher.join)
        self.addCleanup(done.set)

        def ask(word):
            load.stdin.write(word + "\n")
            load.stdin.flush()
            return json.loads(load.stdout.readline())

        begin, cost = ask("count"), processor_time(server.pid)
        # Twice what the kernel keeps for a stalled one: by then each has missed something.
        eventually(lambda: ask("count")["fewestBytes"] > 512 << 10, "every healthy subscriber is served")
        end, cost = ask("count"), processor_time(server.pid) - cost
        delivered = end["messages"] - begin["messages"]
        seconds = end["time"] - begin["time"]
        growth = memory(server.pid, peak=True) - before
        told = ask("read")
        tell("%d subscribers and %d that stalled: %.0f messages a second, %.1f µs of CPU each, memory %+.1f MB; the "
             "healthy missed something %d times" % (SUBSCRIBERS, STALLED, delivered / seconds, 1e6 * cost / delivered,
                                                    growth / 2**20, told["healthyMissed"]))
        self.assertLess(growth, 32 << 20)
        self.assertEqual(told["told"], STALLED, told)

