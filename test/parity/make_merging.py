"""Makes test/parity/golden/merging: small models, and what sentence-transformers merges of them.

    .venv/bin/python test/parity/make_merging.py        # the packages of make_goldens.py, and mergekit 0.1.5

`base`, `one`, `two` are models of a Transformer, a Pooling and a Dense; `ce-one`, `ce-two` cross-encoders. `cases.json` has the calls.
`<case>.safetensors` has the tensors of the merged model, those of the Dense behind `2.`. `base/` is another model than `base` there, with the same weights.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

OUT = Path(__file__).resolve().parent / "golden" / "merging"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog runs sat on mat ##s fast slow not , .".split()
CONFIG = dict(vocab_size=len(WORDS), hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=12,
              max_position_embeddings=16, initializer_range=0.3)
WEIGHTS = {"weight": [0.6, 0.3]}
CASES = {
    "linear": ("linear", ["one", "two"], {}),
    "linear-weights": ("linear", ["one", "two"], {"parameters": {"weight": [0.6, 0.4]}}),
    "linear-three": ("linear", ["one", "two", "base"], {"parameters": {"weight": [0.6, 0.3, 0.3]}}),
    "linear-by-place": ("linear", ["one", "two"], {"parameters": {"weight": {0: 0.25, 1: -0.5}}}),
    "linear-sum": ("linear", ["one", "two"], {"parameters": {"weight": [0.6, -0.6], "normalize": False}}),
    "linear-float64": ("linear", ["one", "two"], {"parameters": WEIGHTS, "dtype": "float64"}),
    "linear-float64-out": ("linear", ["one", "two"], {"parameters": WEIGHTS, "dtype": "float64", "out_dtype": "float32"}),
    "linear-float16": ("linear", ["one", "two"], {"parameters": WEIGHTS, "out_dtype": "float16"}),
    "linear-bfloat16": ("linear", ["one", "two"], {"parameters": WEIGHTS, "out_dtype": "bfloat16"}),
    "slerp": ("slerp", ["one", "two"], {}),
    "slerp-t": ("slerp", ["one", "two"], {"parameters": {"t": 0.2}}),
    "slerp-base": ("slerp", ["one", "two"], {"parameters": {"t": 0.2}, "base_model": "two"}),
    "slerp-far": ("slerp", ["one", "other"], {"parameters": {"t": 0.7}}),
    "slerp-float64": ("slerp", ["one", "other"], {"parameters": {"t": 0.7}, "dtype": "float64"}),
    "task": ("task_arithmetic", ["one", "two"], {"base_model": "base"}),
    "task-all": ("task_arithmetic", ["one", "two"], {"base_model": "base", "parameters": {**WEIGHTS, "lambda": 0.7, "normalize": True}}),
    "task-base-inside": ("task_arithmetic", ["base", "one", "two"], {"base_model": "base", "parameters": WEIGHTS}),
    "ties": ("ties", ["one", "two", "other"], {"base_model": "base"}),
    "ties-density": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"density": 0.3}}),
    "ties-densities": ("ties", ["one", "two"], {"base_model": "base", "parameters": {**WEIGHTS, "density": [0.8, 0.01], "lambda": 0.6}}),
    "ties-sum": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"weight": [0.5, -0.4], "normalize": False, "density": 0.5}}),
    "ties-negative": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"weight": [0.5, -0.5]}}),
    "ties-none": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"density": 0}}),
    "ties-rescale": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"density": 0.4, "rescale": True}}),
    "ties-float64": ("ties", ["one", "two"], {"base_model": "base", "parameters": {"density": 0.4}, "dtype": "float64"}),
    "stock": ("model_stock", ["one", "two"], {"base_model": "base"}),
    "stock-float64": ("model_stock", ["one", "two"], {"base_model": "base", "dtype": "float64"}),
    "stock-rows-float64": ("model_stock", ["one", "two"], {"base_model": "base", "dtype": "float64", "parameters": {"filter_wise": True}}),
    "stock-three": ("model_stock", ["one", "two", "other"], {"base_model": "base"}),
    "stock-rows": ("model_stock", ["one", "two"], {"base_model": "base", "parameters": {"filter_wise": True}}),
    "stock-equal": ("model_stock", ["one", "base/"], {"base_model": "base"}),
    "ce-linear": ("linear", ["ce-one", "ce-two"], {"parameters": {"weight": [0.6, 0.4]}}),
    "ce-slerp": ("slerp", ["ce-one", "ce-two"], {}),
}


def vary(model, size, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


def sentence_model(name, size, seed):
    torch.manual_seed(0)
    folder = OUT / "plain"
    BertModel(BertConfig(**CONFIG)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    model = SentenceTransformer(modules=[modules.Transformer(str(folder)), modules.Pooling(8, "mean"), modules.Dense(8, 6)], device="cpu")
    vary(model, 0.1, 1)
    vary(model, size, seed)
    model.save(str(OUT / name), create_model_card=False)


def cross_encoder(name, size, seed):
    torch.manual_seed(0)
    folder = OUT / "plain-ce"
    BertForSequenceClassification(BertConfig(**CONFIG, num_labels=1)).save_pretrained(folder)
    BertTokenizer(str(OUT / "plain" / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    model = CrossEncoder(str(folder), device="cpu")
    vary(model, 0.1, 1)
    vary(model, size, seed)
    model.save_pretrained(str(OUT / name), create_model_card=False)


def merge(case, method, models, options):
    kind = CrossEncoder if case.startswith("ce-") else SentenceTransformer
    options = dict(options)
    if "base_model" in options:
        options["base_model"] = f"{OUT}/{options['base_model']}"
    merged = kind.merge([f"{OUT}/{name}" for name in models], method, **options)
    folder = OUT / "merged"
    merged.save_pretrained(str(folder))
    tensors = load_file(folder / "model.safetensors")
    dense = folder / "2_Dense" / "model.safetensors"
    if dense.exists():
        tensors.update({f"2.{name}": tensor for name, tensor in load_file(dense).items()})
    save_file(tensors, OUT / f"{case}.safetensors")
    shutil.rmtree(folder)


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
for name, size, seed in [("base", 0, 2), ("one", 0.05, 3), ("two", 0.05, 4), ("other", 0.5, 5)]:
    sentence_model(name, size, seed)
for name, seed in [("ce-one", 6), ("ce-two", 7)]:
    cross_encoder(name, 0.05, seed)
for case, call in CASES.items():
    merge(case, *call)
for folder in ["plain", "plain-ce"]:
    shutil.rmtree(OUT / folder)
(OUT / "cases.json").write_text(json.dumps({name: {"method": method, "models": models, **options} for name, (method, models, options) in CASES.items()}, indent=1) + "\n")
