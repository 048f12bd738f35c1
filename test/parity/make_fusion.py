"""Golden values of ReciprocalRankFusionEvaluator for test/parity/fusion.test.ts.

Run with sentence-transformers 6.2.0: `python test/parity/make_fusion.py`. There are rankings of other lengths, repeated documents, equal sums,
and queries of which nothing or not everything relevant was found.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import sentence_transformers
from sentence_transformers.sparse_encoder.evaluation import ReciprocalRankFusionEvaluator

generator = np.random.default_rng(1)
NAMES = [f"document {i}" for i in range(20)] + ["Übung", 'a "quote"']


def sample(query, count, positive):
    documents = [NAMES[i] for i in generator.permutation(len(NAMES))[:count]]
    return {"query_id": f"q{query}", "query": f"query {query} ü", "positive": positive, "documents": documents}


dense, sparse = [], []
for query in range(12):
    positive = [NAMES[i] for i in generator.permutation(len(NAMES))[: 1 + query % 4]]
    dense.append(sample(query, 5 + query, positive))
    sparse.append(sample(query, 9 - query % 3, positive))
# Nothing relevant on one side, then on both; a single text; a document twice; equal sums.
dense.append(sample(12, 6, "elsewhere"))
sparse.append({**sample(12, 6, "elsewhere"), "documents": ["elsewhere", "document 1"]})
dense.append(sample(13, 6, ["nowhere"]))
sparse.append(sample(13, 6, ["nowhere"]))
dense.append({**sample(14, 4, ["document 2"]), "documents": ["document 1", "document 2", "document 1", "document 3"]})
sparse.append({**sample(14, 4, ["document 2"]), "documents": ["document 2", "document 1", "document 4"]})
dense.append({**sample(15, 4, ["b"]), "documents": ["a", "b", "c"]})
sparse.append({**sample(15, 4, ["b"]), "documents": ["d", "e", "c"]})

cases = []
for options in [{}, {"name": "hybrid", "at_k": 3, "rrf_k": 1, "write_predictions": True}]:
    evaluator = ReciprocalRankFusionEvaluator(dense, sparse, **options)
    with tempfile.TemporaryDirectory() as folder:
        metrics = evaluator(output_path=folder, epoch=1, steps=20)
        files = {path.name: path.read_bytes().decode() for path in sorted(Path(folder).iterdir())}
    metrics = {key: float(value) for key, value in metrics.items()}
    cases.append({"options": options, "metrics": metrics, "primary": evaluator.primary_metric, "files": files})
content = {"version": sentence_transformers.__version__, "dense": dense, "sparse": sparse, "cases": cases}
path = Path(__file__).parent / "golden" / "fusion.json"
path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")
