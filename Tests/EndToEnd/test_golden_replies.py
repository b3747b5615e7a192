"""The server's replies to streams of all kinds are, byte for byte, those that are recorded in golden/replies.json.

Where replies change on purpose, golden/record.py --diff tells what changes, and records them anew.
"""

import json
from concurrent.futures import ThreadPoolExecutor

from golden.record import REPLIES, answer, conversations, difference, digest
from golden.streams import STREAMS
from server import EDDY, ServerTest

FIXTURE = json.loads(REPLIES.read_text())


class GoldenRepliesTest(ServerTest):
    def test_the_streams_are_those_of_the_record(self):
        self.assertEqual(list(FIXTURE), list(STREAMS))
        for stream in STREAMS.values():
            self.assertEqual(digest(stream.data()), FIXTURE[stream.name]["stream"], stream.name)
            self.assertEqual(stream.kind, FIXTURE[stream.name]["kind"], stream.name)

    def test_replies_are_those_of_the_record(self):
        def check(conversation):
            name, stream, options = conversation
            expected = FIXTURE[stream.name]["replies"][name.split("/", 1)[1]]
            return stream.kind, name, difference(name, expected, answer(EDDY, options, stream.data()))

        with ThreadPoolExecutor(2) as pool:
            for kind, name, text in pool.map(check, conversations(STREAMS.values())):
                with self.subTest(name, kind=kind):
                    if text:
                        self.fail(text)
