"""Golden values for tokenizers of every kind, for tokenizer-kinds.test.ts.

    python test/parity/make_tokenizer_kinds.py     (needs `transformers`, and `sentencepiece` and `protobuf` for the charsmaps)

golden/tokenizer/nmt_nfkc_cf.charsmap.gz   SentencePiece's rules with case folding (Apache-2.0)
golden/tokenizer/kinds.json                digests of what normalisers and pre-tokenizers make of all characters and of odd
                                           texts; ids of odd texts in small tokenizers of every kind and class
With --dump FILE everything that is digested is written out, to find where a digest differs.
"""

import base64
import gzip
import hashlib
import io
import json
import logging
import sys
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

OUT = Path(__file__).resolve().parent / "golden" / "tokenizer"
logging.disable(logging.WARNING)
dumped = {}

PARTS = [
    " ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u2028", "\x0b", "\x1c", "\ufeff", "\u200b", "\u200d",
    "the", "The", "TOKEN", "ing", "un", "able", "a", "Z", "x", "42", "1999", "7", "constructor", "__proto__", "'s", "'ll", "don't", "größer", "Straße", "naïve",
    ".", ",", "!", "'", "\"", "-", "_", "$", "<", ">", "[", "]", "(", "#", "##", "…", "—", "«", "¡", "。", "，", "٪", "।", "€", "→", "²", "½", "Ⅷ", "٣",
    "<m>", "<s>", "</s>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "[mask]", "new york", "New York", "▁", "▁▁",
    "\x00", "\x12", "\x7f", "\x9f", "\u00ad", "\u2060", "\ufffd", "\ue000", "\u180e", "\ufe0f", "\U000e0067",
    "\u0301", "\u0327", "\u0323", "\u0338", "\u0345", "\u0344", "\u05b4", "\u064e", "\u3099", "\u309a", "\u20e3", "\u1dfb", "\uff9e", "\uff9f",
    "e\u0301", "c\u0327", "\u00e9", "\u00c5", "\u1e69", "\u0130", "\u0131", "\u1e9e", "\ufb01", "\u226e", "\u212a", "\u0390", "\u03a3", "\u0391\u03a3", "\u0419", "\u0438\u0306", "\u05d0\u05b4", "\u0627\u0653", "\u0929", "\u0915\u094d\u0937", "\u0e01\u0e33", "\u0e19\u0e49",
    "\u304b\u3099", "\u304c", "\u30cf\u309a", "\u30d1", "\uff8a\uff9f", "\uff76\uff9e", "\uff83\uff77\uff7d\uff84", "\u30c6\u30ad\u30b9\u30c8", "\u30fc", "\u3316", "\u32ff", "\ud55c", "\u1112\u1161\u11ab", "\u1100\u1161", "\uac00\u11a8", "\uac00", "\u4e2d", "\u6587", "\uf900", "\uff21\uff42\uff13",
    "\U00020000", "\U0002f800", "\U00010400", "\U000105c9", "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0001d400", "\u0600a", "\u0d4e\u0d15", "\u0378", "\U0001ffff", "\u0897", "\U000323b0", "\ua7f1",
]  # fmt: skip


def fuzz(count, parts=PARTS):
    """Texts of up to 19 parts, chosen by a generator that the test repeats."""
    state = 1

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    return ["".join(parts[draw(len(parts))] for _ in range(draw(20))) for _ in range(count)]


def all_characters():
    """Lines with every character between two letters; the test makes the same."""
    starts = [*range(0, 0x33480, 64), *range(0xE0000, 0xE0200, 64)]
    return [" ".join(f"a{chr(c)}b" for c in range(s, s + 64)) for s in starts if not 0xD800 <= s < 0xE000]


def combinations():
    """Every character of the basic plane before and behind what may join it to a grapheme."""
    lines = []
    for start in range(0, 0x10000, 64):
        if not 0xD800 <= start < 0xE000:
            lines.append(" ".join(f"{chr(c)}\u0301 \u0600{chr(c)} k{chr(c)}\u1161 {chr(c)}\u200d\uff9e" for c in range(start, start + 64)))
    return lines


