"""SIGINT and SIGTERM: what was read is learned and answered, everyone is told, the model is saved, the status is 0."""

import http.client
import signal
import socket
import threading

from server import Feed, ServerTest, eventually, fixture
from tools import Transcript, need_websockets, open_websocket


class Stream(threading.Thread):
    """Sends samples until the server ends its side, or the connection; keeps the replies."""

    def __init__(self, server, keep_sending=False):
        super().__init__(daemon=True)
        self.connection = Feed(server)
        self.connection.send("!reply predictions\nx,y,label\n")
        self.replies = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.keep_sending = keep_sending
        self.is_ended = False
        self.start()
        self.reader.start()

    @staticmethod
    def sample(index):
        return "%d,%d,%s\n" % (index % 7, index % 5, "ab"[index % 3 == 0])

    def run(self):
        index = 0
        try:
            while self.keep_sending or not self.is_ended:
                self.connection.send("".join(self.sample(i) for i in range(index, index + 100)))
                index += 100
            self.connection.end()
        except OSError:
            pass

    def read(self):
        try:
            self.replies.extend(line.decode() for line in self.connection.reader)
        except ConnectionResetError:
            self.replies.append("reset")
        self.is_ended = True

    def finish(self):
        """Waits until the server has ended the connection."""
        self.reader.join()
        self.join()
        self.connection.close()


class ShutdownTest(ServerTest):
    def stop_while_streaming(self, number):
        path = self.directory() / "model.eddy"
        server = self.serve("--save", path)
        stream = Stream(server)
        eventually(lambda: len(stream.replies) > 5000, "the stream runs")
        server.signal(number)
        self.assertEqual(server.wait(), 0, server.errors())
        stream.finish()
        replies = stream.replies
        self.assertEqual(replies[0], "!none line=3\n")
        for reply in replies[1:]:
            self.assertRegex(reply, r"\A[ab] [\d.e-]+\n\Z")

        # As many as were answered were learned, and nothing else was.
        again = self.serve("--load", path)
        model = again.model()
        self.assertEqual(model["step"], len(replies))
        straight = self.serve()
        self.summary(straight, "x,y,label\n" + "".join(Stream.sample(i) for i in range(len(replies))))
        for key in ("parameterHash", "metrics", "meanLoss", "inputs", "classes"):
            self.assertEqual(straight.model()[key], model[key], key)

        # And it goes on as if it had never stopped.
        more = "x,y,label\n" + "".join(Stream.sample(i) for i in range(1000))
        for one in (again, straight):
            self.summary(one, more)
        self.assertEqual(straight.model()["parameterHash"], again.model()["parameterHash"])

    def test_SIGTERM_while_a_client_streams(self):
        self.stop_while_streaming(signal.SIGTERM)

    def test_SIGINT_while_a_client_streams(self):
        self.stop_while_streaming(signal.SIGINT)

    def test_line_that_is_cut_by_the_stop_is_not_learned(self):
        path = self.directory() / "model.eddy"
        server = self.serve("--save", path)
        feed = self.feed(server)
        feed.send("!reply predictions\nx,y,label\n")
        feed.ask("1,2,left\n")
        feed.send("3,4,ri")  # the rest is under way
        self.assertEqual(self.feed(server).ask("!ping\n"), "!pong")
        server.signal(signal.SIGTERM)
        feed.rest()
        feed.close()
        self.assertEqual(server.wait(), 0)
        model = self.serve("--load", path).model()
        self.assertEqual((model["step"], model["classes"]), (1, ["left"]))

    def test_idle_client_gets_its_summary_and_the_end_of_the_connection(self):
        server = self.serve()
        feed = self.feed(server)
        feed.send(fixture("iris.csv"))
        eventually(lambda: server.model()["step"] == 150, "the samples are learned")
        server.signal(signal.SIGTERM)
        replies = feed.rest()
        self.assertRegex(replies[-1], r"\A!summary accepted=150 learned=150 ")
        feed.close()
        self.assertEqual(server.wait(), 0)

    def test_client_that_does_not_stop_sending_is_cut_at_the_deadline(self):
        server = self.serve()
        stream = Stream(server, keep_sending=True)
        eventually(lambda: len(stream.replies) > 1000, "the stream runs")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.errors())
        stream.finish()

    def test_client_that_never_reads_is_cut_at_the_deadline(self):
        server = self.serve()
        deaf = self.feed(server, receive_buffer=4096)
        deaf.send("!reply predictions\n")
        deaf.socket.settimeout(1)
        with self.assertRaises(socket.timeout):
            while True:
                deaf.socket.send(b"1,2,a\n" * 1000)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.errors())

    def test_client_that_half_closes_and_never_reads_is_cut_at_the_deadline(self):
        server = self.serve("--reply", "json")
        feed = self.feed(server, receive_buffer=4096)
        feed.socket.settimeout(2)
        try:
            feed.send("1,2,a\n" * 200_000)
        except OSError:
            pass  # it has stopped reading
        feed.end()
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)

    def test_connections_that_arrive_as_it_stops_do_no_harm(self):
        for _ in range(12):
            server, arrivals = self.serve(), []
            server.signal(signal.SIGSTOP)  # so that all are waiting when the signal comes
            for port in (server.port, server.web_port):
                arrivals += [socket.create_connection((server.host, port)) for _ in range(200)]
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGCONT)
            try:
                self.assertEqual(server.wait(), 0, server.errors()[:2000])
            finally:
                for arrival in arrivals:
                    arrival.close()

    def test_no_connection_is_taken_once_stopped(self):
        server = self.serve()
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        for port in (server.port, server.web_port):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((server.host, port))

    def test_subscribers_get_close_frame_1001_and_event_streams_end(self):
        _, exceptions = need_websockets()
        server = self.serve()
        self.summary(server, fixture("iris.csv"))
        paths = ("/losses", "/weights", "/losses?every=sample", "/feed")
        sockets = [open_websocket(self, server, path) for path in paths]
        sockets[3].send("!reply predictions\n5.1,3.5,1.4,0.2,setosa")
        self.assertRegex(sockets[3].recv(), r"\Asetosa ")
        for path in ("/losses", "/weights"):
            events = socket.create_connection((server.host, server.web_port))
            self.addCleanup(events.close)
            events.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n" % path).encode())
            events.recv(1)
            sockets.append(events)
        server.signal(signal.SIGTERM)
        for websocket in sockets[:4]:
            with self.assertRaises(exceptions.ConnectionClosed) as closing:
                while True:
                    websocket.recv()
            self.assertEqual(closing.exception.rcvd.code, 1001)
        for events in sockets[4:]:
            text = b""
            while True:
                block = events.recv(65536)
                if not block:
                    break
                text += block
            self.assertTrue(text.endswith(b"0\r\n\r\n"), "the body is cut: %r" % text[-80:])  # its last chunk
        self.assertEqual(server.wait(), 0, server.errors())


