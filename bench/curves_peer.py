"""The loss of every step by sentence-transformers: the counterpart of curves.mjs. One JSON line on stdout.

    python bench/curves_peer.py --model FOLDER --data FILE --loss CoSENTLoss --batch-size 16 --steps 100 [--threads N]

`--data`: columns in the order of training, which both sides keep. The model's config switches dropout off.
"""

import argparse
import contextlib
import json
import sys
import tempfile

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from torch.utils.data import BatchSampler, SequentialSampler


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "data", "loss"):
        parser.add_argument(f"--{name}", required=True)
    for name, default in (("batch-size", 16), ("steps", 100), ("threads", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = SentenceTransformer(options.model, device="cpu")
    loss = getattr(losses, options.loss)(model)
    values = []
    loss.register_forward_hook(lambda module, inputs, output: values.append(output.item()))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        SentenceTransformerTrainer(
            model=model,
            train_dataset=Dataset.from_dict(json.load(open(options.data, encoding="utf-8"))),
            loss=loss,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=options.steps, per_device_train_batch_size=options.batch_size, learning_rate=2e-5,
                warmup_steps=options.steps // 10, save_strategy="no", use_cpu=True, disable_tqdm=True,
                batch_sampler=lambda dataset, batch_size, drop_last, **rest: BatchSampler(
                    SequentialSampler(dataset), batch_size, drop_last),
            ),
        ).train()
    print(json.dumps({"program": "sentence-transformers", "loss": options.loss, "losses": values}))


if __name__ == "__main__":
    main()
