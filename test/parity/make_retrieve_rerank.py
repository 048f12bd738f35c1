"""Golden values of retrieval with re-ranking for test/parity/retrieve-and-rerank.test.ts.

Run with sentence-transformers 6.2.0: `python test/parity/make_retrieve_rerank.py`. Embeddings and scores of pairs are fixed numbers;
the search is util.semantic_search, the ranking that of CrossEncoder.rank, the metrics those of InformationRetrievalEvaluator.
"""

import json
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import util
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

QUERIES, DOCUMENTS, DIM = 12, 60, 8


def main():
    generator = np.random.default_rng(31)
    documents = np.round(generator.normal(size=(DOCUMENTS, DIM)), 3).astype(np.float32)
    queries = np.round(documents[:QUERIES] + 0.9 * generator.normal(size=(QUERIES, DIM)), 3).astype(np.float32)
    # A cross-encoder that often, but not always, knows the answers.
    relevant = {f"q{i}": sorted({f"d{i}", f"d{(7 * i + 20) % DOCUMENTS}"} if i % 3 else {f"d{i}"}) for i in range(QUERIES)}
    scores = generator.normal(size=(QUERIES, DOCUMENTS))
    for i in range(QUERIES):
        for name in relevant[f"q{i}"]:
            scores[i, int(name[1:])] += 1.5
    scores = np.round(scores, 6)
    # The order of equal scores is left open.
    assert all(len(set(np.float32(row))) == DOCUMENTS for row in scores)

    cases = []
    for top_k in [3, 10, 25, 100]:
        k = min(top_k, DOCUMENTS)
        hits = util.semantic_search(torch.from_numpy(queries), torch.from_numpy(documents), top_k=k)
        evaluator = InformationRetrievalEvaluator(
            {f"q{i}": f"q{i}" for i in range(QUERIES)},
            {f"d{i}": f"d{i}" for i in range(DOCUMENTS)},
            {query: set(found) for query, found in relevant.items()},
            mrr_at_k=[10], ndcg_at_k=[10], accuracy_at_k=[1], map_at_k=[10], precision_recall_at_k=sorted({1, 10, k}),
        )

        def measured(lists):
            found = evaluator.compute_metrics(lists)
            recalls = {f"recall@{at}": float(value) for at, value in found["recall@k"].items()}
            return {"ndcg@10": float(found["ndcg@k"][10]), "mrr@10": float(found["mrr@k"][10]), **recalls}

        def ranked(candidates):
            lists = []
            for query, ids in enumerate(candidates):
                own = [{"corpus_id": f"d{i}", "score": float(np.float32(scores[query, i]))} for i in ids]
                lists.append(sorted(own, key=lambda hit: hit["score"], reverse=True)[:k])
            return lists

        found = [[{"corpus_id": f"d{hit['corpus_id']}", "score": hit["score"]} for hit in own] for own in hits]
        methods = {
            "bi-encoder": found,
            "cross-encoder": ranked([range(DOCUMENTS)] * QUERIES),
            "both": ranked([[hit["corpus_id"] for hit in own] for own in hits]),
        }
        cases.append(
            {
                "top_k": top_k,
                "methods": {
                    name: {"metrics": measured(lists), "ids": [[hit["corpus_id"] for hit in own] for own in lists]}
                    for name, lists in methods.items()
                },
            }
        )
    content = {
        "version": sentence_transformers.__version__,
        "dim": DIM,
        "queries": [round(float(value), 3) for value in queries.ravel()],
        "documents": [round(float(value), 3) for value in documents.ravel()],
        "scores": scores.tolist(),
        "relevant": relevant,
        "cases": cases,
    }
    path = Path(__file__).parent / "golden" / "retrieve-rerank.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
