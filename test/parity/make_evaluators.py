"""Golden results of sentence-transformers' evaluators, for evaluators.test.ts.

    OMP_NUM_THREADS=1 python test/parity/make_evaluators.py        # with sentence-transformers 6.2.0

A fake model embeds the text "r12 …" as row 12 of a fixed random matrix and "s12 …" as row 12 of a matrix of signs, whose
scores are exact and mostly equal. A prompt of n characters moves the row by n. What each evaluator answers, and the files
that it writes, go to golden/evaluators/<case>.json; the matrices to golden/evaluators/embeddings.json.
"""

import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import util
from sentence_transformers.base.evaluation import SequentialEvaluator
from sentence_transformers.sentence_transformer import evaluation as ev
from sentence_transformers.sentence_transformer.losses import SoftmaxLoss
from sentence_transformers.util.similarity import SimilarityFunction

OUT = Path(__file__).parent / "golden" / "evaluators"
torch.set_num_threads(1)
random = np.random.RandomState(7)
MATRICES = {
    "r": random.randn(120, 8).astype(np.float32),
    "s": np.sign(random.randn(120, 4)).astype(np.float32),
}
FNS = ["cosine", "dot", "euclidean", "manhattan"]
SCORES = {"cosine": util.cos_sim, "dot": util.dot_score, "euclidean": util.euclidean_sim, "manhattan": util.manhattan_sim}


class Card:
    def set_evaluation_metrics(self, *args, **kwargs):
        pass


class FakeModel(torch.nn.Module):
    """What evaluators use of a model. `shift` moves every row: another model over the same matrices."""

    def __init__(self, similarity="cosine", shift=0):
        super().__init__()
        self.similarity_fn_name, self.shift = similarity, shift
        self.similarity = SimilarityFunction.to_similarity_fn(similarity)
        self.model_card_data, self.device = Card(), torch.device("cpu")

    def row(self, text, prompt):
        kind, number = re.match(r"([rs])(\d+)", text).groups()
        matrix = MATRICES[kind]
        return matrix[(int(number) + len(prompt or "") + self.shift) % len(matrix)]

    def encode(self, inputs, prompt=None, prompt_name=None, truncate_dim=None, convert_to_numpy=True,
               convert_to_tensor=False, normalize_embeddings=False, precision=None, **kwargs):
        prompt = prompt or {None: "", "query": "q: ", "document": "d"}[prompt_name]
        out = np.stack([self.row(text, prompt)[:truncate_dim] for text in inputs])
        if normalize_embeddings:
            out = torch.nn.functional.normalize(torch.from_numpy(out)).numpy()
        if precision and precision != "float32":
            return util.quantize_embeddings(out, precision)
        if convert_to_tensor:
            return torch.from_numpy(out)
        return out if convert_to_numpy else [torch.from_numpy(row) for row in out]

    encode_query = encode_document = encode

    def smart_batching_collate(self, batch):
        return batch

    def forward(self, features):
        return {"sentence_embedding": torch.from_numpy(self.encode(features))}


class Loader(list):
    collate_fn = None


def texts(kind, count, start=0, step=1):
    return [f"{kind}{(start + i * step) % 120}" for i in range(count)]


cases = {}


def case(name, evaluator, options, make, model=None, then=None):
    """
    `options` as ours takes them; `make` builds Python's. Evaluated twice, so that the CSV file has two rows; the second time
    with the model `then`, where it is given.
    """
    model = model or FakeModel()
    instance = make()
    with tempfile.TemporaryDirectory() as folder:
        metrics, primary = instance(model, folder), instance.primary_metric
        again = instance(then or model, folder, epoch=0.5, steps=12)
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
    if then:
        cases[name]["then"] = {
            "similarity": then.similarity_fn_name,
            "shift": then.shift,
            "metrics": {key: float(value) for key, value in again.items()},
            "primaryMetric": instance.primary_metric,
        }


def similar_pairs(kind, count=60):
    return {"sentences1": texts(kind, count), "sentences2": texts(kind, count, 31, 7)}


def snake(options):
    names = {"similarityFnNames": "similarity_fn_names", "truncateDim": "truncate_dim", "batchSize": "batch_size"}
    return {names.get(key, re.sub(r"([A-Z])", lambda m: "_" + m.group(1).lower(), key)): value for key, value in options.items()}