TEXTS = fuzz(4000)
CHARACTERS = all_characters()
# Cut where that is safe, and without a place to be cut.
LONG = [" the ".join(TEXTS), "Quick (brown) foxes, größer than the lazy dogs. " * 400, "the" * 12_000, "\uff83\u0e19\u0e49" * 6_000]


def digest(name, rows):
    dumped[name] = rows
    text = "\x1e".join("\x1f".join(map(str, row)) for row in rows)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def charsmap(rule, rules=None):
    corpus = ["the quick brown fox jumps over the lazy dog", "größer straße café naïve", "한국어 텍스트", "日本語 テキスト", "привет мир"] * 30
    model = io.BytesIO()
    options = {"normalization_rule_tsv": rules} if rules else {"normalization_rule_name": rule}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, vocab_size=130, model_type="unigram", hard_vocab_limit=False, minloglevel=2, num_threads=1, **options
    )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap, [[p.piece, p.score] for p in proto.pieces]


# Blocks of tokenizer.json ---------------------------------------------------------------------------------------------

NORMALIZERS = [
    *[{"type": t} for t in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]],
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {"type": "Strip", "strip_left": True, "strip_right": False},
    {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Prepend", "prepend": "\u2581"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "$&\u2581"},
    {"type": "Replace", "pattern": {"String": "."}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"},
    {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": "\\b"}, "content": "|"},
    {"type": "Replace", "pattern": {"Regex": "[^\\w\\s]|\\d"}, "content": "$1"},
    {"type": "Replace", "pattern": {"Regex": "^\\W|[[:punct:]&&[^.]]$"}, "content": "*"},
    {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
    {"type": "Sequence", "normalizers": [{"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": True, "lowercase": False}, {"type": "Strip", "strip_left": True, "strip_right": True}]},
]  # fmt: skip

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PRE_TOKENIZERS = [
    *[{"type": t} for t in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer"]],
    *[{"type": "Punctuation", "behavior": b} for b in BEHAVIORS],
    {"type": "Digits", "individual_digits": True},
    {"type": "Digits", "individual_digits": False},
    *[{"type": "ByteLevel", "add_prefix_space": p, "trim_offsets": True, "use_regex": r} for p in (True, False) for r in (True, False)],
    *[{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": p, "split": s} for p in ("always", "first", "never") for s in (True, False)],
    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": True},
    {"type": "CharDelimiterSplit", "delimiter": "a"},
    {"type": "FixedLength", "length": 3},
    {"type": "UnicodeScripts"},
    *[{"type": "Split", "pattern": {"Regex": "\\s|the"}, "behavior": b, "invert": i} for b in BEHAVIORS for i in (True, False)],
    {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
    {"type": "Split", "pattern": {"String": "."}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "\\w+|[^\\w\\s]+"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "\\d{1,3}(?=(?:\\d{3})*\\b)|\\D+"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "[\\p{L}\\p{M}]+|\\p{N}|[^\\r\\n\\p{L}\\p{N}]+"}, "behavior": "Removed", "invert": True},
    {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}]},
    {"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": True}, {"type": "WhitespaceSplit"}]},
    {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]},
]  # fmt: skip


def empty_tokenizer(normalizer=None, pre_tokenizer=None):
    model = {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}
    return dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=normalizer, pre_tokenizer=pre_tokenizer, post_processor=None, decoder=None, model=model)  # fmt: skip


def blocks():
    found = {"normalizers": [], "preTokenizers": []}
    for block in NORMALIZERS:
        normalizer = Tokenizer.from_str(json.dumps(empty_tokenizer(normalizer=block))).normalizer
        rows = [[normalizer.normalize_str(text)] for text in TEXTS + CHARACTERS]
        found["normalizers"].append({"block": block, "sha256": digest(json.dumps(block), rows)})
    for block in PRE_TOKENIZERS:
        splitter = Tokenizer.from_str(json.dumps(empty_tokenizer(pre_tokenizer=block))).pre_tokenizer
        rows = [[piece for piece, _ in splitter.pre_tokenize_str(text)] for text in TEXTS + CHARACTERS]
        found["preTokenizers"].append({"block": block, "sha256": digest(json.dumps(block), rows)})
    return found


