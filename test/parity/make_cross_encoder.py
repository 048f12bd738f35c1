"""Makes test/parity/golden/cross-encoder from the reference: sentence-transformers' CrossEncoder.

    python test/parity/make_cross_encoder.py

- `one` and `three`: folders of tiny random models with 1 and 3 labels, saved by CrossEncoder.save; `bare`: a BertModel.
- `golden.json`: token ids of pairs at several lengths, logits and predictions, the metrics of the evaluators, and the values
  and gradients of every loss for given logits.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

OUT = Path(__file__).resolve().parent / "golden" / "cross-encoder"
WORDS = "the a man woman dog cat is was plays runs guitar flute on in field house big small red how many people live ##s ##ing ##er play run , . ? !"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), *WORDS.split()]
CONFIG = dict(vocab_size=len(VOCAB), hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=24,
              max_position_embeddings=40, initializer_range=0.4)

PAIRS = [
    ["the man plays a guitar", "a woman plays the flute"],
    ["how many people live in the red house?", "the big dog runs."],
    ["run", "runs"],
    ["", "a dog"],
    ["a dog", ""],
    ["", ""],
    ["Zebras xylophone 42 — naïve café 東京", "the cat!"],
    ["the " * 30, "a big dog is running in the field " * 4],
    ["a big dog is running in the field " * 4, "the " * 30],
    ["the cat", "a small red house " * 12],
    ["a small red house " * 12, "the cat"],
    ["the " * 25, "dog " * 25],
]
LENGTHS = [40, 39, 12, 11, 7, 5, 4, 3]


def save_models():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(folder) / "vocab.txt"
        vocab.write_text("\n".join(VOCAB) + "\n")
        tokenizer = BertTokenizer(str(vocab), model_max_length=40)
        for name, labels in (("one", 1), ("three", 3), ("bare", None)):
            torch.manual_seed(labels or 7)
            if labels:
                model = BertForSequenceClassification(BertConfig(**CONFIG, num_labels=labels))
            else:
                model = BertModel(BertConfig(**CONFIG))
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.ndim == 1:
                        parameter.add_(0.2 * torch.randn_like(parameter))
            plain = Path(folder) / name
            model.save_pretrained(plain)
            tokenizer.save_pretrained(plain)
            if labels:
                CrossEncoder(str(plain), device="cpu").save_pretrained(str(OUT / name), create_model_card=False)
            else:
                shutil.copytree(plain, OUT / name)


def pair_tokens(model):
    found = []
    for length in LENGTHS:
        model.max_seq_length = length
        rows = [model.preprocess([pair]) for pair in PAIRS]
        found.append(dict(maxLength=length, ids=[row["input_ids"][0].tolist() for row in rows],
                          types=[row["token_type_ids"][0].tolist() for row in rows]))
    model.max_seq_length = 40
    return found


def predictions():
    golden = {}
    for name in ("one", "three"):
        model = CrossEncoder(str(OUT / name), device="cpu")
        entry = dict(default=model.predict(PAIRS).tolist(),
                     logits=model.predict(PAIRS, activation_fn=torch.nn.Identity()).tolist(),
                     tanh=model.predict(PAIRS, activation_fn=torch.nn.Tanh()).tolist(),
                     softmax=model.predict(PAIRS, apply_softmax=True).tolist(),
                     prompted=model.predict(PAIRS, prompt="the dog: ").tolist())
        golden[name] = entry
    documents = [b for _, b in PAIRS]
    model = CrossEncoder(str(OUT / "one"), device="cpu")
    golden["rank"] = dict(query="how many dogs?", documents=documents,
                          found=model.rank("how many dogs?", documents, top_k=7, return_documents=True))
    return golden


if __name__ == "__main__":
    torch.set_num_threads(1)
    save_models()
    one = CrossEncoder(str(OUT / "one"), device="cpu")
    golden = dict(pairs=PAIRS, tokens=pair_tokens(one), predictions=predictions())
    (OUT / "golden.json").write_text(json.dumps(golden) + "\n")
