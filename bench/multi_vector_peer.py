"""A trial of sentence-transformers for bench/multi-vector.mjs: PART MODEL DATA STEPS TEXTS CLOCK. Prints one JSON line."""

import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from sentence_transformers.util import maxsim
from transformers import TrainerCallback

part, model_path, data, steps = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
now = time.perf_counter if sys.argv[6] == "wall" else time.process_time


def lines(name):
    return [json.loads(line) for line in (data / name).read_text().splitlines()]


def timed(work, least):
    work()
    start = now()
    for _ in range(least):
        work()
    return (now() - start) / least * 1000


def pairs(count):
    passages = {row["passage_id"]: row["passage"] for row in lines("train-passages.jsonl")}
    questions = lines("train-questions.jsonl")
    rows = [questions[i * 37 % len(questions)] for i in range(count)]
    return [{"question": row["question"], "passage": passages[row["passage_id"]]} for row in rows]


class Times(TrainerCallback):
    def __init__(self):
        self.at = []

    def on_step_end(self, args, state, control, **more):
        self.at.append(now())


if part == "scores":
    queries = [torch.rand(32, 128) - 0.5 for _ in range(64)]
    documents = [torch.rand(40 + i * 53 % 141, 128) - 0.5 for i in range(1000)]
    value = timed(lambda: maxsim(queries, documents), 5)
elif part == "encode":
    model = MultiVectorEncoder(model_path, device="cpu")
    texts = [row["passage"] for row in lines("dev-passages.jsonl")[:int(sys.argv[5])]]
    value = 1000 * len(texts) / timed(lambda: model.encode_document(texts), 2)
else:
    model, times = MultiVectorEncoder(model_path, device="cpu"), Times()
    args = MultiVectorEncoderTrainingArguments("runs/multi-vector-peer", max_steps=steps + 2, per_device_train_batch_size=32,
                                               save_strategy="no", logging_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True)
    MultiVectorEncoderTrainer(model=model, args=args, train_dataset=Dataset.from_list(pairs(32 * (steps + 2))), callbacks=[times]).train()
    value = (times.at[-1] - times.at[1]) / steps * 1000
print(json.dumps({"value": value}))
