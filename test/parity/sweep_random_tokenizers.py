"""Compares random tokenizers with Rust's: normalisers, splits, models, added tokens, their flags, and texts are drawn.

    npm run build:ts
    python test/parity/sweep_random_tokenizers.py --count 2000 --seed 1
    python test/parity/sweep_random_tokenizers.py --case 1:17         one case again, with its files

Prints a line of JSON for each tokenizer with other ids, and one at the end: how many were compared, refused by us by name, and refused by
Rust. Exits with 1 when ids differ. Rust tells of its panics on stderr. Needs `tokenizers` and `numpy`.
"""

import argparse
import base64
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from sweep_tokenizers import GOLDEN, LLAMA3, ODD, QWEN, QWEN35, ROOT
from tokenizers import Tokenizer

DRIVER = ROOT / "dist" / "test" / "parity" / "sweep-random-tokenizers.js"
PARTS = ODD + json.loads((GOLDEN / "kinds.json").read_text())["parts"]
CHARSMAPS = [
    base64.b64encode(gzip.decompress((GOLDEN / "nmt_nfkc_cf.charsmap.gz").read_bytes())).decode(),
    *[one["base64"] for one in json.loads((GOLDEN / "kinds.json").read_text())["charsmaps"] if "base64" in one],
]
PLANES = [(0x20, 0x7F), (0, 0x80), (0x80, 0x250), (0x250, 0x600), (0x600, 0x1200), (0x1200, 0x3000), (0x3000, 0xA000), (0xA000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x33480), (0xE0000, 0xE0200)]  # fmt: skip
MARK = "\u2581"
PANIC = "panic"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
REGEXES = [
    QWEN, LLAMA3, QWEN35, r"\s+", r"\s|the", r"\w+|[^\w\s]+", r" {2,}", r"\b", r"\d", r"\d{1,3}(?=(?:\d{3})*\b)|\D+", r"[^\w\s]|\d", r"^\W|[[:punct:]&&[^.]]$",
    r"[\p{L}\p{M}]+|\p{N}|[^\r\n\p{L}\p{N}]+", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r"[\r\n]", r"\p{Han}+", r"[.,!?]+", r"(?=[A-Z])", r"\p{Lu}\p{Ll}*",
]  # fmt: skip


