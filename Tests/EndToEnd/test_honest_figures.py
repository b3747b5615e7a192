"""Every published figure, recomputed by scripts/recompute-metrics from the raw predictions of a feed."""

import importlib.machinery
import importlib.util
import json

from server import FIXTURES, REPOSITORY, ServerTest
from tools import Transcript

STREAMS = ("phishing", "bananas", "digits", "trump_approval", "breast_cancer")
# Both sides add the same float32 values in double precision, in another order.
TOLERANCE = 1e-9


def load(path):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader("recompute_metrics", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


recompute = load(REPOSITORY / "scripts" / "recompute-metrics")


class HonestFiguresTest(ServerTest):
    def same(self, told, wanted, what):
        self.assertLessEqual(abs(told - wanted), TOLERANCE * max(1, abs(wanted)), "%s: %r, recomputed %r" % (
            what, told, wanted))

    def replies(self, server, data):
        """The JSON replies to a stream, and how many lines came before it."""
        lines = self.talk(server, b"!reply json\n" + data)
        return [json.loads(line) for line in lines if line.startswith("{")]

    def check(self, told, wanted, classes, what):
        """Figures by span, as /model and evaluate have them, against recomputed ones."""
        for span in ("all", "recent", "decayed"):
            for key, value in wanted[span].items():
                name = "%s, %s of %s" % (what, key, span)
                if key == "confusions":
                    continue
                if key == "classes":
                    for index, label in enumerate(classes):
                        for figure, one in value.get(label, {}).items():
                            self.same(told[span]["classes"][index][figure], one, "%s, %s of %s" % (name, figure, label))
                    continue
                if key in ("medianError", "error90", "error99") and span == "all":
                    # Beyond the window they are counted in bins 1.6 % wide.
                    self.assertLessEqual(abs(told[span][key] - value), 0.02 * value, name)
                    continue
                self.same(told[span][key], value, name)

    def stream(self, name, *options):
        path = FIXTURES / (name + ".csv")
        server = self.serve(*options)
        replies = self.replies(server, path.read_bytes())
        labels = recompute.labels(path)
        samples = recompute.samples(labels, replies, skipped=1)
        self.assertEqual(len(samples), len(labels))
        self.assertEqual([i for i, sample in enumerate(samples) if sample[1] is None], [0])
        wanted = recompute.figures(samples)
        model = server.model()
        self.assertEqual(model["task"], wanted["task"])
        self.check(model[wanted["task"]], wanted, model["classes"], "/model after " + name)

        run = Transcript("evaluate", path, "--json", "-", *options)
        self.assertEqual(run.status, 0, run)
        (entry,) = json.loads(run.out)["configurations"]
        self.check(entry["passes"][0][wanted["task"]], wanted, entry["classes"], "evaluate of " + name)
        counted = {}
        for one in wanted["all"].get("confusions", ()):
            counted[one["label"], one["predicted"]] = one["samples"]
        for row, cells in enumerate(entry["confusions"]):
            for column, count in enumerate(cells):
                place = entry["classes"][row], entry["classes"][column]
                self.assertEqual(count, counted.get(place, 0), place)
        return samples, replies

    def test_figures_of_five_streams(self):
        for name in STREAMS:
            with self.subTest(name):
                self.stream(name)

    def test_figures_of_one_network(self):
        for name in ("digits", "trump_approval"):
            with self.subTest(name):
                self.stream(name, "--profile", "fast")

    def test_no_reply_names_a_class_that_has_not_come(self):
        samples, _ = self.stream("digits")
        known = set()
        for label, prediction, probability, _ in samples:
            if prediction is None:
                self.assertFalse(known)
                self.assertIsNone(probability)
            else:
                self.assertIn(prediction, known)
            known.add(recompute.class_name(label))

    def test_labels_that_are_all_new_are_all_errors(self):
        server = self.serve()
        lines = "x,label\n" + "".join("%d,class %d\n" % (i, i) for i in range(25))
        replies = self.replies(server, lines.encode())
        self.assertEqual([reply["prediction"] for reply in replies][:2], [None, "class 0"])
        self.assertEqual(len(replies), 25)
        self.assertEqual(server.model()["classification"]["all"]["accuracy"], 0)
        self.assertEqual(server.model()["metrics"]["accuracy"], 0)