class FilesTest(ServerTest):
    """File descriptors run out, and files cannot be written."""

    def test_as_many_connections_as_promised_whatever_the_soft_limit(self):
        server = self.serve("--connections", 500, ulimit="-Sn 256")
        feeds = [self.feed(server) for _ in range(400)]
        for feed in feeds:
            self.assertEqual(feed.ask("!ping\n"), "!pong")
        self.assertEqual(server.model()["connections"], 400)

    def answers(self, server):
        """Whether the server still knows what it learned."""
        try:
            return server.model()["step"] == 150
        except (OSError, http.client.HTTPException):
            return False

    def test_no_more_descriptors_cost_neither_the_server_nor_what_it_learned(self):
        path = self.directory() / "model.eddy"
        server = self.serve("--save", path, ulimit="-n 64")
        self.summary(server, fixture("iris.csv"))
        for port in (server.port, server.web_port):
            waiting = []
            for _ in range(100):  # more than the server has descriptors for
                try:
                    waiting.append(socket.create_connection((server.host, port)))
                except (ConnectionRefusedError, ConnectionResetError):
                    pass  # the web side begins anew (what waited in its queue is reset), and is back in a moment
            self.assertGreater(len(waiting), 60)
            for one in waiting:
                one.close()
            eventually(lambda: self.answers(server), "the web side answers again")
        server.signal(signal.SIGTERM)
        status = server.wait()
        self.assertTrue(path.exists(), "exit status %s, and nothing was saved\n%s" % (status, server.errors()[:2000]))
        self.assertEqual(self.serve("--load", path).model()["step"], 150)
        self.assertEqual(status, 0, server.errors()[:2000])

    def test_place_to_save_that_cannot_be_written_is_refused_at_the_start(self):
        path = self.directory() / "none" / "model.eddy"
        run = Transcript("serve", "--port", "0", "--http-port", "0", "--save", path)
        self.assertEqual((run.status, run.out), (1, ""), run)
        self.assertRegex(run.err, r"\AError: .*none/model\.eddy: .+\n\Z")


class PortTest(ServerTest):
    def test_taken_port_is_one_line_and_a_status(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = str(other.getsockname()[1])
            for option, rest in (("--port", ["--http-port", "0"]), ("--http-port", ["--port", "0"])):
                run = Transcript("serve", option, port, *rest, "--log-level", "error")
                self.assertNotEqual(run.status, 0, run)
                self.assertEqual(run.out, "", run)
                self.assertEqual(run.err.count("\n"), 1, run)
                self.assertIn("127.0.0.1:%s: the port is in use" % port, run.err)
                self.assertIn(option, run.err.split("the port is in use")[1])

    def test_address_that_this_machine_has_not_is_one_line(self):
        run = Transcript("serve", "--host", "192.0.2.1", "--port", "0", "--http-port", "0")
        self.assertNotEqual(run.status, 0)
        self.assertEqual(run.err.count("\n"), 1, run)
        self.assertIn("192.0.2.1", run.err)

    def test_port_is_free_again_at_once(self):
        server = self.serve()
        self.summary(server, "1,2,a\n")
        server.close()
        again = Transcript("serve", "--port", "70000")
        self.assertEqual(again.status, 64, again)
        second = self.serve("--port", server.port, "--http-port", server.web_port)
        self.assertEqual((second.port, second.web_port), (server.port, server.web_port))
