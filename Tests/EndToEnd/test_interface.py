"""The HTTP interface: every path on real data, each answer held against the description that the server gives."""

import base64
import json
import math
import re
import struct

from openapi import APPROVAL, CANCER, IRIS, STREAMS, InterfaceTest
from server import FIXTURES
from tools import Transcript, need, pipe


class QuestionTest(InterfaceTest):
    def test_before_the_first_sample(self):
        server = self.serve()
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            self.assertEqual(self.get(server, path), {"status": status, "step": 0})
        self.assertEqual(self.get(server, "/model")["step"], 0)
        history = self.get(server, "/history")
        self.assertEqual((history["step"], history["rows"], "begin" in history), (0, [], False))
        for path in ("/explain", "/layers", "/surface", "/explain?features=1,2", "/surface?size=2"):
            self.refused(server, path, 409, "nothing has been learned yet")
        self.refused(server, "/predict", 409, "nothing has been learned yet", "POST", "1,2\n")
        self.assertIn("eddy_step 0", self.get(server, "/metrics").decode())
        self.assertTrue(self.get(server, "/").decode().lower().startswith("<!doctype html>"))

    def test_classification(self):
        server = self.learned()
        self.assertEqual(self.get(server, "/readyz"), {"status": "ready", "step": 150})
        model = self.get(server, "/model")
        self.assertEqual((model["task"], model["step"], len(model["inputs"])), ("classification", 150, 4))
        maps = self.get(server, "/layers")
        self.assertEqual([layer["shape"] for layer in maps["layers"]], [layer["shape"] for layer in model["layers"]])
        for layer in maps["layers"]:
            cells = base64.b64decode(layer["map"])
            self.assertEqual(len(cells), layer["rows"] * layer["columns"])
            self.assertEqual(max(abs(cell) for cell in struct.unpack("%db" % len(cells), cells)), 127)
        surface = self.get(server, "/surface?x=2&y=3&size=5")
        self.assertEqual((surface["x"]["name"], surface["y"]["name"]), ("petal_length_cm", "petal_width_cm"))
        self.assertEqual((surface["low"], surface["high"], len(surface["samples"])), (None, None, 150))
        for name in ("values", "certainty"):
            self.assertEqual(len(base64.b64decode(surface[name])), 25)
        self.assertLess(max(base64.b64decode(surface["values"])), 3)
        self.assertEqual(surface["samples"][0], [5.1, 1.8, 2, surface["samples"][0][3], 150])
        self.assertEqual(len(base64.b64decode(self.get(server, "/surface")["values"])), 48 * 48)

    def test_regression(self):
        server = self.learned(data=APPROVAL)
        model = self.get(server, "/model")
        self.assertEqual((model["task"], model["loss"], model["classes"]), ("regression", "squared", []))
        self.assertEqual(self.get(server, "/history?points=2")["unit"], "squared units")
        surface = self.get(server, "/surface")
        self.assertLess(surface["low"], surface["high"])
        self.assertEqual((surface["certainty"], surface["classes"]), (None, []))
        explanation = self.get(server, "/explain?of=x%5B0%5D")
        self.assertEqual((explanation["outputs"], explanation["probability"], explanation["bits"]),
                         (["value"], None, None))
        self.assertIsInstance(explanation["prediction"], float)

    def test_network_too_large_to_tell_every_weight(self):
        server = self.learned("--layers", "100,80", data=CANCER)
        self.get(server, "/model")
        explanation = self.get(server, "/explain?of=b1%5B3%5D&paths=7")
        self.assertTrue(explanation["truncated"])
        self.assertEqual({layer["weights"] for layer in explanation["layers"]}, {None})
        self.assertEqual((len(explanation["paths"]["largest"]), explanation["paths"]["source"]), (7, "b1[3]"))
        self.assertTrue(self.get(server, "/layers")["layers"][0]["pooled"])

    def test_extreme_values_are_told_as_numbers_or_null(self):
        server = self.serve()
        lines = ["%g,%g,%g" % (math.sin(i) * 1e18, math.cos(i) * 1e38, math.sin(3 * i) * 10.0 ** (i % 78 - 40))
                 for i in range(500)]
        self.post(server, "/samples", "a,b,label\n" + "\n".join(lines))
        for path in ("/model", "/history", "/explain?of=x%5B0%5D", "/layers", "/surface", "/metrics"):
            self.get(server, path)
        for path in STREAMS:
            self.events(server, path)()

    def test_parameters_out_of_range_are_refused(self):
        server = self.learned()
        for path, word in (
            ("/history?by=hours", "steps or time"), ("/history?from=here", "number"), ("/history?to=nan", "number"),
            ("/history?points=0", "1 to 10000"), ("/history?points=10001", "1 to 10000"), ("/history?points=", "whole"),
            ("/history?from=2&to=1", "after"), ("/history?from=%zz", "percent-encoded"),
            ("/explain?features=1,2", "4 features"), ("/explain?features=1,2,3,x", "numbers"),
            ("/explain?features=", "numbers"), ("/explain?features=1,2,3,4&label=rose", "setosa"),
            ("/explain?features=1,2,3,1e99", "numbers"), ("/explain?step=0", "at least 1"),
            ("/explain?step=1.5", "whole"), ("/explain?sample=first", "last"), ("/explain?of=W9%5B0,0%5D", "element"),
            ("/explain?of=", "element"), ("/explain?paths=0", "1 to 1000"), ("/explain?paths=1001", "1 to 1000"),
            ("/surface?x=4", "0 to 3"), ("/surface?y=-1", "at least 0"), ("/surface?x=1&y=1", "different"),
            ("/surface?size=1", "2 to 128"), ("/surface?size=129", "2 to 128"), ("/model?%ff=1", "percent-encoded"),
        ):
            self.refused(server, path, 400, word)
        self.refused(server, "/explain?step=151", 404, "151")
        for path, word in (("/losses?unit=inches", "bits"), ("/losses?every=other", "sample"),
                           ("/weights?format=xml", "binary")):
            self.refused(server, path, 400, word)

    def test_explanation_is_that_of_the_command(self):
        model = self.directory() / "model.eddy"
        Transcript("train", FIXTURES / "iris.csv", "-q", "--layers", "3", "--save", model)
        server = self.serve("--load", model)
        run = Transcript("explain", "--load", model, "--sample", "5.1,3.5,1.4,0.2,setosa", "--weight", "W1[0,2]",
                         "--paths", 2)
        self.assertEqual((run.status, run.err), (0, ""), run)
        for path in ("/healthz", "/readyz", "/model"):
            self.assertEqual(self.get(server, path)["step"], 150)  # of the model, not of this run
        told = self.get(server, "/explain?features=5.1,3.5,1.4,0.2&label=setosa&of=W1%5B0,2%5D&paths=2")

        def same(pattern, *values):
            """The numbers of a line, as far as the command prints them."""
            found = re.search(pattern, run.out, re.MULTILINE)
            self.assertIsNotNone(found, (pattern, run))
            for text, value in zip(found.groups(), values, strict=True):
                self.assertTrue(math.isclose(float(text), value, rel_tol=1e-5), (pattern, text, value))

        same(r"^prediction %s, probability (\S+)$" % told["prediction"], told["probability"])
        same(r"^loss +(\S+) nats = (\S+) bits", told["loss"], told["bits"])
        for name, given, scaled in zip(told["inputs"], told["sample"]["features"], told["sample"]["scaled"]):
            same(r"^ +%s +(\S+) +(\S+)$" % name, given, scaled)
        for number, layer in enumerate(told["layers"], 1):
            same(r"^  layer %d +‖gradient‖ (\S+)" % number, layer["gradientNorm"])
            for unit, output in enumerate(layer["h"]):
                z = r"^ +z%d\[%d\] +" % (number, unit)
                same(z + r"(\S+) +\S+ +(\S+)", layer["z"][unit], output)
                same(z + r"upstream (\S+) +f′\(z\) (\S+) +dz (\S+)", layer["upstream"][unit],
                     layer["derivative"][unit], layer["gradient"][unit])
        for name, shares in (("outputs", told["layers"][1]["errorShare"]), ("layer 1", told["layers"][0]["errorShare"]),
                             ("inputs", told["input"]["errorShare"])):
            same(r"^  %s " % name + r" +(\S+)" * len(shares), *shares)
        paths = told["paths"]
        same(r"respect to W1\[0,2\]: (\S+), over (\d+) paths", paths["gradient"], paths["count"])
        same(r"^  (\S+)  2 others", paths["rest"])
        for path, line in zip(paths["largest"], (r"^  (\S+) \((\S+) %\)  W1\[0,2\] → .+\n  \S+ \(",
                                                  r"^  (\S+) \((\S+) %\)  W1\[0,2\] → .+\n  \S+  2 others")):
            same(line, path["product"], 100 * path["share"])
        gradient = told["layers"][0]["weightGradient"]  # (inputs, outputs), row-major
        self.assertAlmostEqual(gradient[2 * 3 + 0], paths["gradient"], places=12)

    def test_samples_in_hand_are_explained_as_they_came(self):
        server = self.learned()
        last = self.get(server, "/explain")
        self.assertEqual(last, self.get(server, "/explain?sample=last"))
        self.assertEqual(last, self.get(server, "/explain?step=150"))
        self.assertEqual((last["sample"]["step"], last["sample"]["label"]), (150, "virginica"))
        given = self.get(server, "/explain?features=5.9,3.0,5.1,1.8&label=virginica")
        self.assertIsNone(given["sample"].pop("step"))
        self.assertEqual({**last, "sample": {**last["sample"], "step": None}},
                         {**given, "sample": {**given["sample"], "step": None}})
        unlabelled = self.get(server, "/explain?features=5.9,3.0,5.1,1.8&of=x%5B0%5D")
        for name in ("loss", "bits", "paths"):
            self.assertIsNone(unlabelled[name])
        self.assertEqual(unlabelled["prediction"], last["prediction"])

    def test_history_has_every_loss(self):
        server = self.serve()
        message = self.events(server, "/losses?every=sample")
        self.post(server, "/samples", CANCER)
        losses = []
        while len(losses) < 569:
            series = message()
            self.assertEqual((series["first"], series["missed"]), (len(losses) + 1, 0))
            losses += [struct.unpack("f", struct.pack("f", value))[0] for value in series["values"]]
        for path, first, last in (("/history?points=7", 1, 569), ("/history?from=100&to=200&points=10", 100, 200),
                                  ("/history", 1, 569), ("/history?by=time&points=1", 1, 569)):
            history = self.get(server, path)
            self.assertEqual((history["step"], history["begin"]["step"], history["unit"]), (569, 1, "nats"))
            next_step = first
            for step, _, count, mean, low, high, error, baseline in history["rows"]:
                part = losses[next_step - 1:step]
                next_step = step + 1
                total = 0.0
                for loss in part:
                    total += loss
                self.assertEqual((count, mean, low, high), (len(part), total / count, min(part), max(part)), path)
                self.assertTrue(0 <= error <= 1 and 0 <= baseline <= math.log(2) + 1e-12)
            self.assertEqual(next_step, last + 1)
            self.assertEqual(history["rows"], sorted(history["rows"]))
        self.assertEqual(len(self.get(server, "/history")["rows"]), 569)
        self.assertEqual(self.get(server, "/history?from=1000")["rows"], [])
        self.assertAlmostEqual(self.get(server, "/history?points=1")["rows"][0][3],
                               self.get(server, "/model")["meanLoss"], places=12)

    def test_messages_of_streams_are_as_described(self):
        for data in (IRIS, APPROVAL):
            server = self.serve()
            everything, windows, every = (self.events(server, path) for path in (
                "/events", "/losses", "/losses?every=sample"))
            self.assertEqual(everything()["type"], "model")  # first, and again when the task was found out
            self.post(server, "/samples", data + b"what?\n")
            awaited = {"model", "loss", "layers", "stream"}
            while awaited:
                awaited.discard(everything()["type"])
            self.assertEqual((windows()["type"], every()["type"]), ("loss", "losses"))
            self.assertEqual(self.events(server, "/weights")()["step"], self.get(server, "/model")["step"])
            stream = everything()
            while stream["type"] != "stream":
                stream = everything()
            self.assertEqual(stream["counts"]["rejected"], 1)
            self.assertEqual(("confusion" in stream, "residuals" in stream), (data is IRIS, data is not IRIS))


