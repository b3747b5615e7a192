"""The main job: a file piped through nc into a server that was told nothing."""

import random
import shlex
import statistics
import subprocess

from server import DEADLINE, FIXTURES, ServerTest, fixture
from tools import need, need_nc, pipe


class PipeTest(ServerTest):
    def nc(self, server, data):
        return pipe(data, need_nc(), "-N", server.host, str(server.port))

    def test_breast_cancer_redirected_into_nc_is_learned_whole(self):
        server = self.serve()
        with open(FIXTURES / "breast_cancer.csv", "rb") as file:
            done = subprocess.run([need_nc(), "-N", server.host, str(server.port)], stdin=file,
                                  stdout=subprocess.PIPE, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(
            done.stdout.decode(),
            r"\A!summary accepted=569 learned=569 predicted=0 rejected=0 mean_loss=0\.\d+ unit=nats label=\"label\"\n\Z")

    def test_cat_piped_into_nc_is_learned_whole(self):
        server = self.serve()
        command = "%s %s | %s -N %s %d" % (
            need("cat"), shlex.quote(str(FIXTURES / "breast_cancer.csv")), need_nc(), server.host, server.port)
        out = subprocess.run(command, shell=True, stdout=subprocess.PIPE, timeout=DEADLINE).stdout.decode()
        self.assertTrue(out.startswith("!summary accepted=569 learned=569 predicted=0 rejected=0 "), out)

    def test_breast_cancer_median_of_ten_seeds_has_loss_below_0_16_and_accuracy_above_94_5(self):
        losses, accuracies = [], []
        for seed in range(1, 11):
            server = self.serve("--seed", seed)
            self.nc(server, fixture("breast_cancer.csv"))
            model = server.model()
            self.assertEqual(model["counts"]["accepted"], 569)
            losses.append(model["meanLoss"])
            accuracies.append(model["metrics"]["accuracy"])
        spread = "losses %.4f to %.4f, accuracies %.4f to %.4f" % (
            min(losses), max(losses), min(accuracies), max(accuracies))
        print("\nbreast_cancer, ten seeds: median loss %.4f, median accuracy %.4f; %s"
              % (statistics.median(losses), statistics.median(accuracies), spread))
        self.assertLess(statistics.median(losses), 0.16, spread)
        self.assertGreater(statistics.median(accuracies), 0.945, spread)

    def test_iris_has_three_classes(self):
        server = self.serve()
        self.assertIn("accepted=150 learned=150", self.nc(server, fixture("iris.csv"))[-1])
        model = server.model()
        self.assertEqual(model["task"], "classification")
        self.assertEqual(model["classes"], ["setosa", "versicolor", "virginica"])
        self.assertEqual(model["inputs"][0], "sepal_length_cm")
        self.assertGreater(model["metrics"]["accuracy"], 0.9)

    def test_digits_have_ten_classes(self):
        server = self.serve()
        self.nc(server, fixture("digits.csv"))
        self.assertEqual(sorted(server.model()["classes"]), [str(digit) for digit in range(10)])

    def test_trump_approval_is_a_regression(self):
        server = self.serve()
        summary = self.nc(server, fixture("trump_approval.csv"))[-1]
        self.assertIn("accepted=1001 learned=1001 predicted=0 rejected=0", summary)
        self.assertIn("unit=squared", summary)
        model = server.model()
        self.assertEqual(model["task"], "regression")
        self.assertLess(model["metrics"]["recentMAE"], 1.0)

    def hash_after(self, *streams):
        """The hash of the weights that several connections, one after another, have taught."""
        server = self.serve()
        for stream in streams:
            self.assertEqual(self.summary(server, stream)["rejected"], "0")
        return server.model()["parameterHash"]

    def test_last_line_without_newline_is_learned(self):
        whole = fixture("iris.csv")
        self.assertTrue(whole.endswith(b"\n"))
        self.assertEqual(self.hash_after(whole.rstrip(b"\n")), self.hash_after(whole))

    def test_CRLF_and_byte_order_mark_change_nothing(self):
        plain = fixture("iris.csv").replace(b"\r\n", b"\n")
        windows = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")
        self.assertEqual(self.hash_after(windows), self.hash_after(plain))

    def test_later_header_maps_columns_by_name(self):
        header, *rows = fixture("iris.csv").decode().splitlines()

        def table(rows, order):
            lines = [header, *rows]
            return "".join(",".join(line.split(",")[i] for i in order) + "\n" for line in lines)

        straight, shuffled = [0, 1, 2, 3, 4], [4, 2, 0, 3, 1]
        first, second = rows[:70], rows[70:]
        random.Random(1).shuffle(second)
        self.assertEqual(
            self.hash_after(table(first, straight), table(second, shuffled)),
            self.hash_after(table(first, straight), table(second, straight)))
