"""The same search by sentence-transformers' InformationRetrievalEvaluator, and the rate of the matrix product alone."""

import argparse
import json
import time

import torch
from machine import facts
from sentence_transformers import util
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

parser = argparse.ArgumentParser()
for name, default in {"documents": 1_000_000, "queries": 1000, "width": 384, "chunk": 50_000, "threads": 0}.items():
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--gemm-only", action="store_true")
args, _ = parser.parse_known_args()  # the driver's other options are for other trials
if args.threads:
    torch.set_num_threads(args.threads)
made = [0.0, 0.0]


def gemm_rate():
    """Operations per second of processor time, all threads together: what a busy machine changes least. In 1e9."""
    a, b = torch.randn(1000, args.width), torch.randn(16384, args.width)
    best = float("inf")
    for _ in range(30):
        start = time.process_time()
        torch.mm(a, b.t())
        best = min(best, time.process_time() - start)
    return 2 * a.numel() * len(b) / best / 1e9


class RandomModel:
    similarity_fn_name, similarity = "cosine", staticmethod(util.cos_sim)

    class model_card_data:
        @staticmethod
        def set_evaluation_metrics(*args):
            pass

    def encode_query(self, texts, **kwargs):
        start, cpu = time.perf_counter(), time.process_time()
        out = torch.rand(len(texts), args.width) * 2 - 1
        made[0] += time.perf_counter() - start
        made[1] += time.process_time() - cpu
        return out

    encode_document = encode_query


result = {"theme": "ir", "program": "sentence-transformers", "gemmGigaPerCpuSecond": gemm_rate()}
if not args.gemm_only:
    queries = {f"{i:08d}": str(i) for i in range(args.queries)}
    corpus = {f"{i:08d}": str(i) for i in range(args.documents)}
    relevant = {f"{i:08d}": {f"{i * 997 % args.documents:08d}"} for i in range(args.queries)}
    evaluator = InformationRetrievalEvaluator(queries, corpus, relevant, corpus_chunk_size=args.chunk)
    start, cpu = time.perf_counter(), time.process_time()
    evaluator(RandomModel())
    result.update({
        "documents": args.documents, "queries": args.queries, "width": args.width, "chunk": args.chunk,
        "searchSeconds": time.perf_counter() - start - made[0], "searchCpuSeconds": time.process_time() - cpu - made[1],
        "embeddingSeconds": made[0],
    })
print(json.dumps({**result, **facts()}))
