"""Packed binary, by the writer that stands in the README, over the feed and in files."""

import random
import re
import struct

from server import REPOSITORY, ServerTest
from tools import Transcript


def writer():
    """The README's function `packed`."""
    text = (REPOSITORY / "README.md").read_text()
    code = re.search(r"```python\n(.*?def packed.*?)```", text, re.S).group(1)
    names = {}
    exec(code, names)  # our own page
    return names["packed"]


def samples(count, seed=1):
    """Rows of two features and a class, that text and binary both have to the bit."""
    dice = random.Random(seed)
    return [([dice.randrange(-64, 64) / 8, dice.randrange(-64, 64) / 8], dice.randrange(3)) for _ in range(count)]


def text(rows):
    return "".join("%r,%r,%d\n" % (*features, label) for features, label in rows)


class PackedTest(ServerTest):
    def test_learns_what_the_lines_teach(self):
        rows, packed = samples(5000), writer()
        lines, binary = self.serve(), self.serve()
        expected = self.summary(lines, text(rows))
        self.assertEqual(self.summary(binary, packed(rows)), expected)
        self.assertEqual(binary.model()["parameterHash"], lines.model()["parameterHash"])

    def test_every_record_is_answered_in_order(self):
        server = self.serve("--reply", "predictions")
        rows = samples(2000)
        rows[7] = ([1, float("inf")], 0)
        rows[8] = ([1, 2], float("nan"))  # no label: predicted
        replies = self.talk(server, writer()(rows))
        self.assertEqual(len(replies), 2000)
        self.assertRegex(replies[7], r"\A!error line=8 column=2 .*finite")
        self.assertEqual(replies[0], "!none line=1")
        self.assertEqual(sum(reply.startswith("!") for reply in replies), 2)
        counts = server.counts()
        self.assertEqual((counts["learned"], counts["predicted"], counts["rejected"]), (1998, 1, 1))

    def test_a_lone_record_is_answered_at_once_and_a_directive_may_come_first(self):
        feed = self.feed(self.serve())
        stream = writer()([([1, 2], 0), ([2, 1], 1)])
        feed.send("!reply predictions\n")
        self.assertEqual(feed.ask(stream[:24]), "!none line=1")
        feed.send(stream[24:29])  # the rest is under way
        self.assertRegex(feed.ask(stream[29:]), r"\A[01] ")
        feed.send(b"\0\0\0")
        feed.end()
        self.assertEqual(feed.rest(), ['!error line=3 field=records expected="whole records of 12 bytes" got="3 bytes"'])

    def test_header_that_is_not_understood_ends_the_connection(self):
        server = self.serve()
        self.summary(server, text(samples(10)))
        for header, field in (
            (struct.pack("<4sBBHI", b"EDDY", 2, 0, 1, 2), "version"),
            (struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, 4_000_000_000), "inputs"),
            (struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, 3), "inputs"),
        ):
            feed = self.feed(server)
            feed.send(header + b"\0" * 1000)  # and does not half-close: it is the server that ends
            replies = feed.rest()
            self.assertEqual(len(replies), 1, replies)
            self.assertRegex(replies[0], r"\A!error line=1 field=%s " % field)
        self.assertEqual(server.model()["step"], 10)

    def test_train_reads_it_from_a_file(self):
        rows, directory = samples(3000), self.directory()
        (directory / "a.csv").write_text(text(rows))
        (directory / "a.eddy-samples").write_bytes(writer()(rows))
        runs = [Transcript("train", "--quiet", directory / name) for name in ("a.csv", "a.eddy-samples")]
        self.assertEqual([run.status for run in runs], [0, 0], runs)
        self.assertIn("3000 learned, 0 rejected", runs[1].out)
        self.assertEqual(runs[0].out, runs[1].out)