class Case:
    def __init__(self, name):
        self.draw = random.Random(name)
        self.parts = list(PARTS)

    def chance(self, share):
        return self.draw.random() < share

    def flag(self):
        return self.chance(0.5)

    def character(self):
        while True:
            code = self.draw.randrange(*self.draw.choice(PLANES))
            if not 0xD800 <= code < 0xE000:
                return chr(code)

    def part(self):
        kind = self.draw.random()
        if kind < 0.8:
            return self.draw.choice(self.parts)
        if kind < 0.95:
            return self.character()
        return self.draw.choice([self.character(), *" aA1.'▁\n"]) * self.draw.randrange(2, 12)

    def text(self, most=20):
        return "".join(self.part() for _ in range(self.draw.randrange(most)))

    # Blocks ----------------------------------------------------------------------------------------------------------

    def pattern(self):
        if self.flag():
            return {"String": self.draw.choice([" ", ".", "the", "'", "a", MARK, "  ", "\n", "1", "\u0301", "▁▁", "中", "**"])}
        return {"Regex": self.draw.choice(REGEXES)}

    def normalizer(self, depth=0):
        kinds = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel", "Strip", "Prepend", "Replace", "BertNormalizer", "Precompiled"]
        if depth < 2 and self.chance(0.4):
            return {"type": "Sequence", "normalizers": [self.normalizer(depth + 1) for _ in range(self.draw.randrange(4))]}
        kind = self.draw.choice(kinds)
        more = {
            "Strip": lambda: {"strip_left": self.flag(), "strip_right": self.flag()},
            "Prepend": lambda: {"prepend": self.draw.choice([MARK, " ", "x", "<s>"])},
            "Replace": lambda: {"pattern": self.pattern(), "content": self.draw.choice(["", " ", MARK, "$1", "ab", "\u0301"])},
            "BertNormalizer": lambda: {"clean_text": self.flag(), "handle_chinese_chars": self.flag(), "strip_accents": self.draw.choice([None, True, False]), "lowercase": self.flag()},
            "Precompiled": lambda: {"precompiled_charsmap": self.draw.choice(CHARSMAPS)},
        }  # fmt: skip
        return {"type": kind, **more.get(kind, dict)()}

    def pre_tokenizer(self, depth=0):
        kinds = ["Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Punctuation", "Digits", "ByteLevel", "Metaspace", "CharDelimiterSplit", "FixedLength", "UnicodeScripts", "Split", "Split"]
        if depth < 2 and self.chance(0.4):
            return {"type": "Sequence", "pretokenizers": [self.pre_tokenizer(depth + 1) for _ in range(self.draw.randrange(4))]}
        kind = self.draw.choice(kinds)
        more = {
            "Punctuation": lambda: {"behavior": self.draw.choice(BEHAVIORS)},
            "Digits": lambda: {"individual_digits": self.flag()},
            "ByteLevel": lambda: {"add_prefix_space": self.flag(), "trim_offsets": True, "use_regex": self.flag()},
            "Metaspace": lambda: {"replacement": self.draw.choice([MARK, MARK, "_"]), "prepend_scheme": self.draw.choice(["always", "first", "never"]), "split": self.chance(0.8)},
            "CharDelimiterSplit": lambda: {"delimiter": self.draw.choice("a .中")},
            "FixedLength": lambda: {"length": self.draw.randrange(1, 6)},
            "Split": lambda: {"pattern": self.pattern(), "behavior": self.draw.choice(BEHAVIORS), "invert": self.chance(0.2)},
        }  # fmt: skip
        return {"type": kind, **more.get(kind, dict)()}

    def usual(self):
        """The blocks of tokenizers that people use, which have fast paths."""
        byte_level = {"type": "ByteLevel", "add_prefix_space": self.flag(), "trim_offsets": True, "use_regex": True}
        split = {"type": "Split", "pattern": {"Regex": self.draw.choice([QWEN, LLAMA3, QWEN35])}, "behavior": "Isolated", "invert": False}
        qwen = {"type": "Sequence", "pretokenizers": [split, {**byte_level, "add_prefix_space": False, "use_regex": False}]}
        marks = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": self.draw.choice(["always", "first", "never"]), "split": True}
        spaces = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, marks]}
        bert = {"type": "BertNormalizer", "clean_text": self.chance(0.8), "handle_chinese_chars": self.chance(0.8), "strip_accents": self.draw.choice([None, True, False]), "lowercase": self.flag()}
        charsmap = {"type": "Precompiled", "precompiled_charsmap": self.draw.choice(CHARSMAPS)}
        t5 = {"type": "Sequence", "normalizers": [charsmap, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": MARK}]}
        local = self.draw.choice([None, {"type": "NFC"}, {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}])
        return self.draw.choice([
            ("WordPiece", bert, {"type": "BertPreTokenizer"}), ("WordPiece", None, {"type": "BertPreTokenizer"}), ("BPE", local, byte_level), ("BPE", local, qwen),
            ("Unigram", charsmap, spaces), ("Unigram", t5, marks), ("Unigram", None, marks), ("Unigram", {"type": "Nmt"}, spaces),
            ("BPE", {"type": "Replace", "pattern": {"String": " "}, "content": MARK}, {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}),
        ])  # fmt: skip

    # Models, of the words that the blocks make of some texts ------------------------------------------------------------

    def piece(self, words, most=6):
        word = self.draw.choice(words)
        start = self.draw.randrange(len(word))
        return word[start : start + self.draw.randrange(1, most + 1)]

    def characters(self, words, share):
        return [c for c in sorted({c for word in words for c in word}) if self.chance(share)]

    def bytes(self):
        share = self.draw.choice([1, 1, 0.8, 0])
        return [f"<0x{byte:02X}>" for byte in range(256) if share == 1 or self.chance(share)]

    def word_piece(self, words):
        prefix, unk = self.draw.choice(["##", "##", "@", ""]), self.draw.choice(["[UNK]", "[UNK]", "a"])
        pieces = self.characters(words, 0.9) + [self.piece(words) for _ in range(150)]
        vocab = [p for piece in pieces for p in (piece, prefix + piece) if self.chance(0.8)] + ([unk] if self.chance(0.9) else [])
        self.draw.shuffle(vocab)
        return {"type": "WordPiece", "unk_token": unk, "continuing_subword_prefix": prefix, "max_input_chars_per_word": self.draw.choice([100, 100, 10, 3]), "vocab": numbered(vocab)}

    def word_level(self, words):
        vocab = [word for word in words if self.chance(0.7)] + (["[UNK]"] if self.chance(0.9) else [])
        return {"type": "WordLevel", "unk_token": "[UNK]", "vocab": numbered(vocab)}

    def byte_pairs(self, words, is_bytes):
        prefix, suffix = (self.draw.choice([None, None, None, "##", "~"]), self.draw.choice([None, None, None, "</w>"])) if not is_bytes or self.chance(0.1) else (None, None)
        alphabet = sorted({*self.characters(words, 1 if is_bytes else 0.95)})
        vocab = [p + c + s for c in alphabet for p in {"", prefix or ""} for s in {"", suffix or ""}]
        if is_bytes and self.chance(0.9):
            vocab += json.loads(ALPHABET)
        merges = []

        def named(word, start, end):
            return (prefix or "" if start > 0 else "") + word[start:end] + (suffix or "" if end == len(word) else "")

        def merge(word, start, end):
            if end - start < 2:
                return
            middle = self.draw.randrange(start + 1, end)
            if self.chance(0.9):
                merge(word, start, middle)
                merge(word, middle, end)
            pair = [named(word, start, middle), named(word, middle, end)]
            vocab.extend([*pair, named(word, start, end)])
            merges.append(pair)

        for _ in range(120):
            word = self.draw.choice(words)
            start = self.draw.randrange(len(word))
            merge(word, start, min(len(word), start + self.draw.randrange(1, 9)))
        if self.flag():
            self.draw.shuffle(merges)
        unk = self.draw.choice([None, "<unk>", "<unk>", "a"])
        vocab += [unk] if unk else []
        falls_back = self.chance(0.3)
        vocab += self.bytes() if falls_back else []
        pairs = merges if self.flag() or any(" " in part for pair in merges for part in pair) else [" ".join(pair) for pair in merges]
        return {"type": "BPE", "dropout": None, "unk_token": unk, "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix, "fuse_unk": self.flag(), "byte_fallback": falls_back, "ignore_merges": self.chance(0.3), "vocab": numbered(vocab), "merges": pairs}  # fmt: skip

    def unigram(self, words):
        pieces = self.characters(words, 0.9) + [self.piece(words) for _ in range(200)] + [self.piece(words, 60) for _ in range(5)]
        pieces = list(dict.fromkeys(pieces)) if self.chance(0.9) else pieces
        falls_back = self.chance(0.3)
        pieces += [*(self.bytes() if falls_back else []), "<unk>"]
        self.draw.shuffle(pieces)
        score = self.draw.choice([lambda: self.draw.choice([-1.0, -2.0, -2.5, -3.0]), lambda: -10 * self.draw.random(), lambda: -1.5, lambda: self.draw.choice([0.0, -3.4635426998138428, -1e-7, -12.25, 2.5])])
        unk_id = pieces.index("<unk>") if self.chance(0.8) else self.draw.choice([None, self.draw.randrange(len(pieces))])
        return {"type": "Unigram", "unk_id": unk_id, "byte_fallback": falls_back, "vocab": [[piece, score()] for piece in pieces]}

    def added(self, model, words):
        vocab = [p[0] for p in model["vocab"]] if isinstance(model["vocab"], list) else list(model["vocab"])
        count = self.draw.choice([0, 0, 1, 2, 4, 8])
        contents = dict.fromkeys(self.draw.choice([self.part, lambda: self.piece(words), lambda: self.draw.choice(vocab)])() for _ in range(count))
        # Some become the same in a normaliser.
        for content in list(contents):
            if self.chance(0.3):
                contents[self.draw.choice([content.upper(), content.lower(), f" {content}", f"{content} ", f"{content}\u0301", f"{content}{content}"])] = None
        tokens, fresh = [], len(vocab)
        for content in contents:
            if content == "":
                continue
            id = vocab.index(content) if content in vocab else fresh
            fresh += id == fresh
            flags = {flag: self.chance(0.3) for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")}
            tokens.append({"id": id, "content": content, **flags})
        return tokens

    def distinct(self, tokens, normalize):
        """Of tokens that are the same behind the normaliser Rust takes any, another in each process; and we refuse empty ones."""
        seen, kept = {""}, []
        for token in tokens:
            content = normalize(token["content"]) if token["normalized"] else None
            if content not in seen:
                kept.append(token)
            if content is not None:
                seen.add(content)
        return kept

    def file(self):
        kind = None
        if self.chance(0.5):
            kind, normalizer, pre_tokenizer = self.usual()
        else:
            normalizer, pre_tokenizer = (self.normalizer() if self.chance(0.8) else None), (self.pre_tokenizer() if self.chance(0.9) else None)
            # Each doubles a text.
            while json.dumps([normalizer, pre_tokenizer]).count('"ByteLevel"') > 2:
                normalizer, pre_tokenizer = self.normalizer(), self.pre_tokenizer()
        kind = kind or self.draw.choice(["WordPiece", "WordLevel", "BPE", "BPE", "Unigram", "Unigram"])
        blocks = Tokenizer.from_str(json.dumps(whole(normalizer, pre_tokenizer)))
        seen = [self.text() for _ in range(30)]
        seen = [blocks.normalizer.normalize_str(text) for text in seen] if normalizer else seen
        split = blocks.pre_tokenizer.pre_tokenize_str if pre_tokenizer else lambda text: [(text, None)]
        words = [word for text in seen for word, _ in split(text) if word] or ["a"]
        is_bytes = '"ByteLevel"' in json.dumps([normalizer, pre_tokenizer])
        makers = {"WordPiece": self.word_piece, "WordLevel": self.word_level, "BPE": lambda words: self.byte_pairs(words, is_bytes), "Unigram": self.unigram}
        model = makers[kind](words)
        normalize = blocks.normalizer.normalize_str if normalizer else lambda text: text
        tokens = self.distinct(self.added(model, words), normalize)
        self.parts += 10 * [token["content"] for token in tokens] + [self.draw.choice(words) for _ in range(20)]
        return whole(normalizer, pre_tokenizer, model, tokens)


ALPHABET = json.dumps([chr(b) for b in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144)]])


def numbered(tokens):
    return {token: id for id, token in enumerate(dict.fromkeys(tokens))}


def whole(normalizer, pre_tokenizer, model=None, tokens=()):
    return {
        **{"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens), "normalizer": normalizer},
        **{"pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": None},
        "model": model or {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"},
    }


def attempt(work):
    """None where Rust has an error, and PANIC where it gives up, about which nothing is to be learnt."""
    try:
        return work()
    except Exception:
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return PANIC


def made(name, count):
    """A case with the ids of Rust's tokenizer; None where Rust refuses it."""
    case = Case(name)
    file = attempt(case.file)
    if file in (None, PANIC):
        return None
    tokenizer = attempt(lambda: Tokenizer.from_str(json.dumps(file)))
    if tokenizer in (None, PANIC):
        return None
    texts = [case.text() for _ in range(count)]
    if case.chance(0.1):
        texts.append("".join(case.part() for _ in range(3000))[:15_000])
    ids = [attempt(lambda: tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
    found = [(text, own) for text, own in zip(texts, ids) if own != PANIC]
    return {"name": name, "json": file, "texts": [text for text, _ in found], "ids": [own for _, own in found]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500, help="of tokenizers")
    parser.add_argument("--texts", type=int, default=40, help="of each tokenizer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", help="SEED:NUMBER")
    options = parser.parse_args()
    names = [options.case] if options.case else [f"{options.seed}:{i}" for i in range(options.count)]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=options.case is None) as file:
        refused = 0
        for name in names:
            case = made(name, options.texts)
            refused += case is None
            if case:
                file.write(json.dumps(case) + "\n")
        file.flush()
        print(json.dumps({"refused by Rust": refused, **({"file": file.name} if options.case else {})}))
        sys.exit(subprocess.run(["node", str(DRIVER), file.name]).returncode)


if __name__ == "__main__":
    main()
