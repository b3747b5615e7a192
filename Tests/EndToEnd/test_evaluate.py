"""eddy evaluate, as transcripts; its page in a browser."""

import json
import re
import statistics

from browser import Browser
from server import FIXTURES, ServerTest, fixture
from tools import Transcript

CANCER, BANANAS, TRUMP = FIXTURES / "breast_cancer.csv", FIXTURES / "bananas.csv", FIXTURES / "trump_approval.csv"


class EvaluateTest(ServerTest):
    def evaluate(self, *arguments, **options):
        run = Transcript("evaluate", *arguments, **options)
        self.assertEqual((run.status, run.err), (0, ""), run)
        return run.out

    def report(self, *arguments, **options):
        return json.loads(self.evaluate(*arguments, "--json", "-", **options))

    def test_text_has_figures_baselines_and_the_course(self):
        text = self.evaluate(CANCER)
        self.assertIn("samples      569 learned, 0 rejected", text)
        self.assertIn("task         classification, 2 classes: malignant, benign", text)
        for name in ("default", "most frequent class so far", "last label", "labels' entropy", "Cohen's kappa",
                     "ROC AUC", "F1 of benign"):
            self.assertRegex(text, r"(?m)^%s +0\.\d{4}|^%s " % (name, name))
        counts = re.findall(r"^(\d+) +\d\.\d{4} +\d\.\d{4} +\d+\.\d{4} +\d+\.\d{4}$", text, re.M)
        self.assertEqual(list(map(int, counts)), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 569])

    def test_labels_may_come_late(self):
        lines = ['{"x": 7, "label": "high"}']
        for i in range(400):
            lines.append('{"x": %d, "id": "a%d"}' % (i % 10, i))
            if i >= 20:
                lines.append('{"id": "a%d", "label": "%s"}' % (i - 20, "high" if (i - 20) % 10 > 4 else "low"))
        lines.append("!label nobody high")
        run = Transcript("evaluate", "-", stdin=("\n".join(lines) + "\n").encode())
        self.assertEqual(run.status, 0, run)
        self.assertIn("samples      381 learned, 1 rejected", run.out)
        self.assertRegex(run.out, r"late labels  380 joined, 1 unmatched; 20 samples wait, 0 evicted; mean error")
        self.assertIn("nobody", run.err)

    def test_a_label_that_does_not_fit_leaves_its_sample_waiting(self):
        lines = '{"x": 1, "label": 1.5}\n{"x": 2, "id": "a7"}\n!label a7 red\n!label a7 2.5\n'
        for command in (("evaluate", "-"), ("train", "-", "-q")):
            run = Transcript(*command, stdin=lines.encode())
            self.assertEqual(run.status, 0, run)
            self.assertIn("2 learned, 1 rejected", run.out)
            self.assertIn("late labels  1 joined, 0 unmatched; 0 samples wait", run.out)
            self.assertIn("the sample waits on", run.err)

    def test_same_figures_and_weights_as_train(self):
        for path in (CANCER, TRUMP):
            trained = Transcript("train", path, "-q").out
            (entry,) = self.report(path)["configurations"]
            (only,) = entry["passes"]
            self.assertIn(only["weights"], trained)
            figures = (only.get("classification") or only["regression"])["all"]
            self.assertIn("%.6f" % figures["meanLoss"], trained)
            self.assertIn("%.6f" % figures.get("accuracy", figures.get("meanAbsoluteError")), trained)
            last = entry["doublings"][-1]
            self.assertAlmostEqual(last["meanLoss"], figures["meanLoss"], places=9)
            self.assertEqual(entry["curve"][-1]["samples"], last["samples"])

    def test_baselines_are_those_of_the_labels(self):
        labels = [line.rsplit(",", 1)[1] for line in fixture("breast_cancer.csv").decode().splitlines()[1:]]
        counts, last, common, repeated = {}, None, 0, 0
        for label in labels:
            common += bool(counts) and label == max(counts, key=counts.get)
            repeated += label == last
            counts[label] = counts.get(label, 0) + 1
            last = label
        reference = self.report(CANCER)["reference"]
        self.assertAlmostEqual(reference["lastClass"], repeated / len(labels))
        self.assertAlmostEqual(reference["mostFrequentClass"], common / len(labels), delta=2 / len(labels))  # ties
        values = [float(line.rsplit(",", 1)[1]) for line in fixture("trump_approval.csv").decode().splitlines()[1:]]
        means = [statistics.fmean(values[:i]) for i in range(1, len(values))]
        reference = self.report(TRUMP)["reference"]
        # Before the first value nothing is known, as for the learner.
        self.assertAlmostEqual(
            reference["meanMAE"], statistics.fmean(abs(a - b) for a, b in zip(values[1:], means)), places=4)
        self.assertAlmostEqual(
            reference["lastMAE"], statistics.fmean(abs(a - b) for a, b in zip(values[1:], values)), places=4)
        self.assertAlmostEqual(reference["targetVariance"], statistics.pvariance(values), places=3)

    def test_confusions_and_curve_add_up(self):
        (entry,) = self.report(BANANAS)["configurations"]
        figures = entry["passes"][0]["classification"]["all"]
        # The first sample has no prediction, and is in no cell and no bin.
        self.assertEqual(sum(map(sum, entry["confusions"])), 5299)
        self.assertEqual(sum(row[k] for k, row in enumerate(entry["confusions"])), round(5300 * figures["accuracy"]))
        self.assertLessEqual(len(entry["curve"]), 513)
        self.assertEqual(sum(b["samples"] for b in figures["reliability"]), 5299)
        recent = entry["passes"][0]["classification"]["recent"]
        self.assertAlmostEqual(entry["curve"][-1]["recentScore"], recent["accuracy"])
        self.assertAlmostEqual(entry["curve"][-1]["recentLoss"], recent["meanLoss"])
        self.assertGreater(recent["rocAUC"], 0.5)

    def test_seeds_have_a_median_and_a_spread(self):
        report = self.report(CANCER, "--seeds", 3, "--seed", 5)
        (entry,) = report["configurations"]
        self.assertEqual([one["seed"] for one in entry["passes"]], [5, 6, 7])
        accuracies = [one["classification"]["all"]["accuracy"] for one in entry["passes"]]
        self.assertEqual(entry["figures"]["accuracy"], {
            "median": statistics.median(accuracies), "lowest": min(accuracies), "highest": max(accuracies)})
        shown = next(one for one in entry["passes"] if one["seed"] == entry["shownSeed"])
        self.assertEqual(shown["classification"]["all"]["accuracy"], statistics.median(accuracies))
        alone = self.report(CANCER, "--seed", 6)["configurations"][0]["passes"][0]
        self.assertEqual(alone["weights"], entry["passes"][1]["weights"])
        self.assertRegex(self.evaluate(CANCER, "--seeds", 3),
                         r"median of 3 seeds(.|\n)*\n  lowest +0\.(.|\n)*\n  highest +0\.")

    def test_configurations_stand_side_by_side(self):
        both = ("--with", "default:", "--with", "wide: --layers 64 --learning-rate 0.05")
        report = self.report(CANCER, *both)
        default, wide = report["configurations"]
        self.assertEqual((default["name"], wide["name"]), ("default", "wide"))
        self.assertEqual((default["network"], wide["network"]), ("30-32-3", "30-64-3"))
        for entry, options in ((default, ()), (wide, ("--layers", 64, "--learning-rate", 0.05))):
            alone = self.report(CANCER, *options)["configurations"][0]
            self.assertEqual(alone["passes"][0]["weights"], entry["passes"][0]["weights"])
        text = self.evaluate(CANCER, *both)
        self.assertRegex(text, r"(?m)^wide +0\.9")
        self.assertIn("wide accuracy", text)

    def test_standard_input_and_several_files_are_one_stream(self):
        header, *rows = fixture("breast_cancer.csv").splitlines(keepends=True)
        folder = self.directory()
        for name, part in (("a.csv", rows[:300]), ("b.csv", rows[300:])):
            (folder / name).write_bytes(header + b"".join(part))

        def weights(*arguments, **options):
            return self.report(*arguments, **options)["configurations"][0]["passes"][0]["weights"]

        whole = weights(CANCER)
        self.assertEqual(weights(folder / "a.csv", folder / "b.csv"), whole)
        self.assertEqual(weights(stdin=fixture("breast_cancer.csv")), whole)

    def test_bad_lines_are_told_as_train_tells_them(self):
        path = self.directory() / "bad.csv"
        path.write_text("x,y,label\n1,2,a\noops,2,a\n1,2,b\n")
        run = Transcript("evaluate", path, "--seeds", 2)
        self.assertEqual(run.status, 0, run)
        self.assertEqual(run.err, Transcript("train", path, "-q").err)
        self.assertIn("samples      2 learned, 1 rejected", run.out)

    def test_classes_that_turn_into_values_are_evaluated_as_values(self):
        lines = "".join("%d,%s\n" % (i % 7, i % 3 if i < 40 else i % 3 + 0.5) for i in range(200))
        (entry,) = self.report(stdin=lines.encode())["configurations"]
        self.assertEqual(entry["task"], "regression")
        self.assertEqual((entry["doublings"][-1]["samples"], entry["confusions"]), (160, []))

    def test_what_cannot_be_is_refused(self):
        for arguments, status, reason in (
            ((CANCER, "--seeds", 0), 64, "seeds 0: expected 1 to 1000"),
            ((CANCER, "--with", "wide"), 64, "expected a name, a colon and options"),
            ((CANCER, "--with", "wide: --layers x"), 64, "--with wide: The value 'x' is invalid for '--layers"),
            ((CANCER, "--with", "a:", "--with", "a: --seed 2"), 64, "--with a: the name is taken"),
            ((CANCER, "--with", "a:", "--layers", 8), 64, "learning options beside --with"),
            ((CANCER, "--html", "/nowhere/at/all.html"), 1, "/nowhere/at/all.html"),
            (("/nowhere.csv",), 1, "cannot read /nowhere.csv"),
        ):
            run = Transcript("evaluate", *arguments)
            self.assertEqual((run.status, run.out), (status, ""), run)
            self.assertIn(reason, run.err)
        run = Transcript("evaluate", stdin=b"")
        self.assertEqual(run.status, 3)
        self.assertRegex(run.err, r"\Afewer than two samples were learned: .*\n\Z")