# Whole tokenizers -----------------------------------------------------------------------------------------------------

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = sorted({c for part in PARTS for c in part.lower() if c.isprintable() and c != " "})


def added(content, i, special=True, **flags):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": not special, "special": special, **flags}  # fmt: skip


def word_piece(words=("the", "un", "##ing", "größer", "##er", "new", "york"), **parts):
    vocab = [*SPECIAL, *LETTERS, *[f"##{c}" for c in LETTERS], *words]
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    model.update(parts.pop("model", {}))
    tokens = [added(token, i) for i, token in enumerate(SPECIAL)]
    return {**empty_tokenizer(), "added_tokens": tokens, "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": {**model, "vocab": {w: i for i, w in enumerate(dict.fromkeys(vocab))}}, **parts}  # fmt: skip


def unigram(pieces, map64, **parts):
    tokens = [added(t, i) for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>"])]
    vocab = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], *pieces[3:], ["<mask>", 0.0]]
    tokens.append(added("<mask>", len(vocab) - 1, lstrip=True))
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [], "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in [("<s>", 0), ("</s>", 2)]}}  # fmt: skip
    template["pair"] = [*template["single"], template["single"][-1], {"Sequence": {"id": "B", "type_id": 1}}, template["single"][-1]]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    file = {
        **empty_tokenizer({"type": "Precompiled", "precompiled_charsmap": map64}, metaspace),
        "added_tokens": tokens,
        "post_processor": template,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False},
    }
    file["model"].update(parts.pop("model", {}))
    return {**file, **parts}


def byte_pairs(trained_on, pre_tokenizer, normalizer=None, **model):
    from tokenizers import models, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    file = Tokenizer.from_str(json.dumps(empty_tokenizer(normalizer, pre_tokenizer)))
    tokenizer.pre_tokenizer = file.pre_tokenizer
    if normalizer:
        tokenizer.normalizer = file.normalizer
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)] if model.get("byte_fallback") else []
    tokenizer.train_from_iterator(trained_on, trainers.BpeTrainer(vocab_size=700, special_tokens=special + bytes_, show_progress=False))
    made = json.loads(tokenizer.to_str())
    made["added_tokens"] = [token for token in made["added_tokens"] if token["content"] in special]
    made["model"].update(model)
    return made


