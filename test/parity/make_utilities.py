"""Golden values of sentence_transformers.util for test/parity/utilities.test.ts.

Run with sentence-transformers 6.0.1, datasets and numpy: `python test/parity/make_utilities.py`. Embeddings are fixed float32
values with three decimals; repeated rows and integer rows give ties on purpose.
"""

import json
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import util

torch.set_num_threads(1)
FOLDER = Path(__file__).parent / "golden" / "utilities"


def write(name, content):
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = {"version": sentence_transformers.__version__, **content}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def rows(seed, count, dim, spread=1.0):
    values = np.random.default_rng(seed).normal(size=(count, dim)) * spread
    return np.round(values, 3).astype(np.float32)


def clustered(seed, sizes, dim, spread):
    """Rows around one centre per size, shuffled; every seventh row repeats the row before it."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(len(sizes), dim))
    values = np.concatenate([c + spread * generator.normal(size=(n, dim)) for c, n in zip(centres, sizes)])
    generator.shuffle(values)
    values[7::7] = values[6:-1:7]
    return np.round(values, 3).astype(np.float32)


def listed(array):
    return [round(float(value), 3) for value in array.ravel()]


FUNCTIONS = {
    "cosine": util.cos_sim,
    "dot": util.dot_score,
    "euclidean": util.euclidean_sim,
    "manhattan": util.manhattan_sim,
}


def search():
    queries, corpus = rows(1, 13, 8), rows(2, 41, 8)
    corpus[10], corpus[30], corpus[31] = corpus[3], corpus[3], corpus[20]
    cases = []
    for metric, function in FUNCTIONS.items():
        for options in [{}, {"top_k": 4}, {"top_k": 50}, {"top_k": 5, "query_chunk_size": 3, "corpus_chunk_size": 7}]:
            found = util.semantic_search(
                torch.from_numpy(queries), torch.from_numpy(corpus), score_function=function, **options
            )
            hits = [[[hit["corpus_id"], hit["score"]] for hit in row] for row in found]
            cases.append({"metric": metric, "options": options, "hits": hits})
    write("search", {"dim": 8, "queries": listed(queries), "corpus": listed(corpus), "cases": cases})


def paraphrases():
    sets = {
        "distinct": rows(3, 40, 8),
        "repeated": clustered(4, [9, 7, 5, 5, 4], 8, 0.4),
        "exact": np.random.default_rng(5).integers(-2, 3, size=(24, 4)).astype(np.float32),
    }
    every_row = [{}, {"query_chunk_size": 7, "corpus_chunk_size": 11}]
    # Where equal scores meet a cut, Python's choice depends on torch.topk's: cuts are for rows without equal scores.
    cuts = [
        {"top_k": 3},
        {"max_pairs": 20},
        {"max_pairs": 60, "top_k": 6, "query_chunk_size": 7},
        {"top_k": 2, "query_chunk_size": 4, "corpus_chunk_size": 9},
        {"max_pairs": 1},
    ]
    cases = []
    for name, embeddings in sets.items():
        for metric, function in FUNCTIONS.items():
            for options in every_row + (cuts if name == "distinct" else []):
                pairs = util.paraphrase_mining_embeddings(
                    torch.from_numpy(embeddings), score_function=function, **options
                )
                cases.append({"rows": name, "metric": metric, "options": options, "pairs": pairs})
    data = {name: {"dim": values.shape[1], "data": listed(values)} for name, values in sets.items()}
    write("paraphrases", {"rows": data, "cases": cases})


def communities():
    sets = {
        "clustered": clustered(6, [30, 17, 12, 9, 9, 4, 1, 1], 12, 0.45),
        "dense": clustered(7, [90, 20], 6, 0.25),
        "small": rows(8, 5, 4),
        "none": rows(9, 30, 24),
    }
    cases = []
    for name, embeddings in sets.items():
        for options in [
            {},
            {"threshold": 0.6, "min_community_size": 3},
            {"threshold": 0.9, "min_community_size": 2, "batch_size": 7},
            {"threshold": 0.3, "min_community_size": 5},
            {"threshold": -1.0, "min_community_size": 1},
            {"threshold": 0.8, "min_community_size": 1},
        ]:
            found = util.community_detection(torch.from_numpy(embeddings), **options)
            cases.append({"rows": name, "options": options, "communities": found})
    data = {name: {"dim": values.shape[1], "data": listed(values)} for name, values in sets.items()}
    write("communities", {"rows": data, "cases": cases})


if __name__ == "__main__":
    search()
    paraphrases()
    communities()
