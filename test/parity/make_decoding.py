"""Golden values for decoding.test.ts: the texts that tokenizers of every kind make of token ids.

    python test/parity/make_decoding.py      (needs `transformers`; reads the tokenizers of kinds.json and classes.json)

golden/tokenizer/decoding.json      digests of decoded texts, by tokenizer; the first texts; small tokenizers with every decoder
"""

import base64
import gzip
import hashlib
import json
import logging
import tempfile
from pathlib import Path

import tokenizers
import transformers

OUT = Path(__file__).resolve().parent / "golden" / "tokenizer"
KINDS = json.loads((OUT / "kinds.json").read_text())
CLASSES = json.loads((OUT / "classes.json").read_text())
CHARSMAP = base64.b64encode(gzip.decompress((OUT / "nmt_nfkc_cf.charsmap.gz").read_bytes())).decode()
logging.disable(logging.WARNING)

FILES = {
    "json": "tokenizer.json", "config": "tokenizer_config.json", "addedTokens": "added_tokens.json", "specialTokensMap": "special_tokens_map.json",
    "modelConfig": "config.json", "vocabTxt": "vocab.txt", "vocabJson": "vocab.json", "merges": "merges.txt",
}  # fmt: skip

ROWS = 400
OPTIONS = [(skip, clean) for skip in (False, True) for clean in (None, False, True)]


def ids_below(size):
    """Rows of up to 19 ids, some of them without a token, chosen by a generator that the test repeats."""
    state = 3

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    return [[draw(size + 3) for _ in range(draw(20))] for _ in range(ROWS)]


def digest(texts):
    return hashlib.sha256("\x1e".join(texts).encode("utf-8")).hexdigest()


def decoded(files):
    with tempfile.TemporaryDirectory() as folder:
        for key, value in files.items():
            if key not in FILES:
                continue
            text = value if key in ("vocabTxt", "merges") else json.dumps(value)
            for name, part in {**CLASSES["shared"], "@charsmap": CHARSMAP, "nmt_nfkc_cf": CHARSMAP}.items():
                if key in ("vocabTxt", "merges"):
                    text = part if text == name else text
                else:
                    text = text.replace(f'"{name}"', json.dumps(part))
            Path(folder, FILES[key]).write_text(text, newline="")
        if "modelConfig" not in files:
            Path(folder, "config.json").write_text('{"model_type": "bert"}')
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        size = max(tokenizer.get_vocab().values()) + 1
        rows = ids_below(size)
        texts = [
            tokenizer.batch_decode(rows, skip_special_tokens=skip, clean_up_tokenization_spaces=clean) for skip, clean in OPTIONS
        ]
        return {"size": size, "first": texts[0][:6], "sha256": [digest(found) for found in texts]}


# Tokens that mean something to a decoder.
TOKENS = [
    *["<pad>", "<unk>", "<s>", "the", "##ing", "##", "un", "\u2581the", "\u2581", "\u2581\u2581", "a\u2581b", "\u0120the", "\u0120", "\u010a", "\u00c3", "\u00a9", "\u00e4", "\u00b8", "\u0143", "caf\u00e9"],
    *["<0x41>", "<0xE4>", "<0xB8>", "<0xAD>", "<0xff>", "<0x+f>", "<0x4>", "<0x041>", ".", "?", "!", ",", "'", "n't", "'m", "'s", "'ve", "'re", "do", "not", "do not", " do not", "the</w>", "</w>", "a</w>b"],
    *["|", "||", "h", "h", "e", " ", "  ", " the ", "$&", "\u4e2d", "\U0001f600", "e\u0301", "\ufeff", "\u2028", "x x", "12", "x  y"],
]
DECODERS = [
    None,
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "WordPiece", "prefix": "##", "cleanup": True},
    {"type": "WordPiece", "prefix": "##", "cleanup": False},
    {"type": "WordPiece", "prefix": "un", "cleanup": True},
    {"type": "BPEDecoder", "suffix": "</w>"},
    *[{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": True} for scheme in ("always", "first", "never")],
    {"type": "Metaspace", "replacement": "|", "add_prefix_space": False, "prepend_scheme": "never"},
    {"type": "Metaspace", "replacement": "|", "add_prefix_space": True},
    {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
    {"type": "CTC", "pad_token": "h", "word_delimiter_token": "the", "cleanup": False},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": "[a-h]+|\\s{2,}"}, "content": "$&-"},
    {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}]},
    {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "<", "start": 3, "stop": 0}]},
    {"type": "Sequence", "decoders": []},
]  # fmt: skip


def own_cases():
    vocab = {token: id for id, token in enumerate(dict.fromkeys(TOKENS))}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokens = [{"id": id, "content": content, **special} for content, id in vocab.items() if content in ("<pad>", "<unk>", "<s>")]
    # A token that the vocabulary has under another id, and one that is not special.
    tokens += [{**special, "id": len(vocab), "content": "<m>"}, {**special, "id": len(vocab) + 1, "content": "new york", "special": False}]
    for decoder in DECODERS:
        for model in ("WordLevel", "BPE"):
            body = {"type": model, "vocab": vocab, "unk_token": "<unk>"}
            if model == "BPE":
                body |= {"merges": [], "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False}
            json_ = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None, "pre_tokenizer": None}
            json_ |= {"post_processor": None, "decoder": decoder, "model": body}
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "pad_token": "<pad>"}
            for more in ({}, {"clean_up_tokenization_spaces": True}):
                yield f"{json.dumps(decoder)}, {model}{', cleaned up' if more else ''}", {"json": json_, "config": {**config, **more}}
    forced = {"clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True}
    yield "BPE, cleaned up all the same", {"json": json_, "config": {**config, **forced}}


def main():
    found = []
    for source, cases in (("kinds", KINDS["cases"]), ("classes", CLASSES["cases"])):
        for case in cases:
            found.append({"source": source, "name": case["name"], **decoded(case["files"])})
            print(source, case["name"], found[-1]["first"][1:3], flush=True)
    for name, files in own_cases():
        made = decoded(files)
        shared = {**files, "json": {**files["json"], "model": {**files["json"]["model"], "vocab": "@vocab"}}}
        found.append({"source": "own", "name": name, "files": shared, **made})
    versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    dump = lambda value: json.dumps(value, separators=(",", ":"))  # noqa: E731
    lines = [f' "versions": {dump(versions)}', f' "vocab": {dump({token: id for id, token in enumerate(dict.fromkeys(TOKENS))})}']
    lines.append(' "cases": [\n' + ",\n".join("  " + dump(case) for case in found) + "\n ]")
    (OUT / "decoding.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
