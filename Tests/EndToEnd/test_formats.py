"""Every format that is recognised by itself, over the feed and in files; compressed files; what goes wrong with them."""

import gzip
import os
import random
import signal
import subprocess
import time
import unittest

from server import DEADLINE, EDDY, FIXTURES, ServerTest, eventually, fixture
from tools import Transcript, need, start

FORMATS = FIXTURES / "formats"


def zstd(data, *options):
    return subprocess.run([need("zstd"), "-cq", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def children(pid):
    """The processes that a process has started and not yet buried."""
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True).stdout
    return out.split()


class CompressedTest(ServerTest):
    """A compressed file teaches what its contents teach."""

    def setUp(self):
        self.folder = self.directory()
        self.plain = fixture("phishing.csv")
        self.expected = self.train(stdin=self.plain).out

    def train(self, *arguments, **options):
        run = Transcript("train", "--quiet", *arguments, **options)
        self.assertEqual((run.status, run.err), (0, ""), run)
        return run

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def test_gzip_and_zstd_teach_the_same_from_a_file_and_from_a_pipe(self):
        for name, data in (("a.csv.gz", gzip.compress(self.plain)), ("a.csv.zst", zstd(self.plain))):
            self.assertEqual(self.train(self.write(name, data)).out, self.expected)
            self.assertEqual(self.train("-", stdin=data).out, self.expected)

    def test_name_does_not_matter(self):
        self.assertEqual(self.train(self.write("a.csv", gzip.compress(self.plain))).out, self.expected)
        self.assertEqual(self.train(self.write("b.gz", self.plain)).out, self.expected)

    def test_several_members_and_frames_are_one_stream(self):
        half = len(self.plain) // 2
        for compress in (gzip.compress, zstd):
            data = compress(self.plain[:half]) + compress(self.plain[half:])
            self.assertEqual(self.train(self.write("a", data)).out, self.expected)

    def test_epochs_and_several_files(self):
        plain = Transcript("train", "-q", FIXTURES / "phishing.csv", FIXTURES / "phishing.csv", "--epochs", 2)
        packed = self.write("a.gz", gzip.compress(self.plain))
        run = Transcript("train", "-q", packed, FIXTURES / "phishing.csv", "--epochs", 2)
        self.assertEqual((run.status, run.out), (0, plain.out))

    def test_first_bytes_that_drip_are_waited_for(self):
        data = gzip.compress(self.plain)
        reader, writer = os.pipe()
        process = start(self, EDDY, "train", "-q", stdin=reader)
        os.close(reader)
        for piece in (data[:1], data[1:3], data[3:100], data[100:]):
            os.write(writer, piece)
            time.sleep(0.05)  # so that each is read alone
        os.close(writer)
        self.assertEqual(process.stdout.read(), self.expected)

    def test_predict_reads_them_too(self):
        model = self.folder / "model.eddy"
        self.train(FIXTURES / "phishing.csv", "--save", model)
        plain = Transcript("predict", "--load", model, FIXTURES / "phishing.csv")
        run = Transcript("predict", "--load", model, self.write("a.gz", gzip.compress(self.plain)))
        self.assertEqual((run.status, run.out), (0, plain.out))

    def test_large_file_is_read_while_it_is_decompressed(self):
        header, *rows = self.plain.splitlines(keepends=True)
        data = header + b"".join(rows) * 400
        run = self.train(self.write("a.gz", gzip.compress(data, 1)))
        self.assertIn("%d learned" % (400 * len(rows)), run.out)

    def test_damaged_file_is_an_error_and_saves_nothing(self):
        dice = random.Random(1)
        noise = bytes(dice.randrange(256) for _ in range(300))
        whole = gzip.compress(self.plain)
        for data in (whole[:len(whole) // 2], whole[:30], b"\x1f\x8b", b"\x1f\x8b" + noise, whole[:1000] + noise,
                     zstd(self.plain)[:2000], b"\x28\xb5\x2f\xfd" + noise, whole[:-8] + b"\0" * 8):
            path = self.write("a.gz", data)
            for arguments, options in (((path,), {}), (("-",), {"stdin": data})):
                run = Transcript("train", "-q", *arguments, "--save", self.folder / "model.eddy", **options)
                self.assertEqual(run.status, 1, run)
                self.assertRegex(run.err.splitlines()[-1], r"\AError: cannot read .*: .+ \((exit status|signal) \d+\)\Z")
        self.assertFalse((self.folder / "model.eddy").exists())

    def test_something_behind_the_end_is_passed_over(self):
        self.assertEqual(self.train(self.write("a.gz", gzip.compress(self.plain) + b"\0" * 100)).out, self.expected)

    def test_program_that_is_missing_is_named(self):
        path = self.write("a.gz", gzip.compress(self.plain))
        run = subprocess.run([EDDY, "train", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             timeout=DEADLINE, env={**os.environ, "PATH": str(self.folder)})
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr, "Error: cannot read %s: it needs the program gzip, which is not installed\n" % path)

    def test_interrupted_training_leaves_no_child(self):
        header, *rows = self.plain.splitlines(keepends=True)
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        process = start(self, EDDY, "train", "-", "--save", self.folder / "model.eddy", stdin=reader)
        os.close(reader)
        os.write(writer, gzip.compress(header + b"".join(rows) * 50, 0))  # gzip begins when it has 256 KiB
        for _ in range(6):
            process.stdout.readline()
        alone = children(process.pid)
        self.assertEqual(len(alone), 1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(DEADLINE), 130)
        eventually(lambda: not os.path.exists("/proc/%s" % alone[0]), "the child has ended")

    def test_text_that_begins_alike_is_text(self):
        for text in ("(", "(a,b\n", "\x1f,1\n"):
            run = Transcript("train", "-q", stdin=text.encode())
            self.assertEqual(run.status, 3)
            self.assertRegex(run.err, "lines were rejected|fewer than two samples were learned")


class RecognisedTest(ServerTest):
    """Files of each kind are samples, without options."""

    def test_no_line_of_these_files_is_malformed(self):
        for name in ("passengers.csv", "weather.csv", "events.jsonl", "houses.vw", "adults.libsvm"):
            run = Transcript("train", "--quiet", FORMATS / name)
            self.assertEqual(run.err.splitlines(), [], name)

    def test_format_can_be_told(self):
        feed = self.feed(self.serve())
        feed.send("!reply predictions\n!format vw\n")
        self.assertRegex(feed.ask("1,2,3\n"), r"\A!error line=3 expected=.*bar")
        feed.send("!format libsvm\n")
        self.assertRegex(feed.ask("1 2:x\n"), r"\A!error line=5 column=2 ")

    def test_labels_that_are_not_learned_are_named(self):
        feed = self.feed(self.serve("--reply", "predictions"))
        self.assertRegex(feed.ask("1:0.5:0.2 | a b\n"), r"\A!error line=1 column=1 field=label .*bandits")
        self.assertRegex(feed.ask("3 qid:1 1:2\n"), r"\A!error line=2 column=2 .*ranking")


if __name__ == "__main__":
    unittest.main()
