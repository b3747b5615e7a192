"""The example programs of Tests/Examples: each runs, ends in time, and prints what it promises."""

import os
import pathlib
import subprocess
import unittest

from server import DEADLINE, EDDY, FIXTURES
from tools import missing

# Beside eddy, where EDDY_EXAMPLES=1 was set when it was built.
EXAMPLES = pathlib.Path(os.environ.get("EDDY_EXAMPLES_PATH", pathlib.Path(EDDY).parent))


def output(name, *arguments):
    program = EXAMPLES / name
    if not program.exists():
        missing("%s was not built: EDDY_EXAMPLES=1 swift build" % name)
    done = subprocess.run([str(program), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=DEADLINE, text=True)
    assert done.returncode == 0, (name, done)
    return done.stdout.splitlines()


class ExamplesTest(unittest.TestCase):
    def test_embed_for_await(self):
        first, centre, corner = output("EmbedForAwait")
        self.assertEqual(first, "learned 5000, rejected 0, listened to 5000")
        self.assertIn("inside", centre)
        self.assertIn("outside", corner)

    def test_embed_opencombine(self):
        learned, losses, answer = output("EmbedOpenCombine")
        self.assertEqual((learned, losses), ("learned 10000", "heard of losses: true"))
        self.assertAlmostEqual(float(answer.split("(")[-1].rstrip(")")), 2.5, delta=0.2)

    def test_custom_source(self):
        self.assertEqual(output("CustomSource", FIXTURES / "iris.csv"), [
            "file: 150 samples of sepal_length_cm, sepal_width_cm, petal_length_cm, petal_width_cm",
            "machine: 200 readings of fan, isOpen"])

    def test_predictions_only(self):
        self.assertEqual(output("PredictionsOnly"), [
            "asked 200, more than 9 of 10 right: true", "steps before and after: 5000, 5000"])

    def test_save_and_load(self):
        self.assertEqual(output("SaveAndLoad"), [
            "loaded at step 2000", "both at step 4000 and 4000, equal to the bit: true"])

    def test_every_form_of_publishers(self):
        """Closures of main.swift, of an actor and of a @MainActor class are called where they belong."""
        for _ in range(5):
            lines = output("PublisherForms")
            for line in ("windows 5000 received 5000 mean true collected true", "model 5000 true",
                         "actor 5000 false true", "taught 500", "subscribed 200", "done"):
                self.assertIn(line, lines)


if __name__ == "__main__":
    unittest.main()
