"""Headless Chromium, driven over its DevTools protocol by Python's websockets."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from server import DEADLINE, eventually
from tools import missing, need_websockets

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self):
        need_websockets()
        if CHROMIUM is None:
            missing("Chromium is not installed")
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "--user-data-dir=" + self.profile.name, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = Path(self.profile.name) / "DevToolsActivePort"
        eventually(lambda: told.exists() and len(told.read_text().splitlines()) == 2, "Chromium listens")
        self.port = int(told.read_text().splitlines()[0])

    def open(self):
        request = urllib.request.Request("http://127.0.0.1:%d/json/new?about:blank" % self.port, method="PUT")
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return Page(json.load(answer)["webSocketDebuggerUrl"])

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.profile.cleanup()


class Page:
    """One page: what it shows, what it complains of, and what it receives."""

    def __init__(self, url):
        connect, _ = need_websockets()
        self.stack = contextlib.ExitStack()
        self.socket = self.stack.enter_context(connect(url, max_size=None, proxy=None))
        self.last = 0
        self.complaints = []
        self.received = 0  # bytes
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def call(self, method, **parameters):
        """Carries out a command, and takes note of the events that come before its answer."""
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=DEADLINE))
            if message.get("id") == self.last:
                assert "error" not in message, (method, message)
                return message["result"]
            if "method" in message:
                self.note(message["method"], message["params"])

    def note(self, event, what):
        if event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(what)[:600])
        elif event == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.complaints.append(json.dumps(what["entry"])[:600])
        elif event == "Network.webSocketFrameReceived":
            self.received += len(what["response"]["payloadData"])
        elif event == "Network.dataReceived":
            self.received += what["dataLength"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
                           userGesture=True)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def until(self, expression, what):
        """Waits until the expression is true; returns its value."""
        value = None

        def holds():
            nonlocal value
            value = self.evaluate(expression)
            time.sleep(0.05)
            return value

        try:
            eventually(holds, what)
        except AssertionError as error:
            raise AssertionError("%s; complaints %s" % (error, self.complaints)) from None
        return value

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", "%s has loaded" % url)

    def view(self, width=1280, height=900, dark=False, scale=1, still=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])

    def box(self, selector):
        """Left, top, width and height of an element in the window, scrolled into view."""
        return self.evaluate(
            "(() => { const e = document.querySelector(%s); e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()" % json.dumps(selector))

    def click(self, selector):
        self.until("document.querySelector(%s) !== null" % json.dumps(selector), "%s is there" % selector)
        self.evaluate("document.querySelector(%s).click()" % json.dumps(selector))

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", **more)

    def key(self, key, times=1):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "ArrowUp": 38, "ArrowDown": 40}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                event = {"type": kind, "key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
                if kind == "keyDown" and (len(key) == 1 or key == "Enter"):
                    event["text"] = "\r" if key == "Enter" else key
                self.call("Input.dispatchKeyEvent", **event)

    def screenshot(self, path, whole=True):
        """A PNG of the window, or of the whole page: made as tall as it is, since it draws only what is on screen."""
        if whole:
            width, scale = self.evaluate("[innerWidth, devicePixelRatio]")
            for _ in range(2):
                height = int(self.evaluate("document.documentElement.scrollHeight"))
                self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                          mobile=width < 600)
                end = time.monotonic() + 2.5
                while time.monotonic() < end:  # its views ask for what they show
                    self.evaluate("0")
                    time.sleep(0.05)
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        Path(path).write_bytes(data)
        return data

    def close(self):
        self.stack.close()
