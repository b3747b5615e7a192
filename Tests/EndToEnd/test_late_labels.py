"""Labels that come after their samples, by id."""

import json
import unittest

from server import ServerTest


class LateLabelsTest(ServerTest):
    def test_label_is_learned_when_it_comes(self):
        server = self.serve()
        feed = self.feed(server)
        feed.send("!reply json\n")
        first = json.loads(feed.ask('{"x": 1, "id": "early"}\n'))  # nothing can be said of it yet, and it waits
        self.assertEqual(first, {"line": 2, "id": "early", "prediction": None})
        self.assertEqual(server.model()["counts"], {"accepted": 1, "learned": 0, "predicted": 1, "rejected": 0})
        self.assertEqual(json.loads(feed.ask("!label early yes\n"))["step"], 1)
        self.assertEqual(json.loads(feed.ask('{"x": -1, "label": "no"}\n'))["step"], 2)

        waiting = json.loads(feed.ask('{"x": 1, "id": "a7"}\n'))
        self.assertEqual(waiting["id"], "a7")
        self.assertNotIn("loss", waiting)
        self.assertEqual(server.model()["lateLabels"]["waiting"], 1)
        learned = json.loads(feed.ask('{"id": "a7", "label": "yes"}\n'))
        self.assertEqual((learned["line"], learned["id"], learned["step"]), (6, "a7", 3))
        self.assertIn("loss", learned)

        error = json.loads(feed.ask("!label a7 yes\n"))
        self.assertEqual((error["line"], error["field"]), (7, "id"))
        late = server.model()["lateLabels"]
        wrong = 0 if waiting["prediction"] == "yes" else 1
        self.assertEqual(late, {"waiting": 0, "joined": 2, "expired": 0, "evicted": 0, "unmatched": 1,
                                "firstError": wrong})

    def test_late_labels_count_as_data_lines(self):
        server = self.serve()
        replies = self.talk(server, "!reply acks\n0 |f x:1\n1 |f y:1\n'a |f x:1\n!label a 0\n!label b 0\n")
        self.assertEqual(replies[-1], "!ack 5")
        self.assertEqual(sum("field=id" in reply for reply in replies), 1, replies)
        replies = self.talk(server, "!reply predictions\n'c |f y:1\n!label c 1\n")
        self.assertEqual(len(replies), 2, replies)

    def test_label_that_does_not_fit_leaves_its_sample_waiting(self):
        server = self.serve()
        feed = self.feed(server)
        feed.send("!reply json\n")
        feed.ask('{"x": 1, "label": 1.5}\n')
        feed.ask('{"x": 2, "id": "a7"}\n')
        for line in ("!label a7 red\n", '{"id": "a7", "label": "red"}\n'):
            error = json.loads(feed.ask(line))
            self.assertIn("the sample waits on", error["error"]["expected"])
            self.assertEqual(server.model()["lateLabels"]["waiting"], 1)
        self.assertEqual(json.loads(feed.ask("!label a7 2.5\n"))["step"], 2)
        self.assertEqual(server.model()["counts"], {"accepted": 3, "learned": 2, "predicted": 1, "rejected": 2})

    def test_sample_before_the_first_label_is_no_error(self):
        server = self.serve()
        replies = self.talk(server, '!reply predictions\n{"x": 1, "id": "a7"}\n!label a7 1.5\n')
        self.assertEqual(replies[0], '!waiting line=2 id="a7"')
        self.assertEqual(len(replies), 2, replies)
        server = self.serve()
        replies = self.talk(server, '{"x": 1, "id": "a7"}\n')
        self.assertEqual(len(replies), 1, replies)
        self.assertIn("accepted=1 learned=0 predicted=1 rejected=0", replies[0])


if __name__ == "__main__":
    unittest.main()
