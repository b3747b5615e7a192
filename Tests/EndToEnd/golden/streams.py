"""The streams of the golden replies: every format and task, in their text forms, and packed binary.

Each stream is drawn by a seeded generator of its own, so a new stream changes no other one. Only random() is used,
which gives the same numbers in every version of Python. A stream has fewer than ten bad lines, because a
summary tells some ten errors a second: more of them would make the answer depend on time.

A stream's kind tells what its replies depend on:

    classes   two or more classes, all of them sent early; only the first replies depend on how new classes are treated
    late      classes that are new in the middle of the stream, or samples before anything is known
    values    regression
    turning   numeric classes that turn into regression
    several   several outputs
"""

import json
import random
import struct
from typing import NamedTuple

STREAMS = {}  # by name, in order


class Stream(NamedTuple):
    name: str
    kind: str
    options: tuple  # for eddy serve
    profiles: tuple
    make: object

    def data(self):
        lines = self.make(Dice(self.name))
        return lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()


def stream(kind, *options, profiles=("best", "fast")):
    """Adds a function that takes a Dice and returns bytes, or lines, as a stream."""
    def add(make):
        name = make.__name__.replace("_", "-")
        STREAMS[name] = Stream(name, kind, options, profiles, make)
        return make
    return add


class Dice:
    def __init__(self, seed):
        self.random = random.Random(seed).random

    def uniform(self, low=-1.0, high=1.0):
        return low + (high - low) * self.random()

    def normal(self):
        """Nearly: the sum of twelve uniform numbers."""
        return sum(self.random() for _ in range(12)) - 6

    def below(self, count):
        return int(self.random() * count)

    def choice(self, values):
        return values[self.below(len(values))]

    def chance(self, probability):
        return self.random() < probability

    def row(self, count):
        return [self.normal() for _ in range(count)]


def cells(*values):
    """A line of CSV: numbers of six digits, None is an empty cell."""
    return ",".join("" if value is None else "%.6g" % value if isinstance(value, float) else str(value)
                    for value in values)


def colour(x):
    """One of three classes."""
    return "red" if x[0] + x[1] > 0.6 else "green" if x[2] * x[0] > 0.1 else "blue"


# CSV

@stream("classes")
def columns_with_header(dice):
    yield "width,height,depth,mass,age,colour"
    for _ in range(600):
        x = dice.row(5)
        yield cells(*x, colour(x))


@stream("classes")
def columns_without_header(dice):
    for _ in range(600):
        x = dice.row(4)
        yield cells(*x, int(x[0] - x[3] + 0.3 * dice.normal() > 0))


@stream("classes")
def label_in_front(dice):
    yield "label,a,b,c"
    for _ in range(300):
        x = dice.row(3)
        yield cells("yes" if x[0] * x[1] > 0 else "no", *x)


@stream("classes")
def gaps(dice):
    """Missing cells of every spelling, and rows without a label."""
    yield "a,b,c,d,label"
    for i in range(500):
        x = dice.row(4)
        label = None if i > 20 and dice.chance(0.15) else "up" if x[0] + x[1] > 0 else "down"
        yield cells(*(dice.choice(("", "?", "NA", "N/A", "null", "nan")) if i > 0 and dice.chance(0.2) else value
                      for value in x), label)


@stream("classes")
def words(dice):
    yield "city,note,temperature,label"
    cities = ("Ulm", "Bonn", "Jena", "Kiel", "Bad Tölz")
    adjectives = ("quiet", "loud", "warm", "cold", "very old", "new")
    for _ in range(400):
        city, heat = dice.choice(cities), dice.normal()
        note = [dice.choice(adjectives) for _ in range(1 + dice.below(3))]
        likes = ("quiet" in note) + ("warm" in note) - ("loud" in note) + (city == "Jena") + 0.5 * heat
        yield cells(city, '"%s"' % ", ".join(note) if dice.chance(0.5) else " ".join(note), heat,
                    "stay" if likes > 0.5 else "leave")


@stream("values")
def dates(dice):
    yield "time,load,used"
    for i in range(400):
        day, hour = 1 + i // 24, i % 24
        load = dice.normal()
        used = 20 + 5 * (8 <= hour < 18) + 2 * load + 0.3 * dice.normal() + (3 if day % 7 < 2 else 0)
        yield cells("2024-05-%02dT%02d:%02d:00Z" % (day, hour, dice.below(60)), load, used)


