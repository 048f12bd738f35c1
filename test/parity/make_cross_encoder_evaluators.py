"""Golden results of the evaluators of cross-encoders, for cross-encoder-evaluators.test.ts.

    OMP_NUM_THREADS=1 python test/parity/make_cross_encoder_evaluators.py        # with sentence-transformers 6.2.0

A fake model scores a pair with the numbers that its second text ends with: "doc 3 = 0.25", "doc 4 = 0.5 -1 2". What each
evaluator answers and writes goes to golden/cross-encoder-evaluators.json.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from datasets import Dataset
from sentence_transformers.cross_encoder import evaluation as ev

OUT = Path(__file__).parent / "golden" / "cross-encoder-evaluators.json"
random = np.random.RandomState(11)


class Card:
    def set_evaluation_metrics(self, *args, **kwargs):
        pass


class FakeModel:
    def __init__(self, num_labels):
        self.num_labels, self.model_card_data = num_labels, Card()

    def predict(self, pairs, **kwargs):
        rows = [[np.float32(number) for number in b.split(" = ")[1].split()] for _, b in pairs]
        found = np.array(rows, dtype=np.float32)
        return found[:, 0] if self.num_labels == 1 else found


def document(i, *numbers):
    return f"doc {i} = " + " ".join(f"{number:g}" for number in numbers)


def pairs(count, labels=1, step=None):
    scores = random.randn(count, labels).round(3) if step is None else random.randint(0, step, (count, labels)) / 4
    return [[f"query {i}", document(i, *scores[i])] for i in range(count)]


cases = []


def case(name, make, options, num_labels=1):
    with tempfile.TemporaryDirectory() as folder:
        evaluator = make()
        metrics = evaluator(FakeModel(num_labels), output_path=folder)
        evaluator(FakeModel(num_labels), output_path=folder, epoch=0.5, steps=7)
        files = {path.name: path.read_bytes().decode() for path in Path(folder).iterdir()}
        cases.append(dict(evaluator=name, options=options, numLabels=num_labels, files=files,
                          metrics=[[key, float(value)] for key, value in metrics.items()],
                          primaryMetric=evaluator.primary_metric))


def classification(sentence_pairs, labels, num_labels=1, name=""):
    case("CrossEncoderClassificationEvaluator",
         lambda: ev.CrossEncoderClassificationEvaluator(sentence_pairs, labels, name=name),
         dict(sentencePairs=sentence_pairs, labels=labels, name=name), num_labels)


for count in (2, 9, 40):
    classification(pairs(count), random.randint(0, 2, count).tolist())
classification([[f"q{i}", document(i, i)] for i in range(5)], [0, 0, 0, 0, 1], name="worst")
classification([[f"q{i}", document(i, -i)] for i in range(5)], [1, 1, 0, 0, 0], name="best")
for count in (3, 50):
    classification(pairs(count, 3), random.randint(0, 3, count).tolist(), 3)
classification(pairs(20, 4, step=3), random.randint(0, 2, 20).tolist(), 4, name="ties")

for count, step in ((2, None), (30, None), (30, 4)):
    scores = (random.randint(0, 6, count) / 5).tolist()
    scores[0] = 0.5
    sentence_pairs = pairs(count, step=step)
    case("CrossEncoderCorrelationEvaluator",
         lambda: ev.CrossEncoderCorrelationEvaluator(sentence_pairs, scores, name="dev"),
         dict(sentencePairs=sentence_pairs, scores=scores, name="dev"))


def documents(count, start):
    scores = random.permutation(count) / 8 - 1
    return [document(start + i, scores[i]) for i in range(count)]


def sample(i, positives, others, found=None):
    """With `found`, how many positives the other ranker has found, at random places."""
    docs = documents(positives + others, 100 * i)
    positive, negative = docs[:positives], docs[positives:]
    if found is None:
        return dict(query=f"query {i}", positive=positive, negative=negative)
    ranked = positive[:found] + negative
    return dict(query=f"query {i}", positive=positive, documents=[ranked[j] for j in random.permutation(len(ranked))])


def reranking(samples, **options):
    camel = dict(at_k="atK", always_rerank_positives="alwaysRerankPositives", name="name")
    case("CrossEncoderRerankingEvaluator", lambda: ev.CrossEncoderRerankingEvaluator(samples, **options),
         dict(samples=samples, **{camel[key]: value for key, value in options.items()}))


reranking([sample(i, 1 + i % 3, 6 + i) for i in range(8)])
reranking([sample(i, 1 + i % 3, 6 + i) for i in range(4)] + [sample(9, 0, 3)], at_k=3, name="cut")
ranked = [sample(i, 1 + i % 4, 7 + 2 * i, found=(i % (2 + i % 4))) for i in range(9)]
reranking(ranked)
reranking(ranked, always_rerank_positives=False, name="found")
reranking([dict(query="q", positive="doc 1 = 0.5", documents=["doc 2 = 1", "doc 1 = 0.5", "doc 3 = 0"])], at_k=1)


class NanoBEIR(ev.CrossEncoderNanoBEIREvaluator):
    """Over the sets below instead of those of the hub."""

    def _load_dataset_subset_split(self, subset, split, required_columns):
        beir = SETS[split.lower().replace("nano", "")]
        if subset in ("corpus", "queries"):
            texts = beir[subset]
            return Dataset.from_dict({"_id": list(texts), "text": list(texts.values())})
        if subset == "qrels":
            found = [(q, d) for q, ds in beir["qrels"].items() for d in ds]
            return Dataset.from_dict({"query-id": [q for q, _ in found], "corpus-id": [d for _, d in found]})
        return Dataset.from_dict({"query-id": list(beir["bm25"]), "corpus-ids": list(beir["bm25"].values())})


def beir(queries, corpus):
    scores = random.permutation(corpus) / 16 - 1
    ids = [f"d{i}" for i in range(corpus)]
    return dict(corpus={f"d{i}": document(i, scores[i]) for i in range(corpus)},
                queries={f"q{i}": f"query {i}" for i in range(queries)},
                qrels={f"q{i}": [ids[j] for j in random.choice(corpus, 1 + i % 2, replace=False)] for i in range(queries)},
                bm25={f"q{i}": [ids[j] for j in random.permutation(corpus)[:15]] for i in range(queries)})


SETS = {"msmarco": beir(5, 20), "nq": beir(4, 18)}
case("CrossEncoderNanoBEIREvaluator", lambda: NanoBEIR(["msmarco", "nq"], rerank_k=12),
     dict(sets=SETS, rerankK=12))
case("CrossEncoderNanoBEIREvaluator",
     lambda: NanoBEIR(["NQ"], rerank_k=5, at_k=3, always_rerank_positives=False, aggregate_fn=max, aggregate_key="max"),
     dict(sets={"NQ": SETS["nq"]}, rerankK=5, atK=3, alwaysRerankPositives=False, aggregateKey="max"))

for count, step in ((5, 2), (30, 4), (40, 3)):
    classification(pairs(count, step=step), random.randint(0, 2, count).tolist(), name="equal scores")
for label in (0, 1):
    classification(pairs(6), [label] * 6, name="one class")

OUT.write_text(json.dumps(cases) + "\n")