def cases(map64, pieces, small64):
    plain = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    bert = {"tokenizer_class": "BertTokenizer"}
    lower = {"type": "Lowercase"}
    whitespace = {"type": "Whitespace"}
    n = len(word_piece()["model"]["vocab"])
    flagged = [
        added("york", n, special=False, normalized=False, single_word=True),
        added("<m>", n + 1, special=False, normalized=False, lstrip=True, rstrip=True),
        added("The", n + 2, special=False, normalized=True),
        added("new york", n + 3, special=False, normalized=True, single_word=True, lstrip=True),
        added("#", n + 4, special=False, normalized=False, rstrip=True),
        added("##", n + 5, special=False, normalized=True),
    ]
    base = word_piece()["added_tokens"]
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}
    bert_template = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    spm = {"tokenizer_class": "XLMRobertaTokenizer"}
    fast = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "pad_token": "<pad>"}
    yield "Whitespace", dict(json=word_piece(pre_tokenizer=whitespace, normalizer=lower), config=plain)
    yield "words of at most 3 characters", dict(json=word_piece(pre_tokenizer=whitespace, model={"max_input_chars_per_word": 3}), config=plain)
    yield "another prefix", dict(json=word_piece(words=["the", "@@ing", "@@e"], pre_tokenizer=whitespace, model={"continuing_subword_prefix": "@@"}), config=plain)
    yield "flags of added tokens", dict(json=word_piece(pre_tokenizer=whitespace, normalizer=lower, added_tokens=base + flagged), config=plain)
    yield "flags of added tokens, BERT", dict(json=word_piece(normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, added_tokens=base + flagged), config=bert)
    yield "split_special_tokens", dict(json=word_piece(pre_tokenizer=whitespace), config={**plain, "split_special_tokens": True})
    yield "a pre-tokenizer alone", dict(json=word_piece(pre_tokenizer=None), config=plain)
    word_level = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": word_piece()["model"]["vocab"]}
    yield "WordLevel", dict(json={**word_piece(pre_tokenizer=whitespace), "model": word_level}, config=plain)
    # Classes that build their own parts.
    bare = word_piece(pre_tokenizer=whitespace, normalizer=None, model={"max_input_chars_per_word": 3, "unk_token": "[PAD]"})
    yield "BertTokenizer without normalizer and post_processor", dict(json=bare, config=bert)
    yield "BertTokenizerFast, cased", dict(json=bare, config={"tokenizer_class": "BertTokenizerFast", "do_lower_case": False, "tokenize_chinese_chars": False})
    yield "no tokenizer_class", dict(json=bare, config={})
    yield "ElectraTokenizer", dict(json=bare, config={"tokenizer_class": "ElectraTokenizer", "strip_accents": False})
    yield "DistilBertTokenizer", dict(json=bare, config={"tokenizer_class": "DistilBertTokenizer"})
    yield "BertTokenizer with other special tokens", dict(json=bare, config={**bert, "cls_token": "the", "sep_token": "<m>", "unk_token": "[MASK]"})
    mpnet = word_piece(words=["<s>", "</s>", "<pad>", "<mask>", "the"], added_tokens=[])
    yield "MPNetTokenizer", dict(json=mpnet, config={"tokenizer_class": "MPNetTokenizer"})
    yield "XLMRobertaTokenizer", dict(json=unigram(pieces, map64), config=spm)
    yield "XLMRobertaTokenizer drops other normalizers", dict(json=unigram(pieces, small64, normalizer={"type": "Sequence", "normalizers": [lower, {"type": "Precompiled", "precompiled_charsmap": small64}, {"type": "Strip", "strip_left": True, "strip_right": True}]}, pre_tokenizer=None), config={**spm, "add_prefix_space": False})
    # Tokens of other files.
    yield "added_tokens.json", dict(json=word_piece(pre_tokenizer=whitespace), config=plain, addedTokens={"<m>": n, "größer": 5, "new york": n + 1})
    yield "added_tokens.json, BERT", dict(json=word_piece(), config=bert, addedTokens={"<m>": n, "new york": n + 1})
    decoder = {str(i): {k: v for k, v in t.items() if k != "id"} for i, t in enumerate(base)}
    decoder[str(n)] = {k: v for k, v in added("<m>", n, special=False, lstrip=True).items() if k != "id"}
    yield "added_tokens_decoder", dict(json=word_piece(pre_tokenizer=whitespace), config={**plain, "added_tokens_decoder": decoder})
    yield "added_tokens_decoder, BERT", dict(json=word_piece(), config={**bert, "added_tokens_decoder": decoder})
    yield "added_tokens_decoder hides the file's own tokens", dict(json=word_piece(added_tokens=base + flagged), config={**bert, "added_tokens_decoder": {str(n): decoder[str(n)]}})
    yield "special_tokens_map.json", dict(json=word_piece(pre_tokenizer=whitespace, added_tokens=[]), config=plain, specialTokensMap={"mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False}, "additional_special_tokens": ["<m>", "<s>"]})
    yield "special_tokens_map.json, BERT", dict(json=word_piece(added_tokens=[]), config=bert, specialTokensMap={"cls_token": "the", "mask_token": "[mask]"})
    yield "extra_special_tokens", dict(json=word_piece(pre_tokenizer=whitespace, added_tokens=[]), config={**plain, "extra_special_tokens": ["<m>", "[CLS]"], "image_token": "new york"})
    # Unigram and BPE.
    yield "Unigram as it is", dict(json=unigram(pieces, map64), config=fast)
    strips = {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "Nmt"}]}
    first = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    yield "Unigram, a mark in front of what begins the text", dict(json=unigram(pieces, map64, normalizer=strips, pre_tokenizer=first), config=fast)
    yield "Unigram without split", dict(json=unigram(pieces, map64, pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}), config=fast)
    with_bytes = unigram([*pieces, *[[f"<0x{b:02X}>", -20.0] for b in range(256)]], small64, model={"byte_fallback": True})
    yield "Unigram with bytes", dict(json=with_bytes, config=fast)
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    trained = fuzz(300)
    yield "byte-level BPE", dict(json={**byte_pairs(trained, byte_level), "post_processor": roberta}, config=fast)
    yield "byte-level BPE, words first", dict(json=byte_pairs(trained, byte_level, ignore_merges=True), config=fast)
    yield "BPE with unknown characters", dict(json=byte_pairs(trained[:30], whitespace), config=fast)
    yield "BPE with fused unknown characters", dict(json=byte_pairs(trained[:30], whitespace, fuse_unk=True), config=fast)
    yield "BPE with bytes", dict(json=byte_pairs(trained[:30], None, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}, byte_fallback=True), config=fast)
    yield "model_input_names", dict(json=word_piece(pre_tokenizer=whitespace, post_processor=bert_template), config={**plain, "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]})
    yield "no model_input_names", dict(json=word_piece(pre_tokenizer=whitespace, post_processor=bert_template), config=plain)
    yield "truncation on the left", dict(json={**word_piece(), "truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}}, config=bert, maxLength=6)


def ids_of(files, texts):
    with tempfile.TemporaryDirectory() as folder:
        names = {"json": "tokenizer.json", "config": "tokenizer_config.json", "addedTokens": "added_tokens.json", "specialTokensMap": "special_tokens_map.json"}
        for key, name in names.items():
            if key in files:
                Path(folder, name).write_text(json.dumps(files[key]))
        Path(folder, "config.json").write_text(json.dumps({"model_type": "bert"}))
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        assert tokenizer.is_fast
        length = files.get("maxLength", 512)
        single = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
        some = texts[:200]
        pairs = tokenizer(["the"] * len(some), some, truncation="longest_first", max_length=512)
        # Without token types the model takes zeros.
        types = pairs.get("token_type_ids", [[0] * len(row) for row in pairs["input_ids"]])
        long = [tokenizer(text, truncation=True, max_length=length)["input_ids"] for text in LONG for length in (64, 10**6)]
        return single, [row + own for row, own in zip(pairs["input_ids"], types)], long


def main():
    map_cf, pieces = charsmap("nmt_nfkc_cf")
    # Without a time in it, so that the file is the same each time.
    (OUT / "nmt_nfkc_cf.charsmap.gz").write_bytes(gzip.compress(map_cf, 9, mtime=0))
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder, "rules.tsv")
        # From code points to code points: sharp s, a letter with a mark, two letters, one that goes, a space.
        rules.write_text("DF\t73 73\n65 301\tE9\n61 62\t78\n21\t\n85\t20\n")
        map_small, _ = charsmap(None, str(rules))
    found = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__}}
    found["parts"] = PARTS
    found.update(blocks())
    for name, data in [("nmt_nfkc_cf", map_cf), ("small", map_small)]:
        normalizer = tokenizers.normalizers.Precompiled(data)
        rows = [[normalizer.normalize_str(text)] for text in TEXTS + CHARACTERS + combinations()]
        found.setdefault("charsmaps", []).append({"name": name, "sha256": digest(name, rows), **({"base64": base64.b64encode(data).decode()} if name == "small" else {})})
    found["cases"] = []
    big, small = base64.b64encode(map_cf).decode(), base64.b64encode(map_small).decode()
    for name, files in cases(big, pieces, small):
        single, pairs, long = ids_of(files, TEXTS)
        text = json.dumps(files).replace(big, "nmt_nfkc_cf")
        found["cases"].append({"name": name, "files": json.loads(text), "first": single[:12], "sha256": digest(name, single), "pairs": digest(f"{name}, pairs", pairs), "long": digest(f"{name}, long", long)})  # fmt: skip
    lines = ",\n".join(f" {json.dumps(key)}: " + ("[\n" + ",\n".join("  " + json.dumps(v, separators=(",", ":")) for v in value) + "\n ]" if isinstance(value, list) and key != "parts" else json.dumps(value)) for key, value in found.items())  # fmt: skip
    (OUT / "kinds.json").write_text("{\n" + lines + "\n}\n")
    if "--dump" in sys.argv:
        Path(sys.argv[-1]).write_text(json.dumps(dumped))


main()