@stream("classes")
def drift(dice):
    """What the classes mean turns around, twice."""
    for i in range(1500):
        x = dice.row(3)
        sign = -1 if 500 <= i < 1000 else 1
        yield cells(*x, "high" if sign * (x[0] + 0.5 * x[1]) > 0 else "low")


@stream("classes", "--drift-on", "errors,loss,features", "--on-drift", "raise-step,forget-scaler,restart-weakest",
        profiles=("best",))
def drift_reactions(dice):
    for i in range(1000):
        x = dice.row(3)
        label = "high" if (x[0] - x[2] > 0) == (i < 500) else "low"
        yield cells(*(value + (4 if i >= 500 else 0) for value in x), label)


@stream("late")
def late_classes(dice):
    """A new class at every sixtieth sample."""
    for i in range(600):
        known = 1 + i // 60
        which = i // 60 if i % 60 == 0 else dice.below(known)
        yield cells(dice.normal() + which, dice.normal() - which % 3, dice.normal(), "class-%d" % which)


@stream("late")
def every_label_new(dice):
    for i in range(25):
        yield cells(*dice.row(3), "word%d" % i)


@stream("late")
def before_the_first_label(dice):
    """Unlabelled samples first."""
    yield "a,b,label"
    for i in range(200):
        x = dice.row(2)
        yield cells(*x, None if i < 5 or dice.chance(0.3) else "p" if x[0] > x[1] else "q")


@stream("turning")
def classes_turn_into_values(dice):
    for i in range(400):
        x = dice.row(3)
        value = 4 + 2 * x[0] - x[1]
        yield cells(*x, float(round(value)) if i < 100 else value)


@stream("values")
def values(dice):
    yield "a,b,c,d,price"
    for _ in range(600):
        x = dice.row(4)
        yield cells(*x, 100 + 20 * x[0] - 5 * x[1] * x[2] + dice.normal())


@stream("values")
def values_that_wander(dice):
    """A level that wanders, with rows without a label, and gaps."""
    level = 0.0
    for i in range(500):
        x = dice.row(2)
        level += 0.2 * dice.normal()
        yield cells(x[0], None if i and dice.chance(0.1) else x[1],
                    None if i and dice.chance(0.2) else level + x[0] + 0.25)


@stream("classes")
def many_columns(dice):
    """More inputs than some experts take."""
    for _ in range(150):
        x = dice.row(150)
        yield cells(*x, "left" if sum(x[:5]) > 0 else "right")


@stream("classes", "--balance")
def rare_class(dice):
    for _ in range(600):
        is_rare = dice.chance(0.05)
        yield cells(*(value + 2 * is_rare for value in dice.row(2)), "rare" if is_rare else "common")


@stream("classes")
def bad_lines(dice):
    """Eight bad lines of as many kinds."""
    bad = {30: "1,2,3,4,5,6,yes", 60: "1,two,3,yes", 90: "1,2", 120: "1,inf,3,no", 150: '1,"2,3,no',
           180: "1,2,3,%s" % ("y" * 300), 210: "0x10,2,3,no", 240: "1,2,3e999,no"}
    yield "a,b,c,label"
    for i in range(300):
        x = dice.row(3)
        yield bad.get(i, cells(*x, "yes" if x[0] + x[1] * x[2] > 0 else "no"))


@stream("values")
def bad_labels(dice):
    """Labels that are no number where values are learned."""
    bad = {50: "1,2,dear", 51: "1,2,", 100: "1,2,nan", 150: "1,2,inf", 200: "1,2,1;5"}
    for i in range(250):
        x = dice.row(2)
        yield bad.get(i, cells(*x, 10.5 + 3 * x[0] - x[1]))


@stream("classes")
def directives(dice):
    """Between samples, good ones and bad ones; styles change in the middle."""
    said = {20: "!ping", 40: "!reply predictions", 60: "!reply nonsense", 80: "!nonsense", 100: "!reply json",
            120: "!format csv", 140: "!ping", 160: "!label none 1", 180: "!reply summary", 200: ""}
    yield "x,y,label"
    for i in range(250):
        if i in said:
            yield said[i]
        x = dice.row(2)
        yield cells(*x, int(x[0] > x[1]))


@stream("classes", "--layers", "16,8", "--activation", "tanh", "--optimizer", "adam", "--learning-rate", "0.01",
        profiles=("fast",))
