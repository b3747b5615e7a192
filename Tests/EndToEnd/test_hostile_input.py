"""Bytes that are no samples: each costs an error, none costs the server, the connection or the weights."""

import random

from server import Feed, ServerTest, fixture, memory


class HostileInputTest(ServerTest):
    def test_http_request_is_refused_and_the_connection_ended(self):
        server = self.serve()
        for request in (
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "POST /samples HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n1,2,evil\n3,4,evil\n",
            "OPTIONS * HTTP/1.0\r\n\r\n",
        ):
            feed = self.feed(server)
            feed.send(request)  # and does not half-close: it is the server that ends
            replies = feed.rest()
            self.assertEqual(len(replies), 1, replies)
            self.assertRegex(replies[0], r"\A!error .*HTTP request")
        model = server.model()
        self.assertEqual((model["step"], model["counts"]["accepted"]), (0, 0))
        self.assertNotIn("inputs", model)

    def test_http_request_with_a_very_long_line_is_refused_too(self):
        server = self.serve("--line-limit", 1000)
        feed = self.feed(server)
        feed.send("GET /" + "a" * 2000 + " HTTP/1.1\r\n1,2,evil\n")
        self.assertRegex(feed.rest()[0], r"\A!error .*HTTP request")
        self.assertEqual(server.model()["step"], 0)

    def test_line_of_100_MB_costs_one_error_and_no_memory(self):
        server = self.serve("--reply", "predictions")
        feed = self.feed(server)
        self.assertEqual(feed.ask("1,2,a\n"), "!none line=1")
        before = memory(server.pid)
        block = b"1234567," * 125_000
        for _ in range(100):
            feed.send(block)
        error = feed.ask("\n")
        self.assertRegex(error, r"\A!error line=2 .*1048576 bytes")
        self.assertRegex(feed.ask("1,2,a\n"), r"\Aa ")
        self.assertLess(memory(server.pid, peak=True) - before, 64 << 20)
        feed.end()
        self.assertEqual(feed.rest(), [])

    def test_line_of_100_MB_without_end_costs_one_error(self):
        server = self.serve()
        replies = self.talk(server, b"1,2,a\n" + b"7" * 100_000_000)
        self.assertEqual([reply.split()[0] for reply in replies], ["!error", "!summary"])
        self.assertIn(" learned=1 predicted=0 rejected=1 ", replies[-1])

    def test_line_limit_is_the_longest_that_is_taken(self):
        server = self.serve("--line-limit", 40, "--reply", "predictions")
        just = "1,2," + "a" * 36
        replies = self.talk(server, just + "\n" + just + "a\n" + just)
        self.assertEqual(replies[0], "!none line=1")
        self.assertRegex(replies[1], r"\A!error line=2 .*40 bytes")
        self.assertRegex(replies[2], r"\Aa{36} ")

    def test_binary_garbage_is_answered_in_clean_lines_and_changes_nothing(self):
        server, calm = self.serve(), self.serve()
        for seed in range(20):
            garbage = random.Random(seed).randbytes(200_000)
            for reply in self.talk(server, b"!reply predictions\n" + garbage):
                self.assertTrue(reply.isprintable(), repr(reply))
                self.assertTrue(reply.startswith("!error ") or reply == "!pong", reply)
                self.assertLess(len(reply), 1000)
        self.assertEqual(server.model()["step"], 0)
        for one in (server, calm):
            self.summary(one, fixture("breast_cancer.csv"))
        noisy, quiet = server.model(), calm.model()
        for key in ("parameterHash", "step", "inputs", "classes", "meanLoss", "metrics"):
            self.assertEqual(noisy[key], quiet[key], key)

    def test_garbage_among_good_lines_changes_nothing(self):
        server, calm = self.serve(), self.serve()
        header, *rows = fixture("iris.csv").splitlines(keepends=True)
        dice = random.Random(3)
        kinds = [
            b"\0\0\0\n", b"\xff\xfe\xfd\n", b",,,,\n", b"x,1,1,1,setosa\n", b"1,inf,1,1,setosa\n",
            b"0x10,1,1,1,setosa\n",
            b"1e999,1,1,1,setosa\n", b"1,2,3\n", b"1,2,3,4,5,6\n", b'"1,2,3,4,setosa\n', b"{\"a\":1}\n",
            b"1 0,2,3,4,setosa\n",
            b"1;2;3;4;setosa\n", b"1,2,3,4,\xff\n", b"1,2,3,4,nan\n", b"1,2,3,4," + b"z" * 300 + b"\n", b"[1,2,3,4]\n",
            b"EDDY\1\0\1\0\4\0\0\0\n", b"1 |f a:1 b:2\n", b"1 1:2 3:4\n", b"--1,2,3,4,setosa\n", b"1,2,3,4e,setosa\n",
            b"!nonsense\n", b"GET / HTTP/1.1\n", b"\r\r\r\n", b"hello world\n"]
        noisy = [header]
        for row in rows:
            noisy += [dice.choice(kinds) for _ in range(dice.randrange(4))] + [row]
        self.summary(calm, header + b"".join(rows))
        summary = self.summary(server, b"".join(noisy))
        self.assertEqual((summary["learned"], summary["predicted"]), ("150", "0"))
        for key in ("parameterHash", "step", "inputs", "classes", "meanLoss", "metrics"):
            self.assertEqual(server.model()[key], calm.model()[key], key)


class DisconnectTest(ServerTest):
    """A peer that goes away in the middle of anything."""

    STREAM = b"!reply predictions\nx,y,label\n0.25,-1,left\nbad,1,left\n-0.5,1,right\n"

    def cut_everywhere(self, go):
        server = self.serve()
        healthy = self.feed(server)
        healthy.send("!reply predictions\nx,y,label\n")
        asked = 0
        for length in range(len(self.STREAM) + 1):
            peer = Feed(server)
            peer.send(self.STREAM[:length])
            go(peer)
            for _ in range(3):  # whoever else is connected sees nothing of it
                self.assertRegex(healthy.ask("%d,1,right\n" % (asked % 3)), r"\A(\w+ [\d.e-]+|!none line=3)\Z")
                asked += 1
        healthy.end()
        self.assertEqual(healthy.rest(), [])
        return server, asked

    def test_reset_at_every_byte(self):
        server, asked = self.cut_everywhere(Feed.reset)
        self.assertGreaterEqual(server.counts()["learned"], asked)

    def test_close_at_every_byte(self):
        server, asked = self.cut_everywhere(Feed.close)
        self.assertGreaterEqual(server.counts()["learned"], asked)

    def test_reset_does_not_teach_the_line_that_it_cut(self):
        server = self.serve("--reply", "acks")
        feed = self.feed(server)
        feed.ask("x,y,label\n1,2,left\n")
        feed.send("1,2,ri")
        feed.reset()
        after = self.feed(server)
        after.ask("x,y,label\n1,2,left\n")
        self.assertEqual(server.model()["classes"], ["left"])

    def test_half_closed_stream_at_every_byte_is_answered_line_by_line(self):
        for length in range(len(self.STREAM) + 1):
            stream = self.STREAM[:length]
            lines = stream.decode().splitlines()
            replies = self.talk(self.serve(), stream)
            if len(lines) > 2:  # below the directive and the header
                self.assertEqual(len(replies), len(lines) - 2, (stream, replies))
