"""The Python side of vocabulary.mjs: BertForMaskedLM of the same shape, AdamW, 15 % of the tokens masked. One JSON line."""

import json
import resource
import sys
import time

import torch
from transformers import BertConfig, BertForMaskedLM

spec = json.load(open(sys.argv[1], encoding="utf-8"))
torch.manual_seed(1)
model = BertForMaskedLM(BertConfig(**spec["config"])).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
shape = (spec["rows"], spec["tokens"])
for step in range(spec["warmUp"] + spec["steps"]):
    if step == spec["warmUp"]:
        start = time.process_time()
    ids = torch.randint(1000, spec["vocabulary"], shape)
    labels = torch.where(torch.rand(shape) < 0.15, ids, -100)
    model(input_ids=ids, attention_mask=torch.ones(shape, dtype=torch.long), labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
print(json.dumps({
    "peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "stepCpuSeconds": (time.process_time() - start) / spec["steps"],
    "parameters": sum(p.numel() for p in model.parameters()),
}))
