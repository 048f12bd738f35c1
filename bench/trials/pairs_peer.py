"""A cross-encoder's trial of the Python peer: the counterpart of pairs.mjs, same pairs in the same order."""

import contextlib
import sys
import tempfile
import time

from datasets import Dataset
from machine import DEVICE, arguments, autocast, facts, say
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments, losses
from train_peer import Clock, in_order


def main():
    import torch

    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = CrossEncoder(options.model, num_labels=1, device=DEVICE)
    clock = Clock(options.warm_up)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        CrossEncoderTrainer(
            model=model,
            train_dataset=Dataset.from_dict(options.columns),
            loss=losses.BinaryCrossEntropyLoss(model),
            args=CrossEncoderTrainingArguments(
                output_dir=folder, max_steps=options.warm_up + options.steps, per_device_train_batch_size=options.batch_size,
                learning_rate=2e-5, save_strategy="no", use_cpu=DEVICE == "cpu", disable_tqdm=True, bf16=options.dtype == "bfloat16",
                batch_sampler=in_order,
            ),
            callbacks=[clock],
        ).train()
    pairs = list(zip(options.columns["query"], options.columns["passage"]))
    with autocast(options):
        model.predict(pairs[: options.batch_size], batch_size=options.batch_size)
        start = time.perf_counter()
        model.predict(pairs, batch_size=options.batch_size)
        seconds = time.perf_counter() - start
    say({"stepMs": 1000 * (clock.end - clock.start) / options.steps, "perSecond": len(pairs) / seconds, "steps": options.steps,
         "batchSize": options.batch_size, **facts()})


if __name__ == "__main__":
    main()
