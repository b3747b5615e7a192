"""Golden vectors: steps of PyTorch's optimizers on random networks, for Tests/BackpropTests.

    python3 -m venv .venv && .venv/bin/pip install torch
    .venv/bin/python scripts/golden.py > Tests/BackpropTests/Fixtures/golden.json
    .venv/bin/python scripts/golden.py optimizers > Tests/BackpropTests/Fixtures/optimizers.json

Float32, batch size 1, one thread. For each case: sizes, activation, loss, optimizer, the initial parameters
(for each layer W (outputs, inputs) row-major, then b), samples (ten of SGD, forty of the others), and after learning
them one by one: the loss of each step before its update, and the final parameters in the same order.

PyTorch has no COCOB: its numbers are those of the paper's algorithm as it is written below.
"""

import json
import sys

import torch
from torch import nn

torch.set_num_threads(1)
STEPS = 10
ACTIVATIONS = {"identity": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU,
               "leakyReLU": lambda: nn.LeakyReLU(0.01)}
LOSSES = {"squared": nn.MSELoss(reduction="sum"), "huber": nn.HuberLoss(reduction="sum", delta=1.0),
          "binaryCrossEntropy": nn.BCEWithLogitsLoss(reduction="sum"), "crossEntropy": nn.CrossEntropyLoss()}
CASES = [
    # sizes, activation, loss, learning rate, momentum, clip, l2
    ([4, 1], "identity", "squared", 0.05, 0.0, None, 0.0),
    ([30, 1], "identity", "binaryCrossEntropy", 0.05, 0.0, None, 0.0),
    ([2, 8, 1], "tanh", "binaryCrossEntropy", 0.3, 0.0, None, 0.0),
    ([5, 7, 3], "relu", "crossEntropy", 0.1, 0.0, None, 0.0),
    ([20, 33, 17, 5], "leakyReLU", "crossEntropy", 0.1, 0.9, None, 0.0),
    ([3, 4, 4, 2], "sigmoid", "squared", 0.5, 0.0, 0.5, 0.0),
    ([6, 9, 1], "tanh", "huber", 0.1, 0.5, 1.0, 0.01),
    ([8, 16, 10], "relu", "crossEntropy", 0.1, 0.0, None, 0.05),
    ([4, 40, 40, 40, 6], "sigmoid", "crossEntropy", 0.2, 0.9, 2.0, 0.001),
]


OPTIMIZERS = [
    # rule, its constants by PyTorch's names, clip, l1, l2 (of weights only)
    ("sgd", {"lr": 0.05, "momentum": 0.8}, None, 0.01, 0.01),
    ("nesterov", {"lr": 0.02, "momentum": 0.9}, None, 0.0, 0.0),
    ("nesterov", {"lr": 0.05, "momentum": 0.5}, 1.0, 0.001, 0.01),
    ("adagrad", {}, None, 0.0, 0.0),
    ("adagrad", {"lr": 0.1, "eps": 1e-6}, None, 0.001, 0.01),
    ("rmsprop", {}, None, 0.0, 0.0),
    ("rmsprop", {"lr": 0.003, "alpha": 0.9, "eps": 1e-6}, 1.0, 0.001, 0.01),
    ("adam", {}, None, 0.0, 0.0),
    ("adam", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-6}, 1.0, 0.001, 0.01),
    ("adamw", {}, None, 0.0, 0.01),
    ("adamw", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-6}, None, 0.0, 0.1),
    ("cocob", {}, None, 0.0, 0.0),
    ("cocob", {"alpha": 10.0}, None, 0.001, 0.01),
]
RULES = {"sgd": torch.optim.SGD, "nesterov": lambda p, **c: torch.optim.SGD(p, nesterov=True, **c),
         "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam,
         "adamw": torch.optim.AdamW, "cocob": lambda p, **c: Cocob(p, **c)}


