"""New clients are served while others send samples without a pause. scripts/fairness measures the same with figures.

The bounds are far beyond what a server needs that gives everyone a turn, whatever else the machine does. They catch
starvation: a client that waits until the bulk feeds have nothing more to send.
"""

import asyncio
import signal
import subprocess
import sys

from server import REPOSITORY, ServerTest

sys.path.append(str(REPOSITORY / "scripts"))

from bulk_feeds import BulkFeeds, w1_like  # noqa: E402
from feed_clients import DOORS, first_line, healthz, pong  # noqa: E402

LIMIT = 10  # seconds
INPUTS = 2  # short lines: many samples in a read


class FairnessTest(ServerTest):
    def within_limit(self, what, coroutine):
        try:
            asyncio.run(asyncio.wait_for(coroutine, LIMIT))
        except asyncio.TimeoutError:
            self.fail("%s took more than %d s" % (what, LIMIT))

    def test_new_clients_are_served_beside_bulk_feeds(self):
        server = self.serve()
        lines = w1_like(10, INPUTS, seed=2)
        with BulkFeeds(server, tcp=8, feed=8, inputs=INPUTS) as feeds:
            feeds.ask("go")
            for number in range(10):
                door = DOORS[number % 2]
                self.within_limit("!pong, new client %d, by %s" % (number + 1, door), pong(server, door))
                self.within_limit("the first reply, new client %d, by %s" % (number + 1, door),
                                  first_line(server, door, lines[number]))
            self.within_limit("/healthz", healthz(server))
            self.assertGreater(min(feeds.ask("count")["each"]), 0, "a bulk feed could send nothing")
            server.signal(signal.SIGTERM)
            try:
                self.assertEqual(server.process.wait(LIMIT), 0, server.errors())
            except subprocess.TimeoutExpired:
                self.fail("the stop took more than %d s" % LIMIT)
