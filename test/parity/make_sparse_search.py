"""Golden values of sentence_transformers.util over sparse tensors for test/parity/sparse-search.test.ts.

Run with sentence-transformers 6.2.0: `python test/parity/make_sparse_search.py`. Values have three decimals; some rows are empty and
some repeat others.
"""

import json
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import util

torch.set_num_threads(1)
DIMENSION = 60


def rows(seed, count):
    generator = np.random.default_rng(seed)
    kept = generator.random((count, DIMENSION)) < 0.15
    values = np.round(np.abs(generator.normal(size=(count, DIMENSION))) * kept, 3).astype(np.float32)
    values[count // 2] = 0
    return values


def listed(array):
    """For each row its columns, then its values."""
    return [[np.flatnonzero(row).tolist(), [round(float(v), 3) for v in row[row != 0]]] for row in array]


FUNCTIONS = {
    "cosine": util.cos_sim,
    "dot": util.dot_score,
    "euclidean": util.euclidean_sim,
    "manhattan": util.manhattan_sim,
}

queries, corpus = rows(1, 9), rows(2, 45)
corpus[[10, 30, 31]] = corpus[[3, 3, 20]]
cases = []
for metric, function in FUNCTIONS.items():
    for options in [{}, {"top_k": 50}, {"top_k": 5, "query_chunk_size": 4, "corpus_chunk_size": 7}]:
        found = util.semantic_search(
            torch.from_numpy(queries).to_sparse(), torch.from_numpy(corpus).to_sparse(), score_function=function, **options
        )
        hits = [[[hit["corpus_id"], hit["score"]] for hit in row] for row in found]
        cases.append({"metric": metric, "options": options, "hits": hits})
content = {"dimension": DIMENSION, "queries": listed(queries), "corpus": listed(corpus), "cases": cases}
content = {"version": sentence_transformers.__version__, **content}
path = Path(__file__).parent / "golden" / "sparse-search.json"
path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
