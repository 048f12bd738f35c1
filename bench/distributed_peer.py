"""The peer of bench/distributed.mjs: one of the processes of sentence-transformers' trainer, over Gloo on the CPU.

    python bench/distributed_peer.py MODEL TSV STEPS BATCH        BATCH: of all processes; RANK, WORLD_SIZE and MASTER_… say which this is

prints losses and steps a second as JSON; needs sentence-transformers, datasets and accelerate.
"""

import json
import os
import sys
import tempfile
import time

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MultipleNegativesRankingLoss
from transformers import TrainerCallback

WARM_UP = 5
model_path, data, steps, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
processes = int(os.environ.get("WORLD_SIZE", 1))
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
rows = [line.rstrip("\n").split("\t")[:2] for line in open(data, encoding="utf-8")][1 : batch * steps + 1]
times, losses, spent = [], [], []


class Watch(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        times.append(time.perf_counter())
        spent.append(time.process_time())

    def on_log(self, args, state, control, logs=None, **_):
        if "loss" in logs:
            losses.append(logs["loss"])


model = SentenceTransformer(model_path, device="cpu")
with tempfile.TemporaryDirectory() as folder:
    SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            folder, max_steps=steps, per_device_train_batch_size=batch // processes, learning_rate=2e-5, use_cpu=True,
            ddp_backend="gloo" if processes > 1 else None, save_strategy="no", logging_steps=1, report_to="none", disable_tqdm=True,
            dataloader_drop_last=True,
        ),  # fmt: skip
        train_dataset=Dataset.from_dict({"anchor": [a for a, _ in rows], "positive": [p for _, p in rows]}),
        loss=MultipleNegativesRankingLoss(model, gather_across_devices=processes > 1),
        callbacks=[Watch()],
    ).train()
timed = steps - 1 - WARM_UP
seconds, cpu = times[-1] - times[WARM_UP], spent[-1] - spent[WARM_UP]
print(json.dumps({"losses": losses, "stepsPerSecond": timed / seconds, "cpuSeconds": cpu / timed}))
if processes > 1:
    torch.distributed.destroy_process_group()
