"""Compares the ids of whole tokenizers with Python's, over all texts of ../shared/data and over odd ones.

    npm run build:ts
    python test/parity/sweep_tokenizers.py FOLDER...            folders with a tokenizer.json, and a tokenizer_config.json for transformers
    python test/parity/sweep_tokenizers.py --train FOLDER       trains byte-level tokenizers of several kinds there, then compares them

The other options choose kinds, sizes and texts: --help. Prints a line of JSON for each folder: texts, ids, how many texts differ and the
first of them, and for both sides the seconds to load (from the parsed JSON for ours) and to encode, on one thread. Exits with 1 when a
text differs. Needs `transformers` and `numpy`.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import numpy as np
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
GOLDEN = ROOT / "test" / "parity" / "golden" / "tokenizer"
DRIVER = ROOT / "dist" / "test" / "parity" / "sweep-tokenizers.js"

ODD = [
    "'s", "'S", "'\u017f", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'Ve", "'m", "'ll", "'LL", "'lL", "'d", "'", "''", "\u2019s", "don't", "WE'LL", "'style", "'really",
    " ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", "\u00a0", "\u2003", "\u0085", "\ufeff",
    "the", "The", "a", "x", "Z", "ing", "\u00e9", "e\u0301", "\u0301", "\u05b4", "\u0938\u094d\u0924\u0947", "\u4e2d", "\ud55c", "\u1112\u1161\u11ab", "\U00010400", "\U0001f600", "\U0001f44d\U0001f3fd",
    "1", "12", "123", "1234", "\u0663", "\u00bd", "\u2167", "\U0001d7d8", ".", ",", "!", "...", "?!", "-", "_", "$", "(", ")", "/", "<", ">", "|", "||", "<|",
    "<mask>", "<s>", "</s>", "[MASK]", "[CLS]", "<|endoftext|>", "<|im_start|>", "|||IP_ADDRESS|||", "<think>", "\ufffd", "\x00", "\u212b", "\u2126", "\ufb01", "\u0344", "\u1e69",
]  # fmt: skip


def data_texts():
    """Every string of a JSONL file, every field of a TSV file after its header."""
    for path in sorted(DATA.rglob("*")):
        if path.suffix not in (".jsonl", ".tsv", ".gz"):
            continue
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8").split("\n")
        if lines[-1] == "":
            lines.pop()
        if path.suffix == ".tsv":
            yield from (field for line in lines[1:] for field in line.split("\t"))
        else:
            yield from (value for line in lines for value in json.loads(line).values() if isinstance(value, str))


def odd_texts(count):
    """Texts of up to 29 parts, every character between letters, and what other tests call nasty."""
    state = 1

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    parts = ODD + json.loads((GOLDEN / "kinds.json").read_text())["parts"]
    for _ in range(count):
        yield "".join(parts[draw(len(parts))] for _ in range(draw(30)))
    for start in [*range(0, 0x33480, 64), *range(0xE0000, 0xE0200, 64)]:
        if not 0xD800 <= start < 0xE000:
            yield " ".join(f"a{chr(c)}b" for c in range(start, start + 64))
            yield "".join(f"{chr(c)}a1{chr(c)}" for c in range(start, start + 64))
            yield "".join(f" '{chr(c)}'l{chr(c)}'r{chr(c)} {chr(c)}.{chr(c)}\n" for c in range(start, start + 64))
    for text in json.loads((GOLDEN / "nasty.json").read_text())["texts"]:
        yield text if isinstance(text, str) else text[0] * text[1]
    yield "the " * 20_000
    yield "abcabd" * 20_000


# Tokenizers ---------------------------------------------------------------------------------------------------------

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(prefix=False, use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, trim_offsets=True, use_regex=use_regex)


def split(regex):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), byte_level(use_regex=False)])


def roberta(tokenizer, prefix):
    ids = [tokenizer.token_to_id(token) for token in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", ids[0]), ("<s>", ids[1]), True, prefix)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])


def modern_bert(tokenizer):
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True, special=False) for n in range(24, 1, -1)])
    tokenizer.add_tokens([AddedToken(text, normalized=True) for text in ("|||EMAIL_ADDRESS|||", "|||IP_ADDRESS|||")])
    tokenizer.add_tokens([AddedToken(f"[unused{n}]", normalized=True) for n in range(83)])
    tokenizer.add_special_tokens(["<|padding|>", "<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", AddedToken("[MASK]", lstrip=True, normalized=False)])  # fmt: skip
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0", ids)


def qwen(tokenizer):
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])


SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
ENDOFTEXT = ["<|endoftext|>"]
WORDS = pre_tokenizers.Whitespace()
NFC = normalizers.NFC()
SOME_BYTES = [f"<0x{b:02X}>" for b in range(0xA0)] + [f"<0x{b:02X}>" for b in range(0xC0, 0xF0)]

# By name: special tokens, `pre_tokenizer`, `normalizer`, settings of the model, what comes after the training. Kinds with an unknown token
# are trained on `few` texts, so that others have characters that they do not know.
KINDS = {
    "roberta": dict(special=SPECIAL, pre=byte_level(), finish=lambda t: roberta(t, False)),
    "roberta-space": dict(special=SPECIAL, pre=byte_level(True), finish=lambda t: roberta(t, True)),
    "gpt2": dict(special=ENDOFTEXT, pre=byte_level()),
    "modernbert": dict(normalizer=NFC, pre=byte_level(), finish=modern_bert),
    "qwen": dict(normalizer=NFC, pre=split(QWEN), finish=qwen),
    "qwen35": dict(normalizer=NFC, pre=split(QWEN35), finish=qwen),
    "llama3": dict(pre=split(LLAMA3), finish=qwen, model={"ignore_merges": True}),
    "digits": dict(special=ENDOFTEXT, pre=pre_tokenizers.Sequence([pre_tokenizers.Digits(True), byte_level()])),
    "nfkc-lower": dict(special=SPECIAL, normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), pre=byte_level(True), finish=lambda t: roberta(t, True)),
    "few-bytes": dict(special=SPECIAL, pre=byte_level(True), model={"unk_token": "<unk>", "fuse_unk": True}, few=True),
    "few-bytes-unknown-dropped": dict(special=SPECIAL, pre=byte_level(), few=True),
    "prefix": dict(special=SPECIAL, pre=WORDS, model={"unk_token": "<unk>", "continuing_subword_prefix": "##"}, few=True),
    "suffix": dict(special=SPECIAL, normalizer=normalizers.Lowercase(), pre=WORDS, model={"unk_token": "<unk>", "end_of_word_suffix": "</w>"}, few=True),
    "prefix-suffix-bytes": dict(special=SPECIAL, pre=byte_level(), model={"unk_token": "<unk>", "continuing_subword_prefix": "~", "end_of_word_suffix": "$"}, few=True),
    "unknown-dropped": dict(special=SPECIAL, pre=WORDS, few=True),
    "some-byte-tokens": dict(special=SPECIAL + SOME_BYTES, pre=WORDS, model={"unk_token": "<unk>", "byte_fallback": True}, few=True),
    "some-byte-tokens-fused": dict(special=SPECIAL + SOME_BYTES, pre=None, model={"unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}, few=True),
}  # fmt: skip


def train(name, size, texts):
    kind = KINDS[name]
    model, special = kind.get("model", {}), kind.get("special", [])
    tokenizer = Tokenizer(models.BPE(**model))
    if kind["pre"]:
        tokenizer.pre_tokenizer = kind["pre"]
    if "normalizer" in kind:
        tokenizer.normalizer = kind["normalizer"]
    affixes = {key: model[key] for key in ("continuing_subword_prefix", "end_of_word_suffix") if key in model}
    alphabet = [] if kind.get("few") else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False, max_token_length=20, **affixes)  # fmt: skip
    tokenizer.train_from_iterator(texts[:: 20 if kind.get("few") else 1], trainer)
    if SOME_BYTES[0] in special:
        # Bytes are no tokens that are sought in the text.
        file = json.loads(tokenizer.to_str())
        file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] in SPECIAL]
        tokenizer = Tokenizer.from_str(json.dumps(file))
    kind.get("finish", lambda _: None)(tokenizer)
    file = json.loads(tokenizer.to_str())
    if name.startswith("roberta"):
        # As older files have them.
        file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
    return file


# Both sides ---------------------------------------------------------------------------------------------------------


def load(folder):
    if not (folder / "tokenizer_config.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.is_fast
    return lambda texts: tokenizer(texts)["input_ids"]


def compare(folder, texts, texts_file):
    start = time.perf_counter()
    encode = load(folder)
    loaded = time.perf_counter()
    ids, lengths = [], []
    seconds = 0.0
    for at in range(0, len(texts), 10_000):
        before = time.perf_counter()
        rows = encode(texts[at : at + 10_000])
        seconds += time.perf_counter() - before
        lengths += map(len, rows)
        ids.append(np.fromiter((i for row in rows for i in row), dtype=np.int32))
    ids, offsets = np.concatenate(ids), np.concatenate([[0], np.cumsum(lengths)])
    with tempfile.TemporaryDirectory() as out:
        said = subprocess.run(["node", str(DRIVER), str(folder), str(texts_file), out], check=True, stdout=subprocess.PIPE)
        own, own_offsets = (np.fromfile(Path(out, name), dtype=np.int32) for name in ("ids", "offsets"))
    row = lambda all_ids, at, i: all_ids[at[i] : at[i + 1]]
    differing = [i for i in range(len(texts)) if not np.array_equal(row(ids, offsets, i), row(own, own_offsets, i))]
    found = {"folder": str(folder), "texts": len(texts), "ids": len(ids), "differing": len(differing)}
    found["first"] = [[texts[i][:200], row(ids, offsets, i)[:40].tolist(), row(own, own_offsets, i)[:40].tolist()] for i in differing[:3]]
    found["python"] = {"version": tokenizers.__version__, "load": round(loaded - start, 3), "encode": round(seconds, 3)}
    found["ours"] = json.loads(said.stdout)
    print(json.dumps(found), flush=True)
    return not differing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--odd", action="store_true", help="only odd texts, not those of ../shared/data")
    parser.add_argument("--every", type=int, default=1, help="only every so many texts")
    parser.add_argument("--sizes", nargs="*", type=int, default=[3000])
    options = parser.parse_args()
    real = list(data_texts()) if DATA.exists() and not options.odd else []
    folders = options.folders
    if options.train:
        trained_on = list(odd_texts(2000)) + real[::30]
        for name in options.kinds:
            for size in options.sizes:
                folders.append(options.train / f"{name}-{size}")
                if not (folders[-1] / "tokenizer.json").exists():
                    file = json.dumps(train(name, size, trained_on))
                    folders[-1].mkdir(parents=True, exist_ok=True)
                    (folders[-1] / "tokenizer.json").write_text(file)
    # Many sentences are in several files.
    texts = list(dict.fromkeys(real + list(odd_texts(20_000))))[:: options.every]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        equal = [compare(folder, texts, file.name) for folder in folders]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
