"""The HTTP interface: every path and its refusals, each answer held against the description that the server gives.

The description is Sources/EddyServer/Interface/openapi.json. A field that it does not name is a fault here, although it
tells clients to ignore such fields: so none is added without being described.
"""

import base64
import http.client
import importlib.util
import json
import math
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys

from server import DEADLINE, FIXTURES, REPOSITORY, ServerTest, fixture
from tools import Transcript, missing, need, need_websockets, open_websocket, pipe

DESCRIPTION = json.loads((REPOSITORY / "Sources" / "EddyServer" / "Interface" / "openapi.json").read_text())
STREAMS = ("/events", "/losses", "/weights")
GETS = [path for path, item in DESCRIPTION["paths"].items() if "get" in item]
PUBLIC = [path for path in GETS if DESCRIPTION["paths"][path]["get"].get("security") == []]
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
IRIS, CANCER, APPROVAL = fixture("iris.csv"), fixture("breast_cancer.csv"), fixture("trump_approval.csv")


# JSON Schema, as far as the description uses it

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "integer": int, "number": (int, float)}
SAYS_NOTHING = {"description", "default", "example"}


def resolve(schema):
    while "$ref" in schema:
        assert len(set(schema) - SAYS_NOTHING) == 1, schema
        node = DESCRIPTION
        for key in schema["$ref"].removeprefix("#/").split("/"):
            node = node[key]
        schema = node
    return schema


class Mismatch(AssertionError):
    pass


def check(value, schema, where="$"):
    """Checks a value against a schema, and that an object has no fields but those described."""
    fields = gather(value, schema, where)
    if isinstance(value, dict) and fields is not None and not set(value) <= fields:
        raise Mismatch("%s: not described: %s" % (where, sorted(set(value) - fields)))


def gather(value, schema, where):
    """Checks a value against a schema; returns the fields that are described, None for any."""
    schema = resolve(schema)

    def expect(condition, what):
        if not condition:
            raise Mismatch("%s: expected %s, got %.200r" % (where, what, value))

    fields = set()
    size = len(value) if isinstance(value, (str, list)) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    for key, rule in schema.items():
        if key == "type":
            names = [rule] if isinstance(rule, str) else rule
            expect(any(isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
                       for name in names), "/".join(names))
        elif key == "const":
            expect(value == rule, repr(rule))
        elif key == "enum":
            expect(value in rule, "one of %r" % rule)
        elif key in ("minimum", "maximum"):
            expect(not is_number or (value >= rule if key == "minimum" else value <= rule), "%s %s" % (key, rule))
        elif key in ("minLength", "maxLength", "minItems", "maxItems"):
            concerned = isinstance(value, str if key.endswith("Length") else list)
            expect(not concerned or (size >= rule if key.startswith("min") else size <= rule), "%s %d" % (key, rule))
        elif key == "pattern":
            expect(not isinstance(value, str) or re.search(rule, value), "what matches " + rule)
        elif key == "contentEncoding":
            assert rule == "base64"
            if isinstance(value, str):
                base64.b64decode(value, validate=True)
        elif key == "required":
            expect(not isinstance(value, dict) or set(rule) <= set(value), "the fields %s" % ", ".join(rule))
        elif key == "properties":
            if isinstance(value, dict):
                fields |= set(rule)
                for name in set(value) & set(rule):
                    check(value[name], rule[name], where + "." + name)
        elif key == "additionalProperties":
            assert rule is True
        elif key == "prefixItems":
            for index, item in enumerate(rule if isinstance(value, list) else ()):
                if index < size:
                    check(value[index], item, "%s[%d]" % (where, index))
        elif key == "items":
            for index in range(len(schema.get("prefixItems", ())), size or 0) if isinstance(value, list) else ():
                expect(rule is not False, "no more items")
                check(value[index], rule, "%s[%d]" % (where, index))
        elif key in ("allOf", "anyOf", "oneOf"):
            parts, faults = [], []
            for part in rule:
                try:
                    parts.append(gather(value, part, where))
                except Mismatch as mismatch:
                    faults.append(str(mismatch))
            enough = {"allOf": not faults, "anyOf": bool(parts), "oneOf": len(parts) == 1}[key]
            expect(enough, "%s of %d, of which %d fit: %s" % (key, len(rule), len(parts), faults))
            fields = fields.union(*(part or () for part in parts))
        elif key == "not":
            try:
                gather(value, rule, where)
            except Mismatch:
                continue
            expect(False, "anything but %r" % rule)
        else:
            assert key in SAYS_NOTHING, "the validator does not know %s" % key
    return None if not fields and "properties" not in schema or schema.get("additionalProperties") else fields


