"""Makes test/parity/golden/seq2seq-folder: a tiny T5 with its tokenizer as transformers saves it, and what it writes.

    .venv/bin/python test/parity/make_seq2seq_folder.py      (needs `transformers`)

expected.json has sources, and for several arguments of generate() the decoded texts; and the loss of some pairs. Sources are taken
whose greedy texts have the best token more than 1e-3 ahead of the second.
"""

import json
import tempfile
from pathlib import Path

import torch
import transformers
from architectures.support import randomise
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5Config, T5ForConditionalGeneration
from transformers.utils import logging

OUT = Path(__file__).resolve().parent / "golden" / "seq2seq-folder"
WORDS = "the cat sat on a mat and dogs run in big red houses while birds sing songs about rivers of old time".split()
ARGUMENTS = [
    {},
    {"max_new_tokens": 12},
    {"max_new_tokens": 10, "num_beams": 4, "num_return_sequences": 2},
    {"max_new_tokens": 8, "min_new_tokens": 5, "no_repeat_ngram_size": 2},
    {"max_new_tokens": 9, "num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
]


def make_tokenizer(folder):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=70, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))], trainer)
    tokenizer.save(str(Path(folder, "tokenizer.json")))
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 4, "model_max_length": 32}
    Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
    Path(folder, "config.json").write_text(json.dumps({"model_type": "t5"}))
    return AutoTokenizer.from_pretrained(folder)


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(folder)
    config = T5Config(vocab_size=len(tokenizer) + 4, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, dropout_rate=0.0, decoder_start_token_id=0)
    model = T5ForConditionalGeneration(config).eval()
    randomise(model, "seq2seq folder", "t5")
    model.generation_config.max_length = 16
    OUT.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(OUT)
    tokenizer.save_pretrained(OUT)
    tokenizer = AutoTokenizer.from_pretrained(OUT)
    model = AutoModelForSeq2SeqLM.from_pretrained(OUT)
    sources, state = [], 7
    while len(sources) < 12:
        words = []
        for _ in range(3 + len(sources)):
            state = (state * 1664525 + 1013904223) % 2**32
            words.append(WORDS[(state >> 8) % len(WORDS)])
        source = " ".join(words)
        ids = tokenizer(source, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=15, return_dict_in_generate=True, output_logits=True)
        best = torch.stack(out.logits).topk(2).values[:, 0]
        if (best[:, 0] - best[:, 1]).min() > 1e-3:
            sources.append(source)
    cases = []
    for arguments in ARGUMENTS:
        batch = tokenizer(sources, return_tensors="pt", padding=True, truncation=True)
        texts = tokenizer.batch_decode(model.generate(**batch, **arguments), skip_special_tokens=True)
        cases.append({"arguments": arguments, "texts": texts})
    targets = sources[1:] + sources[:1]
    batch = tokenizer(sources, text_target=targets, return_tensors="pt", padding=True, truncation=True)
    batch["labels"][batch["labels"] == tokenizer.pad_token_id] = -100
    loss = model(**batch).loss.item()
    found = {"versions": {"transformers": transformers.__version__}, "sources": sources, "cases": cases, "targets": targets, "loss": loss}
    (OUT / "expected.json").write_text(json.dumps(found, indent=1) + "\n")
    for case in cases:
        print(case["arguments"], case["texts"][:2])
    print(loss)


main()
