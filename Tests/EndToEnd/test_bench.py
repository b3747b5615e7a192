"""eddy bench: every part runs and its figures make sense; and a step allocates nothing.

How fast anything is, is no test: machines differ. How often memory is allocated is one, for it is a number that does
not depend on the machine: a counter is preloaded in front of the C library's malloc, and eddy bench reads it.
"""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys

from server import DEADLINE, EDDY, REPOSITORY, ServerTest, eventually
from tools import Transcript, missing

PATIENCE = 3 * DEADLINE  # all parts together

# Every way to memory of the GNU C library, counted. The program finds `eddy_allocations` by its name.
COUNTER = r"""
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
uint64_t eddy_allocations;
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
static void count(void) { __atomic_fetch_add(&eddy_allocations, 1, __ATOMIC_RELAXED); }
void *malloc(size_t n) { count(); return __libc_malloc(n); }
void *calloc(size_t n, size_t each) { count(); return __libc_calloc(n, each); }
void *realloc(void *p, size_t n) { count(); return __libc_realloc(p, n); }
void *memalign(size_t to, size_t n) { count(); return __libc_memalign(to, n); }
void *aligned_alloc(size_t to, size_t n) { count(); return __libc_memalign(to, n); }
int posix_memalign(void **p, size_t to, size_t n) { count(); *p = __libc_memalign(to, n); return *p ? 0 : ENOMEM; }
"""



def write_logistic(folder):
    """A workload of three inputs and one logistic output; accuracy and mean loss of one pass over it."""
    folder.mkdir()
    rate, rows = 0.5, [(math.sin(i), math.cos(3 * i), (i % 7) / 7 - 0.5) for i in range(90)]
    rows = [struct.unpack("<3f", struct.pack("<3f", *row)) for row in rows]
    labels = [int(x - y + 2 * z + 0.3 * math.sin(11 * i) > 0) for i, (x, y, z) in enumerate(rows)]
    (folder / "w1.json").write_text(json.dumps(
        {"n": len(rows), "sizes": [3, 1], "act": "tanh", "lr": rate, "out": "bce"}))
    (folder / "w1.x.f32").write_bytes(b"".join(struct.pack("<3f", *row) for row in rows))
    (folder / "w1.y.i32").write_bytes(struct.pack("<%di" % len(rows), *labels))
    initial = [0.5, -0.25, 0.125, 0.0625]
    (folder / "w1.init.f32").write_bytes(struct.pack("<4f", *initial))
    weights, correct, total = initial, 0, 0.0
    for row, label in zip(rows, labels):
        inputs = (*row, 1.0)
        z = sum(w * x for w, x in zip(weights, inputs))
        p = 1 / (1 + math.exp(-z))
        correct += (p > 0.5) == label
        total -= math.log(p if label else 1 - p)
        weights = [w - rate * (p - label) * x for w, x in zip(weights, inputs)]
    return correct / len(rows), total / len(rows)



