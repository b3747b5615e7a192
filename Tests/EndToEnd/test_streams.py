"""What subscribers see at /losses and /weights, as a websocket and as server-sent events."""

import base64
import json
import math
import re
import struct

from server import DEADLINE, ServerTest, fixture
from tools import need, open_websocket, start

FIRST = "1,2,a\n"


def samples(count):
    return "".join("%d,%d,%s\n" % (i % 7, i % 5, "ab"[i % 3 == 0]) for i in range(count))


class Events:
    """Server-sent events by curl, as a newcomer would look at them."""

    def __init__(self, test, server, path, *options):
        self.process = start(test, need("curl"), "-sS", "-N", *options, server.url + path)

    def next(self):
        """The next message; comments and blank lines are passed over."""
        for line in self.process.stdout:
            if line.startswith("data: "):
                return json.loads(line[len("data: "):])
            if not re.match(r"(:|event:|\s*$)", line):
                raise AssertionError("no event: " + line)
        raise AssertionError("the stream has ended")


class StreamsTest(ServerTest):
    ACCEPT = ("-H", "Accept: text/event-stream")

    def setUp(self):
        self.server = self.serve()

    def teach(self, text):
        """Each labelled sample's loss, as the feed tells it."""
        replies = self.talk(self.server, "!reply json\n" + text)
        return [json.loads(reply)["loss"] for reply in replies]

    def subscribe(self, path):
        """A websocket's messages, as a function."""
        websocket = open_websocket(self, self.server, path)

        def message():
            data = websocket.recv(timeout=DEADLINE)
            return json.loads(data) if isinstance(data, str) else data

        return message

    def gather(self, message, until):
        """Messages up to the one whose step is the last."""
        messages = [message()]
        while messages[-1]["step"] < until:
            messages.append(message())
        return messages

    # Drift

    def test_a_change_of_the_stream_is_told_once_to_each_who_listens(self):
        def points(first, count, side):
            rows = (((i * 37) % 101 - 50, (i * 61) % 97 - 48) for i in range(first, first + count))
            return "".join("%d,%d,%s\n" % (x, y, "ab"[side(x, y) > 0]) for x, y in rows)

        self.teach("x,y,label\n" + points(0, 1500, lambda x, y: x + y))
        self.assertNotIn("drift", self.server.model())
        readers = [self.subscribe("/events"), Events(self, self.server, "/events", *self.ACCEPT).next]
        for message in readers:
            while message()["type"] != "stream":  # the last of what says where things stand
                pass
        self.teach(points(1500, 600, lambda x, y: x * y))
        model = self.server.model()
        found = []
        for message in readers:
            found.append([])
            while True:
                got = message()
                if got["type"] == "drift":
                    found[-1].append(got)
                elif got["type"] == "stream" and got["step"] == 2100:
                    break
        self.assertEqual(found[0], found[1])
        (alarm,) = found[0]
        self.assertTrue(1500 < alarm["step"] < 1700, alarm)
        self.assertEqual({name: alarm[name] for name in ("detector", "watched", "missed")},
                         {"detector": "adwin", "watched": "errors", "missed": 0})
        self.assertNotIn("column", alarm)
        self.assertTrue(0 <= alarm["before"] < 0.1 < alarm["now"] <= 1, alarm)
        del alarm["type"], alarm["missed"]
        self.assertEqual(model["drift"], {**alarm, "alarms": 1})
        self.assertEqual(
            model["driftDetection"], {"detector": "adwin", "on": ["errors"], "reactions": ["forget-memory"]})

    # /losses

    def check_windows(self, message):
        present = message()
        self.assertEqual((present["type"], present["step"], present["count"]), ("loss", 1, 0))
        losses = self.teach(samples(5000))
        windows = self.gather(message, until=5001)
        self.assertEqual(sum(window["count"] for window in windows), 5000)
        done = 0
        for window in windows:
            self.assertEqual(window["step"], 1 + done + window["count"])
            part = losses[done:done + window["count"]]
            done += window["count"]
            for name, value in (("last", part[-1]), ("min", min(part)), ("max", max(part)),
                                ("windowMean", sum(part) / len(part))):
                self.assertAlmostEqual(window[name], value, places=5, msg=name)
            self.assertGreaterEqual(window["missed"], 0)
            self.assertEqual((window["unit"], window["rejected"]), ("nats", 0))
            self.assertTrue(0 <= window["metrics"]["accuracy"] <= 1)
            self.assertGreater(window["metrics"]["baseline"], 0)
        model = self.server.model()
        self.assertAlmostEqual(windows[-1]["runningMean"], model["meanLoss"])
        self.assertAlmostEqual(windows[-1]["recentMean"], model["recentLoss"])

    def test_windows_over_a_websocket_cover_every_sample(self):
        self.teach(FIRST)
        self.check_windows(self.subscribe("/losses"))

    def test_windows_over_server_sent_events_cover_every_sample(self):
        self.teach(FIRST)
        self.check_windows(Events(self, self.server, "/losses", *self.ACCEPT).next)

    def test_windows_are_shown_to_plain_curl(self):
        self.teach(FIRST)
        self.check_windows(Events(self, self.server, "/losses").next)

    def test_subscriber_before_the_first_sample_sees_it(self):
        message = self.subscribe("/losses")
        events = Events(self, self.server, "/losses", *self.ACCEPT)
        events.process.stdout.readline()  # ": subscribed"
        self.teach(samples(10))
        for window in (self.gather(message, until=10)[-1], self.gather(events.next, until=10)[-1]):
            self.assertEqual(window["step"], 10)

    def test_losses_in_bits(self):
        self.teach(FIRST)
        nats, bits = self.subscribe("/losses"), self.subscribe("/losses?unit=bits")
        nats(), bits()
        self.teach("3,3,b\n")
        one, other = nats(), bits()
        self.assertEqual((one["unit"], other["unit"]), ("nats", "bits"))
        for name in ("last", "windowMean", "min", "max", "runningMean", "recentMean"):
            self.assertAlmostEqual(other[name], one[name] / math.log(2), msg=name)
        self.assertAlmostEqual(other["metrics"]["baseline"], one["metrics"]["baseline"] / math.log(2))

    def test_regression_tells_squared_units_whatever_was_asked(self):
        self.talk(self.server, "x,y,label\n1,2,100.5\n2,1,101.5\n")
        self.assertEqual(self.subscribe("/losses?unit=bits")()["unit"], "squared units")

    def test_rejected_lines_are_told_though_nothing_was_learned_from_them(self):
        self.teach(FIRST)
        message = self.subscribe("/losses")
        message()
        self.talk(self.server, "x,y,label\n1,2,a\nno,2,a\n")
        while message()["rejected"] == 0:
            pass

    def check_series(self, message, factor=1.0):
        losses = self.teach("4,4,b\n" + samples(5000))
        series = message()
        first, values = series["first"], series["values"]
        self.assertEqual((first, series["missed"]), (1, 0))
        while len(values) < len(losses):
            series = message()
            self.assertEqual(series["type"], "losses")
            self.assertEqual(series["first"], 1 + len(values))
            self.assertEqual(series["missed"], 0)  # 5,000 samples fit into the mailbox
            values += series["values"]
        for value, loss in zip(values, losses):
            self.assertAlmostEqual(value, loss * factor, places=5)

    def test_every_sample_over_a_websocket(self):
        self.check_series(self.subscribe("/losses?every=sample"))

    def test_every_sample_in_bits(self):
        self.check_series(self.subscribe("/losses?every=sample&unit=bits"), 1 / math.log(2))

    def test_every_sample_over_server_sent_events(self):
        events = Events(self, self.server, "/losses?every=sample", *self.ACCEPT)
        events.process.stdout.readline()
        self.check_series(events.next)

    # /weights

    def check_weights(self, message):
        self.assertEqual(message["type"], "weights")
        self.assertEqual(message["step"], 150)
        self.assertEqual(message["gradientHealth"], "healthy")
        self.assertIn("missed", message)
        self.assertEqual([layer["shape"] for layer in message["layers"]], [[4, 32], [32, 4]])
        self.assertEqual([layer["activation"] for layer in message["layers"]], ["relu", "identity"])
        for layer in message["layers"]:
            for name in ("gradientNorm", "weightNorm", "updateRatio"):
                self.assertGreater(layer[name], 0, name)

    def check_numbers(self, message):
        """The weights are all there, and in the order that is promised: they have the norm that is told."""
        for layer in message["layers"]:
            inputs, outputs = layer["shape"]
            self.assertEqual((len(layer["weights"]), len(layer["bias"])), (inputs * outputs, outputs))
            norm = math.sqrt(sum(w * w for w in layer["weights"]))
            whole = math.sqrt(norm ** 2 + sum(b * b for b in layer["bias"]))
            self.assertLessEqual(norm * (1 - 1e-4), layer["weightNorm"])
            self.assertLessEqual(layer["weightNorm"], whole * (1 + 1e-4))

    def test_weights_over_a_websocket_and_as_events_are_the_same(self):
        self.talk(self.server, fixture("iris.csv"))
        message = self.subscribe("/weights")()
        self.check_weights(message)
        self.check_numbers(message)
        self.assertEqual(Events(self, self.server, "/weights", *self.ACCEPT).next(), message)

    def test_weights_are_shown_to_plain_curl(self):
        self.talk(self.server, fixture("iris.csv"))
        self.check_weights(Events(self, self.server, "/weights").next())

    def unpack(self, data):
        length, = struct.unpack_from("<I", data)
        message = json.loads(data[4:4 + length])
        self.check_weights(message)
        offset = 4 + length
        for layer in message["layers"]:
            self.assertNotIn("weights", layer)
            inputs, outputs = layer["shape"]
            layer["weights"] = list(struct.unpack_from("<%df" % (inputs * outputs), data, offset))
            layer["bias"] = list(struct.unpack_from("<%df" % outputs, data, offset + 4 * inputs * outputs))
            offset += 4 * (inputs + 1) * outputs
        self.assertEqual(offset, len(data))
        return message

    def test_packed_weights_have_the_same_numbers(self):
        self.talk(self.server, fixture("iris.csv"))
        packed = self.unpack(self.subscribe("/weights?format=binary")())
        told = self.subscribe("/weights")()
        for one, other in zip(packed["layers"], told["layers"]):
            for name in ("weights", "bias"):
                self.assertEqual(len(one[name]), len(other[name]))
                for a, b in zip(one[name], other[name]):
                    self.assertAlmostEqual(a, b, places=6)

    def test_packed_weights_as_an_event_are_base64(self):
        self.talk(self.server, fixture("iris.csv"))
        lines = iter(Events(self, self.server, "/weights?format=binary", *self.ACCEPT).process.stdout)
        while next(lines) != "event: binary\n":
            pass
        self.unpack(base64.b64decode(next(lines)[len("data: "):]))

    def test_large_networks_are_summed_up_in_JSON_and_whole_in_binary(self):
        server = self.server = self.serve("--layers", "200,200")
        self.talk(server, fixture("iris.csv"))
        message = self.subscribe("/weights")()
        self.assertNotIn("weights", message["layers"][1])
        self.assertGreater(message["layers"][1]["gradientNorm"], 0)
        self.assertGreater(len(self.subscribe("/weights?format=binary")()), 4 * 200 * 200)
        self.assertLess(len(json.dumps(message)), 64 << 10)