def network_of_its_own(dice):
    for _ in range(600):
        x = dice.row(4)
        yield cells(*x, colour(x))


# JSON

@stream("classes")
def json_late_keys(dice):
    """Keys that come later, in any order, with words and booleans."""
    for i in range(400):
        x = dice.row(4)
        sample = {"a": round(x[0], 4), "b": round(x[1], 4)}
        if i >= 100:
            sample["c"] = round(x[2], 4)
        if i >= 200 and dice.chance(0.7):
            sample["kind"] = dice.choice(("plain", "fancy"))
            sample["open"] = dice.chance(0.5)
        if dice.chance(0.1):
            sample["b"] = None
        sample["label"] = "yes" if x[0] + (x[2] if i >= 100 else x[1]) > 0 else "no"
        if dice.chance(0.5):
            sample = dict(reversed(list(sample.items())))
        yield json.dumps(sample)


def late_labels(dice, label):
    """Samples with ids, whose labels come up to twenty samples later, in both spellings; three that match nothing."""
    waiting = []
    for i in range(300):
        x = [round(value, 4) for value in dice.row(3)]
        if i < 2 or dice.chance(0.3):
            yield json.dumps({"a": x[0], "b": x[1], "c": x[2], "label": label(x)})
        else:
            yield json.dumps({"a": x[0], "b": x[1], "c": x[2], "id": "s%d" % i})
            waiting.append(("s%d" % i, label(x)))
        while len(waiting) > 20 or waiting and dice.chance(0.4):
            name, value = waiting.pop(dice.below(len(waiting)))
            yield "!label %s %s" % (name, value) if dice.chance(0.5) else json.dumps({"id": name, "label": value})
        if i in (70, 140, 210):
            yield "!label nobody %s" % label(x)


@stream("classes")
def json_late_labels(dice):
    return late_labels(dice, lambda x: "yes" if x[0] + x[1] > 0 else "no")


@stream("values")
def json_late_values(dice):
    return late_labels(dice, lambda x: round(50.5 + 10 * x[0] - x[1] * x[2], 4))


@stream("late")
def json_waiting_first(dice):
    """Samples with ids wait before anything is known; their labels come in another order, with a third class."""
    rows = [[round(value, 4) for value in dice.row(3)] for _ in range(200)]
    for i, x in enumerate(rows):
        sample = {"a": x[0], "b": x[1], "c": x[2]}
        yield json.dumps({**sample, "id": "s%d" % i} if i < 20 or i % 3 == 0 else {**sample, "label": colour(x)})
        if i >= 20 and i % 2 == 0:
            which = i // 2 - 10
            if which < 20 or which % 3 == 0:
                yield "!label s%d %s" % (which, colour(rows[which]))


@stream("classes")
def json_in_order(dice):
    """Features in order, with importance weights and ids."""
    for i in range(300):
        x = [round(value, 4) for value in dice.row(3)]
        weight = dice.choice((0, 0.5, 1, 2, 10))
        yield json.dumps({"features": x, "label": colour(x), "weight": weight, "id": "row %d" % i})


@stream("values")
def json_arrays(dice):
    for _ in range(300):
        x = [round(value, 4) for value in dice.row(3)]
        yield json.dumps([*x, round(3.25 + x[0] * x[1] + x[2], 4)])


@stream("classes")
def json_bad_lines(dice):
    bad = {20: "{", 60: '{"a": 1, "b": "x" "label": "no"}', 100: "[1,2", 140: '{"a": 1, "label": {"deep": [1]}}',
           180: '{"a": 1, "b": 2, "label": "no", "weight": -1}', 220: '{"a": 1, "a": 2, "label": "no"}', 240: "nothing"}
    for i in range(260):
        x = [round(value, 4) for value in dice.row(2)]
        yield bad.get(i, json.dumps({"a": x[0], "b": x[1], "label": "yes" if x[0] > x[1] else "no"}))


# Vowpal Wabbit and LIBSVM

@stream("classes")
def vw_many_words(dice):
    """Far more than 128 terms, with tags and importance weights."""
    for i in range(400):
        names = {dice.below(400) for _ in range(8)}
        label = int(sum((name * 37) % 100 - 50 for name in names) > 0)
        front = "%d %s'line-%d" % (label, dice.choice(("", "2.0 ", "0.5 ")), i) if dice.chance(0.8) else str(label)
        yield "%s |w %s |n:2 size:%.4g" % (front, " ".join("word%d" % name for name in sorted(names)), dice.normal())


