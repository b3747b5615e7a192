"""Help, versions, mistakes; explain, check and watch."""

import re

from server import DEADLINE, EDDY, FIXTURES, ServerTest, fixture
from tools import Transcript, start

COMMANDS = ("serve", "demo", "train", "predict", "explain", "check", "watch")


class CommandLineTest(ServerTest):
    def test_help_of_every_command_tells_every_option(self):
        top = Transcript("--help")
        self.assertEqual((top.status, top.err), (0, ""))
        for command in COMMANDS:
            self.assertIn("  %s " % command, top.out)
            for arguments in ((command, "--help"), ("help", command), (command, "-h")):
                run = Transcript(*arguments)
                self.assertEqual((run.status, run.err), (0, ""), run)
                self.assertRegex(run.out, r"\AOVERVIEW: \w")
                self.assertIn("USAGE: eddy " + command, run.out)
                for line in run.out.splitlines():
                    self.assertTrue(len(line) <= 80 or line.startswith("USAGE: "), line)
        self.assertEqual(Transcript().out, top.out)

    def test_version(self):
        run = Transcript("--version")
        self.assertRegex(run.out, r"\A\d+\.\d+\.\d+\n\Z")
        for command in COMMANDS:
            self.assertEqual(Transcript(command, "--version").out, run.out)

    def test_bad_options_give_64_and_say_what_to_do(self):
        iris = FIXTURES / "iris.csv"
        for arguments, word in (
            (["nonsense"], "nonsense"),
            (["train", "--nonsense"], "--nonsense"),
            (["train", iris, "--learning-rate", "fast"], "--learning-rate"),
            (["train", iris, "--learning-rate", "-1"], "learning"),
            (["train", iris, "--layers", "0"], "64,32"),
            (["train", iris, "--layers", "8,,8"], "64,32"),
            (["train", iris, "--activation", "swish"], "leakyReLU"),
            (["train", iris, "--loss", "hinge"], "cross-entropy"),
            (["train", iris, "--task", "clustering"], "regression"),
            (["train", iris, "--optimizer", "lbfgs"], "adamw"),
            (["train", iris, "--optimizer", "adam", "--momentum", "0.5"], "momentum"),
            (["train", iris, "--optimizer", "cocob", "--learning-rate", "0.5"], "learning rate"),
            (["train", iris, "--schedule", "cosine"], "inverse-time"),
            (["train", iris, "--momentum", "2"], "momentum"),
            (["train", iris, "--clip", "0"], "clip"),
            (["train", iris, "--seed", "-1"], "--seed"),
            (["train", iris, "--classes", "a,a"], "class"),
            (["train", iris, "--task", "regression", "--loss", "cross-entropy"], "regression"),
            (["train", iris, "--recent-window", "0"], "window"),
            (["train", iris, "--drift", "cusum"], "page-hinkley"),
            (["train", iris, "--drift-on", "weather"], "--drift-on"),
            (["train", iris, "--on-drift", "panic"], "--on-drift"),
            (["train", iris, "--drift", "ddm", "--drift-on", "errors,features"], "DDM"),
            (["train", iris, "--drift", "ddm", "--task", "regression"], "DDM"),
            (["train", iris, "--drift", "none", "--drift-on", "loss"], "--drift-on"),
            (["train", iris, "--drift", "none", "--on-drift", "raise-step"], "detector"),
            (["train", iris, "--on-drift", "raise-step,raise-step"], "twice"),
            (["train", iris, "--profile", "fast", "--drift", "adwin", "--on-drift", "forget-memory"], "raise-step"),
            (["evaluate", iris, "--with", "a: --drift none --on-drift raise-step"], "--with a"),
            (["train", iris, "--epochs", "0"], "at least 1"),
            (["train", "-", "--epochs", "2"], "standard input"),
            (["train", iris, "--format", "xml"], "csv"),
            (["serve", "--port", "70000"], "65535"),
            (["serve", "--http-port=-5"], "65535"),
            (["serve", "--line-limit", "1"], "16"),
            (["serve", "--connections", "0"], "at least 1"),
            (["serve", "--reply", "loudly"], "summary"),
            (["serve", "--log-level", "noisy"], "info"),
            (["demo", "--rate", "0"], "1 to 1000000"),
            (["predict", iris], "--load"),
            (["explain"], "expression"),
            (["explain", "--load", "x.eddy"], "--sample"),
            (["explain", "x", "x=1", "--paths", "0"], "at least 1"),
            (["check", "--loss", "hinge"], "cross-entropy"),
            (["check", "--samples", "0"], "at least 1"),
            (["check", "--outputs", "0"], "0"),
            (["watch", "ftp://x"], "http://127.0.0.1:7070"),
            (["watch", "--count", "0"], "count"),
            (["watch", "--interval", "-1"], "interval"),
        ):
            with self.subTest(" ".join(map(str, arguments))):
                run = Transcript(*arguments)
                self.assertEqual((run.status, run.out), (64, ""), run)
                self.assertTrue(run.err.startswith("Error: "), run)
                self.assertIn(word, run.err)

    def test_missing_file_is_one_line_and_status_1(self):
        for command in (["train"], ["predict", "--load"]):
            run = Transcript(*command, "/none/there.csv")
            self.assertEqual((run.status, run.out), (1, ""), run)
            self.assertRegex(run.err, r"\AError: .*/none/there\.csv: .*[Nn]o such file.*\n\Z")

    def test_directory_as_a_file_is_told(self):
        run = Transcript("train", FIXTURES, "-q")
        self.assertEqual(run.status, 1, run)
        self.assertRegex(run.err, r"\AError: cannot read .*: it is a (folder|directory)\n\Z")


