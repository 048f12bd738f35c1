"""Golden result of MTEB's Banking77Classification, for banking77.test.ts: what mteb 2.20 computes, with scikit-learn.

    OMP_NUM_THREADS=1 python test/parity/make_banking77.py ../shared

all-MiniLM-L6-v2 embeds the texts; then, as mteb does it (abstasks/classification.py): ten times, shuffle the order of the
time before with RandomState(42), take the first eight rows of every label, fit LogisticRegression, predict the test rows.
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
import torch
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

shared = Path(sys.argv[1])
OUT = Path(__file__).parent / "golden" / "evaluators"
torch.set_num_threads(1)


def rows(split):
    return [json.loads(line) for line in open(shared / "data" / "banking77" / f"{split}.jsonl", encoding="utf-8")]


def scores(expected, predicted):
    return {
        "accuracy": accuracy_score(expected, predicted),
        "f1": f1_score(expected, predicted, average="macro"),
        "f1_weighted": f1_score(expected, predicted, average="weighted"),
        "precision": precision_score(expected, predicted, average="macro", zero_division=0),
        "precision_weighted": precision_score(expected, predicted, average="weighted", zero_division=0),
        "recall": recall_score(expected, predicted, average="macro"),
        "recall_weighted": recall_score(expected, predicted, average="weighted"),
    }


def experiments(texts, labels, test, expected, embed, count=10, samples=8):
    order = list(range(len(labels)))
    for _ in range(count):
        np.random.RandomState(42).shuffle(order)
        taken, chosen = {}, []
        for i in order:
            if taken.setdefault(labels[i], 0) < samples:
                chosen.append(i)
                taken[labels[i]] += 1
        model = LogisticRegression(max_iter=100, random_state=42)
        model.fit(embed([texts[i] for i in chosen]), [labels[i] for i in chosen])
        yield {"first": chosen[:5], "iterations": int(model.n_iter_[0]), **scores(expected, model.predict(test))}, model


# A small set, without a model: labels that overlap, so that the search takes many steps.
random = np.random.RandomState(3)
centres = random.randn(6, 10)
small_labels = [f"label {i * 5 % 6}" for i in range(180)]
small = np.stack([centres[int(label[-1])] * 0.7 + random.randn(10) * 1.5 for label in small_labels]).astype(np.float32)
test_labels = [f"label {i % 6}" for i in range(120)]
test = np.stack([centres[int(label[-1])] * 0.7 + random.randn(10) * 1.5 for label in test_labels]).astype(np.float32)
found = list(experiments(small, small_labels, test, test_labels, np.stack))
weights = np.concatenate([found[0][1].coef_, found[0][1].intercept_[:, None]], axis=1)
result = {
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "small": {
        "train": small.tolist(), "trainLabels": small_labels, "test": test.tolist(), "testLabels": test_labels,
        "experiments": [entry for entry, _ in found], "parameters": weights.astype(float).tolist(),
    },
}

model = SentenceTransformer(str(shared / "models" / "all-MiniLM-L6-v2"), device="cpu")
train, wanted = rows("train"), rows("test")
texts, labels = [row["text"] for row in train], [row["category"] for row in train]
embedded = model.encode([row["text"] for row in wanted])
found = [entry for entry, _ in experiments(texts, labels, embedded, [row["category"] for row in wanted], model.encode)]
result["minilm"] = found
OUT.mkdir(parents=True, exist_ok=True)
(OUT / "banking77.json").write_text(json.dumps(result) + "\n")
for key in ("accuracy", "f1", "iterations"):
    print(key, np.mean([entry[key] for entry in found]), [entry[key] for entry in found])
