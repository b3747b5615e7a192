"""Golden vectors: ten steps of PyTorch's SGD on random networks, for Tests/BackpropTests/GoldenTests.swift.

    python3 -m venv .venv && .venv/bin/pip install torch
    .venv/bin/python scripts/golden.py > Tests/BackpropTests/Fixtures/golden.json

Float32, batch size 1, one thread. For each case: sizes, activation, loss, optimizer, the initial parameters
(for each layer W (outputs, inputs) row-major, then b), ten samples, and after learning them one by one: the
loss of each step before its update, and the final parameters in the same order.
"""

import json

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
        case["losses"].append(float(value))
    case["final"] = flat()
    return case


torch.manual_seed(1986)
print(json.dumps({"torch": torch.__version__.split("+")[0], "cases": [run(*case) for case in CASES]}))