class ExplainTest(ServerTest):
    def test_expression_forward_and_backward(self):
        run = Transcript("explain", "(x+y)^2", "x=3", "y=4")
        self.assertEqual((run.status, run.err), (0, ""))
        for line in (r"\(x\+y\)\^2  49 ", r"  x        14$", r"  y        14$", r"∂\(\(x\+y\)\^2\)/∂x = 14$",
                     r"over 2 paths$"):
            self.assertRegex(run.out, re.compile(line, re.M))

    def test_expression_in_one_unit(self):
        run = Transcript("explain", "sigmoid(w*x+b)", "w=0.5", "x=2", "b=-1")
        self.assertEqual(run.status, 0, run)
        self.assertIn("∂(sigmoid(w*x+b))/∂w = 0.5", run.out)
        self.assertIn("∂(sigmoid(w*x+b))/∂b = 0.25", run.out)

    def test_expression_that_is_wrong_says_where(self):
        for arguments, words in (
            (["(x+y", "x=1", "y=2"], "column 5"), (["x+y", "x=1"], "a value for y"),
            (["x+*y", "x=1", "y=1"], "column 3"),
            (["x", "x=one"], "x=3"), (["foo(x)", "x=1"], "foo"), (["x $ y", "x=1", "y=1"], "column 3"),
            (["x", "x=1", "z=1"], "z"),
        ):
            run = Transcript("explain", *arguments)
            self.assertEqual((run.status, run.out), (1, ""), run)
            self.assertRegex(run.err, r"\AError: .+\n\Z")
            self.assertIn(words, run.err)

    def test_sample_of_a_model(self):
        model = self.directory() / "model.eddy"
        Transcript("train", FIXTURES / "iris.csv", "-q", "--layers", "3", "--save", model)
        sample = "5.1,3.5,1.4,0.2"
        run = Transcript("explain", "--load", model, "--sample", sample + ",setosa")
        self.assertEqual((run.status, run.err), (0, ""), run)
        for word in ("sepal_length_cm", "forward", "prediction setosa", "nats", "bits", "backward", "layer 1",
                     "layer 2", "error shared in proportion", "the weight from "):
            self.assertIn(word, run.out)
        predicted = Transcript("predict", "--load", model, stdin=sample.encode()).out.split()
        self.assertIn("prediction %s, probability %s" % tuple(predicted), run.out)
        unlabelled = Transcript("explain", "--load", model, "--sample", sample)
        self.assertEqual(unlabelled.status, 0)
        self.assertIn("no label: no loss", unlabelled.out)
        chosen = Transcript("explain", "--load", model, "--sample", sample + ",setosa", "--weight", "W2[2,0]")
        self.assertIn("gradient of loss with respect to W2[2,0]: ", chosen.out)

    def test_words_of_a_sample_count(self):
        model = self.directory() / "model.eddy"
        lines = "".join('{"x": %d, "colour": "%s", "label": "%s"}\n' % (i % 3, "red" if i % 2 else "blue", i % 2)
                        for i in range(60))
        Transcript("train", "-", "-q", "--layers", "3", "--save", model, stdin=lines.encode())
        outputs = []
        for colour in ("red", "blue"):
            sample = '{"x": 1, "colour": "%s"}' % colour
            run = Transcript("explain", "--load", model, "--sample", sample)
            self.assertEqual((run.status, run.err), (0, ""), run)
            self.assertIn("colour=" + colour, run.out)
            predicted = Transcript("predict", "--load", model, stdin=sample.encode()).out.split()
            self.assertIn("prediction %s, probability %s" % tuple(predicted), run.out)
            outputs.append(run.out[run.out.index("forward"):])
        self.assertNotEqual(*outputs)

    def test_sample_that_does_not_fit_is_told(self):
        model = self.directory() / "model.eddy"
        Transcript("train", FIXTURES / "iris.csv", "-q", "--save", model)
        for sample, word in (("1,2", "fields"), ("a,2,3,4,setosa", "number"), ("1,2,3,4,rose", "setosa"),
                             ("", "sample")):
            run = Transcript("explain", "--load", model, "--sample", sample)
            self.assertEqual((run.status, run.out), (1, ""), run)
            self.assertIn(word, run.err)
        for weight in ("W9[0,0]", "W1[99,0]", "W1[0,99]", "one", "W1"):
            run = Transcript("explain", "--load", model, "--sample", "5.1,3.5,1.4,0.2,setosa", "--weight", weight)
            self.assertEqual(run.status, 1, run)
            self.assertIn("--weight", run.err)


