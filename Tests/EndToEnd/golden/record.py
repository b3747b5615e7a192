#!/usr/bin/env python3
"""Records the golden replies, or tells how those of two programs differ.

    python3 Tests/EndToEnd/golden/record.py --eddy PATH [--only drift,words]
    python3 Tests/EndToEnd/golden/record.py --diff OLD NEW [--only drift,words]

Each stream is fed whole to a new server over one TCP connection, which is then half-closed and read to the end. This
is done for each profile and each of the reply styles json, predictions and summary. For each of these, replies.json
has the number of lines, the SHA-256 of all bytes, the first three and the last three lines, and the beginnings of the
hashes of the first 50, 100, 150 … lines, which tell where a difference begins. It has the hash of each stream too.

With --only the other streams' records stay as they are. --diff tells for each stream, profile and style how many lines
differ, and the first pair; the exit status is 1 if any line does.
"""

import argparse
import hashlib
import itertools
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPLIES = Path(__file__).resolve().parent / "replies.json"
STYLES = ("json", "predictions", "summary")
EXCERPT, MARK = 3, 50  # lines
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from golden.streams import STREAMS  # noqa: E402


def conversations(streams):
    """A name, the stream and serve's options of everything that is compared."""
    for stream in streams:
        for profile in stream.profiles:
            # Options that describe a network mean `fast` by themselves.
            options = (*stream.options, *(("--profile", "fast") if profile == "fast" else ()))
            for style in STYLES:
                yield "%s/%s/%s" % (stream.name, profile, style), stream, (*options, "--reply", style)


def answer(eddy, options, data):
    """All bytes that the server answers to a stream."""
    from server import Feed, Server  # not before main() has told it of the program, by the environment's EDDY

    server = Server(*options, eddy=eddy)
    try:
        feed = Feed(server)

        def send():
            feed.send(data)
            feed.end()

        sender = threading.Thread(target=send)
        sender.start()
        replies = feed.reader.read()
        sender.join()
        feed.close()
        return replies
    finally:
        server.close()


def answers(eddy, streams):
    """The answers by name, of two servers at a time."""
    with ThreadPoolExecutor(2) as pool:
        every = {name: pool.submit(answer, eddy, options, stream.data())
                 for name, stream, options in conversations(streams)}
        return {name: one.result() for name, one in every.items()}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def record(replies):
    """What is kept of an answer."""
    lines = replies.splitlines(keepends=True)
    marks, running = [], hashlib.sha256()
    for number, line in enumerate(lines, start=1):
        running.update(line)
        if number % MARK == 0:
            marks.append(running.hexdigest()[:8])
    text = [line.decode().rstrip("\n") for line in lines]
    return {"lines": len(lines), "sha256": digest(replies), "first": text[:EXCERPT],
            "last": text[EXCERPT:][-EXCERPT:], "marks": " ".join(marks)}


def difference(name, expected, replies):
    """Where an answer differs from its record, in words; None where it does not."""
    got = record(replies)
    if got["sha256"] == expected["sha256"]:
        return None
    words = ["%s: %d lines, recorded are %d" % (name, got["lines"], expected["lines"])]
    pairs = itertools.zip_longest(expected["marks"].split(), got["marks"].split())
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)) * MARK
    words.append("the first difference is between lines %d and %d" % (same + 1, same + MARK))
    for which, start in (("first", 1), ("last", expected["lines"] - len(expected["last"]) + 1)):
        for number, (old, new) in enumerate(itertools.zip_longest(expected[which], got[which]), start=start):
            if old != new:
                words.append("line %d, recorded: %s\n  line %d, answered: %s" % (number, old, number, new))
                return "\n  ".join(words)
    got_lines = replies.decode().splitlines()
    words.append("the lines of the excerpt are the same; lines %d to %d are now:" % (same + 1, same + EXCERPT))
    return "\n  ".join(words + got_lines[same:same + EXCERPT])


def write(eddy, streams):
    fixture = json.loads(REPLIES.read_text()) if REPLIES.exists() else {}
    every = answers(eddy, streams)
    for stream in streams:
        fixture[stream.name] = {
            "kind": stream.kind, "options": " ".join(stream.options), "stream": digest(stream.data()), "replies": {}}
    for name, stream, _ in conversations(streams):
        fixture[stream.name]["replies"][name.split("/", 1)[1]] = record(every[name])
    fixture = {name: fixture[name] for name in STREAMS if name in fixture}
    REPLIES.write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n")
    print("%d answers to %d streams recorded" % (len(every), len(streams)))


def compare(old, new, streams):
    """Tells the differences; whether there are none."""
    befores, afters = answers(old, streams), answers(new, streams)
    total = 0
    for name, stream, _ in conversations(streams):
        before, after = (every[name].decode().splitlines() for every in (befores, afters))
        pairs = [(number, *pair) for number, pair in enumerate(itertools.zip_longest(before, after), start=1)
                 if pair[0] != pair[1]]
        total += bool(pairs)
        print("%-9s %-45s %4d of %4d lines differ" % (stream.kind, name, len(pairs), max(len(before), len(after))))
        for number, one, other in pairs[:1]:
            print("    line %d, old: %s\n    line %d, new: %s" % (number, one, number, other))
    print("%d of %d answers differ" % (total, len(befores)))
    return total == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eddy", metavar="PATH", help="default: the environment's EDDY, or the release build")
    parser.add_argument("--diff", nargs=2, metavar=("OLD", "NEW"), help="compares two programs, and records nothing")
    parser.add_argument("--only", metavar="NAMES", help="these streams, with commas between")
    options = parser.parse_args()
    unknown = set(options.only.split(",") if options.only else ()) - set(STREAMS)
    if unknown:
        parser.error("no such stream: %s" % ", ".join(sorted(unknown)))
    streams = [STREAMS[name] for name in options.only.split(",")] if options.only else list(STREAMS.values())
    for path in options.diff or (options.eddy,):
        if path:
            os.environ["EDDY"] = path
    if options.diff:
        sys.exit(0 if compare(*options.diff, streams) else 1)
    write(options.eddy, streams)


if __name__ == "__main__":
    main()
