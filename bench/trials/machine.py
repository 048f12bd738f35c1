"""What the Python peers share: the command line of a trial, and what a result must say about where it was measured."""

import argparse
import contextlib
import json
import os
import platform
import resource
import sys
import time

# The variable that ours follows too.
DEVICE = os.environ.get("SENTENCE_TORCH_DEVICE") or "cpu"


def synchronize():
    """Waits for the device: its work is queued, a clock would not see it."""
    if DEVICE != "cpu":
        import torch

        torch.cuda.synchronize()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", help="JSON object of columns")
    parser.add_argument("--loss")
    parser.add_argument("--dtype", default="float32", help="bfloat16: under autocast")
    parser.add_argument("--compile", action="store_true", help="torch.compile of the transformer")
    parser.add_argument("--each", default="false", help="true: one text per call")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--mini-batch", type=int, default=0, help="of a loss with gradient caching")
    parser.add_argument("--threads", type=int, default=0, help="0: what PyTorch chooses")
    parser.add_argument("--started", type=float, default=0, help="when the process was started, milliseconds since 1970")
    parser.add_argument("--out", help="file for the embeddings")
    options = parser.parse_args()
    if options.data:
        with open(options.data, encoding="utf-8") as file:
            options.columns = json.load(file)
    return options


def load(options):
    import torch
    from sentence_transformers import SentenceTransformer

    if options.threads:
        torch.set_num_threads(options.threads)
    model = SentenceTransformer(options.model, device=DEVICE)
    if options.compile:
        model[0].model = torch.compile(model[0].model, dynamic=True)
    return model


def autocast(options):
    """What encode() runs under."""
    import torch

    return torch.autocast(DEVICE.split(":")[0], torch.bfloat16) if options.dtype == "bfloat16" else contextlib.nullcontext()


def latencies(texts, warm_up, encode):
    times = []
    for i, text in enumerate(texts):
        start = time.perf_counter()
        encode(text)
        if i >= warm_up:
            times.append(1000 * (time.perf_counter() - start))
    times.sort()
    return {"p50Ms": times[len(times) // 2], "p99Ms": times[min(len(times) - 1, int(0.99 * len(times)))], "calls": len(times)}


def facts():
    import sentence_transformers
    import torch
    import transformers

    return {"threads": torch.get_num_threads(), "peakRssMB": peak_rss_mb(), "versions": {
        "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
        "sentence_transformers": sentence_transformers.__version__}}


def peak_rss_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes; bytes on macOS
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def say(record):
    print(json.dumps(record))
