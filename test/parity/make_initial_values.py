"""Makes test/parity/golden/initial-values.json: what values transformers gives to new models of every architecture.

    .venv/bin/python test/parity/make_initial_values.py        # the packages of make_architectures.py

For every tensor of a small model: mean, standard deviation and largest absolute value over many models, and which rows are zeros.
A tensor whose deviation is 0 is a constant.
"""

import json
from pathlib import Path

import torch
from architectures import ARCHITECTURES
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

OUT = Path(__file__).resolve().parent / "golden" / "initial-values.json"
DRAWS = 100
ENCODER_DECODERS = ("t5", "mt5")


def statistics(make):
    drawn = {}
    for seed in range(DRAWS):
        torch.manual_seed(seed)
        model = make()
        for name, value in model.named_parameters():
            drawn.setdefault(name, []).append(value.detach().double())
    out = {}
    for name, values in drawn.items():
        all_values = torch.stack(values)
        zeros = [] if values[0].ndim == 1 else (all_values.abs().amax(dim=(0, 2)) == 0).nonzero().flatten().tolist()
        rows = [row for row in range(values[0].shape[0]) if row not in zeros]
        kept = all_values[:, rows] if rows else all_values
        out[name] = {
            "shape": list(values[0].shape),
            "mean": float(f"{kept.mean():.6g}"),
            "deviation": float(f"{kept.std():.6g}"),
            "largest": float(f"{kept.abs().max():.6g}"),
            "zeros": zeros,
        }
    return out


golden = {}
for architecture in ARCHITECTURES:
    first = next(setup for setup in architecture.setups.values() if not setup.hub)
    ranges = {"range 0.05": {"initializer_range": 0.05}}
    if architecture.name == "modernbert":
        ranges["cutoff"] = {"initializer_range": 0.03, "initializer_cutoff_factor": 1.0}
    if architecture.name in ENCODER_DECODERS:
        ranges = {"factor 0.5": {"initializer_factor": 0.5}}
    for name, options in ranges.items():
        config = architecture.config(**{**first.options, **options, "num_labels": 3})
        entry = {"config": config.to_dict(), "model": statistics(lambda: architecture.model(config))}
        try:
            # T5's classifier reads its decoder.
            if architecture.name in ENCODER_DECODERS:
                whole = architecture.config(**{**first.options, **options})  # The encoder alone has changed its configuration.
                tensors = statistics(lambda: AutoModelForSeq2SeqLM.from_config(whole))
                entry["decoder"] = {n: v for n, v in tensors.items() if n not in entry["model"]}
            else:
                of = AutoModelForSequenceClassification
                prefix = of.from_config(config).base_model_prefix + "."
                tensors = statistics(lambda: of.from_config(config))
                entry["classifier"] = {n.removeprefix(prefix): v for n, v in tensors.items() if n.removeprefix(prefix) not in entry["model"]
                                       or "pooler" in n}
        except ValueError:
            pass  # There is none.
        golden[f"{architecture.name}, {name}"] = json.loads(json.dumps(entry))
        print(architecture.name, name, len(entry["model"]))
OUT.write_text(json.dumps(golden) + "\n")