class ValidatorTest(ServerTest):
    def test_wrong_values_are_found(self):
        for schema, good, bad in (
            ({"type": "integer", "minimum": 1}, [1, 5], [0, 1.5, "1", True, None]),
            ({"type": ["number", "null"]}, [0, 1.5, None], ["nan", [], False]),
            ({"enum": ["a"]}, ["a"], ["b"]), ({"const": [1]}, [[1]], [[2]]),
            ({"type": "string", "pattern": "^[0-9]+$", "not": {"pattern": "^0"}}, ["12"], ["a", "01"]),
            ({"type": "string", "contentEncoding": "base64"}, ["YQ=="], ["?"]),
            ({"type": "array", "prefixItems": [{"const": 1}], "items": False, "minItems": 1}, [[1]], [[], [2], [1, 1]]),
            ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, [[], ["a"]], [["a", "b"], [1]]),
            ({"type": "object", "required": ["a"], "properties": {"a": {}, "b": {"type": "null"}}},
             [{"a": 1}, {"a": 1, "b": None}], [{}, {"a": 1, "b": 1}, {"a": 1, "c": 1}]),
            ({"allOf": [{"properties": {"a": {"const": 1}}}, {"required": ["b"], "properties": {"b": {}}}]},
             [{"a": 1, "b": 1}], [{"a": 2, "b": 1}, {"a": 1}, {"a": 1, "b": 1, "c": 1}]),
            ({"oneOf": [{"type": "null"}, {"type": "string"}]}, [None, "a"], [1]),
        ):
            for value in good:
                check(value, schema)
            for value in bad:
                with self.assertRaises((Mismatch, ValueError), msg=(schema, value)):
                    check(value, schema)


