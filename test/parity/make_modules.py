"""Makes test/parity/golden/modules: models of parts, saved by sentence-transformers, with their embeddings and what Python prints.

    .venv/bin/python test/parity/make_modules.py        # the packages of make_goldens.py

`<name>/` is the model as it is saved, `<name>.json` has the texts, their embeddings and what `print(model)` gives.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, BertTokenizer

OUT = Path(__file__).resolve().parent / "golden" / "modules"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , .".split()
TEXTS = ["the cat sat on the mat", "a dog runs", "", "fast dogs, slow cats.", "unknown words 東京"]
LAYERS = 5


def save(model, name, texts=TEXTS):
    model.save(str(OUT / name), create_model_card=False)
    embeddings = model.encode(texts)
    golden = {"texts": texts, "shape": list(embeddings.shape), "embeddings": embeddings.flatten().tolist(), "printed": str(model)}
    if not name.startswith("static"):
        golden["tokens"] = [rows.flatten().tolist() for rows in model.encode(texts, output_value="token_embeddings")]
    (OUT / f"{name}.json").write_text(json.dumps(golden) + "\n")


def transformer(folder):
    config = BertConfig(vocab_size=len(WORDS), hidden_size=8, num_attention_heads=2, num_hidden_layers=LAYERS, intermediate_size=12,
                        max_position_embeddings=24, initializer_range=0.3)
    model = BertModel(config)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=24).save_pretrained(folder)
    found = modules.Transformer(str(folder))
    found.model.config.output_hidden_states = True  # of which WeightedLayerPooling is made
    return found


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
torch.manual_seed(0)
plain = OUT / "plain"
weighted = modules.WeightedLayerPooling(8, num_hidden_layers=LAYERS, layer_start=2)
norm = modules.LayerNorm(8)
with torch.no_grad():
    weighted.layer_weights.copy_(torch.tensor([0.5, 1.5, 2.0, -0.25]))
    norm.norm.weight.uniform_(0.5, 1.5)
    norm.norm.bias.uniform_(-0.5, 0.5)
parts = [transformer(plain), weighted, modules.Pooling(8, "mean"), norm, modules.Dropout(0.3), modules.Dense(8, 6), modules.Normalize()]
save(SentenceTransformer(modules=parts, device="cpu"), "all")
save(SentenceTransformer(modules=[modules.Transformer(str(plain)), modules.Pooling(8, ("cls", "max"))], device="cpu"), "two-modes",
     [text for text in TEXTS if text])
shutil.rmtree(plain)

tokenizer = Tokenizer.from_file(str(OUT / "all" / "tokenizer.json"))
table = torch.randn(len(WORDS), 6)
save(SentenceTransformer(modules=[modules.StaticEmbedding(tokenizer, embedding_weights=table), modules.Normalize()], device="cpu"), "static")

cut = Tokenizer.from_str(tokenizer.to_str())
cut.enable_truncation(3)
save(SentenceTransformer(modules=[modules.StaticEmbedding(cut, embedding_weights=table)], device="cpu"), "static-cut")

# What Model2Vec saves: a table of fewer rows, in halves and in 8 bits, with a row and a factor for each token.
mapping = torch.tensor([i % 7 for i in range(len(WORDS))])
weights = torch.linspace(0.25, 2.0, len(WORDS), dtype=torch.float64)
for name, tensors in {
    "model2vec": {"embeddings": table[:7].half(), "mapping": mapping, "weights": weights},
    "model2vec-bytes": {"embeddings": (table[:7] * 40).to(torch.int8), "mapping": mapping, "weights": weights.float()},
}.items():
    shutil.copytree(OUT / "static", OUT / name)
    save_file(tensors, OUT / name / "model.safetensors")
    model = SentenceTransformer(str(OUT / name), device="cpu")
    embeddings = model.encode(TEXTS)
    golden = {"texts": TEXTS, "shape": list(embeddings.shape), "embeddings": embeddings.flatten().tolist(), "printed": str(model)}
    (OUT / f"{name}.json").write_text(json.dumps(golden) + "\n")
