"""The rest of the web side: page, model, health, refusals, and the feed as a websocket."""

import json
import random
import struct

from server import DEADLINE, ServerTest, eventually, fixture
from tools import need_websockets, open_websocket


class WebTest(ServerTest):
    def test_page_is_HTML_that_loads_nothing_from_elsewhere(self):
        server = self.serve()
        status, headers, body = server.get("/")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/html"))
        page = body.decode()
        self.assertTrue(page.lower().startswith("<!doctype html>"))
        for other in ('src="http', 'href="http', "@import", "//cdn"):
            self.assertNotIn(other, page)

    def test_health_tells_the_step(self):
        server = self.serve()
        self.assertEqual(json.loads(server.get("/healthz")[2]), {"status": "ok", "step": 0})
        self.summary(server, fixture("iris.csv"))
        self.assertEqual(json.loads(server.get("/healthz")[2]), {"status": "ok", "step": 150})

    def test_model_before_the_first_sample(self):
        model = self.serve("--seed", 7, "--learning-rate", 0.25).model()
        self.assertEqual((model["step"], model["classes"], model["seed"]), (0, [], 7))
        self.assertIn("0.25", model["optimizer"])
        for unknown in ("task", "inputs", "layers", "parameterHash"):
            self.assertNotIn(unknown, model)

    def test_model_tells_what_was_found_out(self):
        server = self.serve()
        self.talk(server, fixture("iris.csv") + b"what,1,1,1,setosa\n")
        model = server.model()
        self.assertEqual(model["inputs"], ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm"])
        self.assertEqual((model["label"], model["task"], model["step"]), ("label", "classification", 150))
        self.assertEqual(model["layers"][0], {"shape": [4, 32], "activation": "relu"})
        self.assertEqual(model["feed"], {"host": server.host, "port": server.port})
        self.assertEqual(model["counts"], {"accepted": 150, "learned": 150, "predicted": 0, "rejected": 1})
        rejection, = model["rejections"]
        self.assertEqual((rejection["column"], rejection["field"], rejection["got"]), (1, "sepal_length_cm", "what"))
        self.assertRegex(rejection["source"], r"127\.0\.0\.1")

    def test_bad_query_is_400_with_its_reason_as_JSON(self):
        server = self.serve()
        for path, word in (
            ("/losses?unit=inches", "bits"), ("/losses?unit=", "bits"), ("/losses?every=other", "sample"),
            ("/weights?format=xml", "binary"),
        ):
            for headers in (
                {"Accept": "text/event-stream"}, {},
                {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
                 "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="},
            ):
                status, answer, body = server.get(path, **headers)
                self.assertEqual((status, answer["Content-Type"]), (400, "application/json"), (path, headers, body))
                self.assertIn(word, json.loads(body)["error"])

    def test_unknown_path_and_method_are_refused_as_JSON(self):
        server = self.serve()
        status, _, body = server.get("/nothing")
        self.assertEqual((status, list(json.loads(body))), (404, ["error"]))
        status, headers, body = server.get("/model", method="DELETE")
        self.assertEqual((status, headers["Allow"], list(json.loads(body))), (405, "GET, HEAD", ["error"]))
        status, _, body = server.get("/feed")
        self.assertEqual((status, list(json.loads(body))), (426, ["error"]))

    def test_pages_from_elsewhere_are_refused(self):
        server = self.serve()
        for path in ("/", "/model", "/losses", "/feed", "/healthz"):
            for origin in ("http://example.com", "null", "http://127.0.0.1:1",
                           "https://localhost:%d" % server.web_port):
                status, _, body = server.get(path, Origin=origin)
                self.assertEqual((status, list(json.loads(body))), (403, ["error"]), (path, origin))
        status, _, _ = server.get("/model", Host="evil.example:%d" % server.web_port)  # DNS rebinding
        self.assertEqual(status, 403)
        self.assertEqual(server.get("/model", Origin=server.url)[0], 200)

    def test_websocket_from_elsewhere_is_refused_before_the_upgrade(self):
        _, exceptions = need_websockets()
        server = self.serve()
        for path in ("/feed", "/losses", "/weights"):
            with self.assertRaises(exceptions.InvalidStatus) as refusal:
                open_websocket(self, server, path, origin="http://example.com")
            self.assertEqual(refusal.exception.response.status_code, 403)
        feed = open_websocket(self, server, "/feed", origin=server.url)
        feed.send("!ping")
        self.assertEqual(feed.recv(), "!pong")


class WebFeedTest(ServerTest):
    def test_packed_samples_learn_the_same_weights(self):
        dice = random.Random(1)
        samples = [([dice.uniform(-3, 3), dice.uniform(0, 9)], dice.randrange(3)) for _ in range(500)]
        rounded = [([struct.unpack("<f", struct.pack("<f", x))[0] for x in features], y) for features, y in samples]
        text, binary = self.serve(), self.serve()
        self.talk(text, "".join("%.9g,%.9g,%d\n" % (*features, y) for features, y in rounded))
        feed = open_websocket(self, binary, "/feed")
        for first in range(0, 500, 100):
            part = rounded[first:first + 100]
            records = b"".join(struct.pack("<3f", *features, y) for features, y in part)
            feed.send(struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, 2) + records)
        feed.send(struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, 2) + struct.pack("<3f", float("inf"), 1, 1))
        self.assertRegex(feed.recv(timeout=DEADLINE), r"\A!error line=501 column=1 ")
        feed.send(b"EDDY\x07 and more than that")
        self.assertRegex(feed.recv(timeout=DEADLINE), r"\A!error line=502 field=version ")
        hashes = {server.model()["parameterHash"] for server in (text, binary)}
        self.assertEqual((len(hashes), binary.counts()["learned"]), (1, 500))

    def test_messages_are_lines_and_so_are_replies(self):
        websocket = open_websocket(self, self.serve(), "/feed")
        websocket.send("!reply predictions\nx,y,label\n1,2,a\n3,4,b\noops,1,a\n!ping")
        replies = websocket.recv().split("\n")
        self.assertEqual(len(replies), 4)
        self.assertEqual(replies[0], "!none line=3")
        self.assertTrue(replies[2].startswith("!error line=5 column=1 field=x "), replies)
        self.assertEqual(replies[3], "!pong")
        websocket.send(b"1,2,a\n")  # a binary message of text is taken as well
        self.assertRegex(websocket.recv(), r"\A[ab] [\d.e-]+\Z")

    def test_same_weights_as_over_TCP(self):
        over_web, over_tcp = self.serve(), self.serve()
        websocket = open_websocket(self, over_web, "/feed")
        for line in fixture("iris.csv").decode().splitlines():
            websocket.send(line)
        websocket.send("!ping")
        self.assertEqual(websocket.recv(), "!pong")
        self.summary(over_tcp, fixture("iris.csv"))
        self.assertEqual(over_web.model()["parameterHash"], over_tcp.model()["parameterHash"])

    def test_what_was_sent_before_the_close_is_learned(self):
        server = self.serve()
        websocket = open_websocket(self, server, "/feed")
        websocket.send(fixture("iris.csv").decode())
        websocket.close()
        eventually(lambda: server.model()["step"] == 150, "all is learned")

    def test_message_beyond_the_limit_ends_the_connection_with_1009(self):
        websocket = open_websocket(self, self.serve(), "/feed")
        _, exceptions = need_websockets()
        with self.assertRaises(exceptions.ConnectionClosed) as closing:
            websocket.send("1," * (1 << 20))
            while True:
                websocket.recv()
        self.assertEqual(closing.exception.rcvd.code, 1009)
