"""One training trial of the Python peer: the Trainer of sentence-transformers with its defaults. The counterpart of train.mjs:
same rows in the same order, loss, batch size and number of steps; counted after the warm-up steps."""

import contextlib
import sys
import tempfile
import time

from datasets import Dataset
from machine import DEVICE, arguments, facts, load, say, synchronize
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from torch.utils.data import BatchSampler, SequentialSampler
from transformers import TrainerCallback


class Clock(TrainerCallback):
    def __init__(self, warm_up):
        self.warm_up = warm_up

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step in (self.warm_up, state.max_steps):
            synchronize()
        if state.global_step == self.warm_up:
            self.start, self.start_cpu = time.perf_counter(), time.process_time()
        self.end, self.end_cpu = time.perf_counter(), time.process_time()


def in_order(dataset, batch_size, drop_last, **rest):
    return BatchSampler(SequentialSampler(dataset), batch_size, drop_last)


def main():
    options = arguments()
    model = load(options)
    clock = Clock(options.warm_up)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        SentenceTransformerTrainer(
            model=model,
            train_dataset=Dataset.from_dict(options.columns),
            loss=getattr(losses, options.loss)(model, **({"mini_batch_size": options.mini_batch} if options.mini_batch else {})),
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=options.warm_up + options.steps, per_device_train_batch_size=options.batch_size,
                learning_rate=2e-5, save_strategy="no", use_cpu=DEVICE == "cpu", disable_tqdm=True, bf16=options.dtype == "bfloat16",
                batch_sampler=in_order,
            ),
            callbacks=[clock],
        ).train()
    say({"stepMs": 1000 * (clock.end - clock.start) / options.steps,
         "stepCpuMs": 1000 * (clock.end_cpu - clock.start_cpu) / options.steps,
         "steps": options.steps, "batchSize": options.batch_size, **facts()})


if __name__ == "__main__":
    main()