class SampleTest(InterfaceTest):
    def test_same_weights_as_over_TCP_in_every_form(self):
        over_tcp = self.serve()
        self.summary(over_tcp, IRIS)
        wanted = over_tcp.model()["parameterHash"]
        names, *rows = [line.split(",") for line in IRIS.decode().splitlines()]
        objects = [dict(zip(names, [float(cell) for cell in row[:4]] + row[4:])) for row in rows]
        for body in (IRIS, IRIS.replace(b"\n", b"\r\n"), "".join(json.dumps(one) + "\n" for one in objects),
                     IRIS.rstrip(b"\n"), iter([IRIS[:7], IRIS[7:1001], IRIS[1001:]])):
            server = self.serve()
            answer = self.post(server, "/samples", body)
            self.assertEqual({**answer, "meanLoss": 0}, {
                "accepted": 150, "learned": 150, "predicted": 0, "rejected": 0, "unit": "nats", "errors": [],
                "meanLoss": 0})
            self.assertAlmostEqual(answer["meanLoss"], server.model()["meanLoss"])
            self.assertEqual(server.model()["parameterHash"], wanted)

    def test_chunked_transfer_by_curl(self):
        curl, server = need("curl"), self.serve()
        text = "\n".join(pipe(CANCER, curl, "-sS", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: text/csv",
                              "--data-binary", "@-", server.url + "/samples"))
        self.assertEqual(json.loads(text)["learned"], 569)
        text = "\n".join(pipe(CANCER, curl, "-sS", "-X", "POST", "-T", "-", server.url + "/samples"))
        self.assertEqual(json.loads(text)["learned"], 569)
        self.assertEqual(server.model()["step"], 1138)

    def test_all_of_a_long_body_arrives(self):
        header, *rows = CANCER.splitlines(keepends=True)
        for options in ((), ("--layers", "none", "--loss", "binary-cross-entropy", "--classes", "malignant,benign",
                             "--no-scaling", "--clip", "none", "--learning-rate", ".05", "--initialization", "zeros")):
            server = self.serve(*options)
            answer = self.post(server, "/samples", (b"".join(rows) for _ in range(100)))
            self.assertEqual((answer["learned"], answer["rejected"]), (56_900, 0))
            self.assertEqual(server.model()["step"], 56_900)

    def test_bad_lines_cost_an_error_each_and_nothing_else(self):
        clean, server = self.learned(), self.serve()
        lines = IRIS.splitlines()
        for place in range(20, 140, 10):
            lines.insert(place, b"5,x,1,1,setosa")
        answer = self.post(server, "/samples", b"\n".join(lines + [b"1,2", b"\x00\xff", b""]))
        self.assertEqual((answer["accepted"], answer["rejected"], len(answer["errors"])), (150, 14, 10))
        self.assertEqual(answer["errors"][0], 'line=21 column=2 field=sepal_width_cm expected=number got="x"')
        self.assertEqual(server.model()["parameterHash"], clean.model()["parameterHash"])
        self.assertEqual(server.counts(), {"accepted": 150, "learned": 150, "predicted": 0, "rejected": 14})

    def test_body_without_samples_is_refused(self):
        server = self.serve()
        for body, word in ((b"", "empty body"), (b"\n\n", "empty body"), (b"\x00\x01\xff\x80", "no line is a sample"),
                           (b"\x1f\x8b\x08\x00\n" * 3, "no line is a sample"),
                           (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n1,2,a\n", "no stream of samples")):
            self.refused(server, "/samples", 400, word, "POST", body)
        self.assertEqual(server.model()["step"], 0)
        self.refused(server, "/samples?format=xml", 400, "csv, json, vw or libsvm", "POST", IRIS)
        self.refused(server, "/samples?label=0", 400, "count from 1", "POST", IRIS)
        self.post(server, "/samples", IRIS)  # none of that has fixed anything
        self.assertEqual(server.model()["step"], 150)
        answer = self.post(server, "/samples", b"5.1,3.5,1.4,0.2\n5.1,3.5,1.4,0.2,\n")
        self.assertEqual((answer["predicted"], answer["learned"], "meanLoss" in answer), (2, 0, False))

    def test_label_and_format_can_be_told(self):
        for query, body in (("?label=species", "species,x,y\na,1,2\nb,3,4\n"), ("?label=1", "a,1,2\nb,3,4\n"),
                            ("?label=-3", "a,1,2\nb,3,4\n"), ("?format=json", '[1,2,"a"]\n'),
                            ("?format=csv&label=species", "x,species,y\n1,a,2\n2,b,3\n")):
            server = self.serve()
            answer = self.post(server, "/samples" + query, body)
            self.assertEqual((answer["learned"], answer["rejected"]), (body.count("\n") - ("x" in body), 0), answer)
            self.assertEqual(server.model()["classes"][0], "a")

    def test_predictions_are_those_of_the_command_and_change_nothing(self):
        model = self.directory() / "model.eddy"
        for name, data in (("iris.csv", IRIS), ("trump_approval.csv", APPROVAL)):
            Transcript("train", FIXTURES / name, "-q", "--save", model)
            server = self.serve("--load", model)
            before = server.model()
            questions = b"\n".join(line.rsplit(b",", 1)[0] for line in data.splitlines()[1:])
            wanted = Transcript("predict", "--load", model, stdin=questions).out.splitlines()
            for body in (questions, data):  # a label is ignored
                answer = self.post(server, "/predict", body)
                told = [tuple(str(one[key]) for key in ("prediction", "probability") if key in one)
                        for one in answer["predictions"]]
                self.assertEqual(len(told), len(wanted))
                for ours, line in zip(told, wanted):
                    theirs = line.split(" ")
                    self.assertEqual(len(ours), len(theirs))
                    for word, other in zip(ours, theirs):
                        if word != other:
                            self.assertAlmostEqual(float(word), float(other), places=6)
            after = server.model()
            for key in ("step", "parameterHash", "classes", "meanLoss"):
                self.assertEqual(before[key], after[key])

    def test_streams_of_words_say_what_there_is(self):
        server = self.serve()
        lines = "".join("%d | %s\n" % (i % 2, " ".join("w%d" % (7 * i + j) for j in range(9))) for i in range(200))
        self.summary(server, lines.encode())
        model = self.get(server, "/model")
        self.assertEqual((model["columns"], len(model["inputs"]), model["step"]), (0, 1024, 200))
        self.assertGreater(model["layers"][0]["shape"][0], 1300)
        self.refused(server, "/surface", 400, "two columns or more")
        self.refused(server, "/explain", 404, "only figures are kept")

    def test_models_too_large_to_be_copied_for_a_question_are_told_so(self):
        server = self.serve("--layers", "3300,3300")
        self.summary(server, b"1,2,a\n2,1,b\n")
        for path in ("/explain", "/surface", "/layers"):
            self.refused(server, path, 400, "expected at most 10000000 for a question")
        self.assertEqual(server.model()["step"], 2)

    def test_questions_that_are_none_are_told_by_line(self):
        server = self.learned()
        answer = self.post(server, "/predict", "5.1,3.5,1.4,0.2\n5,x,1,2\n\n[1,2]\n6,3,5,2\n")
        self.assertEqual([one["line"] for one in answer["predictions"]], [1, 2, 4, 5])
        self.assertEqual(["error" in one for one in answer["predictions"]], [False, True, True, False])
        for body, word in ((b"", "empty body"), (b"x\n", "no line is a sample"), (b"\xff\x00", "no line is a sample"),
                           (b"GET / HTTP/1.1\r\n\r\n", "no line is a sample")):
            self.refused(server, "/predict", 400, word, "POST", body)
        self.refused(server, "/predict?format=xml", 400, "csv, json, vw or libsvm", "POST", "1,2,3,4")
        try:
            self.refused(server, "/predict", 413, "1048576", "POST", b"5.1,3.5,1.4,0.2\n" * 70_000)
        except (BrokenPipeError, ConnectionResetError):
            self.fail("the refusal of a long body did not arrive")
        self.assertEqual(server.model()["step"], 150)
