"""One encoding trial of the Python peer. One JSON line on stdout, the embeddings as raw float32 in --out.

The counterpart of encode.mjs: same texts and batch size, counted after encoding the first texts once.
"""

import json
import time

import torch
from machine import arguments, peak_rss_mb, versions
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator


def main():
    options = arguments()
    rows = json.loads(open(options.data, encoding="utf-8").read())
    texts = rows["sentence1"] + rows["sentence2"]
    if options.threads:
        torch.set_num_threads(options.threads)
    model = SentenceTransformer(options.model, device="cpu")
    model.encode(texts[:256], batch_size=options.batch_size)
    start = time.perf_counter()
    embeddings = model.encode(texts, batch_size=options.batch_size)
    seconds = time.perf_counter() - start
    if options.out:
        embeddings.tofile(options.out)
    evaluator = EmbeddingSimilarityEvaluator(rows["sentence1"], rows["sentence2"], rows["score"], write_csv=False)
    print(json.dumps({
        "theme": "encode", "program": "sentence-transformers", "sentencesPerSecond": len(texts) / seconds, "sentences": len(texts),
        "batchSize": options.batch_size, "devSpearman": evaluator(model)["spearman_cosine"], "threads": torch.get_num_threads(),
        "peakRssMB": peak_rss_mb(), "versions": versions(),
    }))


if __name__ == "__main__":
    main()
