"""Golden values for tokenizers with byte pair encoding, for byte-pairs.test.ts.

    python test/parity/make_byte_pairs.py      (needs `tokenizers`)

golden/tokenizer/byte-pairs.json    small trained tokenizers (sweep_tokenizers.py says of what kinds) with the ids of odd texts, and
                                    digests of what the patterns of released tokenizers make of all characters
"""

import hashlib
import json
from pathlib import Path

import tokenizers
from sweep_tokenizers import KINDS, LLAMA3, ODD, QWEN, QWEN35, train
from tokenizers import Tokenizer

OUT = Path(__file__).resolve().parent / "golden" / "tokenizer" / "byte-pairs.json"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SENTENCES = ["A man is playing a flute.", "The quick brown fox doesn't jump; they'll say WE'RE lazy!", "größere Straßen, café, naïve 1234 567"]
# Longer than what is cut into parts, than what is kept, than what a thread gets.
LONG = ["The man isn't here. " * 600, "the" * 8000, "\u4e2d\u6587\u5b57" * 3000, " " * 9000, "a  <mask> [MASK] b\n\n" * 800]


def fuzz(count):
    """Texts of up to 19 parts, chosen by a generator that the test repeats."""
    state = 1

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    return ["".join(ODD[draw(len(ODD))] for _ in range(draw(20))) for _ in range(count)]


def all_characters():
    """Each between letters, behind a quote, and in front of a number; the test makes the same."""
    starts = [start for start in [*range(0, 0x33480, 64), *range(0xE0000, 0xE0200, 64)] if not 0xD800 <= start < 0xE000]
    lines = [" ".join(f"a{chr(c)}b" for c in range(s, s + 64)) for s in starts]
    return lines + ["".join(f" '{chr(c)}'r{chr(c)} {chr(c)}1{chr(c)}\n" for c in range(s, s + 64)) for s in starts]


def digest(rows):
    return hashlib.sha256("\x1e".join("\x1f".join(map(str, row)) for row in rows).encode("utf-8")).hexdigest()


def main():
    texts, characters = fuzz(2000), all_characters()
    found = {"versions": {"tokenizers": tokenizers.__version__}, "parts": ODD, "long": [[text[: len(text) // n], n] for text, n in zip(LONG, (600, 8000, 3000, 9000, 800))]}
    found["patterns"], found["kinds"] = [], []
    for regex in (GPT2, QWEN, QWEN35, LLAMA3):
        block = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        split = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": block, "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "vocab": {}, "unk_token": ""}})).pre_tokenizer  # fmt: skip
        found["patterns"].append({"block": block, "sha256": digest([part for part, _ in split.pre_tokenize_str(text)] for text in texts + characters)})
    trained_on = SENTENCES * 20 + texts[:300]
    for name in KINDS:
        json_ = train(name, 420, trained_on)
        tokenizer = Tokenizer.from_str(json.dumps(json_))
        ids = lambda all_texts: [encoding.ids for encoding in tokenizer.encode_batch(all_texts)]
        rows = ids(texts)
        model = json_.pop("model")
        vocab = model.pop("vocab")
        tokens = sorted(vocab, key=vocab.get)
        assert [vocab[token] for token in tokens] == list(range(len(tokens)))
        case = {"name": name, "json": json_, "model": model, "tokens": tokens, "first": [[text, row] for text, row in zip(texts[:40], rows) if len(text) < 40][:10]}
        found["kinds"].append({**case, "sha256": digest(rows), "long": digest(ids(LONG))})
        print(name, flush=True)
    lines = []
    for key, value in found.items():
        many = isinstance(value, list) and key in ("patterns", "kinds")
        lines.append(f" {json.dumps(key)}: " + ("[\n" + ",\n".join("  " + json.dumps(v, separators=(",", ":")) for v in value) + "\n ]" if many else json.dumps(value)))
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
