"""Trains small tokenizers of seven kinds on ../shared/data, as folders that AutoTokenizer and this package load.

    python test/parity/train_tokenizers.py FOLDER     (needs `transformers`, `sentencepiece` and `protobuf`; some seconds)
    python test/parity/train_tokenizers.py FOLDER --large 250000    a Unigram vocabulary of that size instead, most of it made up
    python test/parity/sweep_tokenizers.py FOLDER/*                  compares them with Python

Nothing of it is committed. `node bench/tokenizers.mjs FOLDER/unigram-large` says how fast they are.
"""

import base64
import io
import itertools
import json
import random
import sys
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
NASTY = json.loads((ROOT / "test" / "parity" / "golden" / "tokenizer" / "nasty.json").read_text())
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def corpus():
    texts = [line.split("\t")[-1] for line in (DATA / "stsb" / "train.tsv").read_text().split("\n")[1:] if line]
    for file in ["squad/train-questions.jsonl", "banking77/train.jsonl"]:
        for line in (DATA / file).read_text().splitlines()[:15_000]:
            texts += [value for value in json.loads(line).values() if isinstance(value, str)]
    texts += [text if isinstance(text, str) else text[0] * 9 for text in NASTY["texts"]] * 5
    return [text for text in texts if text]


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}  # fmt: skip


def template(first, last):
    """`first` and `last` are tokens with their ids; without a first one as T5 has it."""
    text = {"Sequence": {"id": "A", "type_id": 0}}
    around = [pair and {"SpecialToken": {"id": pair[0], "type_id": 0}} for pair in (first, last)]
    single = [piece for piece in (around[0], text, around[1]) if piece]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}, around[1]],
        "special_tokens": {pair[0]: {"id": pair[0], "ids": [pair[1]], "tokens": [pair[0]]} for pair in (first, last) if pair},
    }


def file(model, tokens, normalizer=None, pre_tokenizer=None, post_processor=None):
    return {
        **{"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer},
        **{"pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": None, "model": model},
    }


def trained(texts, model, trainer, normalizer=None, pre_tokenizer=None):
    """The model block that a trainer of Rust's makes behind these two blocks."""
    empty = file({"type": "WordLevel", "vocab": {"": 0}, "unk_token": ""}, [], normalizer, pre_tokenizer)
    blocks = Tokenizer.from_str(json.dumps(empty))
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = blocks.normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = blocks.pre_tokenizer
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())["model"]


