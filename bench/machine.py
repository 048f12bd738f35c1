"""What the Python peers share: the command line of a trial, and what a result must say about where it was measured."""

import argparse
import os
import platform
import resource
import sys
from pathlib import Path

# Those that decide which kernels run.
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, help="JSON object of columns")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: what PyTorch chooses")
    parser.add_argument("--out", help="file for the embeddings")
    return parser.parse_args()


def machine():
    info = {"system": platform.system(), "arch": platform.machine(), "processor": platform.processor(), "cores": os.cpu_count()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(line.split(":", 1) for line in cpuinfo.read_text().split("\n\n")[0].split("\n") if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        info["processor"] = fields.get("model name", info["processor"])
        flags = fields.get("flags", fields.get("Features", "")).split()
        info["features"] = [feature for feature in FEATURES if feature in flags]
    return info


def versions():
    import sentence_transformers
    import torch
    import transformers

    return {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
            "sentence_transformers": sentence_transformers.__version__}


def peak_rss_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes; bytes on macOS
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