# ------------------------------------------------------------------------------------------------ pairs and triplets
for kind in "rs":
    pairs = similar_pairs(kind)
    scores = [float((i * 37) % 11) / 2 for i in range(60)]
    options = {**pairs, "scores": scores, "similarityFnNames": FNS, "name": kind}
    case(f"similarity-{kind}", "EmbeddingSimilarityEvaluator", options, lambda: ev.EmbeddingSimilarityEvaluator(**snake(options)))

    for precision in ("float32", "int8", "uint8", "binary", "ubinary"):
        # The lengths of bits, and of the few bytes of signs, are not exact: which cosines are equal would depend on the rounding.
        names = FNS[1:] if precision.endswith("binary") else FNS
        options = {**pairs, "scores": scores, "similarityFnNames": names, "precision": precision}
        if kind == "s":
            names = FNS[-2:] if precision.endswith("int8") else names
            options.update(similarityFnNames=names, truncateDim=3, name="bits")
        case(f"similarity-{kind}-{precision}", "EmbeddingSimilarityEvaluator", options,
             lambda: ev.EmbeddingSimilarityEvaluator(**snake(options)))

    labels = [int((i * 37) % 5 < 2) for i in range(60)]
    options = {**pairs, "labels": labels, "similarityFnNames": FNS, "name": kind}
    case(f"binary-{kind}", "BinaryClassificationEvaluator", options, lambda: ev.BinaryClassificationEvaluator(**snake(options)))
    # Labels that follow the cosine, so that the best threshold lies in the middle.
    a, b = (FakeModel().encode(pairs[key]) for key in ("sentences1", "sentences2"))
    follows = (util.pairwise_cos_sim(a, b).numpy() + 0.3 * np.sin(np.arange(60)) > 0.1).astype(int).tolist()
    options = {**pairs, "labels": follows, "similarityFnNames": FNS, "truncateDim": 3}
    case(f"binary-follows-{kind}", "BinaryClassificationEvaluator", options, lambda: ev.BinaryClassificationEvaluator(**snake(options)))

    options = {"anchors": texts(kind, 80), "positives": texts(kind, 80, 17, 3), "negatives": texts(kind, 80, 50, 11),
               "similarityFnNames": FNS, "name": f"t-{kind}"}
    case(f"triplet-{kind}", "TripletEvaluator", options, lambda: ev.TripletEvaluator(**snake(options)))

for label in (0, 1):
    options = {**similar_pairs("r", 20), "labels": [label] * 20}
    case(f"binary-only-{label}", "BinaryClassificationEvaluator", options, lambda: ev.BinaryClassificationEvaluator(**snake(options)),
         FakeModel("dot"))
options = {**similar_pairs("r", 1), "labels": [1]}
case("binary-one-row", "BinaryClassificationEvaluator", options, lambda: ev.BinaryClassificationEvaluator(**snake(options)))
options = {"sentences1": ["s1"] * 9, "sentences2": ["s2"] * 9, "labels": [0, 1, 0, 1, 1, 0, 0, 1, 0]}
case("binary-all-tied", "BinaryClassificationEvaluator", options, lambda: ev.BinaryClassificationEvaluator(**snake(options)),
     FakeModel("euclidean"))

triplets = {"anchors": texts("s", 80), "positives": texts("s", 80, 17, 3), "negatives": texts("s", 80, 50, 11)}
options = {**triplets, "margin": 2, "similarityFnNames": ["dot"]}
case("triplet-margin", "TripletEvaluator", options, lambda: ev.TripletEvaluator(**snake(options)))
options = {**triplets, "margin": {"cosine": 0.5, "manhattan": -2}, "similarityFnNames": ["manhattan", "cosine", "euclidean"],
           "truncateDim": 3}
case("triplet-margins", "TripletEvaluator", options, lambda: ev.TripletEvaluator(**snake(options)), FakeModel("dot"))
options = {**triplets, "mainSimilarity": "cosine", "similarityFnNames": ["dot", "cosine"]}
case("triplet-main", "TripletEvaluator", options,
     lambda: ev.TripletEvaluator(**triplets, main_similarity_function="cosine", similarity_fn_names=["dot", "cosine"]))

# --------------------------------------------------------------------------------------------------------- retrieval


