"""Makes test/parity/golden/token-precision.json: vectors of tokens in few bits, and their scores.

    .venv/bin/python test/parity/make_token_precision.py        # the packages of make_goldens.py

Codes are those of `quantize_embeddings` and of torch's `half()`. Scores are MaxSim of float32 queries with documents whose numbers are
those that the codes stand for, and of bytes with bytes, which sentence-transformers compares as they are.
"""

import json
from pathlib import Path

import numpy as np
import torch
from sentence_transformers.util import maxsim, quantize_embeddings

OUT = Path(__file__).resolve().parent / "golden" / "token-precision.json"
LENGTHS, DOCUMENT_LENGTHS, WIDTH = [3, 1, 5], [4, 0, 1, 7, 2], 11

torch.manual_seed(7)
queries = [torch.nn.functional.normalize(torch.randn(n, WIDTH), dim=-1) for n in LENGTHS]
documents = [torch.nn.functional.normalize(torch.randn(n, WIDTH), dim=-1) for n in DOCUMENT_LENGTHS]
# A number that is the same everywhere has no range.
for rows in (*queries, *documents):
    rows[:, 4] = 0.25
every = torch.cat(documents).numpy()
ranges = np.vstack([every.min(axis=0), every.max(axis=0)])
given = [rows.numpy() for rows in documents]
int8 = quantize_embeddings(given, "int8", ranges=ranges)
binary = quantize_embeddings(given, "binary")
halves = [rows.half() for rows in documents]
steps = (ranges[1] - ranges[0]) / 255
middles = [torch.from_numpy((ranges[0] + (codes.astype(np.float64) + 128.5) * steps).astype(np.float32)) for codes in int8]
bits = [np.unpackbits((codes.astype(np.int16) + 128).astype(np.uint8), axis=-1, count=WIDTH) for codes in binary]
signs = [torch.from_numpy(2.0 * b.astype(np.float32) - 1.0) for b in bits]
query_codes = quantize_embeddings([rows.numpy() for rows in queries], "int8", ranges=ranges)

OUT.write_text(json.dumps({
    "width": WIDTH,
    "queries": [rows.tolist() for rows in queries], "documents": [rows.tolist() for rows in documents], "ranges": ranges.tolist(),
    "codes": {
        "float16": [rows.numpy().view(np.uint16).tolist() for rows in halves],
        "int8": [rows.tolist() for rows in int8], "binary": [rows.tolist() for rows in binary],
    },
    "queryCodes": [rows.tolist() for rows in query_codes],
    "scores": {
        "float16": maxsim(queries, [rows.float() for rows in halves]).tolist(),
        "int8": maxsim(queries, middles).tolist(), "binary": maxsim(queries, signs).tolist(),
        "bytes": maxsim(query_codes, int8).tolist(),
    },
}) + "\n")
