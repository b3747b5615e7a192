"""Many connections at once, and some that behave badly."""

import socket
import threading

from server import DEADLINE, Feed, ServerTest, eventually, fixture


class ManyClientsTest(ServerTest):
    def test_fifty_clients_at_once_are_all_learned(self):
        server = self.serve()
        data = fixture("breast_cancer.csv")
        summaries, barrier = [None] * 50, threading.Barrier(50)

        def client(index):
            barrier.wait()
            summaries[index] = self.summary(server, data)

        threads = [threading.Thread(target=client, args=(index,)) for index in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for summary in summaries:
            self.assertEqual((summary["accepted"], summary["rejected"]), ("569", "0"))
        self.assertEqual(server.counts(), {"accepted": 28450, "learned": 28450, "predicted": 0, "rejected": 0})
        self.assertEqual(server.model()["step"], 28450)

    def test_first_sample_of_many_claims_the_inputs_for_all(self):
        server = self.serve("--reply", "predictions")
        feeds = [self.feed(server) for _ in range(20)]
        for feed in feeds:
            feed.send("a,b,label\n1,2,x\n")
        for feed in feeds:
            self.assertRegex(feed.line(), r"\Ax |\A!none line=2\Z")
        self.assertEqual(server.model()["inputs"], ["a", "b"])

    def test_client_that_never_reads_does_not_stop_others(self):
        server = self.serve()
        deaf = self.feed(server, receive_buffer=4096)
        deaf.send("!reply predictions\n")
        deaf.socket.settimeout(1)
        lines, sent = b"0.5,1.5,a\n" * 10_000, 0
        try:
            while sent < 1 << 28:
                sent += deaf.socket.send(lines)
        except socket.timeout:
            pass
        self.assertLess(sent, 1 << 28, "the server reads on without end, though its replies are not taken")
        self.assertEqual(self.summary(server, b"0.5,1.5,a\n" * 1000)["learned"], "1000")
        deaf.socket.settimeout(DEADLINE)

    def test_connections_beyond_the_limit_are_told_so(self):
        server = self.serve("--connections", 3)
        feeds = [self.feed(server) for _ in range(3)]
        for feed in feeds:
            self.assertEqual(feed.ask("!ping\n"), "!pong")
        with self.subTest("the fourth"):
            fourth = self.feed(server)
            replies = fourth.rest()
            self.assertEqual(len(replies), 1)
            self.assertRegex(replies[0], r"\A!error too many connections.* 3 ")
        feeds.pop().close()
        eventually(lambda: server.model()["connections"] <= 2, "the place is free again")
        self.assertEqual(self.feed(server).ask("!ping\n"), "!pong")

    def test_a_thousand_connections_come_and_go(self):
        server = self.serve()
        for _ in range(1000):
            Feed(server).close()
        eventually(lambda: server.model()["connections"] == 0, "no connection is left behind")
