"""The description of the HTTP interface, and answers held against it.

The description is Sources/CWebAssets/openapi.json. A field that it does not name is a fault here, although it
tells clients to ignore such fields: so none is added without being described.
"""

import base64
import http.client
import json
import re

from server import DEADLINE, REPOSITORY, ServerTest, fixture

DESCRIPTION = json.loads((REPOSITORY / "Sources" / "CWebAssets" / "openapi.json").read_text())
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
