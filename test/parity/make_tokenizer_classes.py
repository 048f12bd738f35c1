"""Golden values for tokenizer-classes.test.ts: what the tokenizer classes of transformers make of small folders.

    python test/parity/make_tokenizer_classes.py      (needs `transformers`)

golden/tokenizer/classes.json      ids of odd texts by class and folder, with and without a tokenizer.json. "@name" in a file stands for a
                                   part that the cases share.
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
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parent / "golden" / "tokenizer"
PARTS = json.loads((OUT / "kinds.json").read_text())["parts"]
NASTY = json.loads((OUT / "nasty.json").read_text())["texts"]
logging.disable(logging.WARNING)

FILES = {
    "json": "tokenizer.json", "config": "tokenizer_config.json", "addedTokens": "added_tokens.json", "specialTokensMap": "special_tokens_map.json",
    "modelConfig": "config.json", "vocabTxt": "vocab.txt", "vocabJson": "vocab.json", "merges": "merges.txt",
}  # fmt: skip


def fuzz(count):
    """As in make_tokenizer_kinds.py, from another state."""
    state = 5

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    return ["".join(PARTS[draw(len(PARTS))] for _ in range(draw(20))) for _ in range(count)]


# Runs of one letter, whose ways to be cut are equally likely.
RUNS = [unit * count for unit in ["a", "ab", "the", "!", "\u4e2d", " a"] for count in range(2, 24)]
TEXTS = [text if isinstance(text, str) else text[0] * 60 for text in NASTY] + RUNS + fuzz(800)


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}  # fmt: skip


def file(model, tokens=(), normalizer=None, pre_tokenizer=None, post_processor=None):
    return {
        **{"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens), "normalizer": normalizer},
        **{"pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": None, "model": model},
    }


def template(*pieces, ids):
    single = [{"Sequence": {"id": "A", "type_id": 0}} if piece == "A" else {"SpecialToken": {"id": piece, "type_id": 0}} for piece in pieces]
    tokens = {piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]} for piece in pieces if piece != "A"}
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}


LETTERS = sorted({c for part in PARTS for c in part if c.isprintable() and c not in " \u2581"})[:160]


def pieces(special):
    """Scores in float32, as SentencePiece writes them: sums of them are exact, unless Rust has read them."""
    vocab = [[token, 0.0] for token in special] + [["\u2581", -3.2188758850097656]]
    words = ["\u2581the", "the", "\u2581a", "ing", "\u2581un", "able", "er", "aa", "aaa", "ab", "aba", "!!", "\u4e2d\u4e2d", "\u2581New", "\u2581york", "gr\u00f6\u00dfer"]
    scores = [-2.7, -3.1, -2.9, -4.4, -5.3, -6.7, -3.3, -5.9, -8.3, -6.1, -7.7, -5.5, -7.3, -6.3, -6.3, -8.1]
    f32 = lambda x: float(__import__("numpy").float32(x))  # noqa: E731
    vocab += [[word, f32(score)] for word, score in zip(words, scores)]
    return vocab + [[c, f32(-3.6 - 0.037 * i)] for i, c in enumerate(LETTERS)]


def byte_pairs():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(fuzz(400), trainers.BpeTrainer(vocab_size=380, special_tokens=special, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def byte_fallback():
    """Pairs of characters, and bytes for those that are not there."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)], "\u2581"]
    merges = ["t h", "th e", "\u2581 the", "a a", "aa a", "i n", "in g", "\u2581 a", "\u2581 \u2581", "! !"]
    made = [merge.replace(" ", "") for merge in merges]
    vocab = dict.fromkeys([*special, *LETTERS[:90], *made])
    return {token: id for id, token in enumerate(vocab)}, merges


