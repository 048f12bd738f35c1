"""Golden values of few-shot classification, for few-shot.test.ts: the pairs of SetFit and the classifier of scikit-learn.

    pip install setfit==1.2.0
    OMP_NUM_THREADS=1 python test/parity/make_few_shot.py
"""

import json
from pathlib import Path

import numpy as np
import setfit
import sklearn
from setfit.sampler import ContrastiveDataset
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

OUT = Path(__file__).parent / "golden" / "few-shot.json"


def pairs(labels, **options):
    """Texts are their numbers."""
    texts = [str(i) for i in range(len(labels))]
    found = ContrastiveDataset(texts, labels, multilabel=False, **options)
    rows = [[int(row["sentence_1"]), int(row["sentence_2"]), int(row["label"])] for row in found]
    return {"labels": labels, "options": options, "pairs": rows}


few = [["b", "a", "c"][i % 3] for i in range(8)]
uneven = [3, 3, 3, 3, 1]
result = {
    "versions": {"setfit": setfit.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "pairs": [
        *[pairs(few, sampling_strategy=name) for name in ("oversampling", "undersampling", "unique")],
        *[pairs(uneven, sampling_strategy=name) for name in ("oversampling", "undersampling", "unique")],
        pairs(few, num_iterations=3),
        pairs(uneven, num_iterations=4),
        pairs(few, sampling_strategy="oversampling", max_pairs=9),
        pairs(few, sampling_strategy="unique", max_pairs=16),
        pairs([i % 7 for i in range(60)], num_iterations=2),
    ],
    "heads": [],
}

random = np.random.RandomState(5)
for names, rows, c in [
    (["no", "yes"], 40, 1.0),
    (["no", "yes"], 16, 0.1),
    ([2, 10], 30, 1.0),
    (["zebra", "Apfel", "apple", "Ärger"], 40, 1.0),
    (["zebra", "Apfel", "apple"], 24, 10.0),
    ([10, 9, 2, -1, 100], 50, 1.0),
]:
    centres = random.randn(len(names), 12)
    labels = [names[i % len(names)] for i in range(rows)]
    x = np.stack([centres[i % len(names)] * 0.5 + random.randn(12) for i in range(rows)])
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    train = slice(0, rows * 3 // 4)
    test = slice(rows * 3 // 4, rows)
    head = LogisticRegression(C=c).fit(x[train], labels[train])
    predicted = head.predict(x[test])
    result["heads"].append({
        "c": c, "labels": labels, "x": x.tolist(), "classes": head.classes_.tolist(), "trained": rows * 3 // 4,
        "coef": head.coef_.astype(float).tolist(), "intercept": head.intercept_.astype(float).tolist(),
        "probabilities": head.predict_proba(x[test]).astype(float).tolist(), "predicted": predicted.tolist(),
        "accuracy": accuracy_score(labels[test], predicted), "f1": f1_score(labels[test], predicted, average="macro"),
    })
OUT.write_text(json.dumps(result) + "\n")
