"""What the feed says back, in each of its five ways."""

import json
import random
import re

from server import ServerTest

# Eight data lines, with a header, a directive and an empty line between them.
STREAM = """x,y,label
1,2,a
3,4,b
oops,4,a
5,6
!ping
1,2,3,4,5

7,8,b
9,-,b
"9","1",a
"""

CLASS = r"[ab] (0(\.\d+)?|1(\.0)?|\d(\.\d+)?e-\d+)"


class RepliesTest(ServerTest):
    def replies(self, style, stream=STREAM, *options):
        """The replies in a style that the client has asked for."""
        return self.talk(self.serve(*options), "!reply %s\n" % style + stream)

    def test_predictions_are_one_line_for_every_data_line_in_order(self):
        replies = self.replies("predictions")
        expected = [
            r"!none line=2", CLASS, r'!error line=4 column=1 field=x expected=number got="oops"', CLASS, r"!pong",
            r'!error line=7 expected=".*fields.*" got="5 fields"', CLASS,
            r'!error line=10 column=2 field=y expected=number got="-"', CLASS]
        # The directive !reply was line 1.
        expected = [re.sub(r"line=(\d+)", lambda m: "line=%d" % (int(m[1]) + 1), text) for text in expected]
        self.assertEqual(len(replies), len(expected), replies)
        for reply, pattern in zip(replies, expected):
            self.assertRegex(reply, r"\A" + pattern + r"\Z")

    def test_regression_predicts_the_value_alone(self):
        replies = self.replies("predictions", "x,y,label\n1,2,100.5\n2,1,101.5\n3,3\n")
        self.assertEqual(len(replies), 3)
        self.assertEqual(replies[0], "!none line=3")
        for reply in replies[1:]:
            float(reply)

    def test_json_says_the_same_as_objects(self):
        replies = self.replies("json")
        self.assertEqual(replies.pop(4), "!pong")
        objects = [json.loads(reply) for reply in replies]
        self.assertEqual([o["line"] for o in objects], [3, 4, 5, 6, 8, 10, 11, 12])
        self.assertEqual([o["step"] for o in objects if "step" in o], [1, 2, 3, 4])
        for o in objects:
            if "error" in o:
                self.assertEqual(set(o["error"]), {"expected", "got"})
                self.assertNotIn("prediction", o)
            else:
                if o["line"] == 3:  # nothing is known yet
                    self.assertIsNone(o["prediction"])
                    self.assertNotIn("probability", o)
                else:
                    self.assertIn(o["prediction"], ("a", "b"))
                    self.assertTrue(0 <= o["probability"] <= 1, o)
                self.assertEqual("loss" in o, "step" in o)
        self.assertEqual([o["line"] for o in objects if "error" in o], [5, 8, 11])
        self.assertNotIn("loss", objects[3])  # it has no label
        self.assertEqual((objects[2]["column"], objects[2]["field"], objects[2]["error"]["got"]), (1, "x", "oops"))

    def test_json_returns_the_id(self):
        reply, = self.replies("json", '{"x":1,"y":2,"label":"a","id":"row \\"7\\""}\n')
        self.assertEqual(json.loads(reply)["id"], 'row "7"')

    def test_acks_count_data_lines_to_the_last(self):
        replies = self.replies("acks")
        numbers = [int(reply.split()[1]) for reply in replies if reply.startswith("!ack ")]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-1], 8)
        self.assertEqual([reply for reply in replies if reply == "!pong"], ["!pong"])
        self.assertEqual(sum(reply.startswith("!error ") for reply in replies), 3)

    def test_directives_and_headers_are_no_data_lines(self):
        replies = self.replies("acks", "x,y,label\n!format csv\n!format nonsense\n!nonsense\n!reply nonsense\n1,2,a\n")
        self.assertEqual(replies[-1], "!ack 1")

    def test_none_says_nothing(self):
        self.assertEqual(self.replies("none"), ["!pong"])

    def test_summary_is_the_default_and_ends_the_replies(self):
        replies = self.talk(self.serve(), STREAM)
        self.assertEqual([reply.split()[0] for reply in replies], ["!error", "!pong", "!error", "!error", "!summary"])
        self.assertRegex(
            replies[-1], r"\A!summary accepted=5 learned=4 predicted=1 rejected=3 mean_loss=\d+\.\d+ unit=nats "
            r'label="label" most_rejected="1 × [^"]*expected [^"]*"\Z')

    def test_summary_of_nothing(self):
        replies = self.talk(self.serve(), "")
        self.assertRegex(replies[0], r"\A!summary accepted=0 learned=0 predicted=0 rejected=0 ")
        self.assertEqual(len(replies), 1)

    def test_servers_option_sets_the_default(self):
        replies = self.talk(self.serve("--reply", "acks"), STREAM)
        self.assertEqual(replies[-1], "!ack 8")

    def test_every_line_that_is_no_prediction_begins_with_a_bang(self):
        for style in ("summary", "acks", "none"):
            for reply in self.replies(style):
                self.assertTrue(reply.startswith("!"), reply)

    def test_errors_of_a_summary_are_limited_and_the_rest_counted(self):
        replies = self.talk(self.serve(), "x,y,label\n1,2,a\n" + "no,2,a\n" * 5000)
        said = sum(reply.startswith("!error ") for reply in replies)
        suppressed, = [reply for reply in replies if reply.startswith("!suppressed ")]
        self.assertEqual(said + int(suppressed.split("=")[1]), 5000)
        self.assertLess(said, 5000)
        self.assertIn(" rejected=5000 ", replies[-1])

    def test_errors_among_predictions_are_never_limited(self):
        replies = self.replies("predictions", "x,y,label\n1,2,a\n" + "no,2,a\n" * 5000)
        self.assertEqual(len(replies), 5001)
        self.assertTrue(replies[-1].startswith("!error line=5003 "), replies[-1])

    def test_replies_stay_with_their_lines_however_the_stream_is_cut(self):
        dice = random.Random(7)
        good = [dice.random() < 0.8 for _ in range(3000)]
        lines = ["%.3f,%.3f,%s" % (dice.random(), dice.random(), dice.choice("ab")) if ok else "bad,1,a" for ok in good]
        stream = ("!reply predictions\n" + "".join(line + "\n" for line in lines)).encode()
        server = self.serve("--task", "classification")
        feed = self.feed(server)
        replies = []
        sent = 0
        while sent < len(stream):
            size = dice.choice([1, 2, 3, 7, 100, 5000])
            feed.send(stream[sent:sent + size])
            sent += size
            due = stream[:sent].count(b"\n") - 1
            while len(replies) < due:  # each whole line is answered before the next is sent
                replies.append(feed.line())
        feed.end()
        self.assertEqual(feed.rest(), [])
        self.assertEqual(len(replies), len(lines))
        for number, (reply, ok) in enumerate(zip(replies, good), start=2):
            said = CLASS + r"\Z" if number > 2 else "!none line=2"
            self.assertRegex(reply, r"\A" + said if ok else r"\A!error line=%d column=1 " % number)