def sentence_piece(texts, size):
    """Pieces with scores, and the charsmap of SentencePiece's rule for most models."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=size, model_type="unigram", minloglevel=2, num_threads=1,
        normalization_rule_name="nmt_nfkc", character_coverage=0.9999, hard_vocab_limit=False,
    )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    return [[piece.piece, piece.score] for piece in proto.pieces[3:]], charsmap


METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]


def xlm_roberta(pieces, charsmap, **config):
    vocab = [[token, 0.0] for token in FAIRSEQ] + pieces + [["<mask>", 0.0]]
    tokens = [added(token, id) for id, token in enumerate(FAIRSEQ)] + [added("<mask>", len(vocab) - 1, lstrip=True)]
    model = {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False}
    blocks = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]}
    precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    return file(model, tokens, precompiled, blocks, template(("<s>", 0), ("</s>", 2))), {"tokenizer_class": "XLMRobertaTokenizer", **config}


def kinds(texts):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    words = {"type": "BertPreTokenizer"}
    model = trained(texts, models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=8000, special_tokens=special, show_progress=False), bert, words)
    tokens = [added(token, id) for id, token in enumerate(special)]
    yield "word-piece", file(model, tokens, bert, words, template(("[CLS]", 2), ("[SEP]", 3))), {"tokenizer_class": "BertTokenizer"}

    special = [*FAIRSEQ, "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = trained(texts, models.BPE(), trainers.BpeTrainer(vocab_size=8000, special_tokens=special, initial_alphabet=alphabet, show_progress=False), None, byte_level)
    tokens = [added(token, id, lstrip=token == "<mask>") for id, token in enumerate(special)]
    post = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}
    yield "byte-level-bpe", file(model, tokens, None, byte_level, post), {"tokenizer_class": "RobertaTokenizer"}

    end = "<|endoftext|>"
    split = {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False}
    qwen = {"type": "Sequence", "pretokenizers": [split, {**byte_level, "use_regex": False}]}
    model = trained(texts, models.BPE(), trainers.BpeTrainer(vocab_size=8000, special_tokens=[end], initial_alphabet=alphabet, show_progress=False), {"type": "NFC"}, qwen)
    yield "qwen-bpe", file(model, [added(end, 0)], {"type": "NFC"}, qwen, {**byte_level, "use_regex": False}), {"tokenizer_class": "Qwen2Tokenizer", "pad_token": end, "eos_token": end}

    pieces, charsmap = sentence_piece(texts, 8000)
    yield "unigram-xlm-r", *xlm_roberta(pieces, charsmap)

    extra = [f"<extra_id_{i}>" for i in range(99, -1, -1)]
    vocab = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]] + pieces + [[token, 0.0] for token in extra]
    tokens = [added(token, id) for id, (token, _) in enumerate(vocab[:3])] + [added(token, len(vocab) - 100 + i) for i, token in enumerate(extra)]
    normalizers = [{"type": "Precompiled", "precompiled_charsmap": charsmap}, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]
    t5 = file({"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": False}, tokens, {"type": "Sequence", "normalizers": normalizers}, METASPACE, template(None, ("</s>", 1)))
    yield "unigram-t5", t5, {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}

    special = ["<pad>", "<eos>", "<bos>", "<unk>", *[f"<0x{byte:02X}>" for byte in range(256)]]
    marks = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    spaces = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    training = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True}
    model = trained(texts, models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=8000, special_tokens=special, limit_alphabet=300, show_progress=False), None, training)
    model.update(byte_fallback=True, fuse_unk=True)
    tokens = [added(token, id) for id, token in enumerate(special[:4])]
    yield "byte-fallback-bpe", file(model, tokens, marks, spaces, template(("<bos>", 2), ("<eos>", 1))), {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": "<unk>"}

    lower, whitespace = {"type": "Lowercase"}, {"type": "Whitespace"}
    model = trained(texts, models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=8000, special_tokens=["[PAD]", "[UNK]"], show_progress=False), lower, whitespace)
    yield "word-level", file(model, [added("[PAD]", 0), added("[UNK]", 1)], lower, whitespace), {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}


def large(texts, size):
    """A vocabulary as long as XLM-RoBERTa's: trained pieces, and made-up ones of several scripts below them."""
    pieces, charsmap = sentence_piece(texts, 8000)
    known = {piece for piece, _ in pieces}
    draw = random.Random(1)
    alphabets = ["abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщыьэюя", "αβγδεζηθικλμνξοπρστυφχψω", "אבגדהוזחטיכלמנסעפצקרשת", "あいうえおかきくけこさしすせそたちつてと", "".join(map(chr, range(0x4E00, 0x5500)))]  # fmt: skip
    for rank in itertools.count():
        if len(pieces) >= size - len(FAIRSEQ) - 1:
            break
        alphabet = draw.choice(alphabets)
        longest = 4 if len(alphabet) > 100 else 9
        piece = draw.choice(["", "\u2581"]) + "".join(draw.choices(alphabet, k=draw.randint(2, longest)))
        if piece not in known:
            known.add(piece)
            pieces.append([piece, -14.0 - rank / size])
    return xlm_roberta(pieces, charsmap)


def write(folder, json_, config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json_, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    # AutoTokenizer wants one; the class is named in the other file.
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    print(f"{folder}: {len(json_['model']['vocab']):,} tokens")


def main():
    out = Path(sys.argv[1])
    if "--large" in sys.argv:
        return write(out / "unigram-large", *large(corpus(), int(sys.argv[-1])))
    for name, json_, config in kinds(corpus()):
        write(out / name, json_, config)


main()