def retrieval(kind, queries=15, documents=90):
    corpus = {f"d{i}": f"{kind}{(i * 7 + 3) % 120}" for i in range(documents)}
    wanted = {f"q{i}": f"{kind}{(i * 13) % 120} é\U0001f600\"" for i in range(queries)}
    relevant = {f"q{i}": sorted({f"d{(i * j * 5 + j) % documents}" for j in range(1, 2 + i % 7)}) for i in range(queries - 1)}
    if queries > 6:
        relevant["q2"] = []
        relevant["q5"].append("not in the corpus")
    return {"queries": wanted, "corpus": corpus, "relevantDocs": relevant}


def ir(options):
    options = dict(options)
    names = {"mrrAtK": "mrr_at_k", "ndcgAtK": "ndcg_at_k", "accuracyAtK": "accuracy_at_k", "mapAtK": "map_at_k",
             "precisionRecallAtK": "precision_recall_at_k"}
    made = snake({key: value for key, value in options.items() if key not in names})
    made.update({names[key]: value for key, value in options.items() if key in names})
    if "relevant_docs" in made:
        made["relevant_docs"] = {key: set(value) for key, value in made["relevant_docs"].items()}
    if "score_functions" in made:
        made["score_functions"] = {name: SCORES[fn] for name, fn in made["score_functions"].items()}
    return made


def ir_case(name, options, model=None, then=None):
    case(name, "InformationRetrievalEvaluator", options, lambda: ev.InformationRetrievalEvaluator(**ir(options)), model, then)


ir_case("ir-r", {**retrieval("r"), "name": "set"})
ir_case("ir-s-ties", {**retrieval("s"), "writePredictions": True, "mapAtK": [20, 100], "corpusChunkSize": 17}, FakeModel("dot"))
ir_case("ir-s-cosine", {**retrieval("s"), "writePredictions": True, "mapAtK": [5], "ndcgAtK": [3, 5], "mrrAtK": [2],
                        "accuracyAtK": [1], "precisionRecallAtK": [2, 4], "corpusChunkSize": 25, "name": "tied"})
ir_case("ir-all", {**retrieval("r"), "scoreFunctions": {"manhattan": "manhattan", "cosine": "cosine", "euclidean": "euclidean", "dot": "dot"},
                   "corpusChunkSize": 40})
ir_case("ir-main", {**retrieval("r"), "scoreFunctions": {"dot": "dot", "cosine": "cosine"}, "mainScoreFunction": "cosine",
                    "truncateDim": 3})
ir_case("ir-prompts", {**retrieval("r"), "queryPrompt": "query: ", "corpusPromptName": "document", "ndcgAtK": [5, 10]})
# Another model, which compares otherwise, after the first: metrics and the primary one follow, the file keeps its header.
ir_case("ir-reused", {**retrieval("r"), "name": "reused"}, FakeModel(), FakeModel("dot"))
ir_case("ir-reused-functions", {**retrieval("r"), "scoreFunctions": {"dot": "dot", "cosine": "cosine"}}, FakeModel(), FakeModel("dot", 5))
ir_case("ir-all-relevant", {**retrieval("r", 3, 4), "relevantDocs": {"q0": ["d0", "d1", "d2", "d3"], "q1": ["d3"]}})

SETS = {"msmarco": retrieval("r", 6, 40), "nq": retrieval("r", 9, 70)}
SETS["nq"]["corpus"]["empty"] = ""


class LocalNano(ev.NanoBEIREvaluator):
    """From the sets above rather than from the hub."""

    def _load_dataset_subset_split(self, subset, split, required_columns):
        name = next(name for name in SETS if self._get_human_readable_name(name).startswith(split))
        if subset == "qrels":
            relevant = SETS[name]["relevantDocs"]
            return [{"query-id": query, "corpus-id": doc} for query, docs in relevant.items() for doc in docs]
        return [{"_id": key, "text": text} for key, text in SETS[name][subset].items()]


def nano_case(name, options, then=None):
    extra = {"queryPrompts": "query_prompts", "aggregateKey": "aggregate_key"}
    python = {extra[key]: value for key, value in options.items() if key in extra}
    python.update(ir({key: value for key, value in options.items() if key not in extra}))
    shown = {**options, "datasets": SETS}
    case(name, "NanoBEIREvaluator", shown, lambda: LocalNano(list(SETS), **python), then=then)