class LoneLineTest(ServerTest):
    """A client that sends one line and waits gets its answer: nothing is held back until more comes."""

    def test_first_CSV_line_without_header(self):
        feed = self.feed(self.serve("--reply", "predictions"))
        self.assertEqual(feed.ask("5.1,3.5,1.4,0.2,setosa\n"), "!none line=1")
        self.assertRegex(feed.ask("5.1,3.5,1.4,0.2\n"), r"\Asetosa ")

    def test_first_line_below_a_header(self):
        feed = self.feed(self.serve("--reply", "json"))
        feed.send("x,label\n")
        self.assertEqual(json.loads(feed.ask("1,a\n"))["step"], 1)

    def test_first_JSON_line(self):
        feed = self.feed(self.serve("--reply", "predictions"))
        self.assertEqual(feed.ask('{"x": 1, "y": 2, "label": "a"}\n'), "!none line=1")
        other = self.feed(self.serve("--reply", "predictions"))
        self.assertRegex(other.ask("[1, 2, 3.5]\n"), r".")

    def test_acknowledgement(self):
        feed = self.feed(self.serve("--reply", "acks"))
        self.assertEqual(feed.ask("1,2,a\n"), "!ack 1")
        self.assertEqual(feed.ask("1,2,a\n"), "!ack 2")

    def test_two_clients_in_turns(self):
        server = self.serve("--reply", "json")
        one, two = self.feed(server), self.feed(server)
        for step in range(1, 51):
            reply = json.loads((one if step % 2 else two).ask("1,%d,a\n" % step))
            self.assertEqual((reply["step"], reply["line"]), (step, (step + 1) // 2))
