"""The quickstart (examples/quickstart) with sentence-transformers in Python: same data file, same settings, three seeds.

    python3 bench/setup.py                                     # once: makes bench/peers/venv
    bench/peers/venv/bin/python bench/quickstart_twin.py --model ../shared/models/all-MiniLM-L6-v2 > bench/results/<name>.json

One JSON object on stdout. The pairs are shuffled by the seed, since the reference's no_duplicates sampler ignores it.
"""

import argparse
import contextlib
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

sys.path.insert(0, str(Path(__file__).resolve().parent / "trials"))
from machine import facts  # noqa: E402

DATA = Path(__file__).resolve().parents[1] / "examples" / "quickstart" / "data"


def read(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def accuracy(model, train, test):
    """Share of the test texts whose nearest training text, or nearest mean of a category's texts, is of their category."""
    encode = lambda rows: torch.from_numpy(model.encode([r["text"] for r in rows], batch_size=32, normalize_embeddings=True))
    corpus, queries = encode(train), encode(test)
    categories = list(dict.fromkeys(row["category"] for row in train))
    truth = torch.tensor([categories.index(row["category"]) for row in test])
    labels = torch.tensor([categories.index(row["category"]) for row in train])
    means = torch.stack([corpus[labels == c].mean(0) for c in range(len(categories))])
    means = torch.nn.functional.normalize(means, dim=1)
    return {
        "nearestNeighbour": (labels[(queries @ corpus.T).argmax(1)] == truth).double().mean().item(),
        "classMean": ((queries @ means.T).argmax(1) == truth).double().mean().item(),
    }


def run(seed, options, train, test):
    model = SentenceTransformer(options.model, device="cpu")
    before = accuracy(model, train, test)
    by_category = {}
    for row in train:
        by_category.setdefault(row["category"], []).append(row["text"])
    pairs = [pair for texts in by_category.values() for pair in itertools.combinations(texts, 2)]
    random.Random(seed).shuffle(pairs)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            train_dataset=Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [b for _, b in pairs]}),
            loss=MultipleNegativesRankingLoss(model, scale=20),
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=options.steps, per_device_train_batch_size=32, learning_rate=1e-4, warmup_steps=0.1,
                lr_scheduler_type="linear", batch_sampler="no_duplicates", seed=seed, save_strategy="no", disable_tqdm=True,
                use_cpu=True,
            ),
        )
        start = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):  # the Trainer prints its log
            trainer.train()
        seconds = time.perf_counter() - start
    return {"seed": seed, "before": before, "after": accuracy(model, train, test), "steps": options.steps,
            "pairs": len(pairs), "seconds": round(seconds, 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    train, test = read("train.jsonl"), read("test.jsonl")
    runs = [run(seed, options, train, test) for seed in options.seeds]
    mean = {key: sum(r["after"][key] for r in runs) / len(runs) for key in runs[0]["after"]}
    print(json.dumps({
        "program": "sentence-transformers", "meanAfter": mean, "runs": runs, **facts(),
    }, indent=1))


if __name__ == "__main__":
    main()
