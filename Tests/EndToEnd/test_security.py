"""Who is let in: the secret, encryption, and what is refused on the way."""

import base64
import http.client
import socket
import ssl
import subprocess

from openapi import CANCER, DESCRIPTION, GETS, IRIS, PUBLIC, STREAMS, UPGRADE, InterfaceTest
from server import DEADLINE
from tools import need, need_websockets, open_websocket


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