nano_case("nano", {})
nano_case("nano-options", {"truncateDim": 4, "queryPrompts": {"msmarco": "abc", "nq": "q"}, "aggregateKey": "average",
                           "scoreFunctions": {"manhattan": "manhattan", "dot": "dot"}})

nano_case("nano-reused", {}, FakeModel("euclidean"))

# --------------------------------------------------------------------------------------------------------- reranking
for kind in "rs":
    # No document twice in a sample: equal rows need not score equally in a matrix product there.
    samples = [{"query": f"{kind}{i * 3}", "positive": texts(kind, i % 5, i, 5), "negative": texts(kind, (i * 3) % 14, i + 40, 11)}
               for i in range(25)]
    for batched in (True, False):
        options = {"samples": samples, "name": kind, "useBatchedEncoding": batched}
        if not batched:
            options["atK"] = 3
        python = {"samples": samples, "name": kind, "use_batched_encoding": batched, "at_k": options.get("atK", 10)}
        case(f"reranking-{kind}-{batched}".lower(), "RerankingEvaluator", options, lambda: ev.RerankingEvaluator(**python))
# A single document may be a string.
options = {"samples": [{"query": f"r{i}", "positive": f"r{i + 3}", "negative": texts("r", 5, i + 40, 7)} for i in range(6)]
           + [{"query": "r50", "positive": ["r51", "r60"], "negative": "r70"}], "name": "single"}
case("reranking-single", "RerankingEvaluator", options, lambda: ev.RerankingEvaluator(**options))
options = {"samples": samples, "similarityFct": "dot", "truncateDim": 3}
case("reranking-dot", "RerankingEvaluator", options,
     lambda: ev.RerankingEvaluator(samples=samples, similarity_fct=util.dot_score, truncate_dim=3))

# ------------------------------------------------------------------------------------------------- paraphrase mining
for kind in "rs":
    sentences = {f"id{i}": f"{kind}{i}" for i in range(70)}
    pairs = [[f"id{i}", f"id{(i * 7 + 3) % 75}"] for i in range(0, 70, 3)]
    for name, options in {"": {}, "-closure": {"addTransitiveClosure": True, "name": "closed"},
                          "-few": {"topK": 3, "maxPairs": 60, "truncateDim": 3}}.items():
        if kind == "s" and name == "-few":
            continue  # Which of equal pairs are among the few depends there on the order of torch.topk.
        if kind == "s":
            # Otherwise ties are ordered by torch.topk there.
            pairs = [[f"id{i}", f"id{j}"] for i in range(70) for j in range(i + 1, 70)
                     if np.array_equal(MATRICES["s"][i], MATRICES["s"][j])]
        shown = {"sentencesMap": sentences, "duplicatesList": pairs, **options}
        case(f"mining-{kind}{name}", "ParaphraseMiningEvaluator", shown,
             lambda: ev.ParaphraseMiningEvaluator(**snake(shown)))
shown = {"sentencesMap": {f"id{i}": f"r{i}" for i in range(10)}, "duplicatesList": []}
case("mining-none", "ParaphraseMiningEvaluator", shown, lambda: ev.ParaphraseMiningEvaluator(**snake(shown)))

# Pairs of equal score of which only some are duplicates: one step, whatever their order.
shown = {"sentencesMap": {key: "s1" for key in "abcd"}, "duplicatesList": [["a", "b"]], "name": "equal"}
case("mining-equal", "ParaphraseMiningEvaluator", shown, lambda: ev.ParaphraseMiningEvaluator(**snake(shown)))
shown = {"sentencesMap": sentences, "duplicatesList": [[f"id{i}", f"id{(i * 7 + 3) % 70}"] for i in range(70)], "name": "steps"}
case("mining-steps", "ParaphraseMiningEvaluator", shown, lambda: ev.ParaphraseMiningEvaluator(**snake(shown)))

# ----------------------------------------------------------------------------------------------------- the other ones
for kind in "rs":
    # A target is its source's neighbour in half of the rows.
    targets = [f"{kind}{i if i % 2 else (i * 7) % 120}" for i in range(50)]
    options = {"sourceSentences": texts(kind, 50), "targetSentences": targets, "name": kind}
    case(f"translation-{kind}", "TranslationEvaluator", options, lambda: ev.TranslationEvaluator(**snake(options)))

