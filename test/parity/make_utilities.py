"""Golden values of sentence_transformers.util for test/parity/utilities.test.ts.

Run with sentence-transformers 6.2.0, datasets and numpy: `python test/parity/make_utilities.py`. Embeddings are fixed float32
values with three decimals; repeated rows and integer rows give ties on purpose.
"""

import contextlib
import io
import itertools
import json
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from datasets import Dataset
from sentence_transformers import util

torch.set_num_threads(1)
FOLDER = Path(__file__).parent / "golden" / "utilities"


def write(name, content):
    content = {"version": sentence_transformers.__version__, **content}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def rows(seed, count, dim, spread=1.0):
    values = np.random.default_rng(seed).normal(size=(count, dim)) * spread
    return np.round(values, 3).astype(np.float32)


def clustered(seed, sizes, dim, spread, repeats=True):
    """Rows around one centre per size, shuffled; with `repeats` every seventh row is the row before it again."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(len(sizes), dim))
    values = np.concatenate([c + spread * generator.normal(size=(n, dim)) for c, n in zip(centres, sizes)])
    generator.shuffle(values)
    if repeats:
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
    np.save(FOLDER / "corpus.npy", corpus)
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


class Model:
    """The part of a SentenceTransformer that mining uses, over fixed embeddings."""

    device = "cpu"

    def __init__(self, embeddings, similarity):
        self.embeddings = embeddings
        self.similarity = FUNCTIONS[similarity]
        self.similarity_pairwise = getattr(util, f"pairwise_{self.similarity.__name__}")

    def encode_query(self, texts, **options):
        assert options["normalize_embeddings"]
        return util.normalize_embeddings(torch.from_numpy(np.stack([self.embeddings[t] for t in texts]))).numpy()

    encode_document = encode_query


class Scorer:
    """A CrossEncoder over fixed scores."""

    def __init__(self, scores):
        self.scores = scores

    def predict(self, pairs, **options):
        return torch.tensor([self.scores[int(q[1:])][int(d[1:])] for q, d in pairs], dtype=torch.float32)


def hard_negatives():
    generator = np.random.default_rng(10)
    values = clustered(11, [14, 13, 12, 11], 8, 0.6, repeats=False)
    embeddings = {f"q{i}": values[i] for i in range(14)} | {f"d{i}": values[14 + i] for i in range(36)}
    scores = np.round(generator.normal(size=(14, 36)), 6)
    pairs = [(f"q{i}", f"d{i}") for i in range(14)]
    pairs += [("q3", "d20"), ("q3", "d21"), ("q5", "d1"), ("q5", "d5"), ("q9", "d30")]
    generator.shuffle(pairs)
    dataset = Dataset.from_dict({"question": [str(q) for q, _ in pairs], "answer": [str(d) for _, d in pairs]})
    corpus = [f"d{i}" for i in range(10, 36)]
    formats = ["triplet", "n-tuple", "labeled-pair", "labeled-list"]
    choices = [
        {},
        {"corpus": corpus},
        {"corpus": corpus, "num_negatives": 5, "range_min": 2, "range_max": 12},
        {"corpus": corpus, "absolute_margin": 0.1},
        {"corpus": corpus, "relative_margin": 0.05, "num_negatives": 2},
        {"corpus": corpus, "max_score": 0.6, "min_score": -0.2, "num_negatives": 4},
        {"max_score": 0.5, "absolute_margin": 0, "relative_margin": 0.3, "min_score": 0.1, "range_min": 1},
        {"min_score": 0.4},
        {"num_negatives": 30},
    ]
    cases = []

    def case(options, similarity="cosine", crossed=False):
        out = io.StringIO()
        scorer = {"cross_encoder": Scorer(scores)} if crossed else {}
        with contextlib.redirect_stdout(out):
            found = util.mine_hard_negatives(dataset, Model(embeddings, similarity), **options, **scorer)
        kept = {name: value for name, value in options.items() if name != "corpus"}
        cases.append(
            {
                "options": kept,
                "corpus": "corpus" in options,
                "crossed": crossed,
                "similarity": similarity,
                "columns": {name: found[name][:] for name in found.column_names},
                "report": out.getvalue().splitlines(),
            }
        )

    for options in choices:
        for output_format in formats:
            case({**options, "output_format": output_format, "output_scores": output_format != "labeled-pair"})
    case({"corpus": corpus, "output_format": "labeled-list"})
    case({"corpus": corpus, "output_format": "labeled-pair", "output_scores": True})
    case({"corpus": corpus, "include_positives": True, "num_negatives": 6, "output_scores": True})
    for output_format in formats:
        scored = {"corpus": corpus, "output_format": output_format, "output_scores": True}
        case({**scored, "absolute_margin": 0.2}, crossed=True)
        case({**scored, "relative_margin": 0.5, "max_score": 0.4, "num_negatives": 1}, crossed=True)
        case({**scored, "max_score": -0.3, "num_negatives": 2}, "euclidean")
    case({"corpus": corpus, "absolute_margin": 0.1, "range_max": 100}, "dot", crossed=True)
    case({"corpus": corpus, "min_score": 0.3, "output_scores": True}, crossed=True)
    case({"min_score": -0.5, "num_negatives": 2, "output_format": "labeled-list", "output_scores": True}, crossed=True)
    texts = {name: listed(value) for name, value in embeddings.items()}
    content = {"dim": 8, "texts": texts, "scores": scores.tolist(), "pairs": dataset.to_dict(), "corpus": corpus}
    write("hard-negatives", {**content, "cases": cases})


def negatives_grid():
    """Margins, bounds and ranges in all combinations, and the options that stand for a difficulty. Lists of rows alone."""
    generator = np.random.default_rng(20)
    values = clustered(21, [40, 40, 35, 35], 8, 0.6, repeats=False)
    embeddings = {f"q{i}": values[i] for i in range(10)} | {f"d{i}": values[10 + i] for i in range(140)}
    scores = np.round(generator.normal(size=(10, 140)), 4)
    # The first document of each query is one of its nearest, the others any.
    near = (util.cos_sim(values[:10], values[10:])).numpy().argsort(1)
    pairs = [(f"q{i}", f"d{near[i, -1 - i]}") for i in range(10)] + [("q3", "d20"), ("q5", "d1"), ("q5", "d5")]
    dataset = Dataset.from_dict({"question": [q for q, _ in pairs], "answer": [d for _, d in pairs]})
    corpus = [f"d{i}" for i in range(140)]
    choices = [
        {name: value for name, value in zip(names, chosen) if value is not None}
        for names in [("absolute_margin", "relative_margin", "max_score", "min_score", "range_min", "range_max")]
        for chosen in itertools.product([None, 0.1], [None, 0.05], [None, 0.5], [None, -0.1], [None, 4], [None, 12])
    ]
    choices += [{"relative_margin": 0.05, "range_min": low, "range_max": high} for low, high in [(10, 50), (100, 1000)]]
    cases = []
    for options in choices:
        for crossed in [False, True]:
            if crossed and not {"absolute_margin", "relative_margin", "max_score", "min_score"} & set(options):
                continue
            scorer = {"cross_encoder": Scorer(scores)} if crossed else {}
            with contextlib.redirect_stdout(io.StringIO()):
                found = util.mine_hard_negatives(
                    dataset, Model(embeddings, "cosine"), corpus=corpus, verbose=False, **options, **scorer
                )
            rows_found = [[int(row[name][1:]) for name in found.column_names] for row in found]
            cases.append({"options": options, "crossed": crossed, "rows": [n for row in rows_found for n in row]})
    texts = {name: listed(value) for name, value in embeddings.items()}
    content = {"dim": 8, "texts": texts, "scores": scores.tolist(), "pairs": dataset.to_dict(), "corpus": corpus}
    write("negatives-grid", {**content, "cases": cases})


def similarities():
    a, b = rows(12, 9, 7), rows(13, 9, 7)
    b[2] = a[2]
    pairwise = [
        util.pairwise_cos_sim,
        util.pairwise_dot_score,
        util.pairwise_euclidean_sim,
        util.pairwise_manhattan_sim,
        util.pairwise_angle_sim,
    ]
    values = {
        function.__name__: function(torch.from_numpy(a), torch.from_numpy(b)).ravel().tolist()
        for function in [*FUNCTIONS.values(), *pairwise]
    }
    even = util.pairwise_angle_sim(torch.from_numpy(a[:, :6].copy()), torch.from_numpy(b[:, :6].copy())).tolist()
    write("similarities", {"dim": 7, "a": listed(a), "b": listed(b), "values": values, "even_angle": even})


def quantization():
    embeddings, calibration = rows(14, 30, 11), rows(15, 150, 11, 0.7)
    embeddings[:, 4] = 0.25
    embeddings[3, :] = 0
    ranges = np.stack([np.linspace(-2, -0.5, 11), np.linspace(0.5, 2, 11)]).astype(np.float32)
    ranges[:, 7] = 0.125
    cases = []
    for precision in ["float32", "int8", "uint8", "binary", "ubinary"]:
        for option, value in [(None, None), ("ranges", ranges), ("calibration_embeddings", calibration)]:
            if option is not None and not precision.endswith("int8"):
                continue
            found = util.quantize_embeddings(embeddings, precision, **({option: value} if option else {}))
            content = {"precision": precision, "option": option, "type": str(found.dtype), "shape": found.shape}
            cases.append({**content, "data": found.ravel().tolist()})
    matrices = []
    for precision in ["int8", "ubinary"]:
        parts = [embeddings[:4], embeddings[4:11], embeddings[11:11], embeddings[11:]]
        found = util.quantize_embeddings(parts, precision)
        matrices.append({"precision": precision, "data": [part.ravel().tolist() for part in found]})
    data = {"embeddings": listed(embeddings), "calibration": listed(calibration), "ranges": ranges.ravel().tolist()}
    write("quantization", {"dim": 11, **data, "cases": cases, "matrices": matrices})


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    search()
    paraphrases()
    communities()
    hard_negatives()
    negatives_grid()
    similarities()
    quantization()
