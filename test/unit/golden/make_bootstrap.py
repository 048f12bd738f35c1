"""Golden values of paired bootstrap intervals for test/unit/bootstrap.test.ts, from scipy.

Run with scipy, scikit-learn and numpy: `OMP_NUM_THREADS=1 python test/unit/golden/make_bootstrap.py`. The interval of a bootstrap is random, so each end
comes with the standard error that an interval of 9,999 resamples has, measured over repetitions.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy.stats import bootstrap, pearsonr, rankdata, spearmanr
from sklearn.metrics import f1_score

FILE = Path(__file__).parent / "bootstrap.json"
REPETITIONS = 24


def interval(data, statistic, confidence):
    def once(seed):
        result = bootstrap(
            data,
            statistic,
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=9999,
            batch=1000,
            confidence_level=confidence,
            rng=np.random.default_rng(seed),
        )
        return result.confidence_interval.low, result.confidence_interval.high

    ends = np.array([once(seed) for seed in range(REPETITIONS)])
    return {
        "confidence": confidence,
        "low": ends[:, 0].mean(),
        "high": ends[:, 1].mean(),
        "errors": ends.std(axis=0, ddof=1).tolist(),
    }


def mean_case(before, after, confidence=0.95):
    found = interval((before, after), lambda b, a, axis: a.mean(axis=axis) - b.mean(axis=axis), confidence)
    return {"before": before.tolist(), "after": after.tolist(), "difference": after.mean() - before.mean(), **found}


def correlations(x, y, axis):
    dx = x - x.mean(axis=axis, keepdims=True)
    dy = y - y.mean(axis=axis, keepdims=True)
    return (dx * dy).sum(axis=axis) / np.sqrt((dx**2).sum(axis=axis) * (dy**2).sum(axis=axis))


def spearmans(x, y, axis):
    return correlations(rankdata(x, axis=axis), rankdata(y, axis=axis), axis)


def correlation_case(name, gold, before, after):
    statistic = {"spearman": spearmans, "pearson": correlations}[name]
    scalar = {"spearman": spearmanr, "pearson": pearsonr}[name]
    found = interval(
        (gold, before, after), lambda g, b, a, axis: statistic(g, a, axis) - statistic(g, b, axis), 0.95
    )
    return {
        "correlation": name,
        "gold": gold.tolist(),
        "before": before.tolist(),
        "after": after.tolist(),
        "valueBefore": scalar(gold, before).statistic,
        "valueAfter": scalar(gold, after).statistic,
        **found,
    }


def f1s(gold, predicted, axis):
    """Macro F1 over the classes that occur; `axis` is the last one."""
    scores, present = [], []
    for k in range(4):
        right = ((gold == k) & (predicted == k)).sum(axis=axis)
        seen = (gold == k).sum(axis=axis) + (predicted == k).sum(axis=axis)
        scores.append(2 * right / np.maximum(seen, 1))
        present.append(seen > 0)
    return np.sum(scores, axis=0) / np.sum(present, axis=0)


def class_case(gold, before, after):
    found = interval((gold, before, after), lambda g, b, a, axis: f1s(g, a, axis) - f1s(g, b, axis), 0.95)
    values = [f1_score(gold, predicted, average="macro") for predicted in (before, after)]
    lists = {"gold": gold.tolist(), "before": before.tolist(), "after": after.tolist()}
    return {**lists, "valueBefore": values[0], "valueAfter": values[1], **found}


def main():
    rng = np.random.default_rng(7)
    right = (rng.random(120) < 0.7).astype(float)
    better = np.where(rng.random(120) < 0.15, 1.0, right)
    reciprocal = np.round(1 / rng.integers(1, 11, size=80), 4)
    moved = np.round(1 / np.clip(1 / reciprocal + rng.integers(-2, 3, size=80), 1, 10), 4)
    gold = np.round(rng.integers(0, 26, size=150) / 5, 1)  # with many ties, as in the STS benchmark
    first = np.round(gold / 5 + rng.normal(scale=0.4, size=150), 3)
    second = np.round(gold / 5 + rng.normal(scale=0.25, size=150), 3)
    labels = np.repeat([0, 1, 2, 3], [40, 30, 20, 3])  # few of the last class, which some resamples lack
    guess = np.where(rng.random(93) < 0.6, labels, rng.integers(0, 4, size=93))
    mended = np.where(rng.random(93) < 0.3, labels, guess)
    content = {
        "version": scipy.__version__,
        "means": [mean_case(right, better), mean_case(reciprocal, moved), mean_case(reciprocal, moved, 0.8)],
        "correlations": [
            correlation_case("spearman", gold, first, second),
            correlation_case("pearson", gold, first, second),
        ],
        "classes": [class_case(labels, guess, mended)],
    }
    FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