class Bench(ServerTest):
    def bench(self, *arguments, **options):
        done = subprocess.run([EDDY, "bench", *map(str, arguments), "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, **options)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)
        return json.loads(done.stdout)


class BenchTest(Bench):
    def assert_spread(self, spread):
        self.assertGreater(spread["lowest"], 0)
        self.assertLessEqual(spread["lowest"], spread["median"])
        self.assertLessEqual(spread["median"], spread["highest"])

    def test_every_part_is_measured(self):
        report = self.bench("all", "--seconds", 0.05, "--round-trips", 100)
        kernels = {row["workload"]: row for row in report["kernels"]["rows"]}
        self.assertEqual(list(kernels), ["W1", "W2", "W3", "W4", "W5", "fast", "best", "decoder"])
        for name, row in kernels.items():
            self.assert_spread(row["nanoseconds"])
            self.assertGreaterEqual(row["nanoseconds"]["bursts"], 7)
            self.assertNotIn("allocations", row)  # nothing counts them
            if name != "decoder":
                self.assertGreater(row["passNanoseconds"], 0)
                self.assertAlmostEqual(row["boundReached"], row["passNanoseconds"] / row["nanoseconds"]["median"])
                self.assertGreater(row["accuracy"], 0.12)  # it learns: W4 and W5 have ten classes, and one pass
        self.assertEqual([row["network"] for row in report["feed"]["rows"]], ["fixed", "fixed", "fast", "best", "echo"])
        for row in report["feed"]["rows"]:
            self.assert_spread(row["samplesPerSecond"])
        if sys.platform == "linux":
            for row in report["feed"]["rows"][:4]:
                self.assertGreaterEqual(row["peakResidentBytes"], row["residentBytes"])
                self.assertGreater(row["residentBytes"], 1 << 20)
        for server in ("eddy", "echo"):
            row = report["latency"][server]
            self.assertEqual(row["roundTrips"], 100)
            percentiles = [row[name] for name in ("p50", "p90", "p99", "p999", "max")]
            self.assertEqual(percentiles, sorted(percentiles))
            self.assertGreater(percentiles[0], 1)
        self.assertEqual([row.get("path") for row in report["subscribers"]["rows"]], [None, "/events", "/losses"])
        for row in report["subscribers"]["rows"]:
            self.assert_spread(row["samplesPerSecond"])
        self.assert_spread(report["startup"]["firstReply"])
        self.assertGreater(report["startup"]["firstReply"]["median"], report["startup"]["listening"]["lowest"])

    def test_table_is_the_default(self):
        run = Transcript("bench", "kernels", "--workloads", "w1,w2", "--seconds", 0.02)
        self.assertEqual((run.status, run.err), (0, ""), run)
        rows = [line.split()[:2] for line in run.out.splitlines()]
        for row in (["W1", "30-1"], ["W2", "2-8-1"]):
            self.assertIn(row, rows)

    def test_synthetic_samples_are_a_function_of_their_seed(self):
        first, second = ([(row["accuracy"], row["meanLoss"]) for row in self.bench(
            "kernels", "--workloads", "w1,w2,w3,fast", "--steps", steps)["kernels"]["rows"]] for steps in (1, 300))
        self.assertEqual(first, second)

    def test_unknown_workloads_and_unreadable_data_are_refused(self):
        run = Transcript("bench", "kernels", "--workloads", "w6")
        self.assertEqual(run.status, 64)
        run = Transcript("bench", "kernels", "--workloads", "w1", "--data", self.directory())
        self.assertEqual(run.status, 1)
        self.assertIn("w1.json", run.err)

    def test_data_of_other_programs_are_learned_as_they_learn_them(self):
        folder = self.directory()
        accuracy, loss = write_logistic(folder / "data")
        row, = self.bench("kernels", "--workloads", "w1", "--data", folder / "data", "--steps", 1)["kernels"]["rows"]
        self.assertEqual(row["network"], "3-1")
        self.assertAlmostEqual(row["accuracy"], accuracy, places=7)
        self.assertAlmostEqual(row["meanLoss"], loss, places=5)
        # And beside a program that does the same work, slowly; then one that does not, though as slowly.
        for told, status in ((loss, 0), (loss + 0.1, 1)):
            for name in ("ref_c", "ref_c_skip512", "ref_tuned"):
                program = folder / name
                program.write_text("#!/bin/sh\necho 'RES x w1 pass1 acc %.5f loss %.5f | med 1000 [9-9] sps'\n"
                                   % (accuracy, told))
                program.chmod(0o755)
            done = subprocess.run(
                [sys.executable, REPOSITORY / "scripts/bench", "--prepared", folder, "--only", "kernels",
                 "--workloads", "w1", "--rounds", "1", "--burst", "0.01", "--json"],
                env={**os.environ, "EDDY": EDDY}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
            self.assertEqual(done.returncode, status, done)
            row = json.loads(done.stdout)["rows"][0]
            self.assertEqual(row["verdict"], "FAIL" if status else "pass")
            self.assertGreater(row["ratio"], 1)

    def test_no_server_outlives_it(self):
        """Killed in the midst of it, it leaves nothing behind: its children notice."""
        if not os.path.isdir("/proc/self"):
            missing("no /proc: children cannot be found")
        process = subprocess.Popen(
            [EDDY, "bench", "latency", "--round-trips", "100000000"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            eventually(lambda: len([ticks for ticks in self.session(process.pid).values() if ticks > 1]) >= 3,
                       "a server and an echo beside it, at work")
            process.kill()
            process.wait()
            eventually(lambda: not self.session(process.pid), "the end of its children")
        finally:
            for pid in self.session(process.pid):  # where the test fails, it still leaves nothing
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def session(self, session):
        """Living processes named eddy of one session, and their ticks of CPU time."""
        found = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name) as file:
                    program, fields = file.read().rsplit(")", 1)
            except OSError:
                continue
            fields = fields.split()
            if program.endswith("(eddy") and int(fields[3]) == session and fields[0] != "Z":
                found[int(name)] = int(fields[11]) + int(fields[12])
        return found


class AllocationTest(Bench):
    """Heap allocations of a burst of exact length, all else warm."""

    @classmethod
    def setUpClass(cls):
        if sys.platform != "linux":
            missing("allocations are counted with the GNU C library alone")
        if not shutil.which("cc"):
            missing("cc is not installed: allocations are not counted")

    def setUp(self):
        folder = self.directory()
        (folder / "counter.c").write_text(COUNTER)
        library = folder / "counter.so"
        done = subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, folder / "counter.c"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE)
        if done.returncode:
            missing("allocations are not counted, as cc says: " + done.stdout)
        self.environment = {**os.environ, "LD_PRELOAD": str(library)}

    def counted(self, workloads, steps):
        """Rows by their workload."""
        report = self.bench("kernels", "--workloads", workloads, "--steps", steps, env=self.environment)
        rows = {row["workload"]: row for row in report["kernels"]["rows"]}
        for row in rows.values():
            if "allocations" not in row:
                missing("allocations: this C library's malloc cannot be counted by a preloaded one")
            self.assertEqual(row["samples"], steps)
        return rows

    def test_a_step_of_the_network_allocates_nothing(self):
        for steps in (300, 3000):
            for name, row in self.counted("w1,w2,w3,w4,w5", steps).items():
                self.assertEqual(row["allocations"], 0, "%s in %d steps" % (name, steps))

    def test_learner_and_decoder_allocate_by_the_chunk_alone(self):
        """The arrays that are handed on, and their doublings while they grow: none for a sample."""
        for name, most in (("fast", 8), ("decoder", 32)):
            few, many = (self.counted(name, steps)[name] for steps in (30_000, 60_000))
            chunks = many["chunks"] - few["chunks"]
            each = (many["allocations"] - few["allocations"]) / chunks
            print("\n%s: %.2f allocations a chunk of %.0f samples" % (name, each, 30_000 / chunks))
            self.assertGreater(each, 0)  # they are counted at all
            self.assertLessEqual(each, most)

