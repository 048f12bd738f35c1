"""Makes test/parity/golden/sparse: tiny SparseEncoders of every architecture with SPLADE models, as sentence-transformers saves them,
and what it makes of texts with them.

    .venv/bin/python test/parity/make_sparse.py

- One folder for each model. `plain` is a folder of transformers alone, with gamma and beta for the weights of norms.
- `golden.json`: by model the embeddings of TEXTS (indices, values), the words of the first one, how sparse all are, the first one's
  intersection with the others, similarities by name, and the value and gradients of a step of SpladeLoss on PAIRS
  (`<model>.safetensors`, by the names of the checkpoint; without dropout).

Embeddings and gradients are computed in float64.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder import losses
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

OUT = Path(__file__).resolve().parent / "golden" / "sparse"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = "the man woman dog is plays guitar flute in field house big small red".split()
REST = [*LETTERS, *("##" + c for c in LETTERS), *WORDS, ".", "?"]
SIZES = dict(hidden_size=16, num_attention_heads=2, num_hidden_layers=2, intermediate_size=24, max_position_embeddings=40,
             initializer_range=0.4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
FIRST = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SECOND = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
TEXTS = ["the man plays guitar .", "a woman plays the flute in the field", "dog ?", "the big red house is small . the man is in the house"]
PAIRS = [("the man", "the man plays guitar ."), ("woman flute", "a woman plays the flute in the field"), ("red dog", "is the big dog red ?")]
WEIGHTS = dict(document_regularizer_weight=0.03, query_regularizer_weight=0.05)

MODELS = {
    "bert": (BertForMaskedLM, BertConfig, {}, FIRST, {}),
    "bert-sum": (BertForMaskedLM, BertConfig, {}, FIRST, {"pooling_strategy": "sum"}),
    "bert-twice": (BertForMaskedLM, BertConfig, {}, FIRST, {"activation_function": "log1p_relu"}),
    "untied": (BertForMaskedLM, BertConfig, {"tie_word_embeddings": False}, FIRST, {}),
    "distilbert": (DistilBertForMaskedLM, DistilBertConfig, dict(dim=16, hidden_dim=24, n_heads=2, n_layers=2, dropout=0.0,
                   attention_dropout=0.0, max_position_embeddings=40, initializer_range=0.4), FIRST, {}),
    "roberta": (RobertaForMaskedLM, RobertaConfig, dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2), SECOND, {}),
    "mpnet": (MPNetForMaskedLM, MPNetConfig, dict(pad_token_id=1, bos_token_id=0, eos_token_id=2), SECOND, {}),
    "modernbert": (ModernBertForMaskedLM, ModernBertConfig, dict(pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
                   local_attention=8, global_attn_every_n_layers=2, mlp_dropout=0.0, embedding_dropout=0.0, attention_dropout=0.0), FIRST, {}),
}


def save_model(name):
    kind, config, options, special, pooling = MODELS[name]
    vocab = special + REST
    sizes = {} if kind is DistilBertForMaskedLM else SIZES
    torch.manual_seed(len(name))
    model = kind(config(vocab_size=len(vocab), **{**sizes, **options}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    plain = OUT / "of-transformers"
    model.save_pretrained(plain)
    words = plain / "vocab.txt"
    words.write_text("\n".join(vocab) + "\n")
    tokenizer = BertTokenizer(str(words), model_max_length=30, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    tokenizer.save_pretrained(plain)
    words.unlink(missing_ok=True)
    transformer = Transformer(str(plain), transformer_task="fill-mask")
    found = SparseEncoder(modules=[transformer, SpladePooling(**pooling)])
    found.save(str(OUT / name), create_model_card=False)
    if name == "bert":
        make_plain(plain)
    shutil.rmtree(plain)
    (OUT / name / "generation_config.json").unlink(missing_ok=True)


def make_plain(source):
    """As files of the first years."""
    shutil.copytree(source, OUT / "plain")
    (OUT / "plain" / "generation_config.json").unlink(missing_ok=True)
    path = OUT / "plain" / "model.safetensors"
    tensors = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})


def rows(sparse):
    dense = sparse.to_dense()
    return [{"indices": (row != 0).nonzero().flatten().tolist(), "values": row[row != 0].tolist()} for row in dense]


def encode(model):
    embeddings = model.encode(TEXTS)
    out = {"embeddings": rows(embeddings), "most": rows(model.encode(TEXTS, max_active_dims=3)),
           "decoded": [[token, weight] for token, weight in model.decode(embeddings[0], top_k=5)], "sparsity": model.sparsity(embeddings),
           "intersection": rows(model.intersection(embeddings[0], embeddings)), "similarities": {}, "text": str(model)}
    for name in ["dot", "cosine", "euclidean", "manhattan"]:
        model.similarity_fn_name = name
        # Distances of sparse tensors are not built in every version of torch.
        dense = embeddings.to_dense()
        out["similarities"][name] = model.similarity(dense, dense).tolist()
    return out


def step(model, name):
    loss = losses.SpladeLoss(model, losses.SparseMultipleNegativesRankingLoss(model), **WEIGHTS)
    model.train()
    features = [model.preprocess(list(column)) for column in zip(*PAIRS)]
    parts = loss(features, None)
    sum(parts.values()).backward()
    gradients = {}
    for parameter, value in model[0].model.named_parameters():
        if value.grad is not None:
            gradients[parameter] = value.grad.float().contiguous()
    save_file(gradients, OUT / f"{name}.safetensors")
    return {key: value.item() for key, value in parts.items()}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    golden = {"texts": TEXTS, "pairs": PAIRS, "models": {}}
    for name in MODELS:
        save_model(name)
        model = SparseEncoder(str(OUT / name)).double()
        golden["models"][name] = {**encode(model), "loss": step(model, name)}
        print(name, golden["models"][name]["sparsity"], golden["models"][name]["loss"])
    model = SparseEncoder(str(OUT / "plain")).double()
    golden["models"]["plain"] = encode(model)
    assert golden["models"]["plain"]["embeddings"] == golden["models"]["bert"]["embeddings"]
    (OUT / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


main()