class InterfaceTest(ServerTest):
    def ask(self, server, path, method="GET", body=None, context=None, **headers):
        """Status, headers and body (parsed, where it is JSON) of a response, which must be as described."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if server.url.startswith("https"):
            connection = http.client.HTTPSConnection(server.host, server.web_port, timeout=DEADLINE, context=context)
        else:
            connection = http.client.HTTPConnection(server.host, server.web_port, timeout=DEADLINE)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if method != "HEAD" and response.headers["Content-Type"] == "application/json":
            self.assertTrue(answer.endswith(b"\n"), answer)
            answer = json.loads(answer, parse_constant=lambda word: self.fail("%s in JSON" % word))
        self.check_response(method, path.split("?")[0], response.status, response.headers, answer)
        return response.status, response.headers, answer

    def check_response(self, method, path, status, headers, answer):
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        operation = DESCRIPTION["paths"].get(path, {}).get({"HEAD": "get"}.get(method, method.lower()))
        if operation is None:  # then it must have been refused
            self.assertIn(status, (400, 403, 404, 405))
            if method != "HEAD":
                check(answer, {"$ref": "#/components/schemas/Error"})
            return
        self.assertIn(str(status), operation["responses"], (method, path, answer))
        response = resolve(operation["responses"][str(status)])
        for name, header in response.get("headers", {}).items():
            self.assertIn(name, headers, (method, path, status))
            check(headers[name], header["schema"])
        (kind, content), = response["content"].items()
        self.assertEqual(headers["Content-Type"], kind, (method, path, status))
        if method != "HEAD":
            text = answer.decode() if isinstance(answer, bytes) else answer
            check(text, content["schema"], "%s %s %d" % (method, path, status))

    def get(self, server, path, **headers):
        """A good answer."""
        status, _, answer = self.ask(server, path, **headers)
        self.assertEqual(status, 200, (path, answer))
        return answer

    def post(self, server, path, body, status=200, **headers):
        answered, _, answer = self.ask(server, path, "POST", body, **headers)
        self.assertEqual(answered, status, (path, answer))
        return answer

    def refused(self, server, path, status, word="", method="GET", body=None, **headers):
        answered, answer_headers, answer = self.ask(server, path, method, body, **headers)
        self.assertEqual(answered, status, (path, answer))
        self.assertIn(word, answer["error"], path)
        return answer_headers

    def learned(self, *options, data=IRIS):
        server = self.serve(*options)
        self.assertEqual(self.post(server, "/samples", data)["rejected"], 0)
        return server

    def events(self, server, path):
        """The messages of a stream as server-sent events: a function for the next one."""
        connection = http.client.HTTPConnection(server.host, server.web_port, timeout=DEADLINE)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers={"Accept": "text/event-stream"})
        response = connection.getresponse()
        self.addCleanup(response.close)
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "text/event-stream"))
        self.assertEqual(response.readline(), b": subscribed\n")
        content = DESCRIPTION["paths"][path.split("?")[0]]["get"]["responses"]["200"]["content"]["text/event-stream"]

        def message():
            while True:
                line = response.readline()
                self.assertTrue(line, "the stream has ended")
                if line.startswith(b"data: "):
                    value = json.loads(line[6:], parse_constant=lambda word: self.fail("%s in JSON" % word))
                    check(value, content["x-event-data"], path)
                    return value

        return message


class DescriptionTest(InterfaceTest):
    def test_description_is_served(self):
        self.assertEqual(self.get(self.serve(), "/openapi.json"), DESCRIPTION)

    def test_references_and_examples_hold(self):
        def walk(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    resolve(node)
                if "schema" in node:
                    examples = [node["example"]] if "example" in node else []
                    for value in examples + [example["value"] for example in node.get("examples", {}).values()]:
                        check(value, node["schema"])
                for child in node.values():
                    walk(child)
            elif isinstance(node, list):
                for child in node:
                    walk(child)

        walk(DESCRIPTION)

    def test_examples_are_taken(self):
        for path in ("/samples", "/predict"):
            for content in DESCRIPTION["paths"][path]["post"]["requestBody"]["content"].values():
                examples = [content["example"]] if "example" in content else []
                for body in examples + [example["value"] for example in content.get("examples", {}).values()]:
                    server = self.serve()
                    if path == "/predict":
                        self.post(server, "/samples", DESCRIPTION["paths"]["/samples"]["post"]["requestBody"]["content"]
                                  ["text/csv"]["example"])
                    answer = self.post(server, path, body)
                    if path == "/samples":
                        self.assertEqual((answer["rejected"], answer["learned"] > 0), (0, True), body)
                    else:
                        self.assertTrue(all("prediction" in one for one in answer["predictions"]), (body, answer))


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
        self.refused(server, "/samples?format=xml", 400, "csv or json", "POST", IRIS)
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

    def test_questions_that_are_none_are_told_by_line(self):
        server = self.learned()
        answer = self.post(server, "/predict", "5.1,3.5,1.4,0.2\n5,x,1,2\n\n[1,2]\n6,3,5,2\n")
        self.assertEqual([one["line"] for one in answer["predictions"]], [1, 2, 4, 5])
        self.assertEqual(["error" in one for one in answer["predictions"]], [False, True, True, False])
        for body, word in ((b"", "empty body"), (b"x\n", "no line is a sample"), (b"\xff\x00", "no line is a sample"),
                           (b"GET / HTTP/1.1\r\n\r\n", "no line is a sample")):
            self.refused(server, "/predict", 400, word, "POST", body)
        self.refused(server, "/predict?format=xml", 400, "csv or json", "POST", "1,2,3,4")
        try:
            self.refused(server, "/predict", 413, "1048576", "POST", b"5.1,3.5,1.4,0.2\n" * 70_000)
        except (BrokenPipeError, ConnectionResetError):
            self.fail("the refusal of a long body did not arrive")
        self.assertEqual(server.model()["step"], 150)


class RefusalTest(InterfaceTest):
    def test_unknown_paths_and_methods(self):
        server = self.serve()
        for path in ("/nothing", "/Model", "/model/", "//", "/openapi.yaml"):
            self.refused(server, path, 404, path)
        for path, item in DESCRIPTION["paths"].items():
            allowed = "GET, HEAD" if "get" in item else "POST"
            for method in ("DELETE", "PUT", "OPTIONS", "POST" if "get" in item else "GET"):
                headers = self.refused(server, path, 405, path, method)
                self.assertEqual(headers["Allow"], allowed)
        self.assertEqual(self.ask(server, "/samples", "HEAD")[0], 405)

    def test_foreign_pages_and_hosts(self):
        server = self.serve()
        for path, item in DESCRIPTION["paths"].items():
            method = next(iter(item)).upper()
            self.refused(server, path, 403, "example.com", method, Origin="http://example.com")
            self.refused(server, path, 403, "evil.example", method, Host="evil.example:%d" % server.web_port)

    def test_streams_and_feed_say_what_they_are(self):
        server = self.serve()
        for path in STREAMS:
            self.refused(server, path, 406, "text/event-stream", Accept="application/json")
            self.refused(server, path, 426, "13", **{**UPGRADE, "Sec-WebSocket-Version": "8"})
        self.refused(server, "/feed", 426, "websocket")
        without_key = {name: value for name, value in UPGRADE.items() if not name.endswith("Key")}
        self.refused(server, "/feed", 400, "Sec-WebSocket-Key", **without_key)

    def test_heads_that_are_too_long(self):
        server = self.serve()
        for target, header in (("/model?" + "a" * 20_000, "a"), ("/model", "a" * 20_000)):
            status, _, answer = self.ask(server, target, X_Long=header)
            self.assertIn(status, (414, 431))
            self.assertIn("16384", answer["error"])

    def test_HEAD_tells_what_GET_would(self):
        for server in (self.serve(), self.learned()):
            for path in GETS:
                # Both in one connection: a body after HEAD would be taken for the next response.
                connection = http.client.HTTPConnection(server.host, server.web_port, timeout=DEADLINE)
                self.addCleanup(connection.close)
                connection.request("HEAD", path)
                head = connection.getresponse()
                self.assertEqual(head.read(), b"")
                self.check_response("HEAD", path, head.status, head.headers, None)
                connection.request("GET", path)
                get = connection.getresponse()
                if path in STREAMS:
                    self.assertNotIn("Content-Length", head.headers)
                    get.close()
                else:
                    length = get.headers["Content-Length"]
                    self.assertEqual(len(get.read()), int(length))
                if path == "/history":  # the digits of its time vary
                    self.assertLess(abs(int(length) - int(head.headers["Content-Length"])), 12)
                    del head.headers["Content-Length"], get.headers["Content-Length"]
                first, second = (sorted((name.lower(), value) for name, value in response.headers.items())
                                 for response in (head, get))
                self.assertEqual((head.status, first), (get.status, second), path)


class SecurityTest(InterfaceTest):
    TOKEN = "correct-horse.battery"

    def guarded(self, *options):
        file = self.directory() / "token"
        file.write_text(self.TOKEN + "\n")
        return self.serve("--token-file", file, *options)

    def test_token_is_asked_for(self):
        server = self.guarded()
        good = {"Authorization": "Bearer " + self.TOKEN}
        for path, item in DESCRIPTION["paths"].items():
            method = next(iter(item)).upper()
            if path in PUBLIC:
                self.assertEqual(self.ask(server, path, method)[0], 200)
                continue
            for headers in ({}, {"Authorization": "Bearer wrong-wrong"}, {"Authorization": self.TOKEN},
                            {"Authorization": "Basic " + self.TOKEN}, {"Authorization": "Bearer " + self.TOKEN + "x"},
                            {"Authorization": "Bearer " + self.TOKEN[:-1]}, {"Authorization": "Bearer"}):
                self.refused(server, path, 401, "token", method, b"1,2,a\n" if method == "POST" else None, **headers)
            self.assertEqual(self.ask(server, path, "HEAD")[0], 401 if method == "GET" else 405)
        self.assertEqual(self.get(server, "/model", **good)["step"], 0)
        self.assertEqual(self.post(server, "/samples", IRIS, **good)["learned"], 150)
        self.assertEqual(len(self.post(server, "/predict", "5,3,1,1\n", **good)["predictions"]), 1)
        self.get(server, "/history", Authorization="bearer " + self.TOKEN)  # the scheme has no case

    def test_token_on_the_feed(self):
        server = self.guarded()
        for first in ("", "!token wrong-wrong\n", "!ping\n"):
            replies = self.talk(server, first + "1,2,a\n")
            self.assertRegex(replies[0], r"\A!error line=1 field=token ")
        self.assertIn(" learned=2 ", self.talk(server, "!token %s\n1,2,a\n2,1,b\n" % self.TOKEN)[-1])

    def test_token_of_a_websocket(self):
        _, exceptions = need_websockets()
        server = self.guarded()

        def protocols(token):
            return ["eddy", "token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]

        for path in ("/feed",) + STREAMS:
            for words in (None, ["eddy"], protocols("wrong-wrong")):
                with self.assertRaises(exceptions.InvalidStatus) as refusal:
                    open_websocket(self, server, path, subprotocols=words)
                self.assertEqual(refusal.exception.response.status_code, 401)
        feed = open_websocket(self, server, "/feed", subprotocols=protocols(self.TOKEN))
        self.assertEqual(feed.subprotocol, "eddy")
        feed.send("!ping")
        self.assertEqual(feed.recv(timeout=DEADLINE), "!pong")

    def test_TLS(self):
        openssl, folder = need("openssl"), self.directory()
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                        "-keyout", key, "-out", certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE)
        server = self.guarded("--tls-certificate", certificate, "--tls-key", key)
        self.assertTrue(server.url.startswith("https://"), server.banner)
        context = ssl.create_default_context(cafile=str(certificate))
        authorization = "Bearer " + self.TOKEN
        self.assertEqual(self.ask(server, "/healthz", context=context)[0], 200)
        self.assertEqual(self.ask(server, "/model", context=context)[0], 401)
        answer = self.ask(server, "/samples", "POST", CANCER, context=context, Authorization=authorization)[2]
        self.assertEqual(answer["learned"], 569)
        with socket.create_connection((server.host, server.port), DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as feed:
                feed.sendall(b"!token %s\n!reply acks\n" % self.TOKEN.encode() + CANCER.split(b"\n", 1)[1] + b"!ping\n")
                replies = feed.makefile("rb")
                while replies.readline() != b"!pong\n":
                    pass
        model = self.ask(server, "/model", context=context, Authorization=authorization)[2]
        self.assertEqual(model["step"], 1138)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.ask(server, "/healthz", context=ssl.create_default_context())
        plain = http.client.HTTPConnection(server.host, server.web_port, timeout=DEADLINE)
        self.addCleanup(plain.close)
        with self.assertRaises((http.client.HTTPException, OSError)):
            plain.request("GET", "/healthz")
            plain.getresponse()


class ToolTest(InterfaceTest):
    def test_metrics_please_promtool(self):
        promtool = need("promtool")
        for data in (None, IRIS, APPROVAL):
            server = self.serve() if data is None else self.learned(data=data)
            text = self.get(server, "/metrics")
            self.assertEqual(pipe(text, promtool, "check", "metrics"), [])
            self.assertEqual(float(re.search(rb"^eddy_step (\S+)$", text, re.MULTILINE)[1]), server.model()["step"])
            self.assertEqual(float(re.search(rb"^eddy_latency_seconds_count (\S+)$", text, re.MULTILINE)[1]),
                             server.model()["step"])

    # What the description calls valid, and only the server can know to be none: an input that the model has not got,
    # from after to, a body that is no sample. Without an upgrade /feed always answers 426.
    REFUSED_BY_MEANING = {"GET /explain": 400, "GET /history": 400, "GET /surface": 400, "POST /samples": 400,
                          "POST /predict": 400, "GET /feed": 426}

    def schemathesis(self):
        for name in ("schemathesis", "st"):
            if shutil.which(name):
                return [shutil.which(name)]
        beside = shutil.which("schemathesis", path=sys.prefix + "/bin")
        if beside and importlib.util.find_spec("schemathesis"):
            return [beside]
        return missing("schemathesis is not installed: pip install schemathesis")

    def test_schemathesis_finds_nothing(self):
        command = self.schemathesis()
        folder = self.directory()
        config = folder / "schemathesis.toml"
        config.write_text("".join(
            '[[operations]]\ninclude-name = "%s"\nchecks.positive_data_acceptance.expected-statuses = '
            '["2xx", "404", "409", "%d"]\n' % pair for pair in self.REFUSED_BY_MEANING.items()))
        for server in (self.serve(), self.learned(), self.learned(data=APPROVAL)):
            run = subprocess.run(
                command + ["--config-file", config, "--no-color", "run", server.url + "/openapi.json",
                           "--max-examples", "30", "--seed", "1", "--generation-deterministic",
                           "--request-timeout", "20", "--exclude-path-regex", "^(%s)$" % "|".join(STREAMS)],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=4 * DEADLINE)
            self.assertEqual(run.returncode, 0, run.stdout)
            server.model()  # and it lives
