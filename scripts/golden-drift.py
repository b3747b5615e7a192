"""Golden events: where River's drift detectors warn and alarm, for Tests/EddyTests/DriftGoldenTests.swift.

    python3 -m venv .venv && .venv/bin/pip install river
    .venv/bin/python scripts/golden-drift.py > Tests/EddyTests/Fixtures/drift.json

The streams are made anew on both sides, from the same generator by the same operations (DriftStreams.swift); only their
names, seeds and lengths are kept, and for each stream and setting where the events are, counted from 0. For ADWIN also
the window at the end (width, sum, sum of squares), to the bit; for KSWIN's parts what Python's random.sample draws and
which probabilities SciPy gives. KSWIN's test takes some 0.2 ms, so this takes minutes. (River 0.26.1 panics with
max_buckets=1: an empty level is left behind, and then its first sum deleted. Two is therefore the least here.)
"""

import json
import random
import sys
from importlib.metadata import version

from river import drift
from scipy.stats import ks_2samp

MASK = (1 << 64) - 1


class SplitMix:
    """SeededRandom: SplitMix64, and its upper 53 bits as a number in [0, 1)."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def unit(self):
        return (self.next() >> 11) * 2.0 ** -53


# What one number is like, of the first concept (0) or the second (1). Products and sums in this order: the same bits.

def bernoulli(r, concept, i):
    return 1.0 if r.unit() < (0.45 if concept else 0.15) else 0.0


def rare(r, concept, i):
    return 1.0 if r.unit() < (0.06 if concept else 0.01) else 0.0


def noise(r, concept, i):
    total = r.unit()
    for _ in range(11):
        total = total + r.unit()
    return total - 6.0 + (0.8 if concept else 0.0)


def spread(r, concept, i):
    return (r.unit() - 0.5) * (3.0 if concept else 1.0)


def small(r, concept, i):
    return float(int(r.unit() * (6.0 if concept else 4.0)))


def loss(r, concept, i):
    u = r.unit()
    level = 0.05 + 0.6 / (1.0 + i / 150.0) + (0.5 if concept else 0.0)
    return level * u * u / (1.02 - u)


def falling(r, concept, i):
    return r.unit() * (0.2 if concept else 1.0) - 3.0


def constant(r, concept, i):
    return 2.5 if concept else 0.25


def large(r, concept, i):
    return (r.unit() + (0.4 if concept else 0.0)) * 1e9


CONCEPTS = {f.__name__: f for f in (bernoulli, rare, noise, spread, small, loss, falling, constant, large)}


def stream(name, change, seed, count):
    """none: the first concept; abrupt: the second from the middle on; gradual: more and more of it in the middle third;
    recurring: each for a sixth in turn."""
    r = SplitMix(seed)
    values = []
    for i in range(count):
        u = r.unit()
        if change == "none":
            concept = False
        elif change == "abrupt":
            concept = i >= count // 2
        elif change == "gradual":
            concept = u * (count // 3) < i - count // 3
        else:
            concept = i // (count // 6) % 2 == 1
        values.append(CONCEPTS[name](r, concept, i))
    return values


SETTINGS = (
    [("adwin", s) for s in (
        {}, {"clock": 1}, {"delta": 0.05, "clock": 8}, {"delta": 1e-6, "max_buckets": 3},
        {"max_buckets": 2, "min_window_length": 1, "grace_period": 1, "clock": 5},
        {"delta": 1.0, "max_buckets": 20, "min_window_length": 30, "grace_period": 200})]
    + [("pageHinkley", s) for s in (
        {}, {"threshold": 10.0}, {"threshold": 10.0, "mode": "up"}, {"threshold": 10.0, "mode": "down"},
        {"threshold": 9.0, "delta": 0.05, "alpha": 0.99, "min_instances": 5},
        {"threshold": 2e9, "delta": 1e7, "alpha": 1.0, "min_instances": 100})]
    + [("ddm", s) for s in (
        {}, {"warm_start": 10, "warning_threshold": 1.0, "drift_threshold": 2.0},
        {"warm_start": 200, "warning_threshold": 2.5, "drift_threshold": 5.0})]
    + [("kswin", s) for s in (
        {"seed": 1}, {"seed": 42, "alpha": 1e-4}, {"seed": 0, "alpha": 0.01, "window_size": 60, "stat_size": 12},
        {"seed": 2 ** 40 + 7, "alpha": 1e-5, "window_size": 500, "stat_size": 40},
        {"seed": 3, "alpha": 0.3, "window_size": 40, "stat_size": 5},
        # Distances of exactly 0.1 are probable enough here, and do not alarm.
        {"seed": 5, "alpha": 0.3, "window_size": 500, "stat_size": 200})]
)
CLASSES = {"adwin": drift.ADWIN, "pageHinkley": drift.PageHinkley, "ddm": drift.binary.DDM, "kswin": drift.KSWIN}


def run(kind, setting, values):
    detector = CLASSES[kind](**setting)
    drifts, zones, in_zone = [], [], False
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            drifts.append(i)
        if kind == "ddm" and detector.warning_detected != in_zone:
            in_zone = not in_zone
            zones.append(i)  # entered and left in turn
    # After an alarm River begins anew with the next number, ours at once.
    end = []
    if kind == "adwin":
        end = [0, 0.0, 0.0] if detector.drift_detected else [detector.width, detector.total, detector.variance]
    return drifts, zones or end


def probability(h, n):
    """SciPy's, by two samples of n whose distributions are h / n apart."""
    return float(ks_2samp(list(range(n)), [h + i - 0.5 for i in range(n)]).pvalue)


def main():
    streams = [(name, change, 100 * k + 10 * j + seed, 3000)
               for k, name in enumerate(CONCEPTS)
               for j, change in enumerate(("none", "abrupt", "gradual", "recurring"))
               for seed in range(3)]
    streams += [("loss", "abrupt", 9001, 60000), ("bernoulli", "none", 9002, 60000)]
    events = []
    for s, (name, change, seed, count) in enumerate(streams):
        values = stream(name, change, seed, count)
        for k, (kind, setting) in enumerate(SETTINGS):
            if kind == "ddm" and name not in ("bernoulli", "rare"):
                continue
            # Sums in the units of the stream: small ones would alarm at every few numbers of the large.
            if kind == "pageHinkley" and (name == "large") != (setting.get("threshold", 0) > 1e9):
                continue
            # The slow one: one seed of each kind of stream.
            if kind == "kswin" and (seed % 10 or count > 3000):
                continue
            events.append([s, k, *run(kind, setting, values)])
    samples = [{"seed": seed, "count": count, "below": below, "rounds":
                [r.sample(range(below), count) for r in [random.Random(seed)] for _ in range(3)]}
               for seed, count, below in ((9, 30, 277), (42, 30, 278), (0, 30, 90), (2 ** 40 + 7, 40, 460), (7, 3, 22),
                                          (7, 3, 21), (9, 6, 86), (123456789, 100, 2000))]
    probabilities = [[n, h, probability(h, n)] for n in (5, 12, 30, 40, 250) for h in range(1, n + 1, 1 + n // 50)]
    json.dump({"river": version("river"), "scipy": version("scipy"), "python": sys.version.split()[0],
               "streams": streams, "settings": SETTINGS, "events": events, "samples": samples,
               "probabilities": probabilities}, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