@stream("values")
def vw_values(dice):
    """Few terms; some lines without a label; two bad ones."""
    for i in range(300):
        a, b = dice.normal(), dice.choice(("north", "south"))
        value = 7.5 + 2 * a + (3 if b == "north" else 0) + 0.1 * dice.normal()
        front = "" if i and dice.chance(0.1) else "%.5g" % value
        yield {100: "1.5 no bar", 200: "2.5 | a:x"}.get(i, "%s | a:%.5g %s" % (front, a, b))


@stream("classes")
def libsvm(dice):
    for i in range(400):
        chosen = sorted({1 + dice.below(200) for _ in range(12)})
        features = [(index, dice.normal()) for index in chosen]
        total = sum(value * (1 if index % 3 else -1) for index, value in features)
        yield {250: "+1 5:1 5:2", 300: "+1 a:1"}.get(
            i, "%s %s" % ("+1" if total > 0 else "-1", " ".join("%d:%.4g" % pair for pair in features)))


@stream("values")
def libsvm_values(dice):
    for _ in range(300):
        x = dice.row(4)
        yield "%.5g %s # %d" % (0.5 + x[0] - 2 * x[3], " ".join(
            "%d:%.5g" % (index + 1, value) for index, value in enumerate(x) if index == 0 or dice.chance(0.7)),
            dice.below(9))


# Packed binary

@stream("classes")
def packed_classes(dice):
    """Weights and identifiers; features that are missing; two records with infinite numbers; some without a label."""
    nan, infinity = float("nan"), float("inf")
    data = struct.pack("<4sBBHI", b"EDDY", 1, 3, 1, 3)
    for i in range(500):
        x = dice.row(3)
        label = nan if i > 5 and dice.chance(0.1) else float((x[0] > 0) + (x[1] > 0))
        if dice.chance(0.1):
            x[2] = nan
        if i in (200, 300):
            x[i // 300] = infinity
        data += struct.pack("<3fffQ", *x, label, dice.choice((0.5, 1, 3)), i)
    return data


@stream("values")
def packed_values(dice):
    """A directive in front, and a record that is cut at the end."""
    data = b"!ping\n" + struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, 4)
    for _ in range(500):
        x = dice.row(4)
        data += struct.pack("<5f", *x, 20 + x[0] * 3 - x[1] + x[2] * x[3])
    return data + b"\0\0\0"


# Several outputs

@stream("several", "--label", "price,kind")
def several_columns(dice):
    """One of classes, one of values; labels that are missing; three bad lines."""
    yield "a,price,b,kind"
    for i in range(400):
        a, b = dice.uniform(-2, 2), dice.uniform(-2, 2)
        price = None if i and dice.chance(0.1) else 3 * a - b + 7.5
        kind = None if i and dice.chance(0.1) else "red" if a + b > 0 else "green"
        yield {100: "1,dear,2,red", 200: "1,2", 300: "x,1.5,2,red"}.get(i, cells(a, price, b, kind))


@stream("several")
def several_in_json(dice):
    """Two of classes and one of values, with ids, late labels and bad ones."""
    waiting = []
    for i in range(300):
        x = [round(value, 4) for value in dice.row(3)]
        label = {"size": round(30 + 4 * x[0] + x[1], 4), "kind": colour(x), "up": "yes" if x[2] > 0 else "no"}
        sample = {"a": x[0], "b": x[1], "c": x[2]}
        if i > 2 and dice.chance(0.2):
            sample["id"] = "s%d" % i
            waiting.append((sample["id"], label))
        else:
            if i > 2 and dice.chance(0.1):
                label[dice.choice(("size", "kind", "up"))] = None
            sample["label"] = label
        yield {100: '{"a":1,"b":1,"c":1,"label":{"size":"big","kind":"red","up":"no"}}',
               200: '{"a":1,"b":1,"c":1,"label":{"weight":1}}'}.get(i, json.dumps(sample))
        if len(waiting) > 5:
            name, label = waiting.pop(0)
            yield "!label %s %s,%s,%s" % (name, label["size"], label["kind"], label["up"])


@stream("several")
def several_in_order(dice):
    """Two of values, whose labels are a list."""
    for _ in range(300):
        x = [round(value, 4) for value in dice.row(2)]
        yield json.dumps({"features": x, "label": [round(x[0] * 2 + 0.5, 4), round(x[1] - x[0] + 9.25, 4)]})
