"""Golden results of evaluators on real data with all-MiniLM-L6-v2, for evaluators-real.test.ts.

    OMP_NUM_THREADS=1 python test/parity/make_evaluators_real.py ../shared

Cranfield: the first 500 documents, and every query that one of them answers. STS benchmark dev: alike from score 3 on.
"""

import json
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer, util
from sentence_transformers.sentence_transformer import evaluation as ev

shared = Path(sys.argv[1])
torch.set_num_threads(1)
model = SentenceTransformer(str(shared / "models" / "all-MiniLM-L6-v2"), device="cpu")


def texts(name):
    rows = [json.loads(line) for line in open(shared / "data" / "cranfield" / f"{name}.jsonl", encoding="utf-8")]
    return {row["_id"]: row["text"] for row in rows if row["text"]}


corpus = dict(list(texts("corpus").items())[:500])
relevant = {}
for line in open(shared / "data" / "cranfield" / "qrels" / "test.tsv", encoding="utf-8").read().splitlines()[1:]:
    query, document, score = line.split("\t")
    if int(score) > 0 and document in corpus:
        relevant.setdefault(query, set()).add(document)
functions = {"cosine": util.cos_sim, "manhattan": util.manhattan_sim}
retrieval = ev.InformationRetrievalEvaluator(texts("queries"), corpus, relevant, score_functions=functions, name="cranfield")

pairs = [line.split("\t") for line in open(shared / "data" / "stsb" / "dev.tsv", encoding="utf-8").read().splitlines()[1:]]
binary = ev.BinaryClassificationEvaluator(
    [pair[0] for pair in pairs], [pair[1] for pair in pairs], [int(float(pair[2]) >= 3) for pair in pairs],
    similarity_fn_names=["cosine", "dot", "euclidean", "manhattan"], name="sts",
)
out = {
    "InformationRetrievalEvaluator": {key: float(value) for key, value in retrieval(model).items()},
    "BinaryClassificationEvaluator": {key: float(value) for key, value in binary(model).items()},
}
(Path(__file__).parent / "golden" / "evaluators" / "real.json").write_text(json.dumps(out, indent=1) + "\n")
print(len(retrieval.queries), out)