def cases(shared):
    fairseq = ["<s>", "<pad>", "</s>", "<unk>"]
    charsmap = {"type": "Precompiled", "precompiled_charsmap": "@charsmap"}
    lower = {"type": "Lowercase"}
    odd = {"type": "Sequence", "normalizers": [lower, charsmap, {"type": "Strip", "strip_left": True, "strip_right": True}]}
    plain_marks = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    size = len(shared["@xlm"])
    fairseq_tokens = [added(token, id) for id, token in enumerate(fairseq)] + [added("<mask>", size, lstrip=True)]
    unigram = lambda vocab, unk, **more: {"type": "Unigram", "unk_id": unk, "vocab": vocab, "byte_fallback": False, **more}  # noqa: E731
    around = template("<s>", "A", "</s>", ids={"<s>": 0, "</s>": 2})

    def folder(json_, model_type="bert", **more):
        return {"json": json_, "modelConfig": {"model_type": model_type}, **more}

    def named(name, **config):
        return {"config": {"tokenizer_class": name, **config}}

    # A file whose own parts give other ids than the classes'.
    xlm = file(unigram("@xlm", 5, byte_fallback=True), fairseq_tokens, odd, plain_marks, template("A", "</s>", ids={"</s>": 2}))
    for name in ["XLMRobertaTokenizer", "XLMRobertaTokenizerFast", "PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend"]:
        yield f"{name}, Unigram", folder(xlm, **named(name))
    yield "XLMRobertaTokenizer without spaces in front", folder(xlm, **named("XLMRobertaTokenizer", add_prefix_space=False))
    yield "a class by the model's type: XLM-RoBERTa", folder(xlm, "xlm-roberta")
    yield "the class of a model that is known to take the file as it is", folder(xlm, "umt5", **named("T5Tokenizer"))
    yield "CamembertTokenizer", folder(xlm, "camembert", **named("CamembertTokenizer"))
    yield "CamembertTokenizer with tokens of its own", folder(xlm, "camembert", **named("CamembertTokenizerFast", additional_special_tokens=["<x>", "the"]))
    t5 = ["<pad>", "</s>", "<unk>"]
    spaces = {"type": "Sequence", "normalizers": [charsmap, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]}
    t5_file = file(unigram("@t5", 2), [added(token, id) for id, token in enumerate(t5)], spaces, {**plain_marks, "prepend_scheme": "always"}, template("A", "</s>", ids={"</s>": 1}))
    yield "T5Tokenizer", folder(t5_file, "t5", **named("T5Tokenizer", extra_ids=0))
    yield "T5Tokenizer with its hundred tokens", folder(t5_file, "t5", **named("T5TokenizerFast"))
    yield "T5Tokenizer with two of them", folder(t5_file, "t5", **named("T5Tokenizer", extra_ids=2, additional_special_tokens=["<extra_id_0>", "<extra_id_1>"]))
    yield "T5's file as it is", folder(t5_file, **named("PreTrainedTokenizerFast"))
    yield "a class by the model's type: T5", folder(t5_file, "mt5")
    deberta = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    deberta_file = file(unigram("@deberta", 3), [added(token, id) for id, token in enumerate(deberta)], odd, plain_marks)
    yield "DebertaV2Tokenizer", folder(deberta_file, "deberta-v2", **named("DebertaV2Tokenizer"))
    yield "DebertaV2Tokenizer, lower case and punctuation", folder(deberta_file, "deberta-v2", **named("DebertaV2TokenizerFast", do_lower_case=True, split_by_punct=True, add_prefix_space=False))
    albert_file = file(unigram("@albert", 1), [added(token, id) for id, token in enumerate(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])], odd, plain_marks)
    yield "AlbertTokenizer", folder(albert_file, "albert", **named("AlbertTokenizer"))
    own = template("[SEP]", "A", "[CLS]", ids={"[SEP]": 3, "[CLS]": 2})
    yield "AlbertTokenizer with the file's post-processor", folder({**albert_file, "post_processor": own}, "albert", **named("AlbertTokenizer", keep_accents=True, do_lower_case=False))

    bytes_ = {"type": "BPE", "vocab": "@bytes", "merges": "@merges", "unk_token": "<unk>", "fuse_unk": True, "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "byte_fallback": False}
    digits = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    tokens = [added(token, id) for id, token in enumerate(fairseq)] + [added("<mask>", 4, lstrip=True)]
    bpe = file(bytes_, tokens, {"type": "NFC"}, digits, around)
    yield "RobertaTokenizer", folder(bpe, "roberta", **named("RobertaTokenizer"))
    yield "RobertaTokenizerFast with spaces in front", folder(bpe, "roberta", **named("RobertaTokenizerFast", add_prefix_space=True, cls_token="</s>"))
    yield "BartTokenizer", folder(bpe, "bart", **named("BartTokenizer"))
    yield "RobertaTokenizer's file as it is", folder(bpe, **named("PreTrainedTokenizerFast"))
    yield "GPT2Tokenizer", folder(bpe, "gpt2", **named("GPT2Tokenizer"))
    yield "Qwen2Tokenizer", folder({**bpe, "normalizer": lower}, "qwen3", **named("Qwen2Tokenizer"))
    yield "a wrongly named class: Qwen2", folder({**bpe, "normalizer": lower}, "qwen2", **named("PreTrainedTokenizerFast"))
    fallback = file({**bytes_, "vocab": "@fallback", "merges": "@fallback_merges"}, [added(token, id) for id, token in enumerate(["<pad>", "<eos>", "<bos>", "<unk>"])], lower, {"type": "Whitespace"}, template("<bos>", "A", ids={"<bos>": 2}))
    yield "GemmaTokenizer", folder(fallback, "gemma3_text", **named("GemmaTokenizer"))
    yield "LlamaTokenizer", folder(fallback, "llama", **named("LlamaTokenizerFast"))
    yield "LlamaTokenizer, legacy", folder(fallback, "llama", **named("LlamaTokenizer", legacy=True))
    yield "LlamaTokenizer that is byte-level", folder(bpe, "llama", **named("LlamaTokenizer"))

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {"type": "WordPiece", "vocab": "@words", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 5}
    bert_tokens = [added(token, id) for id, token in enumerate(special)]
    bert = file(words, bert_tokens, None, {"type": "Whitespace"}, template("[SEP]", "A", ids={"[SEP]": 3}))
    for name in ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizerFast", "ConvBertTokenizer", "DPRContextEncoderTokenizer", "PreTrainedTokenizerFast"]:
        yield f"{name}, WordPiece", folder(bert, **named(name))
    yield "a class by the model's type: Electra", folder(bert, "electra")
    yield "MPNetTokenizer", folder(bert, "mpnet", **named("MPNetTokenizer"))

    # Folders without a tokenizer.json.
    text = "@vocabTxt"
    yield "vocab.txt, no class", {"vocabTxt": text, "modelConfig": {"model_type": "bert"}}
    yield "vocab.txt, cased", {"vocabTxt": text, "modelConfig": {"model_type": "bert"}, **named("BertTokenizer", do_lower_case=False)}
    yield "vocab.txt, DistilBERT", {"vocabTxt": text, "modelConfig": {"model_type": "distilbert"}, **named("DistilBertTokenizer")}
    yield "vocab.txt, MPNet", {"vocabTxt": "@mpnetTxt", "modelConfig": {"model_type": "mpnet"}, **named("MPNetTokenizer", do_lower_case=True)}
    yield "vocab.txt, MPNet by its type", {"vocabTxt": "@mpnetTxt", "modelConfig": {"model_type": "mpnet"}, "specialTokensMap": {"mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}}}
    roberta = {"vocabJson": "@bytes", "merges": "@mergesTxt", "modelConfig": {"model_type": "roberta"}}
    yield "vocab.json and merges.txt, no class", roberta
    yield "vocab.json and merges.txt, a mask that takes spaces", {**roberta, **named("RobertaTokenizer"), "specialTokensMap": {"bos_token": "<s>", "mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}}}
    yield "vocab.json and merges.txt, added tokens", {**roberta, **named("RobertaTokenizerFast", add_prefix_space=True), "addedTokens": {"new york": 380, "<m>": 381}}
    yield "vocab.json and merges.txt, GPT-2", {**roberta, "modelConfig": {"model_type": "gpt2"}}


def digest(rows):
    text = "\x1e".join("\x1f".join(map(str, row)) for row in rows)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def ids_of(files, shared):
    with tempfile.TemporaryDirectory() as folder:
        for key, value in files.items():
            text = value if key in ("vocabTxt", "merges") else json.dumps(value)
            for name, part in shared.items():
                if key in ("vocabTxt", "merges"):
                    text = part if text == name else text
                else:
                    text = text.replace(f'"{name}"', json.dumps(part))
            Path(folder, FILES[key]).write_text(text, newline="")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        assert tokenizer.is_fast
        single = tokenizer(TEXTS, truncation=True, max_length=512)["input_ids"]
        some = TEXTS[:200]
        pairs = tokenizer(["the"] * len(some), some, truncation="longest_first", max_length=512)
        types = pairs.get("token_type_ids", [[0] * len(row) for row in pairs["input_ids"]])
        return type(tokenizer).__name__, single, [row + own for row, own in zip(pairs["input_ids"], types)]


def main():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [letter for letter in LETTERS[:110]]
    tail = [*letters, *[f"##{letter}" for letter in letters], "the", "un", "##ing", "new", "york", "##er"]
    vocab, merges = byte_pairs()
    fallback, fallback_merges = byte_fallback()
    shared = {
        "@charsmap": base64.b64encode(gzip.decompress((OUT / "nmt_nfkc_cf.charsmap.gz").read_bytes())).decode(),
        "@xlm": pieces(["<s>", "<pad>", "</s>", "<unk>"]),
        "@t5": pieces(["<pad>", "</s>", "<unk>"]),
        "@deberta": pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]"]),
        "@albert": pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]),
        "@bytes": vocab,
        "@merges": merges,
        "@fallback": fallback,
        "@fallback_merges": fallback_merges,
        "@words": {word: id for id, word in enumerate(dict.fromkeys([*special, *tail]))},
        # A token that comes again, spaces behind a token, a line that ends otherwise, and no end of the last line.
        "@vocabTxt": "\n".join([*special, *tail, "a", "b ", "\u3000", "c\r", "zz"]),
        "@mpnetTxt": "\n".join(["<s>", "<pad>", "</s>", "[UNK]", *tail, "<mask>"]) + "\n",
        "@mergesTxt": "#version: 0.2\n" + "\n".join(merges) + "\n",
    }
    found = []
    for name, files in cases(shared):
        kind, single, pairs = ids_of(files, shared)
        print(name, kind, flush=True)
        found.append({"name": name, "files": files, "first": single[:150:10], "sha256": digest(single), "pairs": digest(pairs)})
    parts = {name: part for name, part in shared.items() if name != "@charsmap"}
    versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    dump = lambda value: json.dumps(value, separators=(",", ":"))  # noqa: E731
    lines = [f' "versions": {dump(versions)}', ' "shared": {\n' + ",\n".join(f"  {dump(key)}: {dump(value)}" for key, value in parts.items()) + "\n }"]
    lines.append(' "cases": [\n' + ",\n".join("  " + dump(case) for case in found) + "\n ]")
    (OUT / "classes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
