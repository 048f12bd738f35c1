"""Golden results of sentence-transformers' evaluators of sparse and of multi-vector models, for sparse-evaluators.test.ts and
multi-vector-evaluators.test.ts.

    OMP_NUM_THREADS=1 python test/parity/make_sparse_evaluators.py        # with sentence-transformers 6.2.0

Fake models embed the text "r12 …" as row 12 of a sparse matrix, or as a matrix of its own. A prompt of n characters moves the row by
n. What each evaluator answers, and the files that it writes, go to golden/sparse-evaluators.json and golden/multi-vector-evaluators.json.
"""

import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import SparseEncoder, util
from sentence_transformers.multi_vector_encoder import evaluation as multi
from sentence_transformers.sparse_encoder import evaluation as sparse
from sentence_transformers.util.similarity import SimilarityFunction

OUT = Path(__file__).parent / "golden"
torch.set_num_threads(1)
random = np.random.RandomState(7)
ROWS, WIDTH = 120, 30
SPARSE = np.round(np.abs(random.randn(ROWS, WIDTH)) * (random.rand(ROWS, WIDTH) < 0.4), 3).astype(np.float32)
VECTORS = [np.round(random.randn(1 + i % 6, 5), 3).astype(np.float32) for i in range(ROWS)]
FNS = ["cosine", "dot", "euclidean", "manhattan"]


class Card:
    def set_evaluation_metrics(self, *args, **kwargs):
        pass


class Fake(torch.nn.Module):
    """What evaluators use of a model."""

    def __init__(self, similarity):
        super().__init__()
        self.similarity_fn_name = similarity
        self.similarity = SimilarityFunction.to_similarity_fn(similarity)
        self.similarity_pairwise = SimilarityFunction.to_similarity_pairwise_fn(similarity)
        self.model_card_data, self.device, self.prompts = Card(), torch.device("cpu"), {}

    def place(self, text, prompt, prompt_name):
        prompt = prompt or {None: "", "query": "q: ", "document": "d"}[prompt_name]
        return (int(re.match(r"r(\d+)", text)[1]) + len(prompt)) % ROWS


class FakeSparse(Fake):
    sparsity = staticmethod(SparseEncoder.sparsity)

    def encode(self, inputs, prompt=None, prompt_name=None, max_active_dims=None, convert_to_sparse_tensor=True,
               convert_to_tensor=True, **kwargs):
        out = torch.from_numpy(np.stack([SPARSE[self.place(text, prompt, prompt_name)] for text in inputs]))
        if max_active_dims is not None:
            out = util.select_max_active_dims(out, max_active_dims)
        if convert_to_sparse_tensor:
            out = out.to_sparse().coalesce()
        return out if convert_to_tensor else [row for row in out]

    encode_query = encode_document = encode


class FakeVectors(Fake):
    def encode(self, inputs, prompt=None, prompt_name=None, **kwargs):
        return [torch.from_numpy(VECTORS[self.place(text, prompt, prompt_name)]) for text in inputs]

    encode_query = encode_document = encode


def texts(count, start=0, step=1):
    return [f"r{(start + i * step) % ROWS}" for i in range(count)]


def snake(options):
    return {re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), key): value for key, value in options.items()}


cases = {}


def case(name, evaluator, options, make, model):
    """`options` as ours takes them; `make` builds Python's. Evaluated twice, so that the CSV file has two rows."""
    instance = make()
    with tempfile.TemporaryDirectory() as folder:
        metrics, primary = instance(model, folder), instance.primary_metric
        instance(model, folder, epoch=0.5, steps=12)
        # newline="": line ends as they are.
        files = {file: open(os.path.join(folder, file), newline="", encoding="utf-8").read() for file in sorted(os.listdir(folder))}
    cases[name] = {
        "evaluator": evaluator,
        "similarity": model.similarity_fn_name,
        "options": options,
        "metrics": {key: float(value) for key, value in metrics.items()},
        "primaryMetric": primary,
        "files": files,
    }


def write(name, rows):
    content = {"version": sentence_transformers.__version__, "rows": rows, "cases": cases}
    (OUT / f"{name}.json").write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{name}: {len(cases)} cases")


pairs = {"sentences1": texts(60), "sentences2": texts(60, 31, 7)}
scores = [float((i * 37) % 11) / 2 for i in range(60)]
labels = [int((i * 37) % 11 < 5) for i in range(60)]
triplets = {"anchors": texts(50), "positives": texts(50, 3, 7), "negatives": texts(50, 9, 11)}
translations = {"sourceSentences": texts(40), "targetSentences": texts(40, 0, 1)[:35] + texts(5, 60)}
samples = [{"query": f"r{i * 3}", "positive": texts(i % 5, i, 5), "negative": texts((i * 3) % 14, i + 40, 11)} for i in range(25)]


def retrieval(start=0):
    queries = {f"q{i}": f"r{(i * 7 + start) % ROWS}" for i in range(20)}
    corpus = {f"d{i}": f"r{(i + start) % ROWS}" for i in range(70)}
    relevant = {f"q{i}": [f"d{(i * 3 + j) % 70}" for j in range(i % 4)] for i in range(20)}
    return {"queries": queries, "corpus": corpus, "relevantDocs": relevant}


def sets(options):
    return {key: ({k: set(v) for k, v in value.items()} if key == "relevant_docs" else value) for key, value in snake(options).items()}


SETS = {"msmarco": retrieval(), "nq": retrieval(40)}