class PageTest(ServerTest):
    """The page loads nothing, complains of nothing, and fits its window."""

    def page(self, *arguments):
        path = self.directory() / "report.html"
        run = Transcript("evaluate", *arguments, "--html", path)
        self.assertEqual((run.status, run.err), (0, ""), run)
        return path

    def test_pages_show_plots_and_tables_without_the_network(self):
        browser = Browser()
        self.addCleanup(browser.close)
        for arguments, plots in (
            ((CANCER, "--with", "default:", "--with", "<wide> & \"low\": --layers 64", "--seeds", 2), 6),
            ((TRUMP,), 5),
        ):
            path = self.page(*arguments)
            text = path.read_text()
            for foreign in ("http:", "https:", "<script", "<link", "@import", "url(", ">nan", ">inf", "nan,", "inf,"):
                self.assertFalse(foreign in text, foreign)
            view = browser.open()
            self.addCleanup(view.close)
            for width, dark in ((1280, False), (390, True)):
                view.view(width=width, dark=dark)
                view.go(path.as_uri())
                self.assertEqual(view.evaluate("document.querySelectorAll('svg').length"), plots)
                self.assertLessEqual(view.evaluate("document.documentElement.scrollWidth"), width)
                background = view.evaluate("getComputedStyle(document.body).backgroundColor")
                self.assertEqual(background, "rgb(12, 19, 22)" if dark else "rgb(244, 246, 245)")
            self.assertEqual(view.complaints, [])
        names = view.evaluate("[...document.querySelectorAll('h2')].map(e => e.textContent)")
        self.assertEqual(names, ["Figures", "Course", "Absolute errors", "Learning curve", "Configurations"])
