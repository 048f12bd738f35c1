"""Makes schedule.json, correlation.json and arguments.json beside this file: transformers' learning rates, scipy's
correlations, names and defaults of sentence-transformers' training arguments.

Needs torch, sentence-transformers and scipy. Run: python test/unit/golden/make_training.py
"""

import dataclasses
import enum
import json
import pathlib
import re

import scipy
import scipy.stats
import sentence_transformers
import torch
import transformers

HERE = pathlib.Path(__file__).parent


def rates(kind, learning_rate, warmup_steps, total_steps, kwargs):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=learning_rate)
    kwargs = {re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name): value for name, value in kwargs.items()}
    schedule = transformers.get_scheduler(kind, optimizer, warmup_steps, total_steps, kwargs)
    used = []
    for _ in range(total_steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return used


kinds = [
    *[(kind, {}) for kind in ["linear", "constant", "constant_with_warmup", "cosine"]],
    ("cosine", {"numCycles": 1.5}),
    ("cosine_with_restarts", {}),
    ("cosine_with_restarts", {"numCycles": 3}),
    ("polynomial", {}),
    ("polynomial", {"lrEnd": 1e-6, "power": 2.0}),
    ("inverse_sqrt", {}),
    ("inverse_sqrt", {"timescale": 7}),
    ("cosine_with_min_lr", {"minLr": 1e-6}),
    ("cosine_with_min_lr", {"minLrRate": 0.1, "numCycles": 1.0}),
    ("cosine_warmup_with_min_lr", {"minLrRate": 0.1}),
    ("cosine_warmup_with_min_lr", {"minLr": 1e-6, "warmupLrRate": 0.2}),
    ("warmup_stable_decay", {"numDecaySteps": 3}),
    ("warmup_stable_decay", {"numDecaySteps": 3, "numStableSteps": 2, "warmupType": "cosine", "decayType": "linear"}),
    ("warmup_stable_decay", {"numDecaySteps": 2, "warmupType": "1-sqrt", "decayType": "1-sqrt", "minLrRatio": 0.1}),
]
runs = [
    {"type": kind, "learningRate": rate, "warmupSteps": warmup, "totalSteps": total, "kwargs": kwargs}
    for kind, kwargs in kinds
    for rate, warmup, total in [(5e-5, 1, 10), (1e-3, 0, 7), (2e-5, 5, 12), (1e-4, 6, 6)]
    # Its decay divides by the steps that are left.
    if not (kind == "polynomial" and warmup == total)
]
for run in runs:
    run["rates"] = rates(run["type"], run["learningRate"], run["warmupSteps"], run["totalSteps"], run["kwargs"])
schedule = {"transformers": transformers.__version__, "torch": torch.__version__, "runs": runs}
(HERE / "schedule.json").write_text(json.dumps(schedule))

pairs = {
    "no ties": ([0.1, 0.4, 0.2, 0.9, 0.7], [1.0, 2.0, 4.0, 3.0, 5.0]),
    "ties on one side": ([1.0, 1.0, 2.0, 2.0, 3.0, 5.0], [0.3, 0.1, 0.7, 0.2, 0.9, 0.8]),
    "ties on both sides": ([0.0, 5.0, 5.0, 2.5, 0.0, 2.5, 5.0], [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 1.0]),
    "opposite": ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
    "huge and tiny": ([1e160, 2e160, 4e160, 3e160], [1e-170, 3e-170, 2e-170, 5e-170]),
}
cases = [
    {
        "name": name,
        "x": x,
        "y": y,
        "pearson": float(scipy.stats.pearsonr(x, y)[0]),
        "spearman": float(scipy.stats.spearmanr(x, y)[0]),
        "ranks": scipy.stats.rankdata(x).tolist(),
    }
    for name, (x, y) in pairs.items()
]
(HERE / "correlation.json").write_text(json.dumps({"scipy": scipy.__version__, "cases": cases}))


def default(field):
    value = field.default_factory() if field.default is dataclasses.MISSING else field.default
    return value.value if isinstance(value, enum.Enum) else value


fields = [f for f in dataclasses.fields(sentence_transformers.SentenceTransformerTrainingArguments) if f.init]
arguments = {
    "sentenceTransformers": sentence_transformers.__version__,
    "transformers": transformers.__version__,
    # As created from no arguments; sentence-transformers sets some of them later (prediction_loss_only).
    "defaults": {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), f.name): default(f) for f in fields},
}
(HERE / "arguments.json").write_text(json.dumps(arguments, indent=1) + "\n")
