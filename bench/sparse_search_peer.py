"""The Python side of sparse-search.mjs: `python sparse_search_peer.py FOLDER DIMENSION TOP_K THREADS` prints seconds and scores as JSON."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import util

folder, dimension, top_k = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]))


def rows(name):
    indices = np.fromfile(folder / f"{name}-indices", np.int32)
    values = np.fromfile(folder / f"{name}-values", np.float32)
    offsets = np.fromfile(folder / f"{name}-offsets", np.int32)
    places = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    shape = (len(offsets) - 1, dimension)
    return torch.sparse_coo_tensor(np.stack([places, indices]), torch.from_numpy(values), shape).coalesce()


queries, corpus = rows("queries"), rows("corpus")
few = torch.stack([queries[i] for i in range(2)]).coalesce()
util.semantic_search(few, corpus, score_function=util.dot_score, top_k=top_k)
start = time.perf_counter()
hits = util.semantic_search(queries, corpus, score_function=util.dot_score, top_k=top_k)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "scores": [[hit["score"] for hit in row] for row in hits]}))
