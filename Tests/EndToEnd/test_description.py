"""The description itself: it is served, its examples hold, and other programs make sense of it."""

import importlib.util
import re
import shutil
import subprocess
import sys

from openapi import APPROVAL, DESCRIPTION, IRIS, STREAMS, InterfaceTest, Mismatch, check, resolve
from server import DEADLINE, ServerTest
from tools import missing, need, pipe


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

    # What the description calls valid, and only the server can know to be none: an input or output that the model has not got,
    # from after to, a body that is no sample. Without an upgrade /feed always answers 426.
    REFUSED_BY_MEANING = {"GET /explain": 400, "GET /history": 400, "GET /surface": 400, "GET /layers": 400,
                          "POST /samples": 400, "POST /predict": 400, "GET /feed": 426}

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
