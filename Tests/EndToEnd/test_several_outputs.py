"""Samples with several labels: learned, answered and told for each output, over TCP, HTTP and on the command line."""

import json
import random
import re
import subprocess

from openapi import InterfaceTest
from server import EDDY


def rows(count=400, seed=3):
    """Features a and b; a price, which is missing now and then, and a kind."""
    source = random.Random(seed)
    for i in range(count):
        a, b = source.uniform(-2, 2), source.uniform(-2, 2)
        yield a, b, None if i % 9 == 5 else round(3 * a - b + 7.5, 4), "red" if a + b > 0 else "green"


CSV = "a,price,b,kind\n" + "".join(
    "%.4f,%s,%.4f,%s\n" % (a, "" if price is None else price, b, kind) for a, b, price, kind in rows())
JSON = "".join(
    json.dumps({"a": a, "b": b, "label": {"price": price, "kind": kind}}) + "\n" for a, b, price, kind in rows())


class SeveralOutputsTest(InterfaceTest):
    def check_model(self, model, learned=400):
        self.assertEqual(model["step"], learned)
        price, kind = model["outputs"]
        self.assertEqual((price["name"], price["task"], price["unit"]), ("price", "regression", "squared units"))
        self.assertEqual((kind["name"], kind["task"], kind["unit"]), ("kind", "classification", "nats"))
        self.assertEqual(kind["classes"], ["green", "red"] if kind["classes"][0] == "green" else ["red", "green"])
        self.assertGreater(kind["metrics"]["recentAccuracy"], 0.9)
        self.assertLess(price["metrics"]["recentMAE"], 0.5)
        self.assertEqual(kind["classification"]["all"]["samples"], learned)
        self.assertLess(price["regression"]["all"]["samples"], learned)
        self.assertNotIn("classification", model)
        self.assertNotIn("accuracy", model["metrics"])
        mean = (price["runningMean"] + kind["runningMean"]) / 2
        self.assertLess(abs(model["meanLoss"] / mean - 1), 0.2)

    def test_csv_over_tcp(self):
        server = self.serve("--label", "price,kind")
        replies = self.talk(server, CSV)
        self.assertTrue(replies[0].startswith("!summary accepted=400 learned=400 predicted=0 rejected=0 "), replies)
        self.assertIn(" unit=mixed label=", replies[0])
        self.assertRegex(replies[1], r'^!output name="price" learned=356 mean_loss=\S+ unit=squared$')
        self.assertRegex(replies[2], r'^!output name="kind" learned=400 mean_loss=\S+ unit=nats$')
        self.check_model(self.get(server, "/model"))
        feed = self.feed(server)
        answer = feed.ask("!reply predictions\na,price,b,kind\n1,1\n").split("\t")
        self.assertLess(abs(float(answer[0]) - 9.5), 1.5)
        self.assertTrue(answer[1].startswith("red "), answer)

    def test_json_is_recognised_and_replies_have_its_shape(self):
        server = self.serve()
        feed = self.feed(server)
        feed.send("!reply json\n")
        for line in JSON.splitlines()[:-1]:
            last = json.loads(feed.ask(line + "\n"))
        last = json.loads(feed.ask(JSON.splitlines()[-1] + "\n"))
        self.assertEqual(last["step"], 400)
        self.assertEqual(sorted(last["prediction"]), ["kind", "price"])
        self.assertEqual(sorted(last["probability"]), ["kind"])
        self.assertLess(abs(last["loss"] - sum(last["losses"].values()) / 2), 1e-6)
        before = self.get(server, "/model")
        self.check_model(before)
        # What does not fit one output changes none.
        for label in ({"price": "dear", "kind": "red"}, {"size": 1}, 5, [1, "red", 2]):
            error = json.loads(feed.ask(json.dumps({"a": 1, "b": 1, "label": label}) + "\n"))
            self.assertIn("error", error, label)
        after = self.get(server, "/model")
        self.assertEqual((after["step"], after["parameterHash"]), (before["step"], before["parameterHash"]))
        self.assertEqual(after["outputs"], before["outputs"])
        # A label that comes late, for both.
        waiting = json.loads(feed.ask('{"a":1,"b":1,"id":"s7"}\n'))
        self.assertNotIn("step", waiting)
        self.assertEqual(json.loads(feed.ask("!label s7 9.5,red\n"))["step"], 401)
        self.assertIn("error", json.loads(feed.ask("| a:1\n")))

    def test_http(self):
        server = self.serve()
        summary = self.post(server, "/samples?label=price,kind", CSV)
        self.assertEqual((summary["learned"], summary["unit"]), (400, "mixed units"))
        self.assertEqual([(one["name"], one["learned"]) for one in summary["outputs"]], [("price", 356), ("kind", 400)])
        self.check_model(self.get(server, "/model"))
        answer = self.post(server, "/predict", "a,b\n1,1\n-1,-1\n")["predictions"]
        self.assertEqual([one["prediction"]["kind"] for one in answer], ["red", "green"])
        self.assertIsNone(answer[0]["probability"]["price"])
        self.get(server, "/history")
        self.get(server, "/surface")
        self.get(server, "/layers?output=kind")
        self.refused(server, "/layers?output=size", 400, "price, kind")
        self.assertEqual(self.get(server, "/explain?features=1,1&label=red&output=kind")["sample"]["label"], "red")
        self.get(server, "/explain?output=kind")
        self.assertIsNotNone(self.get(server, "/explain")["loss"])
        text = self.get(server, "/metrics").decode()
        self.assertEqual(len(re.findall(r'^eddy_output_accuracy\{output="kind",window="\w+"\} ', text, re.M)), 2)
        self.assertEqual(len(re.findall(r'^eddy_output_loss\{', text, re.M)), 4)
        message = self.events(server, "/losses")()
        self.assertEqual([one["name"] for one in message["outputs"]], ["price", "kind"])
        self.assertEqual(message["unit"], "mixed units")
        events = self.events(server, "/events")
        self.assertEqual({events()["type"] for _ in range(4)}, {"model", "loss", "layers", "stream"})
        single = self.learned()
        self.refused(single, "/layers?output=kind", 400, "one output")

    def run_eddy(self, *arguments, text=None, status=0):
        run = subprocess.run([EDDY, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stdout if status == 0 else run.stderr

    def test_balance(self):
        source = random.Random(5)
        rare = "a,b,label\n"
        for _ in range(2000):
            kind = "rare" if source.random() < 0.02 else "common"
            shift = 2 if kind == "rare" else 0
            rare += "%.4f,%.4f,%s\n" % (source.gauss(shift, 1), source.gauss(shift, 1), kind)
        server = self.learned("--balance", data=rare)
        model = self.get(server, "/model")
        self.assertTrue(model["balance"])
        self.assertEqual(model["profile"], "best")
        usual = self.get(self.learned(data=rare), "/model")
        self.assertNotIn("balance", usual)
        figures = [one["classification"]["all"]["balancedAccuracy"] for one in (model, usual)]
        self.assertGreater(figures[0], figures[1] + 0.05)

    def test_command_line(self):
        folder = self.directory()
        (folder / "samples.csv").write_text(CSV)
        (folder / "samples.jsonl").write_text(JSON)
        hashes = []
        for arguments in (("samples.csv", "--label", "price,kind"), ("samples.csv", "--label", "2,-1")):
            out = self.run_eddy("train", folder / arguments[0], *arguments[1:], "--save", folder / "model.eddy")
            self.assertIn("samples      400 learned, 0 rejected", out)
            self.assertIn("output       price, 356 labels", out)
            self.assertIn("output       kind, 400 labels", out)
            hashes.append(re.findall(r"weights +(\w+)", out))
        self.assertEqual(len(hashes[0]), 2)
        self.assertEqual(hashes[0], hashes[1])
        predicted = self.run_eddy("predict", "--load", folder / "model.eddy", text="a,b\n1,1\n").split("\t")
        self.assertLess(abs(float(predicted[0]) - 9.5), 1.5)
        answer = json.loads(self.run_eddy("predict", "--load", folder / "model.eddy", "--json", text="a,b\n1,1\n"))
        self.assertEqual(answer["prediction"]["kind"], "red")
        explained = self.run_eddy(
            "explain", "--load", folder / "model.eddy", "--sample", "[1,1,[9.5,\"red\"]]", "--output", "kind")
        self.assertIn("output    kind", explained)
        self.run_eddy("explain", "--load", folder / "model.eddy", "--sample", "[1,1]", "--output", "size", status=1)
        reports = json.loads(self.run_eddy("evaluate", folder / "samples.jsonl", "--json", "-"))
        self.assertEqual([report["output"] for report in reports], ["price", "kind"])
        self.assertGreater(reports[1]["configurations"][0]["figures"]["accuracy"]["median"], 0.9)
        # Where no label is missing, the first output is as if it had been alone; else it sees the features' scale of all.
        whole = [row for row in rows() if row[2] is not None]
        both = "a,price,b,kind\n" + "".join("%.17g,%.17g,%.17g,%s\n" % (a, price, b, kind) for a, b, price, kind in whole)
        alone = "".join("%.17g,%.17g,%.17g\n" % (a, b, price) for a, b, price, _ in whole)
        beside = json.loads(self.run_eddy("evaluate", "--label", "price,kind", "--json", "-", text=both))[0]
        report = json.loads(self.run_eddy("evaluate", "--json", "-", text=alone))
        self.assertNotIn("output", report)
        for key in ("mae", "rmse", "r2", "meanLoss"):
            self.assertEqual(report["configurations"][0]["figures"][key], beside["configurations"][0]["figures"][key])
        page = folder / "report.html"
        text = self.run_eddy("evaluate", folder / "samples.jsonl", "--html", page)
        self.assertIn("output       price", text)
        self.assertEqual(page.read_text().count("<main>"), 2)
        for label, word in (("a,a", "differ"), ("0,1", "position")):
            self.assertIn(word, self.run_eddy("train", folder / "samples.csv", "--label", label, status=64))
        self.assertIn("one label", self.run_eddy("train", "-", "--format", "vw", "--label", "a,b", text="", status=64))

    def test_a_server_goes_on_from_its_file(self):
        folder = self.directory()
        server = self.serve("--label", "price,kind", "--save", folder / "model.eddy")
        self.talk(server, CSV)
        before = self.get(server, "/model")
        server.close()
        again = self.serve("--load", folder / "model.eddy")
        after = self.get(again, "/model")
        self.assertEqual(after["outputs"], before["outputs"])
        self.assertEqual((after["step"], after["meanLoss"]), (before["step"], before["meanLoss"]))
        self.assertEqual(self.post(again, "/predict", "a,b\n1,1\n")["predictions"][0]["prediction"]["kind"], "red")


if __name__ == "__main__":
    import unittest

    unittest.main()
