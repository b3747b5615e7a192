"""eddy train, predict and model files, as transcripts."""

import json
import os
import re
import select
import signal
import subprocess

from server import DEADLINE, EDDY, FIXTURES, ServerTest, eventually, fixture
from tools import Transcript, start

IRIS = FIXTURES / "iris.csv"
CANCER = FIXTURES / "breast_cancer.csv"


def weights(run):
    """The hash of the weights that a run has printed."""
    return re.search(r"^weights +([0-9a-f]+)", run.out, re.M)[1]


class TrainTest(ServerTest):
    def setUp(self):
        self.model = self.directory() / "model.eddy"

    def train(self, *arguments, **options):
        run = Transcript("train", *arguments, **options)
        self.assertEqual((run.status, run.err), (0, ""), run)
        return run

    def drifting(self):
        """Two classes by the sign of x + y; after 1,000 samples by that of x y, and y is larger by 500."""
        path = self.directory() / "drifting.csv"
        rows = [((i * 37) % 101 - 50, (i * 61) % 97 - 48, i < 1000) for i in range(1600)]
        path.write_text("x,y,label\n" + "".join(
            "%d,%d,%s\n" % (x, y if before else y + 500, "ab"[(x + y if before else x * y) > 0]) for x, y, before in rows))
        return path

    def test_drift_is_told_in_the_summary_and_in_the_report(self):
        path = self.drifting()
        told = r"drift found at sample (\d+): %s, from \S+ to \S+ \(%s\)"
        found = re.findall(r"(?m)^drift        " + told % ("errors have risen", "adwin"), self.train(path, "-q").out)
        self.assertTrue(found and 1000 < int(found[0]) < 1150, found)
        report = Transcript("evaluate", path).out
        self.assertEqual(re.findall("(?m)^" + told % ("errors have risen", "adwin"), report), found)
        report = json.loads(Transcript("evaluate", path, "--json", "-").out)
        alarms = report["configurations"][0]["passes"][0]["drifts"]["alarms"]
        self.assertEqual(["%d" % alarm["step"] for alarm in alarms], found)

    def test_drift_can_be_looked_for_elsewhere_and_answered_otherwise(self):
        path = self.drifting()
        run = self.train(path, "--profile", "fast")
        self.assertNotIn("drift", run.out)
        run = self.train(path, "-q", "--profile", "fast", "--drift", "page-hinkley", "--drift-on", "features")
        self.assertRegex(run.out, r"(?m)^drift        drift found at sample 1\d\d\d: feature y has changed")
        self.assertNotIn("feature x", run.out)
        self.assertNotIn("errors", run.out)
        self.assertEqual(weights(run), weights(self.train(path, "-q", "--profile", "fast")))
        def loss(run):
            return re.search(r"mean loss +(\S+)", run.out)[1]

        default, none, all_four = (loss(self.train(path, "-q", *options)) for options in (
            (), ("--on-drift", "none"),
            ("--on-drift", "forget-memory,raise-step,restart-weakest,forget-scaler", "--drift-on", "errors,loss")))
        self.assertEqual(len({default, none, all_four}), 3)
        self.assertEqual(loss(self.train(path, "-q", "--drift", "adwin", "--on-drift", "forget-memory")), default)
        run = self.train(path, "-q", "--drift", "none", "--save", self.model)
        self.assertNotIn("drift", run.out)
        self.assertEqual(loss(run), none)
        run = Transcript("train", path, "--load", self.model, "--drift", "adwin")
        self.assertEqual(run.status, 64)
        self.assertIn("--load brings the model's own settings", run.err)

    def test_ddm_on_values_is_left_out_and_that_is_said_once(self):
        run = self.train(FIXTURES / "trump_approval.csv", "-q", "--drift", "ddm")
        self.assertEqual((run.out + run.err).count("DDM watches errors of classes"), 1)
        self.assertIn("samples      1001 learned, 0 rejected", run.out)

    def test_table_has_a_row_at_every_power_of_two(self):
        run = self.train(CANCER)
        rows = [line.split() for line in run.out.splitlines()]
        counters = [int(row[2]) for row in rows if len(row) == 5 and row[2].isdigit()]
        self.assertEqual(counters, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 569])
        self.assertIn("samples      569 learned, 0 rejected", run.out)
        self.assertRegex(run.out, r"mean loss    0\.1\d+ nats \(labels' entropy 0\.6603\)")
        self.assertRegex(run.out, r"accuracy     0\.9\d+ \(most frequent class 0\.6274\)")
        self.assertIn("classes      2: malignant, benign", run.out)

    def test_quiet_prints_the_last_lines_alone(self):
        run = self.train(CANCER, "-q")
        self.assertNotIn("average", run.out)
        self.assertEqual(len(run.out.splitlines()), 11)  # seven, and the four votes that weigh most

    def test_bits_are_nats_over_ln_2(self):
        nats, bits = (float(re.search(r"mean loss +([\d.]+)", self.train(IRIS, *options).out)[1])
                      for options in ((), ("--bits",)))
        self.assertAlmostEqual(bits, nats / 0.693147, places=3)

    def test_standard_input_is_the_same_as_the_file(self):
        straight = self.train(IRIS)
        for arguments in ((), ("-",)):
            self.assertEqual(self.train(*arguments, stdin=fixture("iris.csv")).out, straight.out)

    def test_several_files_are_one_stream(self):
        header, *rows = fixture("iris.csv").splitlines(keepends=True)
        parts = []
        for index, part in enumerate((rows[:60], rows[60:])):
            parts.append(self.model.with_name("part%d.csv" % index))
            parts[-1].write_bytes(header + b"".join(part))
        self.assertEqual(weights(self.train(*parts)), weights(self.train(IRIS)))

    def test_same_weights_as_the_server(self):
        server = self.serve("--seed", 5)
        self.summary(server, fixture("breast_cancer.csv"))
        self.assertEqual(weights(self.train(CANCER, "--seed", 5)), server.model()["parameterHash"])

    def test_save_and_load_equal_one_go(self):
        for options in ((), ("--momentum", 0.9, "--schedule", "inverse-sqrt:0.01", "--layers", "8,8")):
            whole = self.train(CANCER, "--epochs", 3, *options)
            self.train(CANCER, "--save", self.model, *options)
            self.train(CANCER, "--load", self.model, "--save", self.model)
            last = self.train(CANCER, "--load", self.model)
            self.assertEqual(weights(last), weights(whole))
            self.assertIn("samples      1707 learned, 0 rejected", last.out)
            self.assertEqual(last.out.splitlines()[-6:], whole.out.splitlines()[-6:])

    def test_initial_weights_are_taken_from_a_file(self):
        raw = self.model.with_name("initial.f32")
        raw.write_bytes(b"\0" * 4 * (4 * 3 + 3))
        options = ("--layers", "none", "--no-scaling", "--classes", "setosa,versicolor,virginica")
        given = Transcript("train", IRIS, *options, "--initial-weights", raw)
        if given.status:  # with another in reserve
            raw.write_bytes(b"\0" * 4 * (4 * 4 + 4))
            given = self.train(IRIS, *options, "--initial-weights", raw)
        self.assertEqual(weights(given), weights(self.train(IRIS, *options, "--initialization", "zeros")))

    def test_bad_lines_are_told_with_file_line_and_column(self):
        path = self.model.with_name("bad.csv")
        path.write_text("x,y,label\n1,2,a\noops,2,a\n1,2,b\n")
        run = Transcript("train", path, "-q")
        self.assertEqual(run.status, 0)
        self.assertEqual(run.err, '%s: line=3 column=1 field=x expected=number got="oops"\n' % path)
        self.assertIn("samples      2 learned, 1 rejected", run.out)

    def test_many_bad_lines_are_told_ten_times_and_counted(self):
        path = self.model.with_name("bad.csv")
        path.write_text("x,y,label\n1,2,a\n" + "oops,2,a\n" * 50_000)
        run = Transcript("train", path, "-q")
        self.assertEqual(run.status, 3)
        self.assertEqual(len(run.err.splitlines()), 12)  # ten, their number, and that most of the input was lost
        self.assertIn("50000 rejected", run.out)

    def test_nothing_learned_is_a_failure(self):
        run = Transcript("train", stdin=b"")
        self.assertEqual(run.status, 3)
        self.assertRegex(run.err, r"\Afewer than two samples were learned: ")
        self.train(CANCER, "--save", self.model)
        run = Transcript("train", IRIS, "--load", self.model)  # other inputs: nothing fits
        self.assertEqual(run.status, 3, run)

    def check_interrupted(self, data_after=b""):
        reader, writer = os.pipe()
        process = start(self, EDDY, "train", "-", "--save", self.model, stdin=reader)
        os.write(writer, b"x,label\n1,a\n2,b\n")
        eventually(lambda: not select.select([reader], [], [], 0)[0], "it has read the first samples")
        process.send_signal(signal.SIGINT)
        os.write(writer, data_after)
        out = process.stdout.read()
        os.close(reader)
        os.close(writer)
        self.assertIn("saved to ", out)
        self.assertEqual(process.wait(DEADLINE), 130)
        self.assertEqual(Transcript("predict", "--load", self.model, stdin=b"1\n").status, 0)

    def test_interrupted_training_saves(self):
        self.check_interrupted(b"3,a\n" * 10)

    def test_interrupted_training_saves_though_no_more_comes(self):
        self.check_interrupted()

    def test_table_is_told_as_it_grows_also_into_a_pipe(self):
        process = start(self, EDDY, "train", stdin=subprocess.PIPE)
        process.stdin.write("x,label\n1,a\n2,b\n")
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(4)]
        self.assertEqual([line.split()[2] for line in lines if "." in line], ["1", "2"])


