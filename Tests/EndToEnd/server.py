"""A server under test, and a client that speaks lines to its feed.

Each server is the real program on free ports, which it prints. It is always ended by its own process id: gracefully
at the end of a test, which thereby also tests that it stops with status 0 after whatever the test has done to it.

Time never decides a test. DEADLINE only keeps a hang from lasting for ever.
"""

import http.client
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "Tests" / "EddyTests" / "Fixtures"
EDDY = os.environ.get("EDDY") or str(REPOSITORY / ".build" / "release" / "eddy")
DEADLINE = float(os.environ.get("DEADLINE", 60))  # seconds

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # for curl and websockets


def fixture(name):
    """The bytes of a file of samples."""
    return (FIXTURES / name).read_bytes()


def eventually(condition, what):
    """Waits until the condition holds; fails at the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (DEADLINE, what))
        time.sleep(0.01)


def memory(pid, peak=False):
    """Resident bytes of a process, now or (on Linux) at most so far."""
    try:
        for line in Path("/proc/%d/status" % pid).read_text().splitlines():
            if line.startswith("VmHWM:" if peak else "VmRSS:"):
                return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) * 1024


class Server:
    """`eddy serve` (or another command that serves), listening."""

    def __init__(self, *options, command="serve", ulimit=None, eddy=None):
        """ulimit: what the shell that starts it is told first, such as "-Sn 256". eddy: another program than EDDY."""
        self.log = tempfile.TemporaryFile(mode="w+")
        program = [eddy or EDDY, command, "--port", "0", "--http-port", "0", *map(str, options)]
        if ulimit:
            program = ["/bin/sh", "-c", 'ulimit %s; exec "$@"' % ulimit, "sh", *program]
        self.process = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        # A server that never says where it listens ends at the deadline, and the lines below with it.
        watchdog = threading.Timer(DEADLINE, self.process.kill)
        watchdog.start()
        self.banner = []
        self.host = self.port = self.url = None
        for line in self.process.stdout:
            self.banner.append(line.rstrip("\n"))
            words = line.split()
            if words[:1] == ["feed"]:
                self.host, self.port = words[1], int(words[2])
            if words[:1] == ["dashboard"]:
                self.url = words[1].rstrip("/")
                break
        watchdog.cancel()
        if self.url is None:
            self.process.wait()
            raise AssertionError("the server did not start:\n" + self.errors())
        self.web_port = int(self.url.rsplit(":", 1)[1])
        self.pid = self.process.pid

    def errors(self):
        """What it wrote to standard error."""
        self.log.seek(0)
        return self.log.read()

    # The web side

    def get(self, path, method="GET", **headers):
        """Status, headers and body of a response. A header's name is written with _ for -."""
        connection = http.client.HTTPConnection(self.host, self.web_port, timeout=DEADLINE)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def model(self):
        status, _, body = self.get("/model")
        assert status == 200, (status, body)
        return json.loads(body)

    def counts(self):
        return self.model()["counts"]

    # Its end

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """The exit status."""
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server did not stop:\n" + self.errors()) from None

    def close(self):
        """Stops it; whatever happened to it, it must still live and end with status 0."""
        try:
            if self.process.returncode is None:
                assert self.process.poll() is None, "the server died: status %s\n%s" % (
                    self.process.returncode, self.errors())
                self.signal(signal.SIGTERM)
                status = self.wait()
                assert status == 0, "exit status %s\n%s" % (status, self.errors())
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.log.close()


class Feed:
    """A connection to the feed."""

    def __init__(self, server, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect((server.host, server.port))
        self.reader = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        """The next reply."""
        line = self.reader.readline()
        assert line.endswith(b"\n"), "expected a whole line, got %r" % line
        return line[:-1].decode()

    def ask(self, data):
        """Sends a line and waits for its reply."""
        self.send(data)
        return self.line()

    def end(self):
        """The end of input: half-closes."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self):
        """All replies until the server closes its side."""
        text = self.reader.read().decode()
        assert text == "" or text.endswith("\n"), "the last reply is cut: %r" % text[-80:]
        return text.splitlines()

    def close(self):
        self.reader.close()
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class ServerTest(unittest.TestCase):
    """A test with servers, each ended with it."""

    def serve(self, *options, **how):
        server = Server(*options, **how)
        self.addCleanup(server.close)
        return server

    def feed(self, server, **options):
        feed = Feed(server, **options)
        self.addCleanup(feed.close)
        return feed

    def talk(self, server, data):
        """The replies to a whole stream, read while it is sent."""
        feed = self.feed(server)

        def send():
            try:
                feed.send(data)
                feed.end()
            except OSError:
                pass  # the server ended the connection; its replies tell why

        sender = threading.Thread(target=send)
        sender.start()
        replies = feed.rest()
        sender.join()
        return replies

    def summary(self, server, data):
        """The figures of the summary that ends a whole stream's replies."""
        last = self.talk(server, data)[-1]
        self.assertTrue(last.startswith("!summary "), last)
        return dict(word.split("=", 1) for word in shlex.split(last)[1:])

    def directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)


if not os.access(EDDY, os.X_OK):
    sys.exit("no program at %s: build it with `swift build -c release`, or name another with EDDY=…" % EDDY)