class Cocob(torch.optim.Optimizer):
    """COCOB-Backprop (Orabona and Tommasi 2017, algorithm 2), each L starting at its first gradient."""

    def __init__(self, groups, alpha=100.0):
        super().__init__(groups, {"alpha": alpha, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s["start"] = p.detach().clone()
                    s["L"], s["G"], s["R"], s["theta"] = (torch.zeros_like(p) for _ in range(4))
                negative = -(p.grad + group["weight_decay"] * p)
                s["L"] = torch.maximum(s["L"], negative.abs())
                s["G"] += negative.abs()
                s["R"] = torch.clamp(s["R"] + (p - s["start"]) * negative, min=0)
                s["theta"] += negative
                divisor = s["L"] * torch.maximum(s["G"] + s["L"], group["alpha"] * s["L"])
                bet = s["theta"] / divisor * (s["L"] + s["R"])
                p.copy_(s["start"] + torch.where(divisor > 0, bet, torch.zeros_like(bet)))


def run_optimizer(rule, constants, clip, l1, l2):
    sizes, activation = [5, 12, 3], "tanh"
    first, last = nn.Linear(5, 12), nn.Linear(12, 3)
    net = nn.Sequential(first, ACTIVATIONS[activation](), last)
    linears = [first, last]
    groups = [{"params": [m.weight for m in linears], "weight_decay": l2},
              {"params": [m.bias for m in linears], "weight_decay": 0.0}]
    optimizer = RULES[rule](groups, **constants)
    flat = lambda: [float(v) for m in linears for p in (m.weight, m.bias) for v in p.detach().reshape(-1)]
    case = {"sizes": sizes, "activation": activation, "loss": "crossEntropy", "rule": rule,
            "constants": {k: list(v) if isinstance(v, tuple) else [v] for k, v in constants.items()},
            "clip": clip, "l1": l1, "l2": l2, "initial": flat(), "features": [], "targets": [], "losses": []}
    for _ in range(4 * STEPS):
        x, target = torch.randn(1, 5), torch.randint(3, (1,))
        value = LOSSES["crossEntropy"](net(x), target)
        optimizer.zero_grad()
        value.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        for m in linears:
            m.weight.grad += l1 * m.weight.detach().sign()
        optimizer.step()
        case["features"].append([float(v) for v in x[0]])
        case["targets"].append([float(v) for v in target])
        case["losses"].append(float(value.detach()))
    case["final"] = flat()
    return case


def run(sizes, activation, loss, rate, momentum, clip, l2):
    layers = []
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(ACTIVATIONS[activation]())
    net = nn.Sequential(*layers)
    linears = [m for m in net if isinstance(m, nn.Linear)]
    groups = [{"params": [m.weight for m in linears], "weight_decay": l2},
              {"params": [m.bias for m in linears], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=momentum)
    flat = lambda: [float(v) for m in linears for p in (m.weight, m.bias) for v in p.detach().reshape(-1)]
    case = {"sizes": sizes, "activation": activation, "loss": loss, "learningRate": rate, "momentum": momentum,
            "clip": clip, "l2": l2, "initial": flat(), "features": [], "targets": [], "losses": []}
    for _ in range(STEPS):
        x = torch.randn(1, sizes[0])
        if loss == "crossEntropy":
            target = torch.randint(sizes[-1], (1,))
        elif loss == "binaryCrossEntropy":
            target = torch.randint(2, (1, sizes[-1])).float()
        else:
            target = torch.randn(1, sizes[-1])
        value = LOSSES[loss](net(x), target)
        optimizer.zero_grad()
        value.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        case["features"].append([float(v) for v in x[0]])
        case["targets"].append([float(v) for v in target.reshape(-1)])
        case["losses"].append(float(value.detach()))
    case["final"] = flat()
    return case


torch.manual_seed(1986)
if sys.argv[1:] == ["optimizers"]:
    cases = [run_optimizer(*case) for case in OPTIMIZERS]
else:
    cases = [run(*case) for case in CASES]
print(json.dumps({"torch": torch.__version__.split("+")[0], "cases": cases}))
