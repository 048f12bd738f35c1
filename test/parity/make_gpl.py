"""Golden margins of a cross-encoder for test/addon/recipe-gpl.test.ts: raw logits of (query, positive) minus (query, negative).

    python test/parity/make_gpl.py

The model is the one with one label of make_cross_encoder.py. GPL's labels come from `CrossEncoder.predict` without activation:
https://github.com/UKPLab/gpl, gpl/toolkit/pl.py.
"""

import json
from pathlib import Path

import sentence_transformers
import torch
from sentence_transformers import CrossEncoder

GOLDEN = Path(__file__).resolve().parent / "golden"
TRIPLETS = [
    ["how many people live in the red house?", "a small red house", "the big dog runs."],
    ["how many people live in the red house?", "a small red house", "the man plays a guitar"],
    ["who plays the flute", "a woman plays the flute", "a big dog is running in the field"],
    ["who plays the flute", "a woman plays the flute", "the cat"],
    ["the cat", "run, run, run!", "a small red house"],
]

model = CrossEncoder(str(GOLDEN / "cross-encoder" / "one"), device="cpu")


def logits(pairs):
    return model.predict(pairs, activation_fn=torch.nn.Identity())


positive = logits([(query, passage) for query, passage, _ in TRIPLETS])
negative = logits([(query, passage) for query, _, passage in TRIPLETS])
content = {
    "version": sentence_transformers.__version__,
    "triplets": TRIPLETS,
    "margins": [float(a) - float(b) for a, b in zip(positive, negative)],
}
(GOLDEN / "gpl.json").write_text(json.dumps(content, indent=1) + "\n")
