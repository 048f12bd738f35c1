"""The Python side of splade.mjs: SpladeLoss on 16 pairs of 256 tokens, forward, backward and AdamW. Prints JSON."""

import json
import sys
import time

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder import losses

folder, steps = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(2)
model = SparseEncoder(folder, device="cpu")
loss = losses.SpladeLoss(model, losses.SparseMultipleNegativesRankingLoss(model), document_regularizer_weight=3e-5, query_regularizer_weight=5e-5)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
model.train()


def features(rows, length):
    ids = torch.tensor([[1000 + (r * length + i) * 7 % 20000 for i in range(length)] for r in range(rows)])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}


def step(rows, length):
    all_rows = features(2 * rows, length)
    columns = [{k: v[:rows].clone() for k, v in all_rows.items()}, {k: v[rows:].clone() for k, v in all_rows.items()}]
    optimizer.zero_grad(set_to_none=False)
    value = sum(loss(columns, None).values())
    value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return value.item()


def kilobytes(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key))


step(2, 8)
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
seconds = []
for _ in range(steps):
    start = time.perf_counter()
    value = step(16, 256)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"program": "sentence-transformers", "seconds": min(seconds), "loss": value, "megabytes": (kilobytes("VmHWM") - before) / 1024}))
