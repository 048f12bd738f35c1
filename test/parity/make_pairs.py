"""Golden token ids of real pairs, from the Hugging Face tokenizer of all-MiniLM-L6-v2, for pairs.test.ts.

    python test/parity/make_pairs.py        # needs ../shared

Kept are CRC-32s of the ids and of the token types (int32, little-endian), a pair each for every row and length.
"""

import json
import zlib
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared"
LENGTHS = [512, 128, 65, 20, 7]


def pairs():
    lines = (SHARED / "data/stsb/dev.tsv").read_text(encoding="utf-8").split("\n")[1:]
    rows = [line.split("\t")[:2] for line in lines if line][::10]
    passages = [json.loads(line) for line in (SHARED / "data/squad/dev-passages.jsonl").open(encoding="utf-8")]
    texts = {row["passage_id"]: row["passage"] for row in passages}
    questions = [json.loads(line) for line in (SHARED / "data/squad/dev-questions.jsonl").open(encoding="utf-8")]
    asked = [[row["question"], texts[row["passage_id"]]] for row in questions[::40]]
    return rows + asked + [[b, a] for a, b in asked[::5]]


def crc(numbers):
    return zlib.crc32(np.asarray(numbers, dtype="<i4").tobytes())


if __name__ == "__main__":
    tokenizer = AutoTokenizer.from_pretrained(str(SHARED / "models/all-MiniLM-L6-v2"))
    found = {}
    for length in LENGTHS:
        rows = [tokenizer(a, b, truncation="longest_first", max_length=length) for a, b in pairs()]
        found[length] = [[crc(row["input_ids"]), crc(row["token_type_ids"])] for row in rows]
    (HERE / "golden" / "pairs.json").write_text(json.dumps(dict(rows=len(pairs()), lengths=found)) + "\n")
