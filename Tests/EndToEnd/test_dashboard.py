"""The page, in headless Chromium, on a real stream.

Screenshots go to the folder in the environment variable SCREENSHOTS, where it is set.
"""

import csv
import json
import os
import signal
import socket
import tempfile
import threading
import unittest
from pathlib import Path

from browser import Browser
from server import Server, eventually, fixture
from test_several_outputs import CSV as several_outputs

VIEWS = ("figures", "loss", "metrics", "race", "network", "layers", "space", "stream", "model")


class Stream:
    """A file sent over and over, some 250 lines a second, until it is closed."""

    def __init__(self, server, name, rate=250):
        self.lines = fixture(name).splitlines(keepends=True)
        self.rate = rate
        self.over = threading.Event()
        self.socket = socket.create_connection((server.host, server.port))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        header, *samples = self.lines
        try:
            self.socket.sendall(header)
            while True:
                for first in range(0, len(samples), 10):
                    self.socket.sendall(b"".join(samples[first:first + 10]))
                    if self.over.wait(10 / self.rate):
                        return
        except OSError:
            pass  # the server has been stopped
        finally:
            self.socket.close()

    def close(self):
        self.over.set()
        self.thread.join()


class DashboardTest(unittest.TestCase):
    """One browser for all tests; a server, a stream and a page for each."""

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def serve(self, *options):
        server = Server(*options)
        self.addCleanup(server.close)
        return server

    def stream(self, server, name="breast_cancer.csv"):
        stream = Stream(server, name)
        self.addCleanup(stream.close)
        return stream

    def page(self, server, fragment="", **view):
        page = self.browser.open()
        self.addCleanup(page.close)
        page.view(**view)
        page.go(server.url + "/" + fragment)
        return page

    def learning(self, page, step=600):
        """Waits until the page shows the loss of that many samples."""
        page.until("Number(document.querySelector('#model')?.innerText.match(/([\\d,]+) samples/)?.[1]"
                   ".replaceAll(',', '')) > %d || document.querySelector('#loss canvas')?.ariaLabel?.length > 0" % step,
                   "the page follows the stream")

    def shoot(self, page, name):
        folder = os.environ.get("SCREENSHOTS")
        with tempfile.TemporaryDirectory() as other:
            data = page.screenshot(Path(folder or other) / (name + ".png"))
        self.assertGreater(len(data), 50_000, "the page is all but empty")

    def figures(self, page):
        return page.evaluate("document.querySelector('#figures').innerText")

    # What it shows

    def test_every_view_renders_from_a_stream_and_the_loss_falls(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        eventually(lambda: server.model()["step"] > 400, "the stream is learned")
        for view in VIEWS:
            page.box("#" + view)
            page.until("document.querySelector('#%s').innerText.length > 30 && !document.querySelector('#%s').hidden"
                       % (view, view), "%s is shown" % view)
        for view in ("loss", "metrics", "race", "network", "layers", "space", "stream"):
            page.box("#%s canvas" % view)
            page.until(
                "(() => { const c = [...document.querySelectorAll('#%s canvas')].find((c) => c.width > 1);"
                " if (!c) return false; const copy = new OffscreenCanvas(c.width, c.height)"
                ".getContext('2d', {willReadFrequently: true}); copy.drawImage(c, 0, 0);"  # else Chromium complains
                " const d = copy.getImageData(0, 0, c.width, c.height).data;"
                " const seen = new Set(); for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);"
                " return seen.size > 3; })()" % view, "%s is drawn" % view)
        mean = page.until("parseFloat(document.querySelector('#figures .value').textContent)", "the mean loss is told")
        self.assertLess(mean, 0.4)  # nats; the baseline is 0.66
        self.assertIn("below baseline", self.figures(page))
        self.assertEqual(page.complaints, [])
        for name, options in (("light", {}), ("dark", {"dark": True}), ("phone", {"width": 390, "height": 844, "scale": 2})):
            page.view(**options)
            self.shoot(page, name)
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, name)
        self.assertEqual(page.complaints, [])

    def test_several_outputs_are_shown_by_name(self):
        server = self.serve("--label", "price,kind")
        with socket.create_connection((server.host, server.port)) as feed:
            feed.sendall(several_outputs.encode())
            feed.shutdown(socket.SHUT_WR)
            while feed.recv(4096):
                pass
        page = self.page(server)
        for words in ("price: error", "kind: accuracy", "mean of 2 outputs"):
            page.until("document.querySelector('#figures').textContent.includes('%s')" % words, words)
        page.until("document.querySelector('#metrics').textContent.includes('of the first output, price')", "whose it is")
        for view in VIEWS:
            page.box("#" + view)
            page.until("document.querySelector('#%s').innerText.length > 30" % view, "%s is shown" % view)
        page.until("document.querySelector('#model').textContent.includes('kind (classification)')", "the outputs are told")
        self.shoot(page, "outputs")
        self.assertEqual(page.complaints, [])

    def test_regression_and_a_large_network_are_shown_too(self):
        for name, options in (("trump_approval.csv", ()), ("digits.csv", ("--layers", "128,64"))):
            server = self.serve(*options)
            self.stream(server, name)
            page = self.page(server)
            eventually(lambda: server.model()["step"] > 200, "the stream is learned")
            raced = "committee" in server.model()  # whoever sets the layers gets that network alone
            self.assertEqual(raced, not options)
            for view in VIEWS:
                if view == "race" and not raced:
                    hidden = "document.querySelector('%s').hidden"
                    self.assertTrue(page.evaluate(hidden % "#race"))
                    self.assertTrue(page.evaluate(hidden % "[data-view=race]"))
                    self.assertTrue(page.evaluate(hidden % "#network .whose"))
                    continue
                page.box("#" + view)
                page.until("document.querySelector('#%s').innerText.length > 30" % view, "%s is shown" % view)
            self.shoot(page, name.split(".")[0])
            self.assertEqual(page.complaints, [])

    def test_race_shows_the_experts_whose_weights_move(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        eventually(lambda: server.model()["step"] > 200, "the stream is learned")
        page.box("#race")
        page.until("document.querySelectorAll('#race li').length > 0", "the experts are listed")
        told = sorted(vote["name"] for vote in server.model()["committee"])
        row = "[...document.querySelectorAll('#race li')]"
        names = row + ".map((li) => li.querySelector('.expert span').title)"
        shares = row + ".map((li) => [li.querySelector('.expert span').title," \
            " parseFloat(li.querySelector('.share').textContent)]).sort()"  # by name: the order may change as well
        self.assertEqual(sorted(page.evaluate(names)), told)
        first = page.evaluate(shares)
        self.assertAlmostEqual(sum(share for _, share in first), 100, delta=0.05 * len(told) + 0.01)  # each is rounded to a tenth
        for badge in ("leads", "drawn below"):
            self.assertEqual(page.evaluate(
                row + ".filter((li) => li.innerText.includes('%s')).length" % badge), 1, badge)
        page.until("JSON.stringify(%s) !== JSON.stringify(%s)" % (shares, json.dumps(first)), "the shares move")
        page.until("document.querySelector('#race canvas').ariaLabel?.startsWith('Between')", "the curves are drawn")
        page.until("/points since/.test(document.querySelector('#race .panel-foot').innerText)",
                   "their history is told")
        cut = row + ".filter((li) => { const s = li.querySelector('.expert span');" \
            " return s.scrollWidth > li.clientWidth || s.getBoundingClientRect().right > innerWidth; }).length"
        for width in (1600, 380):
            page.view(width=width)
            page.box("#race")
            self.assertEqual(page.evaluate(cut), 0, "names are cut at %d" % width)
        # Whose network is drawn: the network that the list marks.
        page.view()
        page.box("#network")
        page.until("document.querySelector('#network .whose').title ===" + names + "[" + row
                   + ".findIndex((li) => li.innerText.includes('drawn below'))]", "the network drawn is named")
        self.assertEqual(page.complaints, [])

    def test_a_change_of_the_stream_is_told_and_marked(self):
        server = self.serve()
        page = self.page(server)
        header, *samples = fixture("breast_cancer.csv").splitlines(keepends=True)
        features, labels = zip(*(line.rsplit(b",", 1) for line in samples))
        # Labels of other samples: errors rise and stay, while a mere exchange of the classes is learned within dozens.
        senseless = [b",".join(pair) for pair in zip(features, labels[300:] + labels[:300])]
        feed = socket.create_connection((server.host, server.port))
        self.addCleanup(feed.close)
        feed.sendall(header + b"".join(samples) * 3)
        eventually(lambda: server.model()["step"] == 3 * len(samples), "the stream is learned")
        self.assertNotIn("drift", server.model())
        self.learning(page)
        self.assertTrue(page.evaluate("document.querySelector('#notice').hidden"))
        feed.sendall(b"".join(senseless))
        eventually(lambda: "drift" in server.model(), "the change is noticed")
        eventually(lambda: server.model()["step"] == 4 * len(samples), "all is learned")
        said = "at sample {:,}".format(server.model()["drift"]["step"])
        page.until("document.querySelector('#notice').innerText.includes('%s')" % said, "the notice tells it")
        page.box("#loss")
        page.until("document.querySelector('#loss canvas').ariaLabel.includes('%s')" % said, "the chart has its mark")
        page.box("#model")
        page.until("document.querySelector('#model').innerText.includes('%s')" % said, "the facts have it")
        self.assertEqual(page.complaints, [])

    def test_nothing_learned_yet_says_what_to_do(self):
        server = self.serve()
        page = self.page(server)
        page.until("!document.querySelector('#empty').hidden", "the empty state is shown")
        command = page.evaluate("document.querySelector('#send-file').textContent")
        self.assertIn("%s %d" % (server.host, server.port), command)
        self.stream(server)
        page.until("document.querySelector('#empty').hidden", "the first samples replace it")
        self.assertEqual(page.complaints, [])

    def test_less_than_50_kB_a_second_reach_the_page(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        self.learning(page)
        page.evaluate("new Promise((done) => setTimeout(done, 1500))")
        for view in ("loss", "network", "space"):
            page.box("#" + view)
            page.evaluate("new Promise((done) => setTimeout(done, 1000))")
            before = page.received
            took = page.evaluate("(async () => { const t = performance.now();"
                                 " await new Promise((done) => setTimeout(done, 4000)); return performance.now() - t; })()")
            rate = (page.received - before) / took  # kB a second
            print("\npage at %s: %.1f kB/s" % (view, rate))
            self.assertLess(rate, 50, view)

    # What one can do with it

    def test_pause_freezes_the_view_and_not_the_learner(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        self.learning(page)
        page.click("#pause")
        seen = "document.querySelector('#figures').innerText + document.querySelector('#loss canvas').toDataURL()"
        page.evaluate("new Promise((done) => setTimeout(done, 500))")
        before, step = page.evaluate(seen), server.model()["step"]
        eventually(lambda: server.model()["step"] > step + 300, "learning goes on")
        self.assertEqual(page.evaluate(seen), before)
        page.click("#pause")
        page.until("(%s) !== %s" % (seen, json.dumps(before)), "the view goes on")
        self.assertEqual(page.complaints, [])

    def test_zoom_is_in_the_address_and_comes_back(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        eventually(lambda: server.model()["step"] > 500, "the stream is learned")
        self.learning(page)
        page.click("[name='loss.scale'][value=log]")
        left, top, width, height = page.box("#loss canvas")
        y = top + height / 2
        page.mouse("mousePressed", left + width * 0.4, y, clickCount=1)
        for share in (0.45, 0.5, 0.55, 0.6):
            page.mouse("mouseMoved", left + width * share, y, buttons=1)
        page.mouse("mouseReleased", left + width * 0.6, y, clickCount=1)
        page.until("location.hash.includes('loss.zoom=')", "the zoom is in the address")
        address = page.evaluate("location.hash")
        self.assertIn("loss.scale=log", address)

        again = self.page(server, address)
        self.learning(again)
        again.until("document.querySelector(\"[name='loss.scale'][value=log]\").checked", "the scale is restored")
        self.assertEqual(again.evaluate("location.hash"), address)
        left, top, width, height = again.box("#loss canvas")
        for count in (1, 2):
            again.mouse("mousePressed", left + width / 2, top + height / 2, clickCount=count)
            again.mouse("mouseReleased", left + width / 2, top + height / 2, clickCount=count)
        again.until("!location.hash.includes('loss.zoom=')", "a double click shows everything")
        self.assertEqual(page.complaints + again.complaints, [])

    def test_theme_is_chosen_and_kept(self):
        server = self.serve()
        page = self.page(server)
        background = "getComputedStyle(document.body).backgroundColor"
        first = page.evaluate(background)
        seen = set()
        for _ in range(3):
            page.click("#theme")
            seen.add(page.evaluate(background))
        self.assertEqual(len(seen), 2)
        self.assertEqual(page.evaluate(background), first)  # system, light, dark, and back
        while page.evaluate(background) == first:
            page.click("#theme")
        page.go(server.url + "/?again")
        self.assertNotEqual(page.evaluate(background), first)
        page.evaluate("localStorage.clear()")

    def test_downloads_hold_what_the_server_told_in_full(self):
        server = self.serve()
        stream = self.stream(server)
        page = self.page(server)
        eventually(lambda: server.model()["step"] > 500, "the stream is learned")
        self.learning(page)
        stream.close()
        with tempfile.TemporaryDirectory() as folder:
            page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)

            def download(view, kind):
                page.box("#" + view)
                page.until("[...document.querySelectorAll('#%s button')].some((b) => b.textContent === '%s' && !b.hidden)"
                           % (view, kind), "%s of %s is offered" % (kind, view))
                page.evaluate("[...document.querySelectorAll('#%s button')]"
                              ".find((b) => b.textContent === '%s' && !b.hidden).click()" % (view, kind))
                found = []

                def arrived():
                    page.evaluate("0")
                    found[:] = [path for path in Path(folder).iterdir() if path.suffix == "." + kind.lower()]
                    return found and found[0].stat().st_size > 0

                eventually(arrived, "%s of %s is saved" % (kind, view))
                data = found[0].read_bytes()
                found[0].unlink()
                return data

            rows = list(csv.DictReader(download("loss", "CSV").decode().splitlines()))
            self.assertGreater(len(rows), 100)
            told = json.loads(server.get("/history?points=10000")[2])
            exact = {row[0]: row for row in told["rows"]}
            compared = 0
            for row in rows:
                step, count = int(float(row["step"])), int(float(row["count"]))
                if step in exact and exact[step][2] == count == 1:
                    self.assertAlmostEqual(float(row["mean"]), exact[step][3], delta=1e-6 * max(1e-3, exact[step][3]))
                    compared += 1
            self.assertGreater(compared, 50)
            self.assertTrue(json.loads(download("metrics", "JSON")))
            self.assertEqual(download("loss", "PNG")[:8], b"\x89PNG\r\n\x1a\n")
            page.box("#network")
            page.until("/[Ss]ample of step/.test(document.querySelector('#network').innerText)", "the network is drawn")
            for view in ("network", "layers", "space", "stream"):
                eventually(lambda: len(download(view, "CSV")) > 40, "%s has data" % view)
        self.assertEqual(page.complaints, [])

    def test_keyboard_reaches_everything_and_the_network_is_walked_by_arrows(self):
        server = self.serve()
        self.stream(server, "iris.csv")
        page = self.page(server)
        self.learning(page, 100)
        page.evaluate("document.body.focus(); scrollTo(0, 0)")
        reached = []
        for _ in range(30):
            page.key("Tab")
            reached.append(page.evaluate(
                "((e) => e.closest('section')?.id || e.id || e.closest('nav')?.id || e.tagName)(document.activeElement)"))
        for place in ("views", "theme", "pause", "loss", "metrics"):
            self.assertIn(place, reached)
        page.box("#network")
        page.until("document.querySelector('#network').innerText.includes('loss')", "the network is drawn")
        page.until("document.querySelector('#network button[aria-label], #network [tabindex=\"0\"]') !== null",
                   "a node can be focused")
        self.assertEqual(page.complaints, [])

    def test_explain_link_opens_the_network_on_that_sample(self):
        server = self.serve()
        self.stream(server)
        page = self.page(server)
        eventually(lambda: server.model()["step"] > 600, "the stream is learned")
        page.box("#stream")
        page.until("[...document.querySelectorAll('#stream button')].some((b) => b.textContent.includes('Explain'))",
                   "the largest losses are listed")
        page.evaluate("[...document.querySelectorAll('#stream button')].find((b) => b.textContent.includes('Explain')).click()")
        page.until("location.hash.includes('network.')", "the sample is in the address")
        page.until("/[Ss]ample of step/.test(document.querySelector('#network').innerText)", "the sample is shown")
        self.assertEqual(page.complaints, [])

    # Servers come and go

    def test_page_says_that_it_is_stale_and_comes_back_to_a_new_server(self):
        first = self.serve()
        stream = self.stream(first)
        page = self.page(first)
        self.learning(page)
        stream.close()
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        page.until("!document.querySelector('#notice').hidden", "the page says that it is stale")
        second = self.serve("--port", first.port, "--http-port", first.web_port)
        self.stream(second, "iris.csv")
        page.until("document.querySelector('#notice').hidden", "the page is back")
        page.box("#model")
        page.until("document.querySelector('#model').innerText.includes('setosa')", "it shows the new learner")

    def test_token_is_asked_for_or_taken_from_the_address(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("open-sesame\n")
            file.flush()
            server = self.serve("--token-file", file.name)
            page = self.page(server)
            page.until("!document.querySelector('#token-form').hidden", "the page asks for the token")
            page.evaluate("document.querySelector('#token').focus()")
            page.call("Input.insertText", text="open-sesame")
            page.key("Enter")
            page.until("document.querySelector('#token-form').hidden && document.querySelector('#notice').hidden",
                       "the token opens it")
            other = self.page(server, "#token=open-sesame&loss.scale=log")
            other.until("document.querySelector('#state').innerText.length > 0 && document.querySelector('#notice').hidden",
                        "the address opens it")
            self.assertNotIn("sesame", other.evaluate("location.href"))