# Sentences and translations that come several times are right wherever they are found.
options = {"sourceSentences": [f"r{i % 20}" for i in range(50)], "name": "shared",
           "targetSentences": [f"r{i * 7 % 20 if i % 3 == 0 else i % 20}" for i in range(50)]}
case("translation-shared", "TranslationEvaluator", options, lambda: ev.TranslationEvaluator(**snake(options)))

sentences = {"sourceSentences": texts("r", 50), "targetSentences": texts("r", 50, 2)}
for name, extra in {"": {}, "-named": {"name": "en-de", "truncateDim": 5}}.items():
    case(f"mse{name}", "MSEEvaluator", {**sentences, **extra},
         lambda: ev.MSEEvaluator(**snake({**sentences, **extra}), teacher_model=FakeModel(shift=1)))
rows = [{"en": f"r{i}", "de": f"r{i + 1}" if i % 4 else "  ", "fr": f"r{i * 2}"} for i in range(30)]
combinations = [["en", "de"], ["en", "fr"]]
for name, extra in {"": {}, "-named": {"name": "langs", "truncateDim": 2}}.items():
    options = {"dataset": rows, "combinations": combinations, **extra}
    case(f"mse-dataset{name}", "MSEEvaluatorFromDataset", options,
         lambda: ev.MSEEvaluatorFromDataFrame(rows, FakeModel(shift=1), [tuple(pair) for pair in combinations], **snake(extra)))

for name, flags in {"": [True, True, False], "-all": [True, True, True], "-product": [False, False, True]}.items():
    width = 8 * (2 * flags[0] + flags[1] + flags[2])
    weight, bias = random.randn(3, width).astype(np.float32), random.randn(3).astype(np.float32)
    pairs = similar_pairs("r", 64)
    labels = [(i * 5) % 3 for i in range(64)]

    def label_accuracy():
        loss = SoftmaxLoss(FakeModel(), 8, 3, *flags)
        loss.classifier.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        batches = [([pairs["sentences1"][i:i + 16], pairs["sentences2"][i:i + 16]], torch.tensor(labels[i:i + 16])) for i in range(0, 64, 16)]
        return ev.LabelAccuracyEvaluator(Loader(batches), name="nli", softmax_model=loss)

    import sentence_transformers.sentence_transformer.evaluation.label_accuracy as module

    module.batch_to_device = lambda features, device: features
    options = {**pairs, "labels": labels, "name": "nli", "flags": flags,
               "weight": weight.ravel().tolist(), "bias": bias.tolist()}
    case(f"label{name}", "LabelAccuracyEvaluator", options, label_accuracy)

OUT.mkdir(parents=True, exist_ok=True)
pair_options = {**similar_pairs("r"), "labels": [i % 2 for i in range(60)], "name": "a"}
translation = {"sourceSentences": texts("r", 20), "targetSentences": texts("r", 20, 1), "name": "b"}
for name, python in {"sequential": {}, "sequential-mean": {"main_score_function": np.mean}}.items():
    case(name, "SequentialEvaluator", {"first": pair_options, "second": translation, "mean": bool(python)},
         lambda: SequentialEvaluator([ev.BinaryClassificationEvaluator(**snake(pair_options)), ev.TranslationEvaluator(**snake(translation))], **python))

(OUT / "embeddings.json").write_text(json.dumps({key: matrix.tolist() for key, matrix in MATRICES.items()}) + "\n")
# The last digit of a mean depends on the order of the sum.
means = {count: float(np.mean([(i * 37 % 101) / 101 for i in range(count)])) for count in (1, 7, 8, 15, 128, 129, 257, 3000)}
(OUT / "means.json").write_text(json.dumps(means) + "\n")
for old in OUT.glob("cases-*.json"):
    old.unlink()
by_evaluator = {}
for name, value in cases.items():
    by_evaluator.setdefault(value["evaluator"], {})[name] = value
for evaluator, group in by_evaluator.items():
    (OUT / f"cases-{evaluator}.json").write_text(json.dumps(group, ensure_ascii=False) + "\n")
print(f"{len(cases)} cases")