class CheckTest(ServerTest):
    def test_right_gradients_are_status_0(self):
        for options in ((), ("--layers", "8,8", "--activation", "tanh"), ("--layers", "none"),
                        ("--activation", "sigmoid", "--loss", "squared", "--outputs", "1"),
                        ("--loss", "huber:0.5", "--outputs", "2"), ("--activation", "leakyReLU", "--loss",
                         "binary-cross-entropy", "--outputs", "1"), ("--activation", "step")):
            run = Transcript("check", "--inputs", "4", *options)
            self.assertEqual((run.status, run.err), (0, ""), run)
            self.assertIn("10 checked", run.out)


class WatchTest(ServerTest):
    def test_count_messages_and_no_more(self):
        server = self.serve()
        self.summary(server, fixture("iris.csv"))
        run = Transcript("watch", server.url, "--count", "1")
        self.assertEqual((run.status, run.err), (0, ""))
        self.assertRegex(run.out, r"\Astep 150  loss 0\.\d+ recent 0\.\d+ nats  baseline 1\.0986  accuracy 0\.9\d+ .*"
                                  r"rejected 0\n\Z")

    def test_lines_while_samples_come(self):
        server = self.serve()
        self.summary(server, "1,2,a\n")
        watch = start(self, EDDY, "watch", server.url, "--interval", "0", "--count", "3")
        self.assertTrue(watch.stdout.readline().startswith("step 1 "))
        feed = self.feed(server)
        feed.send("!reply acks\n")
        while watch.poll() is None:
            feed.ask("2,1,b\n")
        steps = [int(line.split()[1]) for line in watch.stdout]
        self.assertEqual((watch.returncode, len(steps)), (0, 2))
        self.assertLess(1, steps[0])
        self.assertLess(steps[0], steps[1])

    def test_address_without_scheme_is_taken(self):
        server = self.serve()
        self.summary(server, "1,2,a\n")
        self.assertEqual(Transcript("watch", "127.0.0.1:%d" % server.web_port, "--count", "1").status, 0)

    def test_no_server_is_one_line_that_says_what_to_do(self):
        run = Transcript("watch", "http://127.0.0.1:1")
        self.assertEqual((run.status, run.out), (1, ""))
        self.assertRegex(run.err, r"\AError: nobody answers at http://127\.0\.0\.1:1: start `eddy serve`.*\n\Z")

    def test_end_of_the_server_ends_it(self):
        server = self.serve()
        self.summary(server, "1,2,a\n")
        watch = start(self, EDDY, "watch", server.url, "--interval", "0")
        watch.stdout.readline()
        server.close()
        watch.stdout.read()
        self.assertEqual(watch.wait(DEADLINE), 0)