def local(base):
    class Local(base):
        """From the sets above rather than from the hub."""

        def _load_dataset_subset_split(self, subset, split, required_columns):
            name = next(name for name in SETS if self._get_human_readable_name(name).startswith(split))
            if subset == "qrels":
                relevant = SETS[name]["relevantDocs"]
                return [{"query-id": query, "corpus-id": doc} for query, docs in relevant.items() for doc in docs]
            return [{"_id": key, "text": text} for key, text in SETS[name][subset].items()]

    return Local


# ------------------------------------------------------------------------------------------------------------- sparse
for limit in (None, 4):
    extra = {} if limit is None else {"maxActiveDims": limit}
    end = "" if limit is None else "-4"

    def add(name, evaluator, options, similarity="dot", python=None):
        options = {**options, **extra}
        shown = dict(options)
        cls = getattr(sparse, evaluator)
        case(name + end, evaluator, shown, lambda: cls(**{**snake(options), **(python or {})}), FakeSparse(similarity))

    # Sums of few decimals are often equal, which rounding decides there.
    names = FNS if limit is None else FNS[:3]
    add("similarity", "SparseEmbeddingSimilarityEvaluator", {**pairs, "scores": scores, "similarityFnNames": names, "name": "sts"})
    add("similarity-own", "SparseEmbeddingSimilarityEvaluator", {**pairs, "scores": scores})
    add("binary", "SparseBinaryClassificationEvaluator", {**pairs, "labels": labels, "similarityFnNames": FNS, "name": "b"})
    add("triplet", "SparseTripletEvaluator", {**triplets, "similarityFnNames": FNS, "margin": 0.25, "name": "t"},
        python={"margin": 0.25})
    add("triplet-own", "SparseTripletEvaluator", triplets)
    add("translation", "SparseTranslationEvaluator", {**translations, "name": "en-de"})
    options = {**translations, **extra, "name": "mse"}
    case("mse" + end, "SparseMSEEvaluator", options,
         lambda: sparse.SparseMSEEvaluator(**snake({**options, "targetSentences": texts(40, 2)}), teacher_model=FakeSparse("dot")),
         FakeSparse("dot"))
    cases["mse" + end]["options"] = {**options, "targetSentences": texts(40, 2)}
    add("reranking", "SparseRerankingEvaluator", {"samples": samples, "name": "r"})
    add("reranking-single", "SparseRerankingEvaluator", {"samples": samples, "useBatchedEncoding": False, "atK": 3})
    options = {**retrieval(), **extra, "name": "ir", "corpusChunkSize": 30, "queryPrompt": "abc"}
    case("ir" + end, "SparseInformationRetrievalEvaluator", options,
         lambda: sparse.SparseInformationRetrievalEvaluator(**sets(options)), FakeSparse("dot"))
    nano = {**extra, "scoreFunctions": {"cosine": "cosine", "dot": "dot"}} if limit else {}
    python = {"max_active_dims": limit, "score_functions": {"cosine": util.cos_sim, "dot": util.dot_score}} if limit else {}
    case("nano" + end, "SparseNanoBEIREvaluator", {**nano, "datasets": SETS},
         lambda: local(sparse.SparseNanoBEIREvaluator)(list(SETS), **python), FakeSparse("dot"))

write("sparse-evaluators", [[round(float(value), 3) for value in row] for row in SPARSE])

# ------------------------------------------------------------------------------------------------------- multi-vector
cases = {}
for similarity in ("maxsim", "meanmaxsim"):
    model, end = FakeVectors(similarity), "" if similarity == "maxsim" else "-mean"

    def add(name, evaluator, options, python=None):
        cls = getattr(multi, evaluator)
        case(name + end, evaluator, options, lambda: cls(**snake(options)), model)

    add("triplet", "MultiVectorTripletEvaluator", {**triplets, "similarityFnNames": ["maxsim", "meanmaxsim"], "name": "t"})
    add("triplet-margin", "MultiVectorTripletEvaluator", {**triplets, "margin": 0.5})
    add("reranking", "MultiVectorRerankingEvaluator", {"samples": samples, "name": "r"})
    add("reranking-single", "MultiVectorRerankingEvaluator", {"samples": samples, "useBatchedEncoding": False, "atK": 3})
    options = {**retrieval(), "name": "ir", "corpusChunkSize": 30, "queryPrompt": "abc"}
    case("ir" + end, "MultiVectorInformationRetrievalEvaluator", options,
         lambda: multi.MultiVectorInformationRetrievalEvaluator(**sets(options)), model)
    case("nano" + end, "MultiVectorNanoBEIREvaluator", {"datasets": SETS},
         lambda: local(multi.MultiVectorNanoBEIREvaluator)(list(SETS)), model)
    candidates = [texts(4, i, 13) for i in range(20)]
    teacher = [[float((i * 7 + j * 5) % 9) / 2 for j in range(4)] for i in range(20)]
    teacher[3] = [1.0] * 4
    add("distillation", "MultiVectorDistillationEvaluator",
        {"queries": texts(20, 50), "documents": candidates, "scores": teacher, "temperature": 0.5, "name": "kd"})
    add("distillation-sides", "MultiVectorDistillationEvaluator",
        {"queries": texts(20, 50), "documents": candidates, "scores": teacher, "studentTemperature": 2.0, "teacherTemperature": 0.7})
    add("distillation-flat", "MultiVectorDistillationEvaluator",
        {"queries": texts(20, 50), "documents": texts(20, 5, 3), "scores": [row[1] for row in teacher]})

write("multi-vector-evaluators", [[[round(float(value), 3) for value in token] for token in row] for row in VECTORS])
