"""What is done with many vectors, a trial of the Python peer: the counterpart of vectors.mjs, over the same file."""

import argparse
import time

import numpy
import torch
from machine import facts, say
from sentence_transformers import util

parser = argparse.ArgumentParser()
parser.add_argument("--vectors", required=True)
for name in ("width", "queries", "threads"):
    parser.add_argument(f"--{name}", type=int, default=0)
parser.add_argument("--threshold", type=float)
args, _ = parser.parse_known_args()  # the driver's other options are for other trials
if args.threads:
    torch.set_num_threads(args.threads)
rows = torch.from_numpy(numpy.fromfile(args.vectors, dtype="float32").reshape(-1, args.width))


def timed(work):
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


search_seconds, hits = timed(lambda: util.semantic_search(rows[: args.queries], rows, top_k=10))
cluster_seconds, communities = timed(lambda: util.community_detection(rows, threshold=args.threshold, min_community_size=3))
say({"searchSeconds": search_seconds, "clusterSeconds": cluster_seconds, "communities": len(communities),
     "largest": len(communities[0]) if communities else 0,
     "found": sum(best[0]["corpus_id"] == i for i, best in enumerate(hits)), **facts()})
