"""Golden values for test/addon/recipe-distillation.test.ts and recipe-matryoshka.test.ts.

    python test/parity/make_recipe_distillation.py

- components: scikit-learn's PCA, as sentence-transformers' examples reduce the width of a teacher.
- layers: all-MiniLM-L6-v2 with three of its six layers, taken out of the model as in sentence-transformers'
  examples/sentence_transformer/training/distillation/model_distillation_layer_reduction.py. Needs ../shared.
- sizes: Spearman's correlation of cut, normalised and quantised embeddings of all-MiniLM-L6-v2 on rows of the STS benchmark.
  int8 codes stand for the middle of their step, bits for +1 and -1. Needs ../shared.
"""

import csv
import json
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import quantize_embeddings
from sklearn.decomposition import PCA

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared"
MODEL = str(SHARED / "models" / "all-MiniLM-L6-v2")
TEXTS = ["A man plays the guitar.", "The stock market fell.", "shares dropped in early trading"]
KEPT = [1, 2, 5]
DIMS = [384, 100, 33]
DEV_ROWS, CALIBRATION_ROWS = 300, 200


def components():
    random = np.random.default_rng(1)
    rows = (random.normal(size=(40, 12)) * np.linspace(0.3, 3, 12) + 1).astype(np.float32)
    fitted = PCA(5, svd_solver="full").fit(rows.astype(np.float64))
    reduced = rows.astype(np.float64) @ fitted.components_.T
    return {"rows": rows.tolist(), "components": fitted.components_.tolist(), "reduced": reduced.tolist()}


def layers():
    model = SentenceTransformer(MODEL, device="cpu")
    bert = model[0].auto_model
    bert.encoder.layer = torch.nn.ModuleList([layer for i, layer in enumerate(bert.encoder.layer) if i in KEPT])
    bert.config.num_hidden_layers = len(KEPT)
    return {"kept": KEPT, "texts": TEXTS, "embeddings": model.encode(TEXTS)[:, :48].tolist()}


def read(path, rows):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:rows]


def cut(embeddings, dim):
    cut = embeddings[:, :dim]
    return cut / np.linalg.norm(cut, axis=1, keepdims=True)


def decoded(rows, precision, calibration):
    if precision == "float32":
        return rows
    if precision == "binary":
        return np.unpackbits(quantize_embeddings(rows, "ubinary"), axis=1)[:, : rows.shape[1]].astype(np.float32) * 2 - 1
    low, high = calibration.min(axis=0), calibration.max(axis=0)
    codes = quantize_embeddings(rows, "int8", ranges=np.vstack([low, high]))
    return low + (codes.astype(np.float32) + 128.5) * (high - low) / 255


def sizes():
    model = SentenceTransformer(MODEL, device="cpu")
    dev = read(SHARED / "data/stsb/dev.tsv", DEV_ROWS)
    texts = list(dict.fromkeys(row["sentence1"] for row in read(SHARED / "data/stsb/train.tsv", CALIBRATION_ROWS)))
    first, second = (model.encode([row[name] for row in dev]) for name in ("sentence1", "sentence2"))
    calibration = model.encode(texts)
    scores = [float(row["score"]) for row in dev]
    found = []
    for dim in DIMS:
        for precision in ("float32", "int8", "binary"):
            a, b = (decoded(cut(side, dim), precision, cut(calibration, dim)) for side in (first, second))
            cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            found.append({"dim": dim, "precision": precision, "spearman": float(spearmanr(cosines, scores).statistic)})
    return {"devRows": DEV_ROWS, "calibrationRows": CALIBRATION_ROWS, "found": found}


content = {"version": sentence_transformers.__version__, "components": components(), "layers": layers(), "sizes": sizes()}
(HERE / "golden" / "recipe-distillation.json").write_text(json.dumps(content, indent=1) + "\n")
