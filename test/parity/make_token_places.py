"""Makes golden/token-places.json: where in their texts the tokens of Rust's tokenizers stand, in bytes, as text-embeddings-inference
tells them (core/src/tokenization.rs, into_tokens).

    .venv/bin/python test/parity/make_token_places.py
"""

import json
from pathlib import Path

from tokenizers import Tokenizer

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = ["cross-encoder/one", "adapters/modernbert"]
TEXTS = [
    "The dog, the CAT and a flute!",
    "Élan vital: naïve café",
    "a man  plays\tthe guitar\nin the field",
    "house (field) woman's 12,5",
]


def places(tokenizer: Tokenizer, text: str) -> list[dict]:
    encoding = tokenizer.encode(text)
    # Python tells characters, Rust bytes.
    starts = [len(text[:i].encode()) for i in range(len(text) + 1)]
    rows = zip(encoding.ids, encoding.offsets, encoding.special_tokens_mask)
    return [
        {"id": id, "start": None, "stop": None}
        if special
        else {"id": id, "start": starts[start], "stop": starts[stop]}
        for id, (start, stop), special in rows
    ]


cases = []
for folder in FOLDERS:
    tokenizer = Tokenizer.from_file(str(GOLDEN / folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cases += [{"folder": folder, "text": text, "tokens": places(tokenizer, text)} for text in TEXTS]
(GOLDEN / "token-places.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")
