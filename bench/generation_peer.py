"""The Python side of generation.mjs: transformers' generate() with random weights of T5's shapes. One JSON line."""

import json
import resource
import sys
import time

import torch
from transformers import T5Config, T5ForConditionalGeneration

spec = json.loads(sys.argv[1])
torch.manual_seed(1)
config = T5Config(vocab_size=spec["vocabulary"], decoder_start_token_id=0, **spec["shape"])
model = T5ForConditionalGeneration(config).to(getattr(torch, spec["dtype"])).eval()
ids = torch.tensor([100 + (i * 7919) % 30000 for i in range(spec["count"] * spec["tokens"])]).reshape(spec["count"], spec["tokens"])
WAYS = {
    "greedy": dict(do_sample=False),
    "samples": dict(do_sample=True, num_return_sequences=3, top_k=50),
    "beams": dict(do_sample=False, num_beams=4),
}


def write(tokens, options):
    model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), min_new_tokens=tokens, max_new_tokens=tokens, **options)


peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
seconds = {}
for way, options in WAYS.items():
    write(4, options)
    start = time.perf_counter()
    write(spec["written"], options)
    seconds[way] = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "aboveMB": round((peak() - before) / 1024)}))
