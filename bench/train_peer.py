"""One training trial of the Python peer: the Trainer of sentence-transformers with its defaults. One JSON line on stdout.

The counterpart of train.mjs: same pairs, loss, batch size and number of steps; counted after the warm-up steps.
"""

import contextlib
import json
import sys
import tempfile
import time

import torch
from datasets import Dataset
from machine import arguments, peak_rss_mb, versions
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
from transformers import TrainerCallback


class Clock(TrainerCallback):
    def __init__(self, warm_up):
        self.warm_up = warm_up

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.warm_up:
            self.start = time.perf_counter()
        self.end = time.perf_counter()


def main():
    options = arguments()
    rows = json.loads(open(options.data, encoding="utf-8").read())
    if options.threads:
        torch.set_num_threads(options.threads)
    model = SentenceTransformer(options.model, device="cpu")
    clock = Clock(options.warm_up)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        SentenceTransformerTrainer(
            model=model,
            train_dataset=Dataset.from_dict(rows),
            loss=CosineSimilarityLoss(model),
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=options.warm_up + options.steps, per_device_train_batch_size=options.batch_size,
                learning_rate=2e-5, save_strategy="no", use_cpu=True, disable_tqdm=True,
            ),
            callbacks=[clock],
        ).train()
    seconds = clock.end - clock.start
    print(json.dumps({
        "theme": "train", "program": "sentence-transformers", "stepsPerSecond": options.steps / seconds, "steps": options.steps,
        "batchSize": options.batch_size, "threads": torch.get_num_threads(), "peakRssMB": peak_rss_mb(), "versions": versions(),
    }))


if __name__ == "__main__":
    main()
