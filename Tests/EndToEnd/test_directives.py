"""Lines that begin with `!`."""

import json

from server import ServerTest


class DirectivesTest(ServerTest):
    def setUp(self):
        self.server = self.serve()

    def test_ping_is_answered_in_its_place(self):
        feed = self.feed(self.server)
        self.assertEqual(feed.ask("!ping\n"), "!pong")
        self.assertEqual(self.talk(self.server, "!reply predictions\n!ping\n1,2,a\n!ping\r\n")[::2], ["!pong", "!pong"])

    def test_reply_holds_from_its_line_on(self):
        replies = self.talk(
            self.server, "!reply predictions\n1,2,a\n!reply json\n1,2,a\n!reply none\n1,2,a\n!reply acks\n1,2,a\n")
        self.assertEqual(len(replies), 3, replies)
        self.assertEqual(replies[0], "!none line=2")
        self.assertEqual(json.loads(replies[1])["line"], 4)
        self.assertEqual(replies[2], "!ack 4")

    def test_reply_of_no_kind_is_an_error_and_changes_nothing(self):
        feed = self.feed(self.server)
        feed.send("!reply predictions\n")
        error = feed.ask("!reply everything\n")
        self.assertTrue(error.startswith("!error line=2 field=reply "), error)
        for style in ("summary", "predictions", "json", "acks", "none"):
            self.assertIn(style, error)
        self.assertRegex(feed.ask("1,2,a\n"), r"\A!none line=\d+\Z")
        self.assertTrue(feed.ask("!reply\n").startswith("!error "))

    def test_format_settles_what_lines_are(self):
        feed = self.feed(self.server)
        feed.send("!reply predictions\n!format json\n")
        self.assertTrue(feed.ask("1,2,a\n").startswith("!error line=3 "))
        self.assertRegex(feed.ask('[1, 2, "a"]\n'), r"\Aa |\A!none |\A!error ")
        self.assertRegex(feed.ask('{"label": "a", "x1": 1, "x2": 2}\n'), r"\Aa |\A!none |\A!error ")

    def test_format_of_no_kind_is_an_error_and_changes_nothing(self):
        feed = self.feed(self.server)
        feed.send("!reply predictions\n")
        error = feed.ask("!format parquet\n")
        self.assertTrue(error.startswith("!error line=2 field=format "), error)
        self.assertIn("csv, json, vw or libsvm", error)
        self.assertRegex(feed.ask("1,2,a\n"), r"\A!none line=\d+\Z")

    def test_unknown_directive_is_an_error_that_names_the_known(self):
        feed = self.feed(self.server)
        for line in ("!\n", "!help\n", "!PING\n", "!" + "x" * 10_000 + "\n", "!\x00\xff\n"):
            error = feed.ask(line)
            self.assertTrue(error.startswith("!error line="), error)
            self.assertLess(len(error), 400)
        self.assertIn("!ping", feed.ask("!help\n"))
        self.assertEqual(feed.ask("!ping\n"), "!pong")

    def test_token_is_taken_where_none_is_asked_for(self):
        self.assertEqual(self.talk(self.server, "!reply none\n!token secret\n!ping\n"), ["!pong"])

    def test_directives_change_no_state(self):
        self.talk(self.server, "!ping\n!reply json\n!format csv\n!format x\n!nonsense\n")
        model = self.server.model()
        self.assertEqual(model["step"], 0)
        self.assertNotIn("inputs", model)