class PredictTest(ServerTest):
    def setUp(self):
        self.model = self.directory() / "model.eddy"
        self.assertEqual(Transcript("train", IRIS, "-q", "--save", self.model).status, 0)

    def test_one_line_for_every_sample_and_nothing_is_learned(self):
        before = self.model.read_bytes()
        run = Transcript("predict", "--load", self.model, IRIS)
        self.assertEqual((run.status, run.err), (0, ""))
        rows = fixture("iris.csv").decode().splitlines()[1:]
        right = 0
        for row, line in zip(rows, run.out.splitlines()):
            self.assertRegex(line, r"\A(setosa|versicolor|virginica) [\d.e-]+\Z")
            right += row.rsplit(",", 1)[1] == line.split()[0]
        self.assertEqual(len(run.out.splitlines()), 150)
        self.assertGreater(right, 75)
        self.assertEqual(self.model.read_bytes(), before)

    def test_labels_are_not_looked_at(self):
        labelled = Transcript("predict", "--load", self.model, IRIS)
        rows = [row.rsplit(",", 1)[0] for row in fixture("iris.csv").decode().splitlines()[1:]]
        bare = Transcript("predict", "--load", self.model, stdin="\n".join(rows).encode())
        self.assertEqual(bare.out, labelled.out)
        other = Transcript("predict", "--load", self.model, stdin="".join(row + ",rose\n" for row in rows).encode())
        self.assertEqual(other.out, labelled.out)

    def test_json_says_the_same(self):
        plain = Transcript("predict", "--load", self.model, IRIS).out.splitlines()
        run = Transcript("predict", "--load", self.model, "--json", IRIS)
        told = [json.loads(line) for line in run.out.splitlines()]
        self.assertEqual([o["prediction"] for o in told], [line.split()[0] for line in plain])
        self.assertEqual([o["line"] for o in told], list(range(2, 152)))

    def test_error_stays_in_its_place_and_sets_the_status(self):
        run = Transcript("predict", "--load", self.model, stdin=b"5.1,3.5,1.4,0.2\nwhat,1,1,1\n5.1,3.5,1.4,0.2\n")
        self.assertEqual(run.status, 1)
        lines = run.out.splitlines()
        self.assertEqual(len(lines), 3, run)
        self.assertEqual(lines[1], '!error line=2 column=1 field=sepal_length_cm expected=number got="what"')
        self.assertEqual(lines[0], lines[2])

    def test_same_answers_as_the_server(self):
        server = self.serve("--load", self.model)
        rows = [row.rsplit(",", 1)[0] + "\n" for row in fixture("iris.csv").decode().splitlines()[1:]]
        replies = self.talk(server, "!reply predictions\n" + "".join(rows))
        self.assertEqual(replies, Transcript("predict", "--load", self.model, IRIS).out.splitlines())


