"""Memory has a bound, whoever is fast and whoever is slow."""

import base64
import os
import socket
import threading
import time

from server import DEADLINE, ServerTest, eventually, memory

LIMIT = 64 << 20


class MemoryTest(ServerTest):
    def test_sender_faster_than_the_learner_is_slowed(self):
        server = self.serve("--layers", "512,512")
        feed = self.feed(server)
        feed.send("!reply none\n" + "0.5,1.5,a\n0.25,1,b\n" * 10)
        eventually(lambda: server.model()["step"] == 20, "the first samples are learned")
        before = memory(server.pid)
        feed.socket.settimeout(0.1)
        block, sent, end = b"0.5,1.5,a\n0.25,1,b\n" * 5000, 0, time.monotonic() + 10
        while time.monotonic() < end:
            try:
                sent += feed.socket.send(block[sent % 19:])
            except socket.timeout:
                pass
        learned = server.model()["step"]
        grown = memory(server.pid, peak=True) - before
        print("\nsender outruns the learner: %d bytes sent, %d samples learned, %.1f MB more" % (
            sent, learned, grown / (1 << 20)))
        self.assertLess(grown, LIMIT)
        self.assertGreater(learned, 20)
        feed.reset()

    def stalled_subscriber(self, server, path, accept=None):
        """A subscription whose reader reads the head of the response, and then no more."""
        subscriber = socket.socket()
        subscriber.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        subscriber.settimeout(DEADLINE)
        self.addCleanup(subscriber.close)
        subscriber.connect((server.host, server.web_port))
        lines = ["GET %s HTTP/1.1" % path, "Host: %s:%d" % (server.host, server.web_port)]
        if accept:
            lines += ["Accept: " + accept]
        else:
            key = base64.b64encode(os.urandom(16)).decode()
            lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: " + key]
        subscriber.sendall("\r\n".join(lines + ["", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += subscriber.recv(1)
        self.assertIn(b" 200 " if accept else b" 101 ", head.split(b"\r\n")[0] + b" ")

    def test_a_hundred_stalled_subscribers_cost_nothing(self):
        server = self.serve()
        self.summary(server, "1,2,a\n2,1,b\n")
        for index in range(100):
            path = "/losses?every=sample" if index % 2 else "/losses"
            self.stalled_subscriber(server, path, "text/event-stream" if index % 4 > 1 else None)
        before = memory(server.pid)
        stream = b"0.5,1.5,a\n0.25,1,b\n" * 50_000
        summaries = []
        threads = [threading.Thread(target=lambda: summaries.append(self.summary(server, stream))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([summary["learned"] for summary in summaries], ["100000"] * 4)
        self.assertEqual(server.model()["step"], 400_002)
        grown = memory(server.pid, peak=True) - before
        print("\n100 stalled subscribers: %.1f MB more" % (grown / (1 << 20)))
        self.assertLess(grown, LIMIT)
