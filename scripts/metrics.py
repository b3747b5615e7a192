"""scikit-learn's figures of recorded predictions, for Tests/EddyTests/FiguresTests.swift.

    python3 -m venv .venv && .venv/bin/pip install scikit-learn
    .venv/bin/python scripts/metrics.py > Tests/EddyTests/Fixtures/metrics.json

Probabilities are multiples of 1/4096 that add up to 1, and values are float32, so that both sides see the same numbers.
They are written as whole numbers (`grains`).
Each case has the figures of all samples, of the newest `window`, and with weights that halve every `window` samples.
"""

import json
import math

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

random = np.random.default_rng(5)
GRAIN = 4096


def probabilities(targets, classes, sharpness):
    logits = random.normal(size=(len(targets), classes))
    logits[np.arange(len(targets)), targets] += sharpness * random.random(len(targets))
    p = np.exp(2 * logits)
    p = np.floor(p / p.sum(axis=1, keepdims=True) * (GRAIN - classes)) + 1
    p[np.arange(len(p)), p.argmax(axis=1)] += GRAIN - p.sum(axis=1)
    return p / GRAIN


def calibration(right, confidence, weights):
    """The bins, and the error; the unweighted bins are held against scikit-learn's."""
    bins = np.clip(np.ceil(confidence * 10).astype(int) - 1, 0, 9)
    total, sure, hit = (np.bincount(bins, w, minlength=10) for w in (weights, weights * confidence, weights * right))
    some = total > 0
    if len(set(weights)) == 1:
        true, told = calibration_curve(right, confidence, n_bins=10)
        assert np.allclose(true, hit[some] / total[some]) and np.allclose(told, sure[some] / total[some])
    return float(np.sum(np.abs(sure - hit)) / np.sum(weights))


def classification(targets, predictions, p, losses, weights, with_area):
    classes = p.shape[1]
    right, confidence = targets == predictions, p[np.arange(len(p)), predictions]
    options = {"sample_weight": weights}
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        targets, predictions, labels=range(classes), zero_division=0, **options)
    onehot = np.eye(classes)[targets]
    figures = {
        "samples": weights.sum() / weights[-1],
        "meanLoss": float(np.average(losses, weights=weights)),
        "logLoss": metrics.log_loss(targets, p, labels=range(classes), **options),
        "accuracy": metrics.accuracy_score(targets, predictions, **options),
        "balancedAccuracy": metrics.balanced_accuracy_score(targets, predictions, **options),
        "kappa": metrics.cohen_kappa_score(targets, predictions, replace_undefined_by=0.0, **options),
        "macroF1": metrics.f1_score(targets, predictions, average="macro", zero_division=0, **options),
        "brierScore": metrics.brier_score_loss(targets, p if classes > 2 else p[:, 1], labels=list(range(classes)),
                                               scale_by_half=True, **options),
        "calibrationError": calibration(right, confidence, weights),
        "precision": precision.tolist(), "recall": recall.tolist(), "f1": f1.tolist(),
    }
    assert math.isclose(figures["brierScore"], np.average(((p - onehot) ** 2).sum(axis=1) / 2, weights=weights))
    if with_area and len(set(targets)) > 1:
        figures["rocAUC"] = (metrics.roc_auc_score(targets, p[:, 1]) if classes == 2 else
                             metrics.roc_auc_score(targets, p, multi_class="ovr", average="macro"))
    return figures


def regression(targets, predictions, losses, weights, with_quantiles):
    options = {"sample_weight": weights}
    figures = {
        "samples": weights.sum() / weights[-1],
        "meanLoss": float(np.average(losses, weights=weights)),
        "meanAbsoluteError": metrics.mean_absolute_error(targets, predictions, **options),
        "rootMeanSquaredError": metrics.root_mean_squared_error(targets, predictions, **options),
        "r2": metrics.r2_score(targets, predictions, **options),
    }
    if with_quantiles:
        errors = np.abs(targets - predictions)
        figures.update(medianError=metrics.median_absolute_error(targets, predictions),
                       error90=np.quantile(errors, 0.9), error99=np.quantile(errors, 0.99))
    return figures


def spans(count, window):
    """Each span's samples and their weights."""
    yield "all", slice(None), np.ones(count)
    yield "recent", slice(-window, None), np.ones(min(window, count))
    yield "decayed", slice(None), 0.5 ** (np.arange(count)[::-1] / window)


def classes_case(count, window, classes, sharpness, rare=0.0):
    share = np.ones(classes)
    share[-1] = rare or 1
    targets = random.choice(classes, count, p=share / share.sum())
    p = probabilities(targets, classes, sharpness)
    predictions = p.argmax(axis=1)
    losses = (-np.log(p[np.arange(count), targets])).astype(np.float32).astype(float)
    return {
        "window": window, "outputs": classes, "targets": targets.tolist(), "predictions": predictions.tolist(),
        "losses": losses.tolist(), "grains": (p * GRAIN).astype(int).ravel().tolist(),
        "figures": {name: classification(targets[part], predictions[part], p[part], losses[part], weights,
                                         name == "recent") for name, part, weights in spans(count, window)},
    }


def values_case(count, window, offset, scale):
    targets = (offset + scale * random.normal(size=count)).astype(np.float32).astype(float)
    predictions = (targets + scale * random.standard_t(3, size=count) / 2).astype(np.float32).astype(float)
    losses = ((targets - predictions) ** 2).astype(np.float32).astype(float)
    return {
        "window": window, "targets": targets.tolist(), "predictions": predictions.tolist(), "losses": losses.tolist(),
        "figures": {name: regression(targets[part], predictions[part], losses[part], weights, name != "decayed")
                    for name, part, weights in spans(count, window)},
    }


print(json.dumps({
    "classification": [classes_case(600, 200, 2, 1.5), classes_case(600, 600, 2, 0.2, rare=0.1),
                       classes_case(600, 150, 3, 2), classes_case(500, 250, 7, 3, rare=0.3),
                       classes_case(1200, 60, 2, 1),
                       classes_case(1100, 2, 2, 1)],
    "regression": [values_case(300, 100, 0, 1), values_case(300, 400, 1000, 3), values_case(1600, 3, -5, 0.01)],
}, separators=(",", ":")))