class ModelFileTest(ServerTest):
    """A file that cannot be taken is refused with its reason, by every command, and is left as it is."""

    def setUp(self):
        self.model = self.directory() / "model.eddy"
        self.assertEqual(Transcript("train", IRIS, "-q", "--save", self.model).status, 0)

    def refused(self, path, *reasons):
        for command in (["train", IRIS], ["predict", IRIS], ["explain", "--sample", "1,2,3,4"],
                        ["serve", "--port", "0", "--http-port", "0"]):
            run = Transcript(*command, "--load", path)
            self.assertEqual(run.status, 1, run)
            self.assertEqual(run.err.count("\n"), 1, run)
            self.assertIn("cannot read the model %s: " % path, run.err)
            self.assertTrue(any(reason in run.err for reason in reasons), run)

    def test_missing(self):
        self.refused(self.model.with_name("none.eddy"), "no such file")

    def test_foreign(self):
        self.refused(IRIS, "not an Eddy model")

    def test_empty(self):
        self.model.write_bytes(b"")
        self.refused(self.model, "not an Eddy model", "cut short")

    def test_cut_short_or_changed_anywhere(self):
        whole = self.model.read_bytes()
        for damaged in (whole[:20], whole[:-1], whole[:len(whole) // 2], whole + b"x",
                        *(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]
                          for at in (9, 13, 40, len(whole) // 2, len(whole) - 1))):
            self.model.write_bytes(damaged)
            run = Transcript("predict", "--load", self.model, IRIS)
            self.assertEqual((run.status, run.out), (1, ""), run)
            self.assertRegex(run.err, r"\AError: cannot read the model .*: .+\n\Z")
        self.refused(self.model, "checksum")

    def test_other_settings_beside_a_model_are_refused(self):
        for command in (["train", IRIS], ["serve", "--port", "0", "--http-port", "0"]):
            run = Transcript(*command, "--load", self.model, "--seed", 3)
            self.assertEqual(run.status, 64, run)
            self.assertIn("--load brings the model's own settings", run.err)

    def test_place_that_cannot_be_written_is_a_failure(self):
        run = Transcript("train", IRIS, "-q", "--save", self.model.parent / "none" / "model.eddy")
        self.assertEqual(run.status, 1)
        self.assertRegex(run.err, r"\AError: .*none/model\.eddy.*\n\Z")

    def test_saving_leaves_nothing_else_behind(self):
        self.assertEqual(os.listdir(self.model.parent), ["model.eddy"])
