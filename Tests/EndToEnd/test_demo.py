"""eddy demo: something moves within seconds."""

from server import DEADLINE, ServerTest, eventually
from tools import open_websocket

import json


class DemoTest(ServerTest):
    def test_it_feeds_itself_and_learns(self):
        server = self.serve(command="demo")
        self.assertTrue(any("dashboard" in line for line in server.banner), server.banner)
        eventually(lambda: server.model()["step"] > 2000, "it learns from its own stream")
        model = server.model()
        self.assertEqual(sorted(model["classes"]), ["inside", "outside"])
        self.assertEqual((model["counts"]["rejected"], model["connections"]), (0, 0))
        self.assertGreater(model["metrics"]["recentAccuracy"], model["metrics"]["majority"] + 0.1)
        self.assertLess(model["recentLoss"], model["metrics"]["baseline"])

    def test_subscribers_see_the_step_grow(self):
        server = self.serve(command="demo")
        losses = open_websocket(self, server, "/losses")
        windows = [json.loads(losses.recv(timeout=DEADLINE)) for _ in range(10)]
        # Where things stand comes first, without samples; a window that was under way may end at the same step.
        steps = [window["step"] for window in windows if window["count"] > 0]
        self.assertGreaterEqual(len(steps), 9)
        self.assertEqual(steps, sorted(set(steps)))
        self.assertGreaterEqual(steps[0], windows[0]["step"])

    def test_others_may_send_to_it_as_well(self):
        server = self.serve("--rate", 100, command="demo")
        eventually(lambda: server.model()["step"] > 0, "it has begun")
        replies = self.talk(server, "!reply predictions\nx,y,label\n0.5,0.5,inside\n0.5,-0.5,outside\n")
        self.assertEqual(len(replies), 2)
