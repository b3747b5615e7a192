"""Real clients from outside, and the program itself as a command. A test whose client is missing is skipped, loudly."""

import contextlib
import importlib
import shutil
import subprocess
import sys
import threading
import unittest

from server import DEADLINE, EDDY


def missing(what):
    """Skips the test, and says so where it cannot be overlooked."""
    print("\n*** NOT TESTED: %s ***" % what, file=sys.stderr, flush=True)
    raise unittest.SkipTest(what)


def need(name):
    """The path of a program."""
    return shutil.which(name) or missing("%s is not installed" % name)


def need_nc():
    """The path of an nc that half-closes at the end of its input when given -N."""
    nc = need("nc")
    text = subprocess.run([nc, "-h"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return nc if b"-N" in text.stdout or b"46CDdFhklN" in text.stdout else missing("this nc has no -N (OpenBSD's has)")


def need_websockets():
    """PyPI's websockets: its synchronous client, and its exceptions."""
    try:
        client = importlib.import_module("websockets.sync.client")
        return client.connect, importlib.import_module("websockets.exceptions")
    except ImportError:
        return missing("Python's websockets is not installed: pip install websockets")


def open_websocket(test, server, path, **options):
    """A websocket that is closed at the end of the test."""
    connect, _ = need_websockets()
    stack = contextlib.ExitStack()
    test.addCleanup(stack.close)
    return stack.enter_context(connect(server.url.replace("http", "ws") + path, max_size=None, **options))


def pipe(data, *command):
    """Standard output, in lines, of a command that is given data on standard input."""
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert done.returncode == 0, (command, done)
    return done.stdout.decode().splitlines()


def start(test, *command, **options):
    """A program that runs beside the test: ended with it, or at the deadline, so that its output ends."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, **options)
    watchdog = threading.Timer(DEADLINE, process.kill)
    watchdog.start()

    def end():
        watchdog.cancel()
        process.kill()
        process.communicate()

    test.addCleanup(end)
    return process


class Transcript:
    """One run of the program: exit status, standard output and standard error."""

    def __init__(self, *arguments, stdin=b""):
        done = subprocess.run([EDDY, *map(str, arguments)], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE)
        self.status = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    def __repr__(self):
        return "exit status %d\n%s\n%s" % (self.status, self.out, self.err)
