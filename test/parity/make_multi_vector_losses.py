"""Makes test/parity/golden/multi-vector-losses: a folder, and values and gradients of the losses of sentence-transformers over its model.

    .venv/bin/python test/parity/make_multi_vector_losses.py        # the packages of make_goldens.py
"""

import json
import random
import shutil
from pathlib import Path

import torch
from make_losses import digest, exactly, packed32
from make_multi_vector_parts import dense, transformer
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize
from sentence_transformers.multi_vector_encoder import losses, scoring
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask

OUT = Path(__file__).resolve().parent / "golden" / "multi-vector-losses"
WORDS = "the a cat dog runs sat on mat fast slow not , .".split()
MNR, KL, MSE = "MultiVectorMultipleNegativesRankingLoss", "MultiVectorDistillKLDivLoss", "MultiVectorMarginMSELoss"
SCORES = {"xtr_scores": scoring.XTRScores, "xtr_kd_scores": scoring.XTRKDScores}


def texts(columns, batch, least):
    """Of `least` words in documents: which of equal products are among the best is open, so that XTR gets no equal texts."""
    draw = random.Random(columns * 100 + batch)
    return [[" ".join(draw.choice(WORDS) for _ in range(draw.randint(least if c > 0 else 1, 9))) for _ in range(batch)] for c in range(columns)]


def number(i, j):
    return ((7 * i + 5 * j + 3) % 17 - 8) / 4


def cases():
    for batch in (1, 2, 7, 32):
        for columns in (2, 3):
            yield MNR, {}, columns, batch, None
        yield KL, {}, 4, batch, 3
        yield MSE, {}, 3, batch, 0
        yield MSE, {}, 4, batch, 3
    yield MNR, {"similarityFct": "mean_colbert_scores", "scale": 5}, 3, 7, None
    for k in (3, 24, 256):
        yield MNR, {"similarityFct": "xtr_scores", "topK": k}, 3, 7, None
        yield KL, {"similarityFct": "xtr_kd_scores", "topK": k, "temperature": 2}, 3, 7, 2
        yield MSE, {"similarityFct": "xtr_scores_pairwise", "topK": k}, 3, 7, 0
    yield KL, {"similarityFct": "mean_colbert_kd_scores", "studentTemperature": 0.5, "teacherTemperature": 3}, 3, 7, 2
    yield MSE, {"similarityFct": "mean_colbert_scores_pairwise"}, 4, 7, 2


def build(name, model, options):
    options = dict(options)
    k, score = options.pop("topK", 256), options.pop("similarityFct", None)
    given = {{"studentTemperature": "student_temperature", "teacherTemperature": "teacher_temperature"}.get(n, n): v for n, v in options.items()}
    if score in SCORES:
        given["similarity_fct"] = SCORES[score](k)
    elif score == "xtr_scores_pairwise":
        given["similarity_fct"] = lambda *a, **m: scoring.xtr_scores_pairwise(*a, **m, top_k=k)
    elif score:
        given["similarity_fct"] = getattr(scoring, score)
    return getattr(losses, name)(model, **given)


def run(folder, name, options, columns, labels):
    model = MultiVectorEncoder(str(folder), device="cpu")
    model.to(torch.float64).train()
    with exactly(torch.float64):
        loss = build(name, model, options)
        features = [{**model.preprocess(column, task="document" if c else "query"), "task": "document" if c else "query"}
                    for c, column in enumerate(columns)]
        value = loss(features, torch.tensor(labels, dtype=torch.float64) if labels else None)
        value.backward()
    names = {n: p for n, p in model.named_parameters() if "pooler" not in n}
    return value.item(), {n.replace("0.model.", "0."): torch.zeros_like(p) if p.grad is None else p.grad for n, p in names.items()}


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
plain = OUT / "plain"
expansion = {"strategy": "fixed", "attend": False, "length": 8}
first = transformer(plain, 7, dropout=0.0, query_expansion=expansion)
normalize = Normalize(module_input_name="token_embeddings")
model = MultiVectorEncoder(modules=[first, dense(4), MultiVectorMask(["."]), normalize], device="cpu")
model.save(str(OUT / "model"), create_model_card=False)
model.append(HierarchicalTokenPooling(2.0))
model.save(str(OUT / "pooled"), create_model_card=False)
shutil.rmtree(plain)
found = []
for folder in ("model", "pooled"):
    for name, options, columns, batch, width in cases():
        if folder == "pooled" and (batch != 7 or "topK" in options):
            continue
        labels = None if width is None else [number(i, 0) if width == 0 else [number(i, j) for j in range(width)] for i in range(batch)]
        given = texts(columns, batch, 4 if "topK" in options else 0)
        value, gradients = run(OUT / folder, name, options, given, labels)
        entry = {"folder": folder, "loss": name, "options": options, "texts": given, "labels": labels, "value": value,
                 "tensors": list(gradients), "gradients": digest(gradients)}
        if batch == 7 and not options and columns == 3 and folder == "model":
            entry["full"] = packed32(torch.cat([g.flatten() for g in gradients.values()]))
        found.append(entry)
        print(folder, name, options, columns, batch, value)
shared = found[0]["tensors"]
for entry in found:
    assert entry.pop("tensors") == shared or entry["folder"] == "pooled"
lines = ",\n".join(json.dumps(e) for e in found)
(OUT / "cases.json").write_text(f'{{"tensors": {json.dumps(shared)}, "cases": [\n{lines}\n]}}\n')
